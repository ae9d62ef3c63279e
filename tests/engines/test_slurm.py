"""The Slurm engine on a real Slurm: arrays, ends, kills of everything, and a coordinator that comes back."""

from __future__ import annotations

import json
import os
import shutil
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import results
from engines.contract import Attempt, EndKind
from engines.node.attempt_files import read_node
from engines.node_looks import NodeQuestion
from engines.slurm.engine import Settings, make
from results.errors import UsageError
from results.records import RunStatus
from results.store.attempts import Attempts
from results.store.sweep_folder import all_sweeps
from tests.command_line import bench_runner, signalled
from tests.engines.driving import Said, driven_sweep
from tests.engines.slurm_cluster import LONGEST_ARRAY, NODES, slurm_cluster
from tests.engines.slurm_sweeps import (
    completions_of,
    driving,
    engine,
    here,
    one_unit,
    samples,
    wait_for,
    written_sweep,
)
from tests.servers.gguf_file import STRING, gguf
from tests.sweep_runs import TWO_CARDS, models, scores, status, stored

pytestmark = pytest.mark.engines


@pytest.fixture(scope="module")
def running_cluster():
    with slurm_cluster() as cluster:
        yield cluster


@pytest.fixture
def cluster(running_cluster, monkeypatch):
    """One whose daemons all run, and without jobs."""
    for name, value in running_cluster.environment.items():
        monkeypatch.setenv(name, value)
    running_cluster.start()
    return running_cluster


def test_units_of_one_moment_are_arrays_as_long_as_the_cluster_takes_them(cluster, tmp_path):
    sweep = driven_sweep(tmp_path, models=LONGEST_ARRAY + 1, limit=1)
    slurm = engine(sweep)
    assert not slurm.check(sweep.left())
    ends = sweep.drive(slurm)
    assert [end.kind for end in ends] == [EndKind.DONE] * (LONGEST_ARRAY + 1)
    assert len(sweep.scores()) == LONGEST_ARRAY + 1
    assert len({end.attempt.handle.rpartition("/")[2] for end in ends}) == 2  # what was declined was halved
    assert {end.place for end in ends} <= {"n1", "n2"}
    wait_for(lambda: not cluster.processes())


def unit_programs(cluster, *nodes):
    return [pid for pid, command in cluster.processes(*nodes).items() if "engines.slurm.job" in command]


def test_a_killed_unit_program_is_lost_and_goes_on_from_its_last_completion(cluster, tmp_path):
    sweep = one_unit(tmp_path)
    with driving(sweep, engine(sweep)) as ends:
        wait_for(lambda: here(sweep) >= 3)
        for pid in unit_programs(cluster):
            os.kill(pid, signal.SIGKILL)
    assert [end.kind for end in ends] == [EndKind.LOST, EndKind.DONE]
    assert samples(sweep) == 8 <= len(sweep.generated())


def test_a_dead_node_gives_its_unit_to_another(cluster, tmp_path, monkeypatch):
    monkeypatch.setattr("engines.slurm.watch.STOPS_S", 0.0)  # there is nothing to wait for
    sweep = one_unit(tmp_path)
    with driving(sweep, engine(sweep)) as ends:
        wait_for(lambda: here(sweep) >= 3)
        (node,) = [node for node in NODES if unit_programs(cluster, node)]
        cluster.kill_node(node)
        # Slurm finds out by itself after SlurmdTimeout.
        cluster.command("scontrol", "update", f"nodename={node}", "state=down", "reason=dead")
    assert [end.kind for end in ends] == [EndKind.LOST, EndKind.DONE]
    assert ends[0].place == node != ends[1].place
    assert samples(sweep) == 8


def test_a_program_that_lives_on_where_slurm_cant_reach_it_stops_by_itself(cluster, tmp_path):
    """Its node's daemon is gone, so Slurm calls the node dead; the disk is still shared."""
    sweep = one_unit(tmp_path, limit=40)
    sweep.most = 1
    with driving(sweep, engine(sweep)) as ends:
        wait_for(lambda: here(sweep) >= 3)
        (node,) = [node for node in NODES if unit_programs(cluster, node)]
        cluster.kill(node)
        cluster.command("scontrol", "update", f"nodename={node}", "state=down", "reason=dead")
        wait_for(lambda: ends)
        wait_for(lambda: not unit_programs(cluster, node))
    assert [end.kind for end in ends] == [EndKind.LOST]
    assert len(sweep.generated()) < 40
    assert len(set(sweep.generated()) - set(stored(sweep.results))) <= 1, (
        "what it did until it stopped counts"
    )


