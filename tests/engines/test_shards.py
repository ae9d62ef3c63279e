"""A run in shards, for real: what comes out is the run without shards, whatever is killed or fails meanwhile."""

from __future__ import annotations

import contextlib
import json
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from functools import partial

import pytest

from engines.contract import Capabilities, UnitEnd
from engines.coordinator import Coordinator
from engines.node.attempt_files import read_end
from sweeps.manifest.reader import parse_manifest
from sweeps.merged_runs import merge_what_is_done
from sweeps.plan import plan_runs
from sweeps.sweep import begin
from tests.command_line import PROGRAM, bench_runner, bench_runners, lines, logged, wait_for
from tests.engines.driving import Said
from tests.sweep_runs import TWO_CARDS, models, own_devices, server, status

pytestmark = [pytest.mark.engines, pytest.mark.timeout(300), pytest.mark.usefixtures("own_devices")]
__all__ = ["own_devices"]

LIMIT = 22
ASKED = ("--benchmark", "human_eval", "--limit", LIMIT, "--shuffle", 3, "--seed", 5, "--temperature", 0.5)
# Of a completion, and of a record, what differs between any two runs.
OF_THE_MOMENT = {"request_s", "execute_s"}
OF_THE_RUN = {
    "run_id", "timestamp", "results", "phases", "telemetry", "script_command", "sweep", "shards", "host", "server",
    "remarks",
}  # fmt: skip


def run(results, *words, env=None):
    return bench_runner("run", *words, "--results-dir", results, env=env)


def whole(results):
    """The record of the run that was split, as the log has it, and its shards' records."""
    records = logged(results)
    (found,) = [record for record in records if record["config"].get("shards")]
    return found, [record for record in records if record["config"].get("shard")]


def completions(results, record):
    path = results / record["run_id"] / "completions.jsonl"
    return [
        {name: value for name, value in line.items() if name not in OF_THE_MOMENT} for line in lines(path)
    ]


def by_sample(completions):
    return {(line["task_id"], line.get("index", 0)): line for line in completions}


def files(results, record, *names):
    return [(results / record["run_id"] / name).read_text() for name in names]


@pytest.fixture(scope="module")
def calm(tmp_path_factory):
    """One run without shards, and what each other must come to."""
    folder = tmp_path_factory.mktemp("calm")
    (model,) = models(folder / "m", "a")
    done = run(folder / "r", "--model", model, *ASKED, *server())
    assert done.code == 0, done.err
    (record,) = logged(folder / "r")
    return folder, model, record


def require_equal(results, record, calm):
    """Merged equals unsharded, sample by sample."""
    folder, _, plain = calm
    mine, theirs = completions(results, record), completions(folder / "r", plain)
    assert by_sample(mine) == by_sample(theirs)
    prompts = files(results, record, "prompts.jsonl")
    assert prompts == files(folder / "r", plain, "prompts.jsonl")
    order = [json.loads(line)["task_id"] for line in prompts[0].splitlines()]
    assert [line["task_id"] for line in mine] == order, "in the order in which the samples are asked"
    assert files(results, record, "settings.json") == files(folder / "r", plain, "settings.json")
    for name in {*record, *plain} - OF_THE_RUN - {"config", "score"}:
        assert record.get(name) == plain.get(name), name
    config = {name: value for name, value in record["config"].items() if name != "family_style"}
    asked = {name: value for name, value in plain["config"].items() if name not in {"port", "nonce"}}
    assert {**config, "shards": None, "nonce": None} == {**asked, "shards": None, "nonce": None}
    of_time = {"generate_s", "execute_s", "details", "warnings"}
    score = {name: value for name, value in record["score"].items() if name not in of_time}
    assert score == {name: value for name, value in plain["score"].items() if name not in of_time}
    details, others = record["score"]["details"], plain["score"]["details"]
    assert {**details, "tokens_per_s": 0} == {**others, "tokens_per_s": 0}


