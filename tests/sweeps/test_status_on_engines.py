"""`status` and `show` say where each run of a sweep is, how far, what was lost, whatever the machines are called."""

from __future__ import annotations

import json

import msgspec
import pytest

from commands.sweeping.show import record_text
from engines import registry
from engines.node.attempt_files import NodeFacts, write_node
from results.errors import ResultsError
from results.records import RunStatus
from results.store.attempts import STARTED, AttemptEntry, Attempts
from results.store.run_folder import RunFolder
from results.store.sweep_folder import EngineText
from sweeps.status import print_run_status, print_status, print_sweeps
from sweeps.status_details import print_details, to_json
from sweeps.status_lines import Readers, look
from sweeps.whereabouts import away, find_away
from tests.results.conftest import a_record
from tests.results.recorded_runs import P, begin_sweep, place, record_run
from tests.sweep_runs import own_devices

pytestmark = pytest.mark.usefixtures("own_devices", "example")
__all__ = ["own_devices"]
EVIL = "evil\x1b[31m\nalpha\tsucceeded\u202e"


@pytest.fixture
def example(monkeypatch):
    """An engine whose work outlives its coordinator."""
    monkeypatch.setitem(registry.ENGINES, "slurm", "tests.sweeps.example_engine")


@pytest.fixture
def sweep(tmp_path):
    """Five planned runs in units of their own: one done on alpha, one lost there and now on beta, one begun nowhere
    yet, one that waits, and one in an attempt that a scheduler has not started.
    """
    folder = begin_sweep(tmp_path, ["done", "moved", "fresh", "waits", "resting"])
    planned = folder.read()
    folder.write(
        msgspec.structs.replace(
            planned,
            engine=EngineText(name="slurm"),
            runs=tuple(msgspec.structs.replace(run, group=f"g-{run.label}") for run in planned.runs),
        )
    )
    record_run(tmp_path, [P], model="done", sweep=place(folder, "done"), host={"hostname": "alpha"})
    started(folder, "moved", 1, handle="7_0", where="alpha")
    note(folder, "moved", 1, "lost", where="alpha", why="the connection was closed")
    attempt = started(folder, "moved", 2, handle="7_1", where="beta")
    write_node(
        attempt,
        NodeFacts(host={"hostname": "beta.lab"}, harness={}, pid=1, cards=(), at="2026-11-21T05:00:00+00:00"),
    )
    run = live(folder, attempt, "moved")
    run.script_out.write_text(
        '{"event": "start", "finished": 2, "total": 9, "completion_tokens": 0, "time_s": 1.0}\n'
        '{"event": "progress", "done": 4, "total": 9, "completion_tokens": 60, "time_s": 3.0}\n'
    )
    started(folder, "fresh", 1, handle="7_2", where="")
    return folder


def note(folder, label, number, what, *, handle="", where="", why=""):
    Attempts(folder.path).note(
        AttemptEntry(
            unit_id=f"g-{label}", number=number, what=what, at="2026-11-21T04:00:00+00:00",
            handle=handle, place=where, why=why, engine="slurm",
        )
    )  # fmt: skip


def started(folder, label, number, *, handle, where):
    made, path = Attempts(folder.path).create(f"g-{label}")
    assert made == number
    note(folder, label, number, STARTED, handle=handle, where=where)
    return path


def live(folder, attempt, label, status=RunStatus.STARTED, **facts) -> RunFolder:
    run = RunFolder(attempt / f"20261121T040000Z-human_eval-{label}-0001")
    run.path.mkdir()
    run.write_record(
        a_record(run.run_id, status=status, model=label, sweep=place(folder, label), score=None, **facts)
    )
    return run


def rows(out: str) -> dict[str, list[str]]:
    return {line.split("\t")[0]: line.split("\t")[1:] for line in out.splitlines() if "\t" in line}


def test_each_run_is_told_with_its_machine_and_its_progress(sweep, capsys):
    with sweep.claim():
        print_status(sweep, warn=pytest.fail)
        found = rows(capsys.readouterr().out)
    assert found["done"][0] == "succeeded"
    assert found["done"][-1] == "alpha"
    assert found["moved"][0] == "running"
    assert found["moved"][2] == "4/9"
    assert found["moved"][-1] == "beta (attempt 2)"
    assert found["fresh"] == ["queued", *[""] * 6, "7_2"]
    assert found["waits"] == ["waiting", *[""] * 7]


