"""Attempts go to machines without a shared disk and back through a real S3 server, and nothing is lost on the way."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading

import pytest

from engines.carriers.blobs import CLAIM, BlobCarrier
from engines.carriers.choose import blobs_at, carrier_for
from engines.carriers.folder_blobs import FolderBlobs
from engines.carriers.object_store import ObjectBlobs, file_system
from engines.contract import EndKind, UnitEnd
from engines.node import carried
from engines.node.attempt_files import LOG, read_end
from results.errors import ResultsError
from results.store.attempts import runs_in
from tests.command_line import PROGRAMS, ROOT, lines, wait_for
from tests.engines.driving import driven_sweep
from tests.engines.s3_server import BUCKET, KEYS, s3_server

pytestmark = pytest.mark.engines
STORE = f"s3://{BUCKET}/some/prefix"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with s3_server(tmp_path_factory.mktemp("s3")) as found:
        yield found


@pytest.fixture
def carrier(server):
    file_system.cache_clear()
    return carrier_for(STORE)


@contextlib.contextmanager
def node(carrier, address, folder, *words, **how):
    """What an engine starts on a machine, which has only the address."""
    command = [sys.executable, *carrier.program(address), *words]
    env = {**os.environ, "TMPDIR": str(folder)}
    folder.mkdir(exist_ok=True)
    with subprocess.Popen(command, cwd=ROOT, env=env, **how) as process:
        try:
            yield process
        finally:
            process.kill()


def attempt_of(sweep):
    return sweep.store.partial(sweep.units.take())


def fetched_until(carrier, address, attempt, what, within_s=60):
    def look():
        carrier.fetch(address, attempt.folder)
        return what()

    assert wait_for(look, within_s), (attempt.folder / LOG).read_text()


def test_a_unit_done_through_a_store_is_the_same_as_on_this_machine(carrier, tmp_path):
    sweep = driven_sweep(tmp_path, limit=3)
    attempt = attempt_of(sweep)
    address = carrier.put(attempt.folder, attempt.name)
    with node(carrier, address, tmp_path / "node") as process:
        assert process.wait(60) == 0
    assert carrier.fetch(address, attempt.folder)
    assert not carrier.fetch(address, attempt.folder), "nothing comes twice"
    assert read_end(attempt.folder).kind == EndKind.DONE
    (run,) = runs_in(attempt.folder)
    assert len(lines(run.completions)) == 3
    assert not list((tmp_path / "node").glob("bench-attempt-*"))
    # Whoever begins anew, as a coordinator after a kill, ends with the same folder.
    before = {path: path.read_bytes() for path in attempt.folder.rglob("*") if path.is_file()}
    carrier_for(STORE).fetch(address, attempt.folder)
    assert {path: path.read_bytes() for path in attempt.folder.rglob("*") if path.is_file()} == before
    sweep.store.adopt(UnitEnd(attempt=attempt, kind=EndKind.DONE))
    assert len(sweep.scores()) == 1
    carrier.remove(address)
    carrier.remove(address)
    left = file_system(STORE).find(address)
    assert any(path.endswith(f"files/{run.run_id}/run.json") for path in left), "run folders stay, for people"
    assert not any("/from/" in path or "/to/" in path for path in left)


def test_completions_are_here_while_the_run_goes_on_and_survive_the_machine(carrier, tmp_path):
    sweep = driven_sweep(tmp_path, limit=24, delay_s=0.25)
    first = attempt_of(sweep)
    address = carrier.put(first.folder, first.name)
    with node(carrier, address, tmp_path / "node") as process:
        fetched_until(carrier, address, first, lambda: sweep.here(first.folder) >= 2)
        process.kill()
        process.wait()
    assert wait_for(lambda: not _programs(tmp_path / "node"), 20), "kill -9 of it ends the unit"
    carrier.fetch(address, first.folder)
    assert read_end(first.folder) is None
    (run,) = runs_in(first.folder)
    kept = {line["task_id"] for line in lines(run.completions)}
    assert len(kept) >= 2
    sweep.store.adopt(UnitEnd(attempt=first, kind=EndKind.LOST))
    sweep.units.waiting += sweep.left()
    second = attempt_of(sweep)
    assert second.number == 2
    address = carrier.put(second.folder, second.name)
    with node(carrier, address, tmp_path / "node") as process:
        assert process.wait(60) == 0
    carrier.fetch(address, second.folder)
    sweep.store.adopt(UnitEnd(attempt=second, kind=EndKind.DONE))
    ((_, answers),) = sweep.scores().values()
    assert len(answers) == 24
    generated = [line.split()[-1] for line in sweep.generated()]
    assert {generated.count(task) for task in kept} == {1}, "what had come was not generated again"


def _programs(folder):
    """Command lines of the unit's programs that work below the folder."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):  # noqa: PTH208
        with contextlib.suppress(OSError), open(f"/proc/{pid}/cmdline", "rb") as file:  # noqa: PTH123
            words = file.read()
            if os.fsencode(str(folder)) in words:
                found.append(words)
    return found


def test_sigterm_stops_a_unit_cleanly_and_its_end_arrives(carrier, tmp_path):
    sweep = driven_sweep(tmp_path, limit=30, delay_s=0.3)
    attempt = attempt_of(sweep)
    address = carrier.put(attempt.folder, attempt.name)
    with node(carrier, address, tmp_path / "node") as process:
        fetched_until(carrier, address, attempt, lambda: sweep.here(attempt.folder) >= 1)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    fetched_until(carrier, address, attempt, lambda: read_end(attempt.folder))
    assert read_end(attempt.folder).kind == EndKind.CANCELLED
    (run,) = runs_in(attempt.folder)
    assert run.read_record().status == "interrupted"
    assert not _programs(tmp_path / "node")


