"""Whole units through Modal's own client and function, against a server that stands for Modal: nothing is lost.

The deployed function runs by `.local()`, from the app file as it would be deployed. We have never run it at Modal.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import pytest

from engines.carriers.blobs import FROM, pack_name
from engines.carriers.folder_blobs import FolderBlobs
from engines.carriers.growing_files import Piece
from engines.carriers.object_store import file_system
from engines.carriers.packs import pack
from engines.contract import EndKind
from engines.modal.engine import make
from engines.modal.places import STARTING
from engines.modal.settings import Settings
from results.errors import UsageError
from results.store.attempts import runs_in
from tests.command_line import PROGRAMS, ROOT, lines, wait_for
from tests.engines.coordinating import coordinated, journal
from tests.engines.driving import Said, driven_sweep
from tests.engines.modal_account import SECRET, TOKEN, modal_account
from tests.engines.s3_server import BUCKET, s3_server

pytestmark = pytest.mark.engines


@pytest.fixture(scope="module")
def account(tmp_path_factory):
    """Its machines have the keys of an S3 server in their environment."""
    folder = tmp_path_factory.mktemp("modal")
    with s3_server(folder), modal_account(folder) as found:
        yield found


@pytest.fixture
def deployed(account, monkeypatch):
    account.deploy(Settings())
    monkeypatch.setattr("engines.modal.engine.ASK_S", 1.0)
    monkeypatch.setattr("engines.modal.engine.LOOK_S", 0.2)
    monkeypatch.setattr("engines.modal.engine.SETTLE_S", 2.0)
    return account


def test_a_sweep_at_modal_is_done_and_its_results_stay_in_the_volume(deployed, tmp_path):
    sweep = driven_sweep(tmp_path, models=2, limit=3)
    coordinated(sweep, make(Settings(), sweep.said))
    assert len(sweep.scores()) == 2, deployed.log
    assert [each.what for each in journal(sweep, "done")] == ["done"] * 2
    assert len(sweep.generated()) == 6
    for entry in journal(sweep, "done"):
        there = deployed.volume / sweep.folder.sweep_id / entry.unit_id / "1"
        assert sorted(path.name for path in there.iterdir()) == ["files"]
        (record,) = (there / "files").glob("*/run.json")
        assert len(lines(record.with_name("completions.jsonl"))) == 3
        assert entry.place.startswith("Modal without GPU (")


def test_a_machine_that_is_taken_away_costs_nothing_that_had_come(deployed, tmp_path):
    sweep = driven_sweep(tmp_path, limit=24, delay_s=0.25)
    before = len(deployed.calls())
    kept = set()
    engine = make(Settings(), sweep.said)
    look = engine._look

    def look_and_kill(watched):
        """Once some of the first attempt is here."""
        ends = look(watched)
        for each in watched.values():
            if not kept and sweep.here(each.attempt.folder) >= 2:
                (run,) = runs_in(each.attempt.folder)
                kept.update(line["task_id"] for line in lines(run.completions))
                deployed.kill(deployed.calls()[before])
        return ends

    engine._look = look_and_kill
    coordinated(sweep, engine)
    ((_, answers),) = sweep.scores().values()
    assert len(answers) == 24
    assert [each.why for each in journal(sweep, "lost")] == ["its program failed; `modal app logs` says why"]
    generated = [line.split()[-1] for line in sweep.generated()]
    assert {generated.count(task) for task in kept} == {1}


def test_this_machine_may_go_away_and_another_coordinator_finds_the_calls(deployed, tmp_path):
    """kill -9 of the coordinator; its calls go on, and the next one only waits for them."""
    sweep = driven_sweep(tmp_path, models=2, limit=5, delay_s=0.2)
    before = len(deployed.calls())
    words = [
        "sweep", "--resume", sweep.folder.sweep_id, "--engine", "modal", "--results-dir", str(sweep.results)
    ]  # fmt: skip
    with (tmp_path / "log").open("wb") as log:
        first = subprocess.Popen([ROOT / "bench_runner.py", *words], stdout=log, stderr=log, env=os.environ)

    def noted():
        return sum(each.handle.startswith("fc-") for each in journal(sweep, "started"))

    assert wait_for(lambda: noted() == 2 or first.poll() is not None, 60)
    first.kill()
    first.wait()
    done = subprocess.run([ROOT / "bench_runner.py", *words], capture_output=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr.decode() + deployed.log
    assert len(deployed.calls()) == before + 2, "nothing was started again"
    assert len(sweep.scores()) == 2
    assert len(sweep.generated()) == 10


def test_a_call_that_was_started_but_not_noted_is_found_or_never_begins(deployed, tmp_path):
    """The coordinator was killed within the instant between them."""
    sweep = driven_sweep(tmp_path, limit=2)
    engine = make(Settings(), sweep.said)
    spawn = engine._service.spawn

    def spawn_and_die(*args):
        spawn(*args)
        raise KeyboardInterrupt

    engine._service.spawn = spawn_and_die
    engine._stop = lambda *_: None
    before = len(deployed.calls())
    with deployed.queue():
        with sweep.folder.claim(), pytest.raises(KeyboardInterrupt):
            store = _store(sweep, engine)
            next(engine.run(_Units(sweep), store))
        assert journal(sweep, "started")[-1].handle.split()[0] == STARTING
        coordinator = None
        again = make(Settings(), sweep.said)
        look = again._look

        def look_once(watched):
            assert len(watched) == 1
            (deployed.folder / "held").unlink(missing_ok=True)
            return look(watched)

        again._look = look_once
        coordinator = coordinated(sweep, again)
        (deployed.folder / "held").touch()
    assert coordinator.given_up == []
    assert [each.why for each in journal(sweep, "lost")] == ["the sweep ended before the call was known"]
    assert len(sweep.scores()) == 1
    assert len(sweep.generated()) == 2, "the first call found that nobody wants it"
    assert len(deployed.calls()) == before + 2


class _Units:
    """All of a sweep's, once."""

    leaves = False
    is_done = False
    holds_back = False

    def __init__(self, sweep):
        self._left = sweep.left()

    def take(self, fits=None):
        return self._left.pop() if self._left else None