def test_a_sweep_without_its_coordinator_is_detached_if_its_engine_goes_on(sweep, capsys, monkeypatch):
    print_status(sweep, warn=pytest.fail)
    out = capsys.readouterr().out
    assert out.startswith(
        f"{sweep.sweep_id}: detached: goes on at slurm, 5 runs: 1 succeeded, 1 running, 1 queued"
    )
    print_sweeps(sweep.results_dir, warn=pytest.fail)
    assert "detached: goes on at slurm" in capsys.readouterr().out
    monkeypatch.setitem(
        registry.ENGINES, "slurm", "tests.sweeps.no_such_engine"
    )  # one that can't be used here
    print_status(sweep, warn=pytest.fail)
    out = capsys.readouterr().out
    assert out.startswith(f"{sweep.sweep_id}: stopped, 5 runs: 1 succeeded, 1 interrupted, 3 waiting")
    assert rows(out)["moved"][-1] == "beta (attempt 2)", "where it was last"


def test_an_unfinished_run_that_is_out_again_is_queued(sweep, capsys):
    """Its copy here is what came back from the attempt before."""
    record_run(
        sweep.results_dir, [P], model="fresh", status=RunStatus.INTERRUPTED, sweep=place(sweep, "fresh")
    )
    with sweep.claim():
        print_status(sweep, warn=pytest.fail)
    assert rows(capsys.readouterr().out)["fresh"][0] == "queued"


def test_lost_attempts_are_told_with_the_reason(sweep, capsys):
    print_details(sweep, warn=pytest.fail)
    out = capsys.readouterr().out
    attempts = [line.split("\t") for line in out.splitlines()][-4:]
    assert attempts[0] == ["unit", "attempt", "state", "machine", "known as", "since", "why"]
    assert attempts[1][:5] == ["moved", "1", "lost", "alpha", "7_0"]
    assert attempts[1][-1] == "the connection was closed"
    assert attempts[2][:5] == ["moved", "2", "running", "beta", "7_1"]


def test_what_an_engine_waits_for_is_said_while_somebody_waits(sweep):
    attempts = Attempts(sweep.path)
    for text in ("1 of 2 jobs wait", f"2 of 2 jobs wait: nodes are down {EVIL}"):
        attempts.note_waits(text)
    assert "jobs wait" not in "".join(look(sweep, pytest.fail, Readers()).below), "nobody does any more"
    with sweep.claim():
        assert any("2 of 2 jobs wait" in text for text in look(sweep, pytest.fail, Readers()).below)
        assert json.loads(to_json(sweep, warn=pytest.fail))["waits_for"].startswith("2 of 2 jobs wait")
        attempts.note_waits("")
        assert json.loads(to_json(sweep, warn=pytest.fail))["waits_for"] == ""


def test_all_of_it_as_json(sweep):
    said = json.loads(to_json(sweep, warn=pytest.fail))
    assert said["state"] == "detached: goes on at slurm"
    assert [run["status"] for run in said["runs"]] == ["succeeded", "running", "queued", "waiting", "waiting"]
    assert said["runs"][1]["record"]["model"] == "moved"
    assert (said["runs"][1]["done"], said["runs"][1]["total"]) == (4, 9)
    assert [entry["what"] for entry in said["attempts"]] == ["started", "lost", "started", "started"]


def test_a_run_on_a_machine_is_found_by_its_id_and_its_newer_copy_is_shown(sweep, capsys):
    there = find_away(sweep.results_dir, "20261121T040000Z-human_eval-moved-0001")
    assert there.sweep.sweep_id == sweep.sweep_id
    old = RunFolder(sweep.results_dir / there.run.run_id)
    old.path.mkdir()
    old.write_record(
        a_record(old.run_id, status=RunStatus.INTERRUPTED, model="moved", sweep=place(sweep, "moved"))
    )
    assert away(old).run.path == there.run.path
    print_run_status(away(old).run)
    assert rows(capsys.readouterr().out)["moved"][0] == "running"
    print_run_status(old)
    assert rows(capsys.readouterr().out)["moved"][0] == "running"
    note(sweep, "moved", 2, "done")
    assert away(old) is None