def test_a_detached_sweep_is_cancelled_by_another_process(cluster, tmp_path):
    """All of its models are one family's: the second one is submitted once the first has found how to ask it."""
    results, manifest = tmp_path / "results", written_sweep(tmp_path, "--delay", 0.2)
    written = json.loads(manifest.read_text())
    written["defaults"]["prompt_style"] = "auto"
    written["matrix"]["model"].append(str(models(tmp_path / "models", "b")[0]))
    for path in written["matrix"]["model"]:
        model = gguf({"general.name": (STRING, "Same-1B"), "general.note": (STRING, path)})
        Path(path).write_bytes(model)
    manifest.write_text(json.dumps(written))
    detached = bench_runner("sweep", manifest, "--detach", "--results-dir", results)
    assert detached.code == 0, detached.err
    assert "1 more unit can start once a human_eval" in detached.err
    assert len(list(results.glob("sweeps/*/units/*/1"))) == 2
    wait_for((tmp_path / "answered").exists)
    assert bench_runner("cancel", "last", "--results-dir", results).code == 0
    assert not cluster.processes()
    assert not cluster.command("squeue", "--me", "--noheader")
    assert status(results)["a human_eval"] == "interrupted"


def test_a_controller_that_is_away_for_a_while_loses_nothing(cluster, tmp_path):
    """Before it is asked for the first time, and while jobs run."""
    sweep = one_unit(tmp_path)
    cluster.kill("slurmctld")
    with driving(sweep, engine(sweep)) as ends:
        wait_for(lambda: any("no answer" in line for line in sweep.said.lines))
        cluster.start_controller()
        completions_of(sweep, 3)
        cluster.kill("slurmctld")
        wait_for(lambda: ends)  # by what its program wrote
        cluster.start_controller()
    assert [end.kind for end in ends] == [EndKind.DONE]
    assert samples(sweep) == 8


def test_somebodys_scancel_counts_as_cancelled(cluster, tmp_path):
    sweep = one_unit(tmp_path)
    with driving(sweep, engine(sweep)) as ends:
        completions_of(sweep, 3)
        cluster.command("scancel", "--me")
    assert [end.kind for end in ends] == [EndKind.CANCELLED]


def test_a_stopped_engine_leaves_no_process_and_interrupted_runs(cluster, tmp_path):
    """One that runs, and one that waits for its time."""
    sweep = driven_sweep(tmp_path, models=2, limit=30, delay_s=0.2)
    slurm = engine(sweep, jobs=1)
    running = slurm.run(sweep.units, sweep.store)
    stopped = threading.Event()

    class Stop(Exception):
        pass

    def stop(number, frame):
        raise Stop

    before = signal.signal(signal.SIGUSR1, stop)
    asker = threading.Thread(
        target=lambda: (completions_of(sweep, 3), os.kill(os.getpid(), signal.SIGUSR1), stopped.wait())
    )
    asker.start()
    try:
        with pytest.raises(Stop):
            next(running)
    finally:
        stopped.set()
        asker.join()
        signal.signal(signal.SIGUSR1, before)
    assert not cluster.processes()
    assert not cluster.command("squeue", "--me", "--noheader")
    (run,) = sweep.store.attempts.live_runs()
    assert run.read_record().status is RunStatus.INTERRUPTED


def test_jobs_that_wait_are_cancelled_before_they_begin(cluster, tmp_path):
    """From another process, and twice."""
    sweep = one_unit(tmp_path)
    slurm = engine(sweep, options=("--begin=now+1hour",))
    with driving(sweep, slurm) as ends:
        wait_for(lambda: cluster.command("squeue", "--me", "--noheader"))
        entries = sweep.store.attempts.running()
        attempt = Attempt(
            unit=sweep.units.taken[entries[-1].unit_id],
            number=1,
            folder=sweep.store.attempts.folder(entries[-1].unit_id, 1),
            handle=entries[0].handle.rpartition("/")[0]
            if entries[0].handle.count("/") == 2
            else entries[0].handle,
        )
        for _ in range(2):
            engine(sweep).cancel([attempt], 1.0)
    assert [end.kind for end in ends] == [EndKind.CANCELLED]
    assert not sweep.generated()


