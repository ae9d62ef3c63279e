"""`run --scoring` and `rescore`: a run's composite score, in its record, without a model being asked again."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess

import pytest

from results.errors import UsageError
from results.store.runs import Runs
from runner.display import display_for_stderr
from runner.fingerprint import fingerprint
from runner.request import build_spec
from runner.scoring.asked import ScoringAsked
from runner.scoring.rescore import rescore as score_again
from settings.asked import Asked
from tests.command_line import PROGRAM, bench_runner, command_server, lines, logged, only_run, wait_for
from tests.servers.gguf_file import gguf
from tests.sweep_runs import models

pytestmark = pytest.mark.slow

CHEAP = "correctness=60,quality=40"


@pytest.fixture(scope="module")
def scored_run(tmp_path_factory):
    """A finished run of twelve problems of HumanEval, scored at once."""
    folder = tmp_path_factory.mktemp("scored")
    (model,) = models(folder, "A")
    done = bench_runner(
        "run", "--benchmark", "human_eval", "--model", model, "--limit", 12, "--weights", CHEAP,
        *command_server("canonical_server.py", "--wrong", 0.4, "--salt", "a"), "--results-dir", folder / "results",
    )  # fmt: skip
    assert done.code == 0, done.err
    assert "composite " in done.out
    return folder / "results"


@pytest.fixture
def results(scored_run, tmp_path):
    return shutil.copytree(scored_run, tmp_path / "results")


def rescore(results, **given):
    """In this process: what `rescore last` does, without its start."""
    runs = Runs(results, lambda _: None)
    asked = ScoringAsked.of(given) or ScoringAsked()
    return score_again("last", runs, display_for_stderr(), asked=asked)


def record(results):
    (found,) = logged(results)
    assert json.loads((only_run(results) / "run.json").read_text()) == found
    return found


def test_a_run_is_scored_after_its_server_stopped(results):
    found = record(results)
    assert found["status"] == "succeeded"
    assert found["composite"]["weights"] == {"correctness": 0.6, "quality": 0.4}
    passed = found["score"]["outcomes"]["passed"]
    assert found["composite"]["parts"]["correctness"]["value"] == pytest.approx(100 * passed / 12)
    assert found["composite"]["parts"]["quality"]["value"] == 100
    assert found["results"]["score"] == pytest.approx(100 * passed / 12)


def test_other_weights_change_the_composite_and_nothing_else(results):
    before = record(results)
    files = {path.name: path.read_bytes() for path in only_run(results).iterdir()}
    rescore(results, weights="correctness=1,quality=3")
    after = record(results)
    assert after["composite"]["weights"] == {"correctness": 0.25, "quality": 0.75}
    for name in before.keys() - {"composite", "config"}:
        assert after[name] == before[name], name
    for name in ("completions.jsonl", "parts.jsonl", "settings.json", "script.out", "script.log"):
        assert (only_run(results) / name).read_bytes() == files[name], name


def test_speed_that_is_not_comparable_is_unknown_and_says_why(results):
    folder = only_run(results)
    found = record(results)
    found["telemetry"]["not_comparable"] = ["the card was hot"]
    (folder / "run.json").write_text(json.dumps(found) + "\n")
    rescore(results, weights="correctness=1,speed=1", speed_target_s=3600.0)
    composite = record(results)["composite"]
    assert composite["composite"]["value"] is None
    assert composite["parts"]["speed"]["why_not"] == "the speed is not comparable: the card was hot"
    assert composite["partial"]["value"] == composite["parts"]["correctness"]["value"]


def test_a_run_is_as_fast_as_itself(results):
    folder = only_run(results)
    found = record(results)
    found["telemetry"]["not_comparable"] = []
    (folder / "run.json").write_text(json.dumps(found) + "\n")
    rescore(results, weights="speed=1", speed_baseline=folder.name)
    composite = record(results)["composite"]
    assert (composite["composite"]["value"], composite["baseline_run"]) == (100, folder.name)
    rescore(results)
    assert record(results)["composite"] == composite, "what is not given is as it was"


@pytest.mark.servers
@pytest.mark.parametrize("ended_by", [signal.SIGTERM, signal.SIGKILL])
def test_a_run_that_was_cut_off_while_it_was_scored_goes_on_without_a_server(tmp_path, ended_by):
    """Its answers are all there, so it succeeds, and stands for equal runs from then on."""
    (model,) = models(tmp_path, "A")
    (tmp_path / "slow.py").write_text(
        "import time\n\ndef score(solution):\n    time.sleep(0.3)\n    return 50\n"
    )
    results = tmp_path / "results"
    words = [
        "run", "--benchmark", "human_eval", "--model", model, "--limit", 3, "--weights", "slow=1", "--scorer",
        tmp_path / "slow.py", *command_server("canonical_server.py"), "--results-dir", results,
    ]  # fmt: skip
    with subprocess.Popen(
        [PROGRAM, *map(str, words)], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
    ) as process:
        wait_for(lambda: any(b"slow" in path.read_bytes() for path in results.glob("*/parts.jsonl")), 60)
        process.send_signal(ended_by)
        _, said = process.communicate()
    if ended_by is signal.SIGTERM:
        assert f"try: run `rescore {only_run(results).name}` to continue" in said
    rescore(results)
    found = record(results)
    assert (found["status"], found["error"]) == ("succeeded", None)
    assert found["composite"]["composite"]["value"] == 50
    assert found["fingerprint"]
    assert found["model_identity"]["sha256"]


@pytest.mark.servers
def test_killed_in_the_middle_it_goes_on_and_measures_nothing_twice(results, tmp_path):
    """kill -9 while a scorer is at work; the file of what it was called on is the witness."""
    witness = tmp_path / "called"
    (tmp_path / "mine.py").write_text(
        f"import os\n\ndef score(solution):\n    with open({str(witness)!r}, 'a') as file:\n"
        "        file.write(solution.sample.task_id + '\\n')\n    return 50\n"
    )
    words = [
        "rescore",
        "last",
        "--scorer",
        tmp_path / "mine.py",
        "--weights",
        "mine=1",
        "--results-dir",
        results,
    ]
    with subprocess.Popen(
        [PROGRAM, *map(str, words)], stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL
    ) as process:
        wait_for(lambda: witness.exists() and "mine" in (only_run(results) / "parts.jsonl").read_text(), 60)
        process.send_signal(signal.SIGKILL)
    rescore(results, scorer=str(tmp_path / "mine.py"), weights="mine=1")
    assert record(results)["composite"]["composite"]["value"] == 50
    called = witness.read_text().split()
    assert len(set(called)) == 12
    assert len(called) <= 13  # of the one at work when it was killed it is not known


@pytest.mark.servers
def test_a_run_that_was_made_without_is_scored_too(results):
    found = record(results)
    del found["composite"]
    for name in ("weights", "scoring"):
        found["config"].pop(name, None)
    folder = only_run(results)
    (folder / "run.json").write_text(json.dumps(found) + "\n")
    (folder / "parts.jsonl").unlink()
    done = bench_runner(
        "rescore", "last", "--weights", "correctness=2,quality=1", "--json", "--results-dir", results
    )
    assert done.code == 0, done.err
    said = json.loads(done.out)
    assert said["composite"]["parts"]["quality"]["value"] == 100
    assert len(lines(folder / "parts.jsonl")) == 12


def test_a_scorer_changes_no_fingerprint(tmp_path):
    (tmp_path / "model.gguf").write_bytes(gguf())
    (tmp_path / "mine.py").write_text("def score(solution):\n    return 1\n")
    given = {"benchmark": "human_eval", "model": str(tmp_path / "model.gguf")}
    scored = build_spec(Asked({**given, "scorer": str(tmp_path / "mine.py")}))
    assert fingerprint(scored) == fingerprint(build_spec(Asked(given)))


def test_a_manifests_weights_are_a_mapping_too():
    from settings.table import TABLE
    from settings.values import read_value

    assert read_value(TABLE["weights"], {"correctness": 0.4, "quality": 0.6}) == "correctness=0.4,quality=0.6"


def test_what_is_gone_by_now_does_not_stand_in_the_way(results, tmp_path):
    """The scorer that a run had, and its baseline: of other weights the one is no part, and the other is unknown."""
    folder = only_run(results)
    found = record(results)
    found["config"] |= {"scorer": str(tmp_path / "gone.py"), "speed_baseline": "20250101T000000Z-gone"}
    found["composite"]["baseline_run"] = "20250101T000000Z-gone"
    (folder / "run.json").write_text(json.dumps(found) + "\n")
    rescore(results, weights="correctness=1,speed=1")
    composite = record(results)["composite"]
    assert composite["parts"]["correctness"]["value"] is not None
    assert composite["composite"]["value"] is None
    assert (
        "gone" in composite["parts"]["speed"]["why_not"]
        or "comparable" in composite["parts"]["speed"]["why_not"]
    )


def test_a_part_of_the_answers_is_not_scored_as_if_it_were_all(results):
    before = record(results)
    journal = only_run(results) / "completions.jsonl"
    journal.write_bytes(b"".join(journal.read_bytes().splitlines(keepends=True)[:-1]))
    with pytest.raises(UsageError, match="has 11 of the 12 answers that its score is of"):
        rescore(results)
    assert record(results) == before