def test_names_and_reasons_of_machines_steer_no_terminal_and_forge_no_row(sweep, capsys):
    attempt = started(sweep, "waits", 1, handle=EVIL, where=EVIL)
    write_node(attempt, NodeFacts(host={"hostname": EVIL}, harness={}, pid=1, cards=(), at=EVIL))
    live(
        sweep,
        attempt,
        "waits",
        host={"hostname": EVIL, "gpus": [{"name": EVIL, "driver": {"x": EVIL}}, EVIL]},
    )
    note(sweep, "moved", 2, "lost", where=EVIL, why=EVIL)
    with sweep.claim():
        print_status(sweep, warn=pytest.fail)
        print_details(sweep, warn=pytest.fail)
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "\u202e" not in out
    assert not any(line.startswith("alpha") for line in out.splitlines())


def test_odd_files_of_a_node_are_left_out(sweep, capsys):
    """A node that is somebody else's may write anything into its folder."""
    attempt = started(sweep, "waits", 1, handle="h", where="w")
    (attempt / "node.json").write_text('{"host": 3}')
    (attempt / "20261121T040000Z-human_eval-waits-0001").mkdir()
    (attempt / "20261121T040000Z-human_eval-waits-0001" / "run.json").write_text("{")
    said = []
    with sweep.claim():
        print_status(sweep, warn=said.append)
    assert "run.json" in said[0]
    assert rows(capsys.readouterr().out)["waits"][0] == "queued"


def test_the_record_of_a_run_on_a_machine_is_printed_as_it_is_read(sweep):
    """Whoever has the machine may have written bytes that steer a terminal."""
    run = find_away(sweep.results_dir, "20261121T040000Z-human_eval-moved-0001").run
    run.run_json.write_bytes(run.run_json.read_bytes() + b"\n\x1b[31m\n")
    with pytest.raises(ResultsError):
        record_text(run)
    run.run_json.write_bytes(run.run_json.read_bytes().replace(b"\n\x1b[31m\n", b"\n   \n"))
    assert record_text(run).count(b"\n") == 0


def test_a_detached_sweep_that_has_ended_is_not_watched_for_ever(sweep, capsys):
    """Nobody has taken it over yet, so that tables don't have it."""
    kept = sweep.read()
    sweep.write(msgspec.structs.replace(kept, runs=kept.runs[:2]))
    run = find_away(sweep.results_dir, "20261121T040000Z-human_eval-moved-0001").run
    run.write_record(msgspec.structs.replace(run.read_record(), status=RunStatus.SUCCEEDED))
    state = look(sweep, pytest.fail, Readers())
    assert not state.goes_on
    assert state.text == "ended at slurm, not taken over yet"
    assert "attach" in state.below[-1]
    note(sweep, "moved", 2, "done")
    note(sweep, "fresh", 1, "done")
    record_run(sweep.results_dir, [P], model="moved", sweep=place(sweep, "moved"))
    assert look(sweep, pytest.fail, Readers()).text == "finished"


@pytest.mark.parametrize("known", [False, True])
def test_a_machine_cant_show_its_run_in_place_of_another_units(sweep, capsys, known):
    """known: whether the sweep has noted the fingerprints of its runs."""
    if known:
        planned = sweep.read()
        runs = tuple(
            msgspec.structs.replace(run, fingerprint=place(sweep, run.label).fingerprint)
            for run in planned.runs
        )
        sweep.write(msgspec.structs.replace(planned, runs=runs))
    (attempt,) = [Attempts(sweep.path).folder(each.unit_id, each.number) for each in Attempts(sweep.path).running()
                  if each.unit_id == "g-fresh"]  # fmt: skip
    false = place(sweep, "waits")
    for number, each in enumerate((false, msgspec.structs.replace(false, label="fresh"))[: 1 + known]):
        run = RunFolder(attempt / f"20261121T040000Z-human_eval-x-000{number}")
        run.path.mkdir()
        run.write_record(a_record(run.run_id, status=RunStatus.STARTED, model="x", sweep=each, score=None))
    with sweep.claim():
        print_status(sweep, warn=pytest.fail)
    found = rows(capsys.readouterr().out)
    assert found["waits"][0] == "waiting"
    assert found["fresh"][0] == "queued"
    assert found["moved"][0] == "running"


def test_a_huge_record_of_a_machine_is_not_read_into_memory(sweep, capsys):
    run = next(Attempts(sweep.path).live_runs())
    with run.run_json.open("r+b") as file:
        file.truncate(1 << 40)
    said = []
    with sweep.claim():
        print_status(sweep, warn=said.append)
    assert "it has more than" in said[0]
    assert rows(capsys.readouterr().out)["moved"][0] == "queued"
