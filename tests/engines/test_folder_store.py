"""What comes back from machines goes into the results folder once, wherever the coordinator is killed and whatever a
machine wrote into its folder.
"""

from __future__ import annotations

import os
import shutil
import threading

import msgspec
import pytest

from engines.contract import EndKind, UnitEnd
from engines.coordinator import Coordinator
from engines.folder_store import FolderStore
from engines.run_copies import copy_run
from engines.unit import Unit
from results.durable import replace_file
from results.errors import ResultsError
from results.records import Remarks, RunStatus, decode_record, encode_record
from results.store.attempts import Attempts
from results.store.run_folder import RunFolder
from results.store.run_log import RUN_LOG_NAME, RunLog
from results.store.runs import begun_runs
from results.store.sweep_folder import SweepFolder
from tests.command_line import lines
from tests.engines.driving import Said
from tests.engines.fake_engine import FakeEngine, FakeMachines, Faults, coordinator, planned_sweep
from tests.engines.killed_at import killed_at
from tests.results.recorded_runs import record_run

LABEL = Remarks(label="the good one")


@pytest.fixture
def made(tmp_path, monkeypatch):
    """A sweep of two runs, of which a machine has done one and a half."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return Made(tmp_path)


class Made:
    def __init__(self, tmp_path):
        self.folder, self.planned = planned_sweep(tmp_path, models=1, runs=2)
        self.machines = FakeMachines(1, 1, tmp_path / "answered.log")
        self.results = self.folder.results_dir
        self.said = []
        self.attempt = self.started()

    def started(self):
        """An attempt that goes on with what is there, started and not begun."""
        store = self.store()
        store.begin()
        work = Coordinator(
            self.folder,
            self.planned,
            FakeEngine(self.machines),
            nonce="abcd",
            may_reduce=False,
            display=Said(),
            held=None,
        )
        (unit,) = work._units(work.left())
        attempt = store.started(store.partial(unit), handle="job", place="node0")
        for claim in store._claims.values():
            claim.close()
        return attempt

    def store(self):
        return FolderStore(SweepFolder(self.folder.path), engine="fake", say=self.said.append)

    def do(self, attempt, *, half=True):
        """Let a machine do it: the first run whole, and if half, the second one cut off."""
        document = msgspec.json.decode((attempt.folder / "unit.json").read_bytes(), type=Written).runs
        whole = Unit.of(self.read(attempt)).written
        for number, run in enumerate(whole.runs):
            cut = half and number == 1
            self.machines._chance.random = lambda: 0.9
            self.machines._chance.randint = lambda low, high: min(low + 2, high)
            self.machines._do(attempt.folder, whole, run, whole=not cut)
        assert len(document) == len(whole.runs)

    def read(self, attempt):
        from engines.unit import read_unit

        return read_unit((attempt.folder / "unit.json").read_bytes())

    def adopt(self, kind, store=None):
        store = store or self.store()
        taken = []
        for attempt in store.running():
            taken += store.adopt(UnitEnd(attempt=attempt, kind=kind, why="no heartbeat", place="node0"))
        store.log_unfinished()
        return taken

    def facts(self):
        """What is in the results folder and its log."""
        logged = list(RunLog(self.results / RUN_LOG_NAME).lines().values())
        assert len({record.run_id for record in logged}) == len(logged), "logged twice"
        runs = SweepFolder(self.folder.path).runs(warn=pytest.fail)
        assert {record.run_id for record in logged} == {folder.run_id for folder, _ in runs.values()}
        assert not begun_runs(self.results)
        names = sorted(path.name for path in self.results.iterdir() if path.name[0] != ".")
        return [names] + [
            (record.sweep.label, str(record.status), record.remarks.label, len(lines(folder.completions)))
            for folder, record in sorted(runs.values(), key=lambda run: run[1].sweep.label)
        ]


class Written(msgspec.Struct):
    runs: list[object]


@pytest.mark.engines
@pytest.mark.parametrize("kind", [EndKind.DONE, EndKind.LOST, EndKind.CANCELLED])
@pytest.mark.parametrize("again", [False, True])
def test_wherever_the_coordinator_is_killed_while_it_takes_runs_over_the_next_one_ends_it_the_same(
    made, tmp_path, kind, again
):
    """again: the runs were there before, unfinished, and a user has labelled one."""
    if again:
        made.do(made.attempt)
        made.adopt(EndKind.CANCELLED)
        _, (half, _) = sorted(made.folder.runs(warn=pytest.fail).values(), key=lambda run: run[0].run_id)
        RunLog(made.results / RUN_LOG_NAME).amend(
            [half], lambda record: msgspec.structs.replace(record, remarks=LABEL)
        )
        made.attempt = made.started()
        made.do(made.attempt, half=kind is EndKind.LOST)
    else:
        made.do(made.attempt)
    before = tmp_path / "before"
    shutil.copytree(made.results, before, symlinks=True)
    made.adopt(kind)
    wanted = made.facts()
    step, end = 0, 9
    while end:
        shutil.rmtree(made.results)
        shutil.copytree(before, made.results, symlinks=True)
        end = killed_at(step, lambda: made.adopt(kind))
        assert end in {0, 9}
        store = made.store()
        store.begin()
        made.adopt(EndKind.LOST, store)
        facts = made.facts()
        assert facts == wanted, f"killed at {step}"
        step += 1
    assert step > 20
    assert not [line for line in made.said if "left out" in line]


def test_what_is_taken_over_twice_is_there_once(made):
    made.do(made.attempt)
    store = made.store()
    (attempt,) = store.running()
    end = UnitEnd(attempt=attempt, kind=EndKind.LOST)
    assert len(store.adopt(end)) == 2
    assert not store.adopt(end)
    assert not made.store().adopt(end)


def test_another_process_that_logs_what_is_left_doesnt_log_it_too(made, monkeypatch):
    """`run` in the same results folder looks for runs whose harness died, at each instant of taking one over."""
    made.do(made.attempt)
    usual = os.rename
    looked = []

    def rename(source, target, **options):
        made.store().begin()
        usual(source, target, **options)
        made.store().begin()
        looked.append(target)

    monkeypatch.setattr(os, "rename", rename)
    made.adopt(EndKind.DONE)
    monkeypatch.setattr(os, "rename", usual)
    assert len(looked) == 2
    made.facts()


def test_a_full_disk_leaves_the_runs_for_the_next_coordinator(made, monkeypatch):
    made.do(made.attempt)
    usual = os.rename

    def full(source, target, **options):
        if str(target).startswith(str(made.results)) and ".copy" not in str(source):
            raise OSError(28, "No space left on device")
        usual(source, target, **options)

    monkeypatch.setattr(os, "rename", full)
    with pytest.raises(ResultsError, match="No space left"):
        made.adopt(EndKind.DONE)
    monkeypatch.setattr(os, "rename", usual)
    made.adopt(EndKind.DONE)
    assert len(made.facts()) == 3


def hostile(made):
    """What a machine may have put into its folder instead of its run. Returns the run's folder."""
    made.do(made.attempt, half=False)
    first, second = (RunFolder(made.attempt.folder / path.parent.name) for path in runs_of(made))
    shutil.rmtree(second.path)
    return first