def _store(sweep, engine):
    from engines.folder_store import FolderStore

    return FolderStore(sweep.folder, engine=engine.name, say=sweep.said.say)


def test_ctrl_c_cancels_the_calls_and_keeps_what_they_had(deployed, tmp_path):
    sweep = driven_sweep(tmp_path, limit=40, delay_s=0.3)
    words = [
        "sweep", "--resume", sweep.folder.sweep_id, "--engine", "modal", "--results-dir", str(sweep.results)
    ]  # fmt: skip
    before = len(deployed.calls())
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen([ROOT / "bench_runner.py", *words], stdout=log, stderr=log, env=os.environ)
    attempt = f"units/{sweep.planned[0].group}/1"
    assert wait_for(lambda: sweep.here(sweep.folder.path / attempt) >= 2 or process.poll() is not None, 60)
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 130, (tmp_path / "log").read_text()
    assert wait_for(lambda: len(deployed.calls("end")) == len(deployed.calls()), 30)
    (run,) = sweep.folder.runs(warn=sweep.said.say).values()
    assert run[1].status == "interrupted"
    assert len(lines(run[0].completions)) >= 2
    assert len(deployed.calls()) == before + 1


def test_another_deployment_is_refused_before_it_costs_anything(deployed, tmp_path):
    sweep = driven_sweep(tmp_path, limit=1)
    coordinated(sweep, make(Settings(timeout_s=600), sweep.said))
    (refused,) = journal(sweep, EndKind.REFUSED)
    assert "what is deployed at Modal has other settings" in refused.why
    (run,) = sweep.folder.runs(warn=sweep.said.say).values()
    assert "--deploy-engine" in run[1].error.hint
    assert sweep.generated() == []


