"""Searches of a better prompt: what is asked is checked first, no request is repeated, and the end is told honestly."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from parsers.contract import ScriptOutput
from parsers.optimising.search import PARSER
from results.errors import ParseError, ResumeMismatch
from results.prompts.optimisation import optimisation_of
from results.prompts.prompt_file import read_prompt_file
from results.records import decode_record
from runner.request import build_spec
from runner.rerun import asked_again
from settings.optimising.rows import REFLECTOR_KEY
from tests.command_line import bench_runner, lines, logged, only_run
from tests.evaluation.reference import GSM8K, reference_server
from tests.evaluation.running_servers import asked_of, scripted_provider

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
SMALL = ("--optimizer", "few_shot", "--optimizer-prompt-params", '{"max_trials": 3}')


def words(url, output, *options):
    given = (
        "--base-url",
        url,
        "--model",
        "m",
        "--output",
        output,
        "--dataset",
        GSM8K,
        "--prompt-style",
        "chat",
    )
    return [sys.executable, "-m", "scripts.run_gsm8k", *map(str, (*given, *options))]


def search(url, output, *options, code=0):
    done = subprocess.run(
        words(url, output, *options), capture_output=True, text=True, cwd=ROOT, timeout=60, check=False
    )
    assert done.returncode == code, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def outcomes(folder):
    """How often each sample was asked with each prompt."""
    found = [line for line in lines(folder / "evaluations.jsonl") if line["type"] == "outcome"]
    return Counter((line["prompt"], line["item"]) for line in found)


def test_a_reflector_that_is_not_there_is_called_by_its_name(tmp_path):
    with reference_server() as url:
        there = (
            "--reflector-base-url",
            "http://127.0.0.1:9/v1",
            "--reflector-model",
            "x",
            "--max-retries",
            0,
        )
        said = search(url, tmp_path / "out", "--optimizer", "gepa", *there, code=3)
    assert said["message"].startswith("the reflector: no model server answers at http://127.0.0.1:9")
    assert "--reflector-base-url" in said["hint"]


@pytest.mark.servers
def test_samples_of_another_data_set_never_overlap_with_the_test_split(tmp_path):
    """The training file has all samples of the run and more; what is tested on is taken out of it."""
    more = tmp_path / "more.jsonl"
    extra = [{"question": f"What is {n} + {n}?", "answer": f"It is {2 * n}.\n#### {2 * n}"} for n in range(4)]
    more.write_text(GSM8K.read_text() + "".join(json.dumps(row) + "\n" for row in extra))
    datasets = {"train": {"file": str(more), "count": 24}, "validation": 5, "test": 12}
    with reference_server("--needs-example") as url:
        out = tmp_path / "out"
        end = search(url, out, *SMALL, "--datasets", json.dumps(datasets))["optimise"]
        wrong = json.dumps({"train": {"split": "dev"}})
        refused = search(url, tmp_path / "no", *SMALL, "--datasets", wrong, code=2)
    assert end["splits"] == {"train": 7, "validation": 5, "test": 12}
    splits = json.loads((out / "splits.json").read_text())
    assert not {*splits["train"]} & {*splits["validation"], *splits["test"]}
    assert "has no split 'dev'" in refused["message"]


def test_a_gain_that_is_there_is_found_told_and_used(tmp_path):
    results = tmp_path / "results"
    common = ("--benchmark", "gsm8k", "--dataset", GSM8K, "--prompt-style", "chat", "--results-dir", results)
    with reference_server("--needs-example") as url:
        done = bench_runner("run", *common, "--base-url", url, *SMALL)
        assert done.code == 0, done.err
        folder = only_run(results)
        prompt = folder / "prompt.json"
        assert "seed prompt 0.0, found prompt 100.0 of 100 on 10 samples" in done.out
        assert f"run --prompt {prompt}" in done.out
        assert "trial 1 of 3: best 100.0 of 100 on validation, seed prompt 0.0;" in done.err, (
            "who waits sees how far the search is"
        )
        listed = bench_runner("list", "--results-dir", results).out
        assert "search by few_shot: 0.0 to 100.0 on test, gain shown" in listed
        again = bench_runner("run", *common, "--base-url", url, "--prompt", prompt)
        assert again.code == 0, again.err
        shards = bench_runner("run", *common, "--base-url", url, "--prompt", prompt, "--shards", 2)
        assert shards.code == 0, shards.err
    told = "4 of 20 questions stand in the prompt as examples, with their answers"
    first, second, *_, merged = logged(results)
    for record in (second, merged):
        assert any(told in warning for warning in record["score"]["warnings"])
    assert (
        build_spec(asked_again(decode_record(json.dumps(first), where="")), ask_scripts=False).parser
        == "optimise"
    )
    assert (first["results"]["score"], second["results"]["score"]) == (None, 100.0)
    end = optimisation_of(first["score"]["details"])
    assert end.gain.shown
    assert end.gain.p_value < 0.01
    kept = read_prompt_file(prompt)
    assert kept.lineage.parents[0] == end.seed_sha256
    assert kept.lineage.run_id == first["run_id"]
    splits = json.loads((folder / "splits.json").read_text())
    test = set(splits["test"])
    assert not test & {*splits["train"], *splits["validation"]}
    asked_with = {pair[0] for pair in outcomes(folder) if pair[1] in test}
    assert asked_with == {end.seed_sha256, end.prompt_sha256}  # no other candidate ever saw the test split


@pytest.mark.servers
def test_what_is_told_of_a_search_is_what_its_parameters_made_of_it(tmp_path):
    """Fewer validation samples than the split has, and a seed of the search's own."""
    params = json.dumps({"max_trials": 3, "n_samples": 2, "seed": 7})
    with reference_server("--needs-example") as url:
        done = subprocess.run(
            words(url, tmp_path, "--optimizer", "few_shot", "--optimizer-params", params),
            capture_output=True, text=True, cwd=ROOT, timeout=60, check=True,
        )  # fmt: skip
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert events[-1]["optimise"]["splits"] == {"train": 5, "validation": 2, "test": 10}
    kept = json.loads((tmp_path / "splits.json").read_text())
    asked_by_any = {sample for _, sample in outcomes(tmp_path)} - {*kept["test"]} - {*kept["train"]}
    assert asked_by_any == {*kept["validation"]}
    assert read_prompt_file(tmp_path / "prompt.json").lineage.seed == 7
    last_trial = max(place for place, event in enumerate(events) if event["event"] == "trial")
    totals = {event["total"] for event in events[last_trial:] if event["event"] == "progress"}
    made = sum(outcomes(tmp_path).values())
    assert totals <= {made, made + 1}, "the requests of the test were not counted before they were sent"


