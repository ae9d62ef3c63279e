"""Whatever happens to the log, no run that was in it or in a run folder is lost."""

from __future__ import annotations

import datetime as dt
import json
import math
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from results.errors import ResultsError
from results.records import RunStatus, encode_record
from results.store.run_folder import RunFolder
from results.store.run_log import RunLog
from results.store.run_log_format import CLOSE, parse, render, salvage
from tests.results.conftest import a_record

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[3]


def ids(log: RunLog) -> list[str]:
    return [record.run_id for record in log.runs()]


def aside(log: RunLog) -> list[Path]:
    return sorted(log.path.parent.glob("*.broken-*"))


def child(code: str, *arguments: object, **options: object) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        cwd=ROOT,
        bufsize=0,  # a buffered readline() before communicate() would swallow lines and split one
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        **options,
    )


@pytest.mark.servers
def test_an_append_cut_off_after_any_byte_loses_none_of_the_runs_before(log):
    """kill -9 in the middle of the write: every state that it can leave is tried."""
    log.append(a_record("a"))
    log.append(a_record("b"))
    before = log.path.read_bytes()
    log.append(a_record("c"))
    after = log.path.read_bytes()
    added = after[len(before) - len(CLOSE) :]
    for written in range(1, len(added)):
        torn = bytearray(before)
        torn[len(before) - len(CLOSE) :] = added[:written] + before[len(before) - len(CLOSE) + written :]
        for broken in aside(log):
            broken.unlink()
        log.path.write_bytes(torn)
        log.append(a_record("d"))
        found = ids(log)
        # All of the record may be on disk, with only the brackets after it missing: then it is kept.
        assert found in (["a", "b", "d"], ["a", "b", "c", "d"]), written
        json.loads(log.path.read_bytes())
        only_newline_missing = written == len(added) - 1  # still a valid document
        assert [path.read_bytes() for path in aside(log)] == ([] if only_newline_missing else [bytes(torn)])


def test_a_truncated_log_is_set_aside_and_rebuilt_with_a_message(log):
    for name in ("a", "b", "c"):
        log.append(a_record(name))
    torn = log.path.read_bytes()[:-40]
    log.path.write_bytes(torn)
    assert ids(log) == ["a", "b"]
    assert ids(log) == ["a", "b"]
    assert [path.read_bytes() for path in aside(log)] == [torn]
    (message,) = log.warnings
    assert aside(log)[0].name in message
    assert "2 runs" in message


def test_the_rebuilt_log_has_the_runs_of_the_folders(log):
    """The record in a run's folder is the truth; lines whose folder is gone are kept."""
    results_dir = log.path.parent
    made = []
    for status in (RunStatus.SUCCEEDED, RunStatus.FAILED, RunStatus.STARTED):
        folder = RunFolder.create(results_dir, "human_eval", status, dt.datetime.now(dt.UTC))
        folder.write_record(a_record(folder.run_id, status=status, timestamp="2026-11-21T05:00:00+00:00"))
        made.append(folder)
    log.append(a_record("without-folder"))
    log.append(a_record(made[0].run_id, benchmark="changed by hand"))
    log.path.write_bytes(log.path.read_bytes().replace(b"]}", b"]", 1) + b"rubbish")
    found = {record.run_id: record for record in log.runs()}
    assert found.keys() == {"without-folder", made[0].run_id, made[1].run_id}
    assert found[made[0].run_id] == made[0].read_record()


def test_a_run_whose_harness_lives_is_not_added_twice_by_a_rebuild(log):
    """Its folder says succeeded, and its harness is about to add it: a rebuild leaves that to it."""
    folder = RunFolder.create(log.path.parent, "human_eval", "m", dt.datetime.now(dt.UTC))
    with folder.claim():
        folder.write_record(a_record(folder.run_id))
        log.append(a_record("other"))
        log.append(a_record(folder.run_id))
    assert sorted(run["run_id"] for run in json.loads(log.path.read_text())["runs"]) == sorted(
        [folder.run_id, "other"]
    )