def test_more_cards_than_the_machines_have_are_refused_without_a_call(deployed, tmp_path):
    sweep = driven_sweep(tmp_path, limit=1)
    before = len(deployed.calls())
    engine = make(Settings(), sweep.said)
    engine._fits = lambda needs: False
    told = {finding.message: finding for finding in engine.check(sweep.left())}
    (cards,) = [each for each in told.values() if "GPUs" in each.message]
    assert cards.is_error
    (model,) = [each for each in told.values() if "m0.gguf is not in Modal" in each.message]
    assert not model.is_error
    assert "modal volume put models" in model.hint
    coordinated(sweep, engine)
    (run,) = sweep.folder.runs(warn=sweep.said.say).values()
    assert "GPUs" in run[1].error.message
    assert len(deployed.calls()) == before


def test_what_is_missing_at_modal_is_told_before_anything_starts(account, tmp_path, monkeypatch):
    sweep = driven_sweep(tmp_path, limit=1)
    account.app_file.unlink(missing_ok=True)
    engine = make(Settings(), sweep.said)
    (finding,) = engine.check(sweep.left())
    assert finding.is_error
    assert "not deployed" in finding.message
    assert "--deploy-engine" in finding.hint


def test_a_wrong_token_and_none_are_told_with_what_to_do(account, tmp_path):
    code = (
        "from engines.modal.engine import *; from tests.engines.driving import Said\n"
        "for each in make(Settings(), Said()).check(()): print(each.message, '|', each.hint)"
    )
    env = {**os.environ, "HOME": str(tmp_path), "MODAL_CONFIG_PATH": str(tmp_path / "none.toml")}
    told = []
    for token in ("ak-bad", ""):
        env["MODAL_TOKEN_ID"] = token
        words = [sys.executable, "-c", code]
        done = subprocess.run(words, capture_output=True, text=True, env=env, cwd=ROOT, check=False)
        told.append(done.stdout)
    assert "doesn't let this machine in" in told[0]
    assert "no token" in told[1]
    assert all("modal token new" in text for text in told)


def test_no_secret_is_in_the_volume_the_app_or_the_journal(deployed, tmp_path, monkeypatch):
    for name, value in SECRET.items():  # a plan needs it too
        monkeypatch.setenv(name, value)
    command = (
        f"{sys.executable} {PROGRAMS / 'canonical_server.py'} --port {{port}} --salt ${{A_SECRET_OF_MODAL}}"
    )
    sweep = driven_sweep(tmp_path, limit=1, server_command=command)
    coordinated(sweep, make(Settings(), sweep.said))
    assert len(sweep.scores()) == 1, deployed.log
    places = (deployed.folder, tmp_path)
    everything = b"".join(
        path.read_bytes() for place in places for path in place.rglob("*") if path.is_file()
    )
    for secret in (*SECRET.values(), *TOKEN.values()):
        assert secret.encode() not in everything


class _OneAfterTheOther(_Units):
    """As of one family: the second one waits for what the first one does, and whoever leaves waits too."""

    leaves = True

    def __init__(self, sweep):
        super().__init__(sweep)
        self._sweep = sweep

    def take(self, fits=None):
        return super().take() if len(self._left) > 1 or self._sweep.generated() else None

    @property
    def holds_back(self):
        return bool(self._left)


def test_cancel_stops_calls_of_a_coordinator_that_is_gone(deployed, tmp_path):
    sweep = driven_sweep(tmp_path, models=2, limit=40, delay_s=0.3)
    engine = make(Settings(), sweep.said)
    with sweep.folder.claim():
        store = _store(sweep, engine)
        assert list(engine.run(_OneAfterTheOther(sweep), store)) == []  # it leaves, and the calls go on
        assert wait_for(lambda: len(sweep.generated()) >= 2, 60)
    other = make(Settings(), sweep.said)
    with sweep.folder.claim():
        attempts = _store(sweep, other).running()
        assert len(attempts) == 2
        other.cancel(attempts, 8.0)  # one of them may not have begun, and says nothing
        other.cancel(attempts, 1.0)
    assert wait_for(lambda: len(deployed.calls("end")) == len(deployed.calls()), 30)
    assert sweep.here(attempts[0].folder) >= 1