def sbatch_that(tmp_path, monkeypatch, what):
    """An sbatch before Slurm's own in $PATH: it does `what` once, with that one as $real, and then is that one."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "sbatch").write_text(
        f"""#!/bin/sh
real={shutil.which("sbatch")}
case "$*" in *--test-only*) exec "$real" "$@" ;; esac
mkdir {folder}/once 2>/dev/null || exec "$real" "$@"
{what}
"""
    )
    (folder / "sbatch").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")


LOST_ANSWER = (
    'echo "sbatch: error: Batch job submission failed: Socket timed out on send/recv operation" >&2; exit 1'
)


def test_an_answer_of_sbatch_that_got_lost_submits_nothing_twice(cluster, tmp_path, monkeypatch):
    sbatch_that(tmp_path, monkeypatch, f'"$real" "$@" >/dev/null; {LOST_ANSWER}')
    sweep = driven_sweep(tmp_path, models=2, limit=2)
    with driving(sweep, engine(sweep)) as ends:
        pass
    assert [end.kind for end in ends] == [EndKind.DONE] * 2
    assert len({end.attempt.handle.rpartition("/")[2] for end in ends}) == 1
    assert samples(sweep) == 4
    assert len(sweep.generated()) == 4


def test_a_job_that_was_submitted_twice_is_done_once(cluster, tmp_path, monkeypatch):
    """The first one begins late, when nobody believes in it any more."""
    sbatch_that(
        tmp_path, monkeypatch, f'"$real" "$@" --begin=now+3 --job-name=late >/dev/null; {LOST_ANSWER}'
    )
    sweep = one_unit(tmp_path)
    with driving(sweep, engine(sweep)) as ends:
        wait_for(lambda: "late" not in cluster.command("squeue", "--me", "--noheader", "--format=%j"))
    assert [end.kind for end in ends] == [EndKind.DONE]
    assert len(sweep.generated()) == 8


@pytest.mark.parametrize("order", ['"$real" "$@"; kill -9 $PPID', 'kill -9 $PPID; sleep 3; "$real" "$@"'])
def test_a_coordinator_killed_while_it_submits_loses_nothing_and_does_nothing_twice(
    cluster, tmp_path, monkeypatch, order
):
    """Before the journal has the job's number; and a moment before Slurm has the job."""
    submitted = tmp_path / "submitted"
    sbatch_that(tmp_path, monkeypatch, f'{{ {order}; touch "{submitted}"; }} >/dev/null 2>&1')
    results, manifest = tmp_path / "results", written_sweep(tmp_path, limit=3)
    words = ("--results-dir", results)
    assert bench_runner("sweep", manifest, *words).code == -signal.SIGKILL
    done = bench_runner("sweep", "--resume", "last", *words)
    assert done.code == 0, done.err
    assert len(scores(results)) == 1
    wait_for(submitted.exists)  # the late one begins when all is done
    wait_for(lambda: not cluster.command("squeue", "--me", "--noheader"))
    assert len((tmp_path / "answered").read_text().splitlines()) == 3


def test_what_no_machine_has_is_refused_with_slurms_words(cluster, tmp_path):
    sweep = one_unit(tmp_path)
    slurm = engine(sweep, memory="900G")
    (found,) = slurm.check(sweep.left())
    assert found.is_error
    (end,) = sweep.drive(slurm)
    assert (end.kind, end.elsewhere) == (EndKind.REFUSED, False)
    assert "configuration is not available" in end.why


def test_nodes_that_are_down_are_waited_for(cluster, tmp_path):
    """Before the sweep starts and while it runs; `status` says so, Ctrl-C ends it, and it goes on by itself."""
    results, manifest = tmp_path / "results", written_sweep(tmp_path, limit=2)
    words = ("--results-dir", results)

    def waits():
        found = [each for sweep in all_sweeps(results) if (each := Attempts(sweep.path).waits())]
        return found and found[0].text

    for node in NODES:
        cluster.kill_node(node)
        cluster.command("scontrol", "update", f"nodename={node}", "state=down", "reason=dead")
    ended = signalled(signal.SIGINT, "sweep", manifest, *words, when=lambda _: waits())
    assert ended.code == 130, ended.err
    assert "Slurm has no node up for a human_eval: it waits for n1 (down), n2 (down)" in ended.err
    assert not cluster.command("squeue", "--me", "--noheader")
    assert not waits()

    with ThreadPoolExecutor() as threads:
        resumed = threads.submit(bench_runner, "sweep", "--resume", "last", *words)
        wait_for(waits)
        (sweep,) = all_sweeps(results)
        told = bench_runner("show", sweep.sweep_id, "--raw", *words).out
        cluster.start()
        done = resumed.result()
    assert "1 of 1 jobs wait in Slurm's queue: " in told
    assert done.code == 0, done.err
    assert not waits()
    assert len(scores(results)) == 1