def test_a_deleted_log_comes_back_from_the_folders(log):
    folder = RunFolder.create(log.path.parent, "human_eval", "m", dt.datetime.now(dt.UTC))
    folder.write_record(a_record(folder.run_id))
    assert ids(log) == [folder.run_id]
    log.path.write_bytes(b"")
    log.append(a_record(folder.run_id))
    assert [run["run_id"] for run in json.loads(log.path.read_text())["runs"]] == [folder.run_id]
    assert "missing or empty" in log.warnings[0]
    assert not aside(log)


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data.replace(b'"status"', b'"status', 1),
        lambda data: data.replace(b",\n", b"\n", 1),
        lambda data: data[20:],
        lambda data: b"\0" * 4096 + data,
        lambda data: data.replace(b"line 1", b"\xff\xfe", 1),
        lambda data: data.replace(b'"score":12.5', b'"score":"12.5"', 1),
        lambda data: json.dumps({"runs": dict(enumerate(json.loads(data)["runs"]))}).encode(),
        lambda data: json.dumps(json.loads(data), indent=4).encode()[:-8],
        lambda _: b"[" * 100_000,
    ],
    ids=["quote", "comma", "head", "zeros", "utf8", "type", "tinydb", "indented", "nested"],
)
def test_a_log_broken_by_hand_costs_at_most_the_record_that_was_hit(log, damage):
    for name in ("a", "b", "c"):
        log.append(a_record(name))
    broken = damage(log.path.read_bytes())
    log.path.write_bytes(broken)
    found = ids(log)
    assert [path.read_bytes() for path in aside(log)] == [broken]
    if b"run_id" in broken:
        assert found[-2:] == ["b", "c"]
    log.append(a_record("d"))
    assert ids(log) == [*found, "d"]


APPEND_MANY = """
import sys
from pathlib import Path
from results.store.run_log import RunLog
from tests.results.conftest import a_record
path, name, count, size = sys.argv[1:]
log = RunLog(Path(path))
for number in range(int(count)):
    log.append(a_record(f"{name}-{number}", model="m" * int(size)))
    print(f"{name}-{number}", flush=True)
"""


@pytest.mark.servers
def test_sixteen_processes_that_add_a_hundred_runs_each_lose_none(log):
    """Shell loops and sweeps share one log, and its first creation is a race too."""
    children = [child(APPEND_MANY, log.path, name, 100, 20) for name in range(16)]
    for process in children:
        _, errors = process.communicate(timeout=100)
        assert process.returncode == 0, errors.decode()
    found = [run["run_id"] for run in json.loads(log.path.read_text())["runs"]]
    assert not aside(log)
    assert sorted(found) == sorted(f"{name}-{number}" for name in range(16) for number in range(100))


def test_no_run_that_was_reported_as_added_is_lost_by_kill_9(log):
    """Three processes add runs of many pages each; all are killed at a random instant, again and again."""
    chance = random.Random(7)
    added: list[str] = []
    for attempt in range(6):
        children = [child(APPEND_MANY, log.path, f"{attempt}-{name}", 10_000, 30_000) for name in range(3)]
        added += [process.stdout.readline().decode().strip() for process in children]  # they have begun
        time.sleep(chance.uniform(0, 0.05))
        for process in children:
            process.send_signal(signal.SIGKILL)
        for process in children:
            output, errors = process.communicate(timeout=10)
            assert process.returncode == -signal.SIGKILL, errors.decode()
            added += [line for line in output.decode().split("\n")[:-1] if line]
        found = ids(log)
        assert set(added) <= set(found), set(added) - set(found)
        assert len(found) == len(set(found))
    json.loads(log.path.read_text())


FILL = """
import resource, sys
from pathlib import Path
from results.errors import ResultsError
from results.store.run_log import RunLog
from tests.results.conftest import a_record
log = RunLog(Path(sys.argv[1]))
limit = log.path.stat().st_size + int(sys.argv[2])
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
try:
    log.append(a_record("too-much", model="m" * 20_000), replace=sys.argv[3] == "replace")
except ResultsError as error:
    print(error.message, error.hint)
"""