def runs_of(made):
    return sorted(made.attempt.folder.glob("2*/run.json"))


def change(run, **changes):
    record = msgspec.structs.replace(decode_record(run.run_json.read_bytes(), where=""), **changes)
    run.run_json.write_bytes(encode_record(record))


def another_sweeps_run(run, made):
    place = msgspec.structs.replace(run.read_record().sweep, sweep_id="20261121T034600Z-other-3f9a")
    change(run, sweep=place)


def another_units_run(run, made):
    change(run, sweep=msgspec.structs.replace(run.read_record().sweep, fingerprint="f" * 32))


def no_sweeps_run(run, made):
    change(run, sweep=None)


def a_record_of_another(run, made):
    change(run, run_id="20261121T034600Z-human_eval-other-0000")


def a_newer_record(run, made):
    run.run_json.write_bytes(run.run_json.read_bytes().replace(b'"schema_version":1', b'"schema_version":9'))


def no_json(run, made):
    run.run_json.write_bytes(b"[" * 100_000)


def a_huge_record(run, made):
    with run.run_json.open("r+b") as file:
        file.truncate(1 << 40)


def a_link_for_the_folder(run, made):
    run.path.rename(made.folder.path / "elsewhere")
    run.path.symlink_to(made.folder.path / "elsewhere")


def a_name_with_lines(run, made):
    run.path.rename(run.path.with_name("20261121T034600Z-x\n\x1b[2Jy"))


def a_name_of_ours(run, made):
    run.path.rename(run.path.with_name("sweeps2"))


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (another_sweeps_run, "it isn't a run of this unit"),
        (another_units_run, "it isn't a run of this unit"),
        (no_sweeps_run, "it isn't a run of this unit"),
        (a_record_of_another, "its record is that of"),
        (a_newer_record, "newer"),
        (no_json, "is not a run record"),
        (a_huge_record, "more than"),
        (a_link_for_the_folder, "it is a link"),
        (a_name_with_lines, "its name is not that of a run"),
        (a_name_of_ours, "its name is not that of a run"),
    ],
)
def test_what_isnt_a_run_of_the_unit_is_left_out_and_the_reason_said(made, spoil, reason):
    spoil(hostile(made), made)
    before = content(made.results)
    assert not made.adopt(EndKind.DONE)
    assert content(made.results) == before
    assert len(made.said) == 1
    assert reason in made.said[0]