def test_deploying_without_a_token_is_an_error_and_writes_nothing(tmp_path, monkeypatch):
    pytest.importorskip("modal")
    from modal.config import config

    monkeypatch.setattr(config, "get", lambda *_, **__: None)
    path = tmp_path / "app.py"
    with pytest.raises(UsageError, match="no token"):
        make(Settings(app_file=str(path)), None).deploy()
    assert not path.exists()


def test_a_machine_that_sends_what_cannot_be_right_is_stopped_and_lost(deployed, tmp_path):
    """It may have been taken over by what a model wrote."""
    sweep = driven_sweep(tmp_path, limit=40, delay_s=0.3)
    engine = make(Settings(), sweep.said)
    look, sent = engine._look, []
    evil = pack([Piece("../../../evil", 0, b"evil", replaces=True)])

    def look_and_send(watched):
        for each in watched.values():
            address = deployed.volume / each.attempt.name
            if not sent and sweep.here(each.attempt.folder) >= 1:
                number = engine._carrier._reading[f"/{each.attempt.name}"].next
                for ahead in range(number, number + 50):
                    FolderBlobs(address).put(pack_name(FROM, ahead), evil)
                sent.append(address)
            elif sent and address != sent[0]:
                raise KeyboardInterrupt  # another attempt has begun
        return look(watched)

    engine._look = look_and_send
    with pytest.raises(KeyboardInterrupt):
        coordinated(sweep, engine)
    (lost,) = journal(sweep, EndKind.LOST)[:1]
    assert "can't be right" in lost.why
    assert not list(tmp_path.rglob("evil"))
    assert wait_for(lambda: len(deployed.calls("end")) == len(deployed.calls()), 30), "its call was killed"
    (run,) = sweep.folder.runs(warn=sweep.said.say).values()
    assert len(lines(run[0].completions)) >= 1, "what had come before stays"


def test_the_app_is_deployed_by_modals_own_command_with_what_was_asked_for(account, tmp_path):
    settings = Settings(
        app="nightly", gpu="L40S:2", secrets=("huggingface",), models_volume="models", timeout_s=3600, pip=("vllm",),
        app_file=str(tmp_path / "app.py"),
    )  # fmt: skip
    engine = make(settings, Said())
    assert "the app nightly is deployed at Modal" in engine.deploy()
    deployed = json.loads((account.folder / "deployed.json").read_text())
    files, image = deployed.pop("files"), deployed.pop("image")
    assert deployed == {
        "app": "nightly", "name": "unit", "gpu": "L40S:2", "timeout_s": 3600, "at_once": 10, "retries": 0,
        "volumes": {"/results": "vo-bench-runner", "/models": "vo-models"}, "secrets": ["huggingface"],
    }  # fmt: skip
    assert {
        "/root/app.py",
        "/bench_runner/engines/node/carried.py",
        "/bench_runner/scripts/run_lcb.py",
    } <= set(files)
    assert not [name for name in files if "__pycache__" in name or "/tests/" in name or "/." in name]
    assert any("vllm" in line for line in image)
    assert engine.deploy(), "again, over the file that it wrote"


def test_a_volume_for_both_is_refused_before_modal_has_to(account):
    with pytest.raises(UsageError, match="both bench-runner"):
        make(Settings(models_volume="bench-runner"), Said())


def test_results_may_go_through_an_object_store_instead_of_the_volume(deployed, tmp_path):
    settings = Settings(results_store=f"s3://{BUCKET}/bench")
    deployed.deploy(settings)
    assert "s3fs" in deployed.app_file.read_text()
    sweep = driven_sweep(tmp_path, limit=2)
    coordinated(sweep, make(settings, sweep.said))
    assert len(sweep.scores()) == 1, deployed.log
    assert not (deployed.volume / sweep.folder.sweep_id).exists()

    def left():
        """A machine leaves whole files there for people after it has told its end."""
        found = file_system("s3://")
        found.invalidate_cache()
        return found.find(f"{BUCKET}/bench/{sweep.folder.sweep_id}")

    assert wait_for(lambda: any(path.endswith("completions.jsonl") for path in left()), 30)
    assert all("/files/" in path for path in left())