@pytest.mark.parametrize("room", [0, 1, 3, 4, 5, 5000])
@pytest.mark.parametrize("how", ["append", "replace"])
def test_a_write_that_stops_half_way_is_a_clear_error_with_nothing_lost(log, room, how):
    """The limit on a file's size cuts the write after exactly so many bytes."""
    for name in ("a", "b"):
        log.append(a_record(name))
    before = log.path.read_bytes()
    process = child(FILL, log.path, room, how)
    output, errors = process.communicate(timeout=30)
    assert b"File too large" in output, errors.decode()
    assert b"nothing was lost" in output
    assert log.path.read_bytes() == before
    assert not list(log.path.parent.glob(".*.tmp"))
    log.append(a_record("c"))
    assert ids(log) == ["a", "b", "c"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small file system")
def test_a_full_disk_is_a_clear_error_with_nothing_lost(tmp_path: Path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", disk], check=False, capture_output=True
    )
    if mounted.returncode:
        pytest.skip(f"no mount here: {mounted.stderr.decode()}")
    try:
        log = RunLog(disk / "benchmark_results.json")
        added = []

        def fill():
            for number in range(1000):
                log.append(a_record(f"run-{number}"))
                added.append(f"run-{number}")

        with pytest.raises(ResultsError, match="No space left") as full:
            fill()
        assert "nothing was lost" in full.value.hint
        assert len(added) > 10
        assert ids(log) == added
        with pytest.raises(ResultsError, match="No space left"):
            log.append(a_record("run-0", model="m" * 60_000), replace=True)
        folder = RunFolder.create(disk, "human_eval", "m", dt.datetime.now(dt.UTC))
        with pytest.raises(ResultsError, match="No space left"):
            folder.write_record(a_record(folder.run_id, model="m" * 60_000))
        log.path.write_bytes(log.path.read_bytes()[:-3])  # torn, and no room to repair it
        with pytest.raises(ResultsError, match="No space left"):
            log.runs()
        assert not aside(log)
        (disk / "benchmark_results.json.lock").unlink()
    finally:
        subprocess.run(["umount", "-l", disk], check=True)


texts = st.text(st.characters(codec="utf-8"), max_size=30)
records = st.lists(
    st.builds(a_record, texts, model=texts, config=st.dictionaries(texts, texts, max_size=2)),
    max_size=6,
    unique_by=lambda record: record.run_id,
)


def lines_of(runs: list) -> list[bytes]:
    return [encode_record(run) for run in runs]


@given(records)
@settings(deadline=None, max_examples=50)
def test_salvage_of_a_whole_log_finds_what_parse_finds(runs):
    lines = lines_of(runs)
    assert list(parse(render(lines), where="x").values()) == runs
    assert list(salvage(render(lines), where="x").values()) == runs


@given(records, st.data())
@settings(deadline=None, max_examples=100)
def test_salvage_finds_every_record_that_the_damage_did_not_touch(runs, data):
    """A cut out of the file, and rubbish in its place, cost the records that they touch and no other."""
    lines = lines_of(runs)
    document = render(lines)
    start = data.draw(st.integers(0, len(document)))
    end = data.draw(st.integers(start, len(document)))
    rubbish = data.draw(
        st.sampled_from(
            [b"", b"\0", b"\xff", b"{", b"[", b"}", b"]}\n", b'{"run_id": "'],
        )
    )
    found = salvage(document[:start] + rubbish + document[end:], where="x")
    at = document.index(b"\n") + 1
    for line, run in zip(lines, runs, strict=True):
        if at + len(line) <= start or at >= end:
            quoted = rubbish.endswith(b'"') and at >= end  # an open quote may swallow one line, not more
            assert run in found.values() or quoted
        at += len(line) + 2


PIECES = {
    "nested": b'{"a":',
    "nested records": b'{"run_id":"x","config":',
    "open braces": b"{",
    "pairs of braces": b"{}",
    "quotes": b'"',
    "escaped quotes": b'\\"',
    "no records": b'{"run_id":"x"}\n',
    "records in records": b'{"run_id":{"run_id":1},"b":{"run_id":2}}',
    "heads": b'{"schema_version":',
    "one long line": b'{"schema_version":1,"run_id":"x","model":"',
}


@pytest.mark.parametrize("piece", PIECES.values(), ids=PIECES)
def test_salvage_takes_four_times_as_long_for_four_times_as_much(piece):
    """Whatever is in it. 18 MB of `{"a":` held a run for 25 s; what lies behind it is found."""
    whole = encode_record(a_record("whole"))

    def seconds(count: int) -> float:
        junk = piece * (count // len(piece))
        best = math.inf
        for _ in range(3):
            began = time.process_time()
            found = salvage(
                whole + b"\n" + junk + b"\n" + whole.replace(b'"whole"', b'"behind"') + b"\n", where="x"
            )
            best = min(best, time.process_time() - began)
            assert [record.run_id for record in found.values()] == ["whole", "behind"]
        return best

    small = seconds(200_000)
    assert seconds(800_000) < 4 * 3 * max(small, 0.002)


def test_a_log_of_rubbish_is_set_aside_before_a_run_begins(log):
    log.append(a_record("a"))
    rubbish = b'{"a":' * 400_000
    log.path.write_bytes(log.path.read_bytes()[:-5] + rubbish)
    log.check()
    assert ids(log) == []  # the first line was cut into
    assert len(aside(log)) == 1
    log.append(a_record("b"))
    assert ids(log) == ["b"]