def test_merged_is_the_run_without_shards_and_stands_in_its_place(calm, tmp_path):
    _, model, plain = calm
    results = tmp_path / "r"
    words = ("--model", model, *ASKED, *server(), "--shards", 4)
    done = run(results, *words, "--label", "split")
    assert done.code == 0, done.err
    record, shards = whole(results)
    require_equal(results, record, calm)
    assert record["fingerprint"] == plain["fingerprint"]
    assert record["remarks"]["label"] == "split"
    assert [each["shard"] for each in record["shards"]] == ["1/4", "2/4", "3/4", "4/4"]
    assert [each["completions"] for each in record["shards"]] == [6, 6, 5, 5]
    assert sum(each["time_taken_s"] for each in record["shards"]) == pytest.approx(
        record["results"]["time_taken"], abs=0.001
    )
    assert "not comparable" in done.out, "its speed"
    # One server for all, one after another: with one device there is one place.
    assert len({each["server"]["url"] for each in shards}) == 1
    # The shards are in no list and table any more, and the run is.
    in_results = [
        ("list",), ("leaderboard", "--json"), ("show", "split"), ("show", shards[1]["run_id"]),
        ("status", "last"), ("rejudge", "split"), ("rejudge", shards[0]["run_id"]),
    ]  # fmt: skip
    listed, tables, shown, part, states, again, refused = bench_runners(
        *([*words, "--results-dir", results] for words in in_results)
    )
    for said in (listed, tables):
        assert record["run_id"] in said.out
        assert not [each["run_id"] for each in shards if each["run_id"] in said.out]
    assert all(each["run_id"] in shown.out for each in shards)
    assert "2/4 of a run" in part.out
    assert "finished, 1 runs: 1 succeeded" in states.out
    assert again.code == 0, again.err
    assert refused.code == 2
    assert "is the shard 1/4 of a run" in refused.err
    before = len(logged(results))
    reused = run(results, "--model", model, *ASKED, *server(), "--reuse")
    assert f"reused: run {record['run_id']}" in reused.err
    both = bench_runner("sweep", model, *ASKED, *server(), "--shards", 3, "--results-dir", results)
    assert f"reused: a human_eval: run {record['run_id']}" in both.err, both.err
    resumed = bench_runner("sweep", "--resume", record["sweep"]["sweep_id"], "--results-dir", results)
    assert resumed.code == 0, resumed.err
    assert len(logged(results)) == before


def test_with_two_cards_two_shards_are_answered_at_once(calm, tmp_path, nvml):
    _, model, _ = calm
    results = tmp_path / "r"
    done = bench_runner(
        "sweep", model, *ASKED, *server(None, "--delay", 0.05), "--shards", 2,
        "--results-dir", results, env=nvml(TWO_CARDS),
    )  # fmt: skip
    assert done.code == 0, done.err
    record, shards = whole(results)
    assert {line["task_id"] for line in completions(results, record)} == {
        line["task_id"] for each in shards for line in completions(results, each)
    }
    assert len({each["server"]["url"] for each in shards}) == 2, "each has a server of its own"


def stored(results):
    found = set()
    for path in results.glob("*/completions.jsonl"):
        whole_lines = path.read_bytes().rpartition(b"\n")[0].decode().splitlines()
        found |= {json.loads(line)["task_id"] for line in whole_lines}
    return found


def asked(answered):
    """How often the server answered each problem so far."""
    return (
        Counter(line.split()[-1] for line in answered.read_text().splitlines())
        if answered.exists()
        else Counter()
    )