def test_a_unit_that_every_node_refuses_is_not_tried_for_ever(cluster, tmp_path):
    """Slurm's GPUs are none that a program could use."""
    sweep = one_unit(tmp_path)
    ends = sweep.drive(engine(sweep, gres="", gpus=1))
    assert [(end.kind, end.elsewhere, end.place) for end in ends] == [
        (EndKind.REFUSED, True, "n1"),
        (EndKind.REFUSED, False, "n1"),  # the only one with GPUs isn't asked twice
    ]
    assert "0 of 0 can be used" in ends[-1].why
    assert not cluster.command("squeue", "--me", "--noheader", "--states=pending")


def test_settings_that_no_job_can_have_end_the_sweep_at_once(cluster, tmp_path):
    sweep = one_unit(tmp_path)
    slurm = engine(sweep, partition="nowhere")
    (found,) = slurm.check(sweep.left())
    assert "nowhere" in found.message
    with pytest.raises(UsageError, match=r"[Pp]artition"):
        sweep.drive(slurm)
    assert not cluster.command("squeue", "--me", "--noheader")


def test_nodes_that_dont_see_the_program_are_told_of(cluster, tmp_path):
    sweep = one_unit(tmp_path)
    sweep.most = 1
    (end,) = sweep.drive(engine(sweep, python="/nowhere/python"))
    assert end.kind is EndKind.LOST
    assert "/nowhere/python" in end.why
    assert end.hint


def test_a_unit_gets_the_gpus_that_slurm_gave_it(cluster, tmp_path, nvml, monkeypatch):
    """Of a machine with two, which shows both to everybody."""
    for name, value in nvml(TWO_CARDS).items():
        if name in ("LD_LIBRARY_PATH", "NVML_STUB"):
            monkeypatch.setenv(name, value)
    sweep = driven_sweep(tmp_path, models=1, limit=1)
    slurm = engine(sweep, gres="", gpus=1, environment=("LD_LIBRARY_PATH", "NVML_STUB"))
    assert not slurm.check(sweep.left())
    (end,) = sweep.drive(slurm)
    assert (end.kind, end.place) == (EndKind.DONE, "n1")
    assert len(read_node(end.attempt.folder).cards) == 1


def test_nodes_say_what_they_have_by_a_short_job(cluster, tmp_path):
    said = Said()
    seen = make(Settings(gres="none"), said).looks(NodeQuestion(models=("/nowhere",)))
    assert [each.place for each in seen] == ["n1", "n2"]  # one has GPUs
    for each in seen:
        assert each.check.models == {"/nowhere": None}
        assert each.check.harness["version"] == results.__version__
    (cards,) = make(Settings(partition="cards"), said).looks(NodeQuestion())
    assert cards.note == "Slurm has 2 GPUs there, and a job can use none of them; `gres: none` asks for none"
    (broken,) = make(Settings(gres="none", partition="cards", python="/nowhere"), said).looks(NodeQuestion())
    assert "/nowhere" in broken.why
    assert not cluster.command("squeue", "--me", "--noheader")


def test_nothing_secret_of_the_environment_reaches_slurms_disk(cluster, tmp_path, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-not-on-any-disk")
    sweep = driven_sweep(tmp_path, models=1, limit=1)
    seen = []
    with driving(sweep, engine(sweep, setup=("env",))) as ends:
        wait_for(sweep.generated)
        there = [path for path in (*cluster.folder.rglob("*"), *tmp_path.rglob("*")) if path.is_file()]
        seen += [path for path in there if b"sk-not-on-any-disk" in path.read_bytes()]
    assert [end.kind for end in ends] == [EndKind.DONE]
    assert "PATH=" in (ends[0].attempt.folder / "unit.log").read_text()
    assert not seen