def content(results):
    """All that is there, but the sweep's own folder and the log's lock."""
    return {
        path: path.read_bytes()
        for path in results.rglob("*")
        if path.is_file() and "sweeps" not in path.parts and path.suffix != ".lock"
    }


def test_a_run_with_the_id_of_another_is_kept_beside_it(made):
    """Two machines may give it in the same instant, and a hostile one may try; the other one stays as it is."""
    run = hostile(made)
    other = record_run(made.results, model="other")
    other.path.rename(made.results / run.run_id)
    there = RunFolder(made.results / run.run_id)
    before = content(there.path)
    ((kept, record),) = made.adopt(EndKind.DONE)
    assert content(there.path) == before
    assert kept.run_id == record.run_id == kept.read_record().run_id != run.run_id
    assert RunFolder(kept.path).read_record().status is RunStatus.SUCCEEDED


def test_links_and_pipes_in_a_run_are_removed_and_what_they_name_stays(made, tmp_path):
    run = hostile(made)
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "mine.txt").write_text("mine")
    (run.path / "completions.jsonl").unlink()
    (run.path / "completions.jsonl").symlink_to(outside / "mine.txt")
    (run.path / "folder").symlink_to(outside)
    (run.path / ".run.json.tmp").symlink_to(outside / "mine.txt")
    (run.path / "harness.lock").symlink_to(outside / "mine.txt")
    os.mkfifo(run.path / "server.log")
    os.mkfifo(made.attempt.folder / "20261121T034600Z-pipe")
    (made.attempt.folder / ".replaced-x").symlink_to(outside)
    ((kept, _),) = made.adopt(EndKind.LOST)
    assert [path.name for path in outside.iterdir()] == ["mine.txt"]
    assert (outside / "mine.txt").read_text() == "mine"
    assert sorted(path.name for path in kept.path.iterdir()) == ["harness.lock", "run.json"]


def test_a_folder_of_an_attempt_that_is_a_link_has_no_runs(made, tmp_path):
    hostile(made)
    made.attempt.folder.rename(tmp_path / "moved")
    made.attempt.folder.symlink_to(tmp_path / "moved")
    assert not made.adopt(EndKind.DONE)
    assert "its folder is a link" in made.said[0]
    assert not list(Attempts(made.folder.path).live_runs())


def test_a_machine_that_changes_its_unit_gains_nothing(made):
    run = hostile(made)
    another_units_run(run, made)
    path = made.attempt.folder / "unit.json"
    store = made.store()
    (attempt,) = store.running()  # as the coordinator that started it knows it
    path.write_bytes(path.read_bytes().replace(attempt.unit.written.runs[0].fingerprint.encode(), b"f" * 32))
    assert not store.adopt(UnitEnd(attempt=attempt, kind=EndKind.DONE))


def test_a_run_is_copied_while_its_machine_goes_on_to_write_into_it(tmp_path):
    """One that was taken for dead replaces its files all the time: leaving its run out would lose all its answers."""
    run = tmp_path / "run"
    run.mkdir()
    replace_file(run / "run.json", b"{}")
    stop = threading.Event()

    def write():
        while not stop.is_set():
            for name in ("run.json", "score.json"):
                replace_file(run / name, b"{}")

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for number in range(100):
            copy_run(run, tmp_path / str(number))
            assert (tmp_path / str(number) / "run.json").read_bytes() == b"{}"
    finally:
        stop.set()
        writer.join()


@pytest.mark.parametrize("kind", [EndKind.LOST, EndKind.CANCELLED])
def test_a_machine_taken_for_dead_writes_into_no_run_of_ours(made, kind):
    """Nor one that a cancellation didn't reach: it has written no end."""
    made.do(made.attempt)
    (made.attempt.folder / "end.json").unlink(missing_ok=True)
    with runs_of(made)[1].with_name("completions.jsonl").open("ab") as zombie:
        taken = made.adopt(kind)
        sizes = [folder.completions.stat().st_size for folder, _ in taken]
        zombie.write(b'{"task_id": "of the dead"}\n')
    assert [folder.completions.stat().st_size for folder, _ in taken] == sizes


def test_faults_of_a_run_stay_in_its_record(made):
    """A machine's failed run is a run, and its reason is kept."""
    made.machines.faults = Faults(fails=1.0)
    with made.folder.claim():
        for path in runs_of(made):
            shutil.rmtree(path.parent)
        coordinator(made.folder, made.planned, FakeEngine(made.machines), said=Said()).work()
    assert {line[1] for line in made.facts()[1:]} == {"failed"}