def test_a_store_that_is_away_for_a_while_costs_nothing(carrier, server, tmp_path):
    sweep = driven_sweep(tmp_path, limit=6, delay_s=0.2)
    attempt = attempt_of(sweep)
    address = carrier.put(attempt.folder, attempt.name)
    with node(carrier, address, tmp_path / "node") as process:
        fetched_until(carrier, address, attempt, lambda: sweep.here(attempt.folder) >= 1)
        server.pause()
        assert wait_for(lambda: len(sweep.generated()) == 6, 60)
        server.go_on()
        assert process.wait(90) == 0
    fetched_until(carrier, address, attempt, lambda: read_end(attempt.folder))
    assert sweep.here(attempt.folder) == 6


def test_a_second_program_leaves_the_attempt_alone(carrier, tmp_path, capsys):
    """As when a scheduler starts a task again on another node."""
    sweep = driven_sweep(tmp_path, limit=1)
    attempt = attempt_of(sweep)
    address = carrier.put(attempt.folder, attempt.name)
    ObjectBlobs(address).put("claim", b"1")
    words = carrier.program(address)[2:]
    assert carried.main(words) == ResultsError.exit_code
    assert "began this attempt before" in capsys.readouterr().err
    assert not carrier.fetch(address, attempt.folder)


def test_no_secret_is_in_the_store_or_on_a_command_line(carrier, tmp_path, monkeypatch):
    monkeypatch.setenv("SECRET_OF_A_NODE", "sk-very-secret-0123456789")
    command = (
        f"{sys.executable} {PROGRAMS / 'canonical_server.py'} --port {{port}} --salt ${{SECRET_OF_A_NODE}}"
    )
    sweep = driven_sweep(tmp_path, limit=1, server_command=command)
    attempt = attempt_of(sweep)
    address = carrier.put(attempt.folder, attempt.name)
    with node(carrier, address, tmp_path / "node") as process:
        assert process.wait(60) == 0
    carrier.fetch(address, attempt.folder)
    assert read_end(attempt.folder).kind == EndKind.DONE
    store = file_system(STORE)
    everything = b"".join(store.cat_file(path) for path in store.find(STORE))
    everything += b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    for secret in ("sk-very-secret-0123456789", *KEYS.values()):
        assert secret.encode() not in everything
        assert secret not in " ".join(carrier.program(address))


def test_what_is_wrong_with_a_store_is_told_before_anything_starts(carrier, monkeypatch):
    assert carrier.check() is None
    finding = carrier_for("s3://no-such-bucket/prefix").check()
    assert finding.is_error
    assert "bucket does not exist" in finding.message
    assert "AWS_PROFILE" in finding.hint


def test_a_store_that_stays_away_is_an_error_in_the_end(server, tmp_path):
    carrier = BlobCarrier(STORE, _Away, hint="look", patience_s=0.0)
    with pytest.raises(ResultsError, match="no route"):
        carrier.fetch(f"{STORE}/x", tmp_path)
    patient = BlobCarrier(STORE, _Away, hint="look")
    assert not patient.fetch(f"{STORE}/x", tmp_path)
    with pytest.raises(ResultsError, match="no route"):
        patient.put(tmp_path, "x")


class _Away:
    """A store on a network that is down."""

    def __init__(self, address):
        pass

    def get(self, name, most):
        raise OSError("no route to it")

    def put(self, name, data):
        raise OSError("no route to it")


def test_a_folder_of_packs_works_as_a_store_does(tmp_path):
    """As a volume that is mounted on the machine."""
    sweep = driven_sweep(tmp_path, limit=1)
    attempt = attempt_of(sweep)
    carrier = BlobCarrier(str(tmp_path / "volume"), blobs_at, hint="look")
    address = carrier.put(attempt.folder, attempt.name)
    stop = threading.Event()
    how = {"stop": stop, "sha256": carrier.checksum(address), "workdir": tmp_path / "node", "claim": "1"}
    assert carried.carry(blobs_at(address), [], **how) == 0
    carrier.fetch(address, attempt.folder)
    assert read_end(attempt.folder).kind == EndKind.DONE
    carrier.remove(address)


class ClaimedByTwo(FolderBlobs):
    """Somebody else claims the attempt in the same instant, and later."""

    def put(self, name, data):
        super().put(name, data)
        if name == CLAIM:
            super().put(name, b"somebody else")


def test_of_two_programs_that_claim_an_attempt_at_once_one_stops_and_writes_no_end(tmp_path):
    sweep = driven_sweep(tmp_path, limit=40, delay_s=0.3)
    attempt = attempt_of(sweep)
    carrier = BlobCarrier(str(tmp_path / "volume"), blobs_at, hint="look")
    address = carrier.put(attempt.folder, attempt.name)
    how = {"sha256": carrier.checksum(address), "workdir": tmp_path / "node", "claim": "this"}
    with pytest.raises(ResultsError, match="another program does it"):
        carried.carry(ClaimedByTwo(tmp_path / "volume" / attempt.name), [], stop=threading.Event(), **how)
    assert not _programs(tmp_path / "node")
    while carrier.fetch(address, attempt.folder):
        pass
    assert read_end(attempt.folder) is None
    assert len(sweep.generated()) < 40
