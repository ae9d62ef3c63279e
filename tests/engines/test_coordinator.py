"""The coordinator and its store over machines that are none: whatever they do, no run is lost, and none done twice."""

from __future__ import annotations

from collections import Counter

import pytest

from engines.contract import EndKind, UnitEnd
from engines.coordinator import MOST_LOST, MOST_REFUSED
from results.errors import Interrupted
from results.records import RunStatus
from results.store.run_log import RUN_LOG_NAME, RunLog
from results.store.runs import begun_runs
from results.store.sweep_folder import SweepFolder
from tests.command_line import lines
from tests.engines.driving import Said
from tests.engines.fake_engine import FakeEngine, FakeMachines, Faults, coordinator, planned_sweep, twice
from tests.engines.killed_at import killed_at


def made(folder, planned):
    """The score of each run, by label, after checking that each is there once: in its folder, and in the log."""
    there = SweepFolder(folder.path).runs(warn=pytest.fail)
    labels = {run.fingerprint: run.label for run in planned}
    assert there.keys() == labels.keys()
    logged = Counter(record.run_id for record in RunLog(folder.results_dir / RUN_LOG_NAME).lines().values())
    assert set(logged.values()) == {1}
    assert logged.keys() >= {run.run_id for run, _ in there.values()}
    assert not begun_runs(folder.results_dir)
    for run, record in there.values():
        if record.status is RunStatus.SUCCEEDED:
            answered = [line["task_id"] for line in lines(run.completions)]
            assert answered == [f"HumanEval/{number}" for number in range(4)]
    return {
        labels[name]: record.score.score if record.score else str(record.status)
        for name, (_, record) in there.items()
    }


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    """Of models' hashes."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def sweep(tmp_path):
    return planned_sweep(tmp_path)


def machines(tmp_path, *, seed=1, nodes=2, **faults):
    return FakeMachines(seed, nodes, tmp_path / "answered.log", Faults(**faults))


@pytest.mark.parametrize("seed", range(4))
def test_what_dies_and_refuses_at_random_ends_like_a_sweep_without_faults(tmp_path, seed):
    """No answer that came back is made again, though machines taken for dead write on."""
    folder, planned = planned_sweep(tmp_path, models=8)
    calm = FakeMachines(0, 3, tmp_path / "calm.log")
    with folder.claim():
        coordinator(folder, planned, FakeEngine(calm), said=Said()).work()
    wanted = made(folder, planned)

    folder, planned = planned_sweep(tmp_path, models=8)
    there = machines(tmp_path, seed=seed, nodes=3, dies=0.35, refuses=0.2, slow=0.3, zombie=0.7)
    work = coordinator(folder, planned, FakeEngine(there), said=Said())
    with folder.claim():
        work.work()
        while work.given_up:
            work = coordinator(folder, planned, FakeEngine(there), said=Said())
            work.work()
    there.haunt()
    assert made(folder, planned) == wanted
    assert there.died
    assert not twice(tmp_path / "answered.log")


def test_a_unit_that_is_lost_without_progress_is_left_after_a_few_times(tmp_path, sweep):
    folder, planned = sweep
    said = Said()
    there = machines(tmp_path)
    there._end = lambda attempt, node: UnitEnd(
        attempt=attempt, kind=EndKind.LOST, why="gone", place=node.name
    )
    work = coordinator(folder, planned, FakeEngine(there), said=said)
    with folder.claim():
        work.work()
    assert there.died == MOST_LOST * 3
    assert len(work.given_up) == 3
    assert any("left for --resume" in line for line in said.lines)
    with folder.claim():
        coordinator(folder, planned, FakeEngine(machines(tmp_path)), said=said).work()
    assert set(map(type, made(folder, planned).values())) == {float}


def test_a_unit_that_every_machine_refuses_is_left_once_each_has_said_so_often(tmp_path, sweep):
    folder, planned = sweep
    there = machines(tmp_path, refuses=1.0)
    ends = []
    work = coordinator(folder, planned, FakeEngine(there, pause=ends.append), said=Said())
    with folder.claim():
        work.work()
    assert len(work.given_up) == 3
    most = Counter((end.attempt.unit.unit_id, end.place) for end in ends)
    assert max(most.values()) == MOST_REFUSED + 1
    assert not folder.runs(warn=pytest.fail)


def test_what_nobody_can_do_is_recorded_as_failed_with_the_reason(tmp_path, sweep):
    folder, planned = sweep
    there = machines(tmp_path, refuses=1.0)
    usual = there._ends
    there._ends = lambda attempt, node, kind, why="", **_: usual(attempt, node, kind, why)
    with folder.claim():
        coordinator(folder, planned, FakeEngine(there), said=Said()).work()
    records = [record for _, record in folder.runs(warn=pytest.fail).values()]
    assert len(records) == 6
    assert {record.error.message.partition(" refused it: ")[2] for record in records} == {"another version"}


def test_what_was_cancelled_is_not_started_again_by_itself(tmp_path, sweep):
    folder, planned = sweep
    there = machines(tmp_path)
    usual = there._end
    first = planned[0].group

    def end(attempt, node):
        if attempt.unit.unit_id == first:
            return UnitEnd(attempt=attempt, kind=EndKind.CANCELLED, why="by its user", place=node.name)
        return usual(attempt, node)

    there._end = end
    work = coordinator(folder, planned, FakeEngine(there), said=Said())
    with folder.claim():
        work.work()
    assert len(work.given_up) == 1
    assert len(folder.runs(warn=pytest.fail)) == 4


def test_a_run_that_begins_anew_counts_its_earlier_tries_and_keeps_what_was_said_of_it(tmp_path):
    folder, planned = planned_sweep(tmp_path, models=1, runs=1)
    there = machines(tmp_path, fails=1.0)
    with folder.claim():
        coordinator(folder, planned, FakeEngine(there), said=Said()).work()
        ((failed, record),) = folder.runs(warn=pytest.fail).values()
        assert record.status is RunStatus.FAILED
        folder.request_retry(planned[0].fingerprint)
        failed.completions.unlink()
        (failed.path / "run.json").write_bytes(
            (failed.path / "run.json").read_bytes().replace(b'"server":{', b'"server":null,"was":{')
        )
        coordinator(folder, planned, FakeEngine(machines(tmp_path)), said=Said()).work()
    ((again, record),) = folder.runs(warn=pytest.fail).values()
    assert again.run_id != failed.run_id
    assert record.sweep.earlier_tries == 1
    assert record.status is RunStatus.SUCCEEDED
    assert not folder.requested_retries()


def test_a_retry_that_is_asked_for_while_it_runs_is_done_in_the_end(tmp_path, sweep):
    folder, planned = sweep
    there = machines(tmp_path, fails=1.0)
    asked = []

    def pause(end):
        if not asked:
            asked.append(end.attempt.unit.todo[0].planned.fingerprint)
            there.faults = Faults()
            folder.request_retry(asked[0])

    with folder.claim():
        coordinator(folder, planned, FakeEngine(there, pause=pause), said=Said()).work()
    assert folder.runs(warn=pytest.fail)[asked[0]][1].status is RunStatus.SUCCEEDED
    assert not folder.requested_retries()


def test_one_machine_decides_how_a_family_is_asked_and_all_others_follow(tmp_path):
    """Also when the first one dies before or after it has decided, and when another coordinator watches it."""
    folder, planned = planned_sweep(tmp_path, models=6, runs=1, family="Same-1B", prompt_style="auto")
    there = machines(tmp_path, nodes=4, dies=0.4)
    seen = []
    usual = there.start

    def start(attempt):
        seen.append((len(there.work), list(attempt.unit.document({}).families)))
        usual(attempt)

    there.start = start
    with folder.claim():
        coordinator(folder, planned, FakeEngine(there, outlives=True), said=Said(), leaves=True).work()
        assert there.work
        coordinator(folder, planned, FakeEngine(there, outlives=True), said=Said()).work()
    assert all(families for _, families in seen)
    decided = {path.read_bytes() for path in folder.path.glob("units/*/*/sweeps/*/styles/*.json")}
    assert len(decided) == 1
    assert len(list((folder.path / "styles").glob("*.json"))) == 1


def test_who_leaves_has_started_everything(tmp_path):
    """Also what waits until another unit has found how its family is asked, which nobody would start later."""
    folder, planned = planned_sweep(tmp_path, models=5, runs=1, family="Same-1B", prompt_style="auto")
    there = machines(tmp_path, nodes=5)
    said = Said()
    with folder.claim():
        coordinator(folder, planned, FakeEngine(there, outlives=True), said=said, leaves=True).work()
    started = {path.parent.name for path in folder.path.glob("units/*/*")}
    assert started == {run.group for run in planned}
    (why,) = [line for line in said.lines if "stays until then" in line]
    assert f"4 more units can start once {planned[0].label} found" in why
    assert there.work


def test_a_later_coordinator_watches_what_an_earlier_one_started(tmp_path, sweep):
    folder, planned = sweep
    there = machines(tmp_path, nodes=3)
    with folder.claim():
        coordinator(folder, planned, FakeEngine(there, outlives=True), said=Said(), leaves=True).work()
    assert len(there.work) == 3
    assert not folder.runs(warn=pytest.fail)
    with folder.claim():
        coordinator(folder, planned, FakeEngine(there, outlives=True), said=Said()).work()
    made(folder, planned)
    assert not twice(tmp_path / "answered.log")


def test_settling_tries_nothing_again(tmp_path, sweep):
    """Before the round of a race: what an earlier coordinator lost was asked on other samples than the plan says."""
    folder, planned = sweep
    with folder.claim():
        gone = FakeEngine(machines(tmp_path, nodes=3), outlives=True)
        coordinator(folder, planned, gone, said=Said(), leaves=True).work()
        there = machines(tmp_path)
        work = coordinator(folder, planned, FakeEngine(there), said=Said())
        work.settle()
    assert not there.answered.exists()
    assert not work.store.running()


def test_an_interrupted_coordinator_keeps_what_has_come_back(tmp_path, sweep):
    folder, planned = sweep
    there = machines(tmp_path)

    def pause(end):
        raise Interrupted("stopped")

    with folder.claim(), pytest.raises(Interrupted):
        coordinator(folder, planned, FakeEngine(there, pause=pause), said=Said()).work()
    assert not there.work
    there = machines(tmp_path)
    with folder.claim():
        work = coordinator(folder, planned, FakeEngine(there), said=Said())
        assert not work.store.running()
        work.work()
    made(folder, planned)
    assert not twice(tmp_path / "answered.log")


@pytest.mark.engines
def test_coordinators_that_are_killed_again_and_again_come_to_the_same_end(tmp_path):
    """Each is killed a little later than the one before, at a change of the disk, with machines that die as well."""
    folder, planned = planned_sweep(tmp_path, models=3)
    for run in planned:
        assert run.fingerprint

    def work():
        there = machines(tmp_path, seed=step, dies=0.3)
        with folder.claim():
            coordinator(folder, planned, FakeEngine(there), said=Said()).work()

    ends = Counter()
    for step in range(3, 2000, 4):
        end = killed_at(step, work)
        ends[end] += 1
        if end == 0 and not SweepFolder(folder.path).done(warn=print) ^ {run.fingerprint for run in planned}:
            break
    assert ends[9] > 10
    assert set(ends) <= {0, 9}
    made(folder, planned)
    assert not twice(tmp_path / "answered.log")
