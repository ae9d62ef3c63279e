"""`rejudge`: the same answers under today's rules, as a run of its own, without a model."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess

import pytest

from settings.verdict_rules import rules_of
from tests.command_line import PROGRAM, bench_runner, lines, logged, only_run, wait_for
from tests.evaluation.reference import GSM8K, MMLU, reference_server
from tests.evaluation.running_servers import canonical_server

pytestmark = pytest.mark.slow


def write_lines(folder, rows):
    (folder / "completions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def under_old_rules(folder):
    """As if it had been judged by the first rules."""
    settings = json.loads((folder / "settings.json").read_text())
    del settings["extraction_version"], settings["judging_version"]
    (folder / "settings.json").write_text(json.dumps(settings))


def content(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture(scope="module")
def gsm8k_run(tmp_path_factory):
    """A finished run of five problems, of which old rules read one answer wrongly and gave another a pass."""
    results = tmp_path_factory.mktemp("gsm8k") / "results"
    with reference_server() as url:
        done = bench_runner(
            "run", "--benchmark", "gsm8k", "--dataset", GSM8K, "--base-url", url, "--prompt-style", "chat",
            "--limit", 5, "--results-dir", results,
        )  # fmt: skip
    assert done.code == 0, done.err
    folder = only_run(results)
    rows = sorted(lines(folder / "completions.jsonl"), key=lambda row: row["task_id"])
    rows[0].update(passed=False, outcome="failed", completion="3", detail="3 instead of 2125")
    rows[1].update(answer="I do not know.")
    write_lines(folder, rows)
    under_old_rules(folder)
    return results


@pytest.fixture
def results(gsm8k_run, tmp_path):
    return shutil.copytree(gsm8k_run, tmp_path / "results")


def the_new_one(results, parent):
    (folder,) = [path for path in results.iterdir() if (path / "run.json").exists() and path != parent]
    return folder


def test_what_a_line_says_of_its_answer_holds_in_the_new_run(results):
    """An odd count, a full context, an answer that was lost before losses were told apart, a thought that was cut."""
    parent = only_run(results)
    rows = lines(parent / "completions.jsonl")
    full = "cut after 400 tokens by the context: raise --ctx-size"
    rows[0]["completion_tokens"] = 12.5
    rows[1].update(
        answer="So", outcome="truncated", passed=False, cut="context", finish_reason="length", detail=full
    )
    rows[1].update(completion_tokens=400)
    rows[2].update(answer="", reasoning="", outcome="infrastructure_error", passed=False, detail="no answer")
    rows[3].update(cut="length", finish_reason="length")
    write_lines(parent, rows)
    settings = json.loads((parent / "settings.json").read_text())
    settings["style_choice"] = {**settings.get("style_choice", {}), "opens_thought": True}
    (parent / "settings.json").write_text(json.dumps(settings))
    done = bench_runner("rejudge", "last", "--results-dir", results)
    assert done.code == 0, done.err
    now = {row["task_id"]: row for row in lines(the_new_one(results, parent) / "completions.jsonl")}
    assert len(now) == len(rows)
    odd, cut, lost, thought = (now[row["task_id"]] for row in rows[:4])
    assert (odd["outcome"], odd.get("completion_tokens")) == ("passed", None)
    assert (cut["outcome"], cut["cut"], cut["detail"]) == ("truncated", "context", full)
    assert lost["outcome"] == "infrastructure_error"
    assert (thought["outcome"], thought["detail"]) == ("truncated", "cut while the model was still thinking")


def test_it_is_a_run_of_its_own_that_names_its_parent_and_says_what_changed(results):
    parent = only_run(results)
    before = content(parent)
    done = bench_runner("rejudge", "last", "--results-dir", results)
    assert done.code == 0, done.err
    assert content(parent) == before
    new = the_new_one(results, parent)
    record = json.loads((new / "run.json").read_text())
    assert (record["status"], record["rejudged_from"]) == ("succeeded", parent.name)
    assert record["score"]["outcomes"]["passed"] == 4
    assert (record["config"]["extraction_version"], record["config"]["judging_version"]) == rules_of("gsm8k")
    settings = json.loads((new / "settings.json").read_text())
    assert (settings["extraction_version"], settings["judging_version"]) == rules_of("gsm8k")
    was, now = lines(parent / "completions.jsonl"), lines(new / "completions.jsonl")
    assert {row["task_id"]: row["answer"] for row in now} == {row["task_id"]: row["answer"] for row in was}
    assert "changed          2 verdicts: 1 now pass, 1 no longer do" in done.out
    assert "failed -> passed; read 3, now 2125: 3 instead of 2125 -> right" in done.out
    assert "passed -> failed; read 1600, now nothing: right -> no number in the answer" in done.out
    assert [run["run_id"] for run in logged(results)] == [parent.name, new.name]
    assert f"answers of {parent.name}" in bench_runner("list", "--results-dir", results).out
    compared = bench_runner("compare", parent.name, new.name, "--results-dir", results)
    assert (compared.code, "extraction_version" in compared.err) == (9, True)


def test_all_that_changed_can_be_had_as_json(results):
    done = bench_runner("rejudge", "last", "--json", "--results-dir", results)
    told = json.loads(done.out)
    assert [(flip["was"], flip["now"]) for flip in told["flips"]] == [
        ("failed", "passed"),
        ("passed", "failed"),
    ]
    assert told["record"]["status"] == "succeeded"


def test_one_that_was_cut_off_is_continued_and_nothing_is_judged_twice(results):
    """As kill -9 leaves it: a record in progress, a torn line, and not in the log yet."""
    parent = only_run(results)
    assert bench_runner("rejudge", "last", "--results-dir", results).code == 0
    new = the_new_one(results, parent)
    record = json.loads((new / "run.json").read_text()) | {"status": "started", "score": None}
    (new / "run.json").write_text(json.dumps(record))
    done = (new / "completions.jsonl").read_bytes().splitlines(keepends=True)
    marked = json.loads(done[0]) | {"request_s": 4321.0}
    (new / "completions.jsonl").write_bytes(json.dumps(marked).encode() + b"\n" + done[1] + done[2][:40])
    (results / ".unlogged" / new.name).touch()
    assert (
        f"to continue it, run `rejudge {new.name}`"
        in bench_runner("rejudge", "x", "--results-dir", results).err
    )
    again = bench_runner("rejudge", new.name, "--results-dir", results)
    assert again.code == 0, again.err
    assert only_run_ids(results) == [parent.name, new.name]
    rows = lines(new / "completions.jsonl")
    assert (len(rows), len({row["task_id"] for row in rows})) == (5, 5)
    assert rows[0]["request_s"] == 4321.0
    assert [run["run_id"] for run in logged(results)] == [parent.name, new.name]


def only_run_ids(results):
    return sorted(path.name for path in results.iterdir() if (path / "run.json").exists())


def test_killed_in_the_middle_nothing_is_lost(results):
    parent = only_run(results)
    before = content(parent)
    with subprocess.Popen([PROGRAM, "rejudge", "last", "--results-dir", results]) as process:
        wait_for(lambda: len(only_run_ids(results)) == 2)
        process.send_signal(signal.SIGKILL)
    new = the_new_one(results, parent)
    again = bench_runner("rejudge", new.name, "--results-dir", results)
    assert again.code == 0, again.err
    assert content(parent) == before
    assert len(lines(new / "completions.jsonl")) == 5
    assert [run["run_id"] for run in logged(results)] == [parent.name, new.name]


def refused(results, code, *words):
    before = only_run_ids(results)
    done = bench_runner("rejudge", "last", "--results-dir", results)
    assert done.code == code, done.err
    for word in words:
        assert word in done.err
    if code == 2:
        assert only_run_ids(results) == before
    assert "Traceback" not in done.err


def changed(folder, **facts):
    record = json.loads((folder / "run.json").read_text())
    record["config"] |= facts.pop("config", {})
    (folder / "run.json").write_text(json.dumps(record | facts))


def test_a_run_that_did_not_finish_is_refused(results):
    changed(only_run(results), status="failed")
    refused(results, 2, "did not finish (status: failed)", "--resume")


def test_an_external_scripts_run_is_refused(results):
    changed(only_run(results), config={"script": "/x/eval.py"})
    refused(results, 2, "was made by an external script")


def test_a_run_without_answers_is_refused(results):
    (only_run(results) / "completions.jsonl").unlink()
    refused(results, 2, "has no answers to judge")


def test_a_run_whose_settings_are_missing_is_refused(results):
    (only_run(results) / "settings.json").unlink()
    refused(results, 6, "has no settings.json")


def test_lines_without_the_models_words_are_refused(results):
    folder = only_run(results)
    rows = lines(folder / "completions.jsonl")
    del rows[0]["answer"]
    write_lines(folder, rows)
    refused(results, 6, "has no answer for gsm8k/0", "can't be judged again")


def test_another_data_set_is_refused(results, tmp_path):
    other = tmp_path / "other.jsonl"
    other.write_bytes(GSM8K.read_bytes() + b"\n")
    changed(only_run(results), config={"dataset": str(other)})
    refused(results, 6, "holds answers to another data set")


def test_a_rejudgement_is_not_resumed_as_a_run(results):
    parent = only_run(results)
    assert bench_runner("rejudge", "last", "--results-dir", results).code == 0
    new = the_new_one(results, parent)
    done = bench_runner(
        "run", "--benchmark", "gsm8k", "--dataset", GSM8K, "--base-url", "http://127.0.0.1:9",
        "--results-dir", results, "--resume", new.name,
    )  # fmt: skip
    assert (done.code, f"rejudge {new.name}" in done.err) == (2, True)


def test_code_is_executed_again_and_answers_that_never_came_stay_lost(tmp_path):
    results = tmp_path / "results"
    with canonical_server() as url:
        done = bench_runner(
            "run", "--benchmark", "human_eval", "--base-url", url, "--prompt-style", "chat", "--limit", 4,
            "--results-dir", results,
        )  # fmt: skip
    assert done.code == 0, done.err
    parent = only_run(results)
    rows = lines(parent / "completions.jsonl")
    rows[0].update(passed=False, outcome="failed", completion="", detail="no code in the answer")
    lost = {"task_id": rows[1]["task_id"], "outcome": "infrastructure_error", "loss": "request_failed"}
    write_lines(parent, [rows[0], lost | {"detail": "the server is gone"}, *rows[2:]])
    done = bench_runner("rejudge", "last", "--results-dir", results)
    assert done.code == 0, done.err
    found = {
        row["task_id"]: row["outcome"] for row in lines(the_new_one(results, parent) / "completions.jsonl")
    }
    assert list(found.values()).count("passed") == 3
    assert found[rows[1]["task_id"]] == "infrastructure_error"
    assert "another part of the answer is read: no code in the answer -> right" in done.out


def test_choices_by_log_probability_stay_what_they_were(tmp_path):
    results = tmp_path / "results"
    with reference_server("--logprobs", "mixed") as url:
        done = bench_runner(
            "run", "--benchmark", "mmlu", "--dataset", MMLU, "--base-url", url, "--prompt-style", "chat",
            "--results-dir", results,
        )  # fmt: skip
    assert done.code == 0, done.err
    parent = only_run(results)
    assert bench_runner("rejudge", "last", "--results-dir", results).code == 0
    new = the_new_one(results, parent)
    details = [json.loads((each / "run.json").read_text())["score"]["details"] for each in (parent, new)]
    assert details[0]["answers_by"] == details[1]["answers_by"] == {"generation": 6, "logprobs": 6}
    assert details[0]["answers_by_sha256"] == details[1]["answers_by_sha256"]
    assert bench_runner("compare", parent.name, new.name, "--results-dir", results).code == 0