@pytest.mark.servers
def test_a_killed_search_goes_on_without_asking_anything_again(tmp_path):
    out, whole = tmp_path / "out", tmp_path / "whole"
    with reference_server("--needs-example", "--delay", 0.02) as url:
        process = subprocess.Popen(
            words(url, out, *SMALL, "--concurrency", 1), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            cwd=ROOT,
        )  # fmt: skip
        try:
            give_up = time.monotonic() + 60
            while sum(outcomes(out).values()) < 12 and time.monotonic() < give_up:
                time.sleep(0.01)
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait()
        before = outcomes(out)
        assert sum(before.values()) >= 12
        assert not (out / "prompt.json").exists()
        resumed = search(url, out, *SMALL)
        fresh = search(url, whole, *SMALL)
        refused = search(url, out, *SMALL, "--seed", 3, code=ResumeMismatch.exit_code)
    assert max(outcomes(out).values()) == 1
    assert resumed["replayed"] >= 12
    for name in ("prompt_sha256", "gain", "validation_score", "candidates"):
        assert resumed["optimise"][name] == fresh["optimise"][name]
    assert "seed was 0 and is now 3" in refused["message"]


def test_a_search_that_is_stopped_says_so_and_leaves_nothing_running(tmp_path):
    with reference_server("--delay", 0.2) as url:
        process = subprocess.Popen(
            words(url, tmp_path / "out", *SMALL), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=ROOT
        )
        for line in process.stdout:
            if b'"progress"' in line:
                break
        process.send_signal(signal.SIGTERM)
        rest = process.stdout.read()
        assert process.wait(timeout=30) == 143
        process.stdout.close()
    assert json.loads(rest.splitlines()[-1])["kind"] == "interrupted"