def test_killed_at_any_instant_it_goes_on_and_asks_nothing_twice(calm, tmp_path):
    """Kills while shards are answered at random instants, then two while they are merged."""
    _, model, _ = calm
    results, answered = tmp_path / "r", tmp_path / "answered"
    first = (
        "run",
        "--model",
        model,
        *ASKED,
        *server(answered, "--delay", 0.1),
        "--shards",
        3,
        "--parallel",
        1,
    )
    rng = random.Random(1)
    kills = merges = 0
    while True:
        again = list((results / "sweeps").glob("*/sweep.json"))
        words = ("sweep", "--resume", "last") if again else first
        on_disk, before = stored(results), asked(answered)
        command = [PROGRAM, *map(str, words), "--results-dir", str(results)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if kills < 3:
            try:
                process.wait(rng.uniform(0.6, 1.6))
            except subprocess.TimeoutExpired:
                process.kill()
                kills += 1
        elif merges < 2:
            wait_for(partial(begins_merge, process, results, merges), 60)
            time.sleep(merges * 0.3)
            process.kill()
            merges += 1
        out, _ = process.communicate(timeout=100)
        twice = [name for name in on_disk if asked(answered)[name] > before[name]]
        assert not twice, "generated again although it was on disk"
        if process.returncode != -signal.SIGKILL:
            assert process.returncode == 0, out.decode()
            break
    record, _ = whole(results)
    require_equal_answers(results, record, calm)
    assert status(results) == {"a human_eval": "succeeded"}


def begins_merge(process, results, before):
    return merging(results) > before or process.poll() is not None


def merging(results):
    """How often a merge was begun."""
    found = [path for path in results.glob("*/run.json") if '"shards":[{' in path.read_text()]
    return sum(1 + json.loads(path.read_text()).get("resumed", 0) for path in found)


def require_equal_answers(results, record, calm):
    folder, _, plain = calm
    answers = by_sample(completions(results, record))
    theirs = by_sample(completions(folder / "r", plain))
    attempts = {"attempts": 1}  # a server that was killed may have been asked twice
    assert {key: line | attempts for key, line in answers.items()} == {
        key: line | attempts for key, line in theirs.items()
    }
    assert record["score"]["outcomes"] == plain["score"]["outcomes"]
    assert record["score"]["metrics"] == plain["score"]["metrics"]


def test_a_shard_that_fails_fails_the_run_and_only_it_is_done_again(calm, tmp_path):
    """Each server here dies after eight answers: the second shard has four of its six by then, the fourth three."""
    _, model, _ = calm
    results, answered = tmp_path / "r", tmp_path / "answered"
    words = ("--model", model, *ASKED, *server(answered, "--die-after", 8), "--shards", 4, "--max-restarts", 0,
             "--parallel", 1)  # fmt: skip
    failed = run(results, *words)
    assert failed.code == 3, failed.err
    record, _ = whole(results)
    assert record["status"] == "failed"
    assert record["error"]["message"].startswith("shards 2/4 and 4/4 failed: ")
    assert "--retry-failed" in record["error"]["hint"]
    assert "failed" in bench_runner("list", "--results-dir", results).out
    states = status(results)
    assert states["a human_eval"] == "failed"
    assert states["a human_eval [1/4]"] == "succeeded"
    on_disk, before = stored(results), asked(answered)
    same = bench_runner("sweep", "--resume", "last", "--results-dir", results)
    assert same.code == 7
    assert asked(answered) == before, "what has failed is not tried again unasked"
    other = run(results, *words, "--temperature", 0.7, "--resume", record["run_id"])
    assert other.code == 6
    assert "its settings were others" in other.err
    done = run(results, *words, "--resume", record["run_id"])
    for _ in range(3):  # each server dies after so many
        if done.code == 0:
            break
        done = run(results, *words, "--resume", record["run_id"])
    assert done.code == 0, done.err
    assert not [name for name in on_disk if asked(answered)[name] > before[name]]
    merged, _ = whole(results)
    assert merged["run_id"] == record["run_id"], "the run that had failed"
    require_equal_answers(results, merged, calm)


def test_it_is_refused_before_anything_starts(tmp_path):
    (model,) = models(tmp_path / "m", "a")
    results = tmp_path / "r"
    for words, why in (
        (("--benchmark", "speed", "--shards", 2), "speed can't be split"),
        (("--benchmark", "human_eval", "--shards", 3, "--limit", 2), "2 samples can't be split into 3"),
        (("--benchmark", "human_eval", "--shards", 2, "--max-tokens-total", 5), "--max-tokens-total"),
    ):
        done = run(results, "--model", model, *server(), *words)
        assert done.code == 2, done.err
        assert why in done.err
    assert not results.exists() or not list(results.glob("*/run.json"))


class Programs:
    """An engine of two places: the unit program in two processes of this machine."""

    name = "programs"
    capabilities = Capabilities()

    def __init__(self):
        self.most_at_once = 0

    def run(self, units, store):
        running = {}
        while not units.is_done:
            while len(running) < 2 and (unit := units.take()) is not None:
                attempt = store.started(store.partial(unit), handle="a process", place="here")
                words = [
                    sys.executable,
                    "-m",
                    "engines.node.unit_program",
                    str(attempt.folder),
                    "--lanes",
                    "2",
                ]
                with (attempt.folder / "unit.log").open("wb") as log:
                    process = subprocess.Popen(words, cwd=PROGRAM.parent, stdout=log, stderr=log)
                running[process] = attempt
            self.most_at_once = max(self.most_at_once, len(running))
            wait_for(partial(any_ended, running), 60)
            for process in [each for each in running if each.poll() is not None]:
                end = read_end(running[process].folder)
                yield UnitEnd(attempt=running.pop(process), kind=end.kind, why=end.why)

    def check(self, units):
        return ()

    def cancel(self, attempts, grace_s):
        pass

    def deploy(self):
        return ""


def any_ended(running):
    return any(process.poll() is not None for process in running)


def test_on_an_engine_each_shard_is_a_unit_of_its_own(calm, tmp_path):
    """Nothing of shards is known there: they travel as runs, and the coordinator merges what has come back."""
    _, model, plain = calm
    results = tmp_path / "r"
    _, command = server()
    settings = {"model": str(model), "benchmark": "human_eval", "limit": LIMIT, "shuffle": 3, "seed": 5,
                "temperature": 0.5, "server_command": command, "shards": 4}  # fmt: skip
    manifest = parse_manifest(json.dumps({"runs": [settings]}), form="json", name="m", folder=tmp_path)
    plan, said, engine = plan_runs(manifest), Said(), Programs()
    folder = begin(manifest, plan, results_dir=results)
    how = {"nonce": folder.read().nonce, "display": said, "held": contextlib.nullcontext}
    with folder.claim():
        Coordinator(folder, plan.runs, engine, may_reduce=False, **how).work()
        for _ in range(2):
            merge_what_is_done(folder, plan, **how)
    record, shards = whole(results)
    require_equal(results, record, calm)
    assert record["fingerprint"] == plain["fingerprint"]
    assert len(shards) == 4
    assert engine.most_at_once == 2, said.lines
    assert status(results) == {"a human_eval": "succeeded"}