@pytest.mark.servers
def test_another_model_writes_prompts_with_its_own_key_under_the_same_cap(tmp_path, monkeypatch):
    """The words that the model needs come from the reflector alone."""
    said = tmp_path / "said.json"
    said.write_text(json.dumps([["", {"text": "```\nSay PLUGH first.\n```"}]]))
    monkeypatch.setenv(REFLECTOR_KEY, "its-key")
    options = (
        "--optimizer", "gepa", "--reflector-model", "writer", "--optimizer-params", '{"max_trials": 3}',
        "--max-tokens-total", 400_000,
    )  # fmt: skip
    with (
        reference_server("--needs-word", "PLUGH") as url,
        scripted_provider("--key", "its-key", "--answers", said) as at,
    ):
        out = tmp_path / "out"
        summary = search(
            url, out, *options, "--reflector-provider", "openai", "--reflector-base-url", f"{at}/v1"
        )
        asked_there = [each for each in asked_of(at) if "completions" in each["path"]]
    end = summary["optimise"]
    assert (end["gain"]["score"], end["gain"]["shown"]) == (100.0, True)
    assert read_prompt_file(out / "prompt.json").prompt.instruction == "Say PLUGH first."
    assert len(asked_there) == end["reflections"] > 0
    assert {each["key"] for each in asked_there} == {"right"}
    assert end["reflector"] == "openai/writer"
    spent = [
        json.loads((folder / "spending.json").read_text())["tokens"] for folder in (out, out / "reflector")
    ]
    assert all(spent)
    assert sum(spent) == end["tokens"] <= 400_000


@pytest.mark.servers
def test_budgets_hold_and_what_was_found_till_then_counts(tmp_path):
    with reference_server("--wrong-every", 3) as url:
        out = tmp_path / "calls"
        end = search(url, out, *SMALL, "--max-calls", 32)["optimise"]
        assert (end["stopped"], end["gain"]["samples"]) == ("budget", 10)
        assert sum(outcomes(out).values()) == end["evaluations"] <= 32
        tokens = search(url, tmp_path / "tokens", *SMALL, "--max-tokens-total", 130_000)
        assert tokens["optimise"]["tokens"] <= tokens["spent"]["tokens"] <= 130_000
        assert tokens["optimise"]["stopped"] == "budget"


def test_a_summary_that_is_not_what_the_files_say_is_refused(tmp_path):
    with reference_server("--needs-example") as url:
        summary = search(url, tmp_path, *SMALL)

    def parsed(said):
        return PARSER.parse(ScriptOutput(json.dumps(said), "", tmp_path, 0))

    assert optimisation_of(parsed(summary).details).gain.score == 100.0
    for change in ({"score": 40.0}, {"samples": 9}):
        gain = {**summary["optimise"]["gain"], **change}
        with pytest.raises(ParseError, match=r"prompt\.json is not"):
            parsed({**summary, "optimise": {**summary["optimise"], "gain": gain}})
    journal = tmp_path / "evaluations.jsonl"
    journal.write_text(journal.read_text().replace('"score":1.0', '"score":0.5'))
    with pytest.raises(ParseError, match="disagrees with"):
        parsed(summary)
    (tmp_path / "prompt.json").unlink()
    with pytest.raises(ParseError, match="can't be read"):
        parsed(summary)
