"""MMLU as a whole: its data, its prompts, both ways to choose, and a real model."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest

from evaluation.benchmarks.mmlu.subjects import CATEGORY_OF
from evaluation.benchmarks.mmlu.task import MmluTask, load_data
from evaluation.protocols import PromptStyle
from results.errors import UsageError
from tests.command_line import bench_runner, lines, only_run
from tests.evaluation.reference import MMLU, reference_server, rows

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
CHAT, COMPLETION = PromptStyle.CHAT, PromptStyle.COMPLETION


def run(url, output, *options, dataset=MMLU, code=0):
    """Its last event and what it said to people."""
    words = ("--base-url", url, "--model", "m", "--output", output, "--dataset", dataset, *options)
    done = subprocess.run(
        [sys.executable, "-m", "scripts.run_mmlu", *map(str, words)],
        capture_output=True, text=True, cwd=ROOT, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == code, done.stderr
    return json.loads(done.stdout.splitlines()[-1]), done.stderr


@pytest.mark.parametrize("style", ["chat", "completion"])
@pytest.mark.parametrize(
    ("shape", "ways"), [("list", {"logprobs": 12}), ("map", {"logprobs": 12}), ("null", {"generation": 12})]
)
def test_right_answers_score_100_percent_in_either_way_and_the_way_is_told(tmp_path, style, shape, ways):
    with reference_server("--logprobs", shape) as url:
        summary, _ = run(url, tmp_path, "--prompt-style", style)
    assert (summary["score"], summary["answers_by"], summary["warnings"]) == (100.0, ways, [])
    assert summary["sandbox"] == {}


def test_a_run_that_mixes_both_ways_says_so(tmp_path):
    with reference_server("--logprobs", "mixed") as url:
        summary, said = run(url, tmp_path)
    assert summary["answers_by"] == {"generation": 6, "logprobs": 6}
    assert "6 answers were chosen by log-probabilities and 6 were generated" in summary["warnings"][0]
    assert "WARNING" in said
    assert "--answer-by letter" in said


def test_by_letter_no_log_probabilities_are_asked_for(tmp_path):
    with reference_server() as url:
        summary, _ = run(url, tmp_path, "--answer-by", "letter")
    (first, *_) = lines(tmp_path / "completions.jsonl")
    assert (summary["score"], "answers_by" in summary) == (100.0, False)
    assert (first["answer"].startswith("The answer is"), first.get("metrics")) == (True, None)


def test_each_completion_keeps_the_probabilities_it_was_chosen_by(tmp_path):
    with reference_server() as url:
        run(url, tmp_path, "--limit", 1)
    (line,) = lines(tmp_path / "completions.jsonl")
    assert (line["answer"], line["completion"], line["expected"], line["finish_reason"]) == (
        "B",
        "B",
        "B",
        "choice",
    )
    assert line["metrics"] == {"by_logprobs": 1, "p(A)": pytest.approx(0.35), "p(B)": pytest.approx(0.6)}


def test_as_published_is_five_examples_in_completion_style(tmp_path):
    dev = [json.loads(line) for line in MMLU.with_name("mmlu_dev.jsonl").read_text().splitlines()]
    data = tmp_path / "data"
    data.mkdir()
    (data / "mmlu_test.jsonl").write_bytes(MMLU.read_bytes())
    (data / "mmlu_dev.jsonl").write_text("".join(json.dumps(row) + "\n" for row in dev * 5))
    with reference_server() as url:
        run(url, tmp_path / "out", "--as-published", "--limit", 1, dataset=data / "mmlu_test.jsonl")
        error, _ = run(url, tmp_path / "no", "--as-published", "--few-shot", 3, code=2)
        other, _ = run(url, tmp_path / "no", "--as-published", "--prompt-style", "chat", code=2)
    settings = json.loads((tmp_path / "out" / "settings.json").read_text())
    assert (settings["prompt_style"], settings["temperature"]) == ("completion", 0.0)
    assert settings["options"] == {"few_shot": 5, "answer_by": "auto"}
    assert error["message"] == "--few-shot can't be combined with --as-published"
    assert other["message"] == "--prompt-style can't be combined with --as-published"


def test_a_server_that_knows_no_stop_sequences_may_go_on_with_questions_of_its_own():
    task = MmluTask(load_data(MMLU, few_shot=0, by_letter=True), style=COMPLETION)
    sample = task.get_samples(1)[0]
    assert task.calculate_metrics(" B. Heart\n\nWhich is a bone?\nAnswer: A", "B", sample).passed


def test_scores_are_given_by_subject_and_by_category(tmp_path):
    with reference_server("--logprobs", "null", "--wrong-every", 2) as url:
        summary, _ = run(url, tmp_path)
    metrics = {name: metric["value"] for name, metric in summary["metrics"].items()}
    assert metrics["pass@1"] == 0.5
    assert metrics["pass@1 subject=anatomy"] == pytest.approx(1 / 3)
    assert metrics["pass@1 category=social sciences"] == 0.5
    assert len([name for name in metrics if "subject=" in name]) == 7


def test_every_subject_has_its_category():
    """57 subjects: 18, 13, 12 and 14, as in the paper's own code."""
    counts = [
        list(CATEGORY_OF.values()).count(name) for name in ("STEM", "humanities", "social sciences", "other")
    ]
    assert (len(CATEGORY_OF), counts) == (57, [18, 13, 12, 14])


def prompt(style, few_shot=0):
    task = MmluTask(load_data(MMLU, few_shot=few_shot, by_letter=False), style=style)
    return task.get_prompt(task.get_samples(None)[5]).user


def test_the_prompt_is_the_papers():
    block = "A box holds 6 eggs. How many eggs do 7 full boxes hold?\nA. 36\nB. 42\nC. 48\nD. 13\nAnswer:"
    about = "The following are multiple choice questions (with answers) about elementary mathematics.\n\n"
    assert prompt(COMPLETION) == about + block
    assert prompt(COMPLETION, few_shot=1) == (
        f"{about}What is 9 + 8?\nA. 17\nB. 16\nC. 18\nD. 15\nAnswer: A\n\n{block}"
    )
    assert prompt(CHAT).endswith(f"Answer with the letter of the right choice only.\n\n{block}")


def published(tmp_path):
    """The fixture as the paper's authors publish theirs: a CSV file for each subject, without a header."""
    for split in ("test", "dev"):
        (tmp_path / split).mkdir()
        for row in rows(MMLU.with_name(f"mmlu_{split}.jsonl")):
            with (tmp_path / split / f"{row['subject']}_{split}.csv").open("a", newline="") as file:
                csv.writer(file).writerow([row["question"], *row["choices"], "ABCD"[row["answer"]]])
    return tmp_path


def test_the_csv_files_of_the_authors_give_the_same_questions(tmp_path):
    folder = published(tmp_path)
    ours = {
        sample.task_id: sample for sample in load_data(MMLU, few_shot=0, by_letter=False).questions.samples
    }
    theirs = load_data(folder, few_shot=2, by_letter=False)
    assert {sample.task_id: sample for sample in theirs.questions.samples} == ours
    assert [len(examples) for examples in theirs.examples.values()] == [2] * 7
    one = load_data(folder / "test" / "anatomy_test.csv", few_shot=1, by_letter=False)
    assert [sample.task_id for sample in one.questions.samples] == [f"mmlu/anatomy/{i}" for i in range(3)]


def test_the_parquet_files_of_the_hub_give_the_same_questions(tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    import pyarrow as pa

    for split in ("test", "dev"):
        table = pa.Table.from_pylist(rows(MMLU.with_name(f"mmlu_{split}.jsonl")))
        parquet.write_table(table, tmp_path / f"{split}-00000-of-00001.parquet")
    theirs = load_data(tmp_path / "test-00000-of-00001.parquet", few_shot=2, by_letter=False)
    ours = load_data(MMLU, few_shot=2, by_letter=False)
    assert (theirs.questions.samples, theirs.examples) == (ours.questions.samples, ours.examples)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("x.csv", "q,a,b,c,d,A\nq,a,b,c,A\n", "x.csv:2: 5 columns instead of 6"),
        ("x_test.csv", "q,a,b,c,d,E\n", r"x_test.csv:1: Invalid enum value 'E'"),
        (
            "x.jsonl",
            '{"question": "q", "choices": ["a", "b", "c"], "answer": 0}',
            ":1: Expected `array` of length 4",
        ),
        (
            "x.jsonl",
            '{"question": "q", "choices": ["a", "b", "c", "d"], "answer": 4}',
            ":1: Invalid enum value 4",
        ),
    ],
)
def test_a_bad_row_is_named_by_file_and_line(tmp_path, name, text, message):
    (tmp_path / name).write_text(text)
    with pytest.raises(UsageError, match=message):
        load_data(tmp_path / name, few_shot=0, by_letter=False)


def test_examples_that_are_not_there_are_told_before_the_server_is_asked(tmp_path):
    alone = tmp_path / "mmlu_test.jsonl"
    alone.write_bytes(MMLU.read_bytes())
    event, _ = run("http://127.0.0.1:1", tmp_path / "out", "--few-shot", 2, dataset=alone, code=2)
    assert "there is no mmlu_dev.jsonl beside" in event["message"]
    event, _ = run("http://127.0.0.1:1", tmp_path / "out", "--few-shot", 3, code=2)
    assert "there are only 2 examples of the subject 'anatomy'" in event["message"]
    event, _ = run("http://127.0.0.1:1", tmp_path / "out", dataset=tmp_path, code=2)
    assert "has no files named test/SUBJECT_test.csv" in event["message"]


@pytest.mark.servers
@pytest.mark.parametrize("style", ["chat", "completion"])
def test_a_real_model_chooses_by_log_probabilities(tmp_path, demo_model, style):
    done = bench_runner(
        "run", "--benchmark", "mmlu", "--model", demo_model, "--dataset", MMLU, "--limit", 4, "--few-shot", 1,
        "--prompt-style", style, "--results-dir", tmp_path, "--json",
        "--", "--threads", 1,
    )  # fmt: skip
    assert done.code == 0, done.err
    record = json.loads(done.out)
    assert record["score"]["details"]["answers_by"] == {"logprobs": 4}
    assert "pass@1 subject=anatomy" in record["score"]["metrics"]
    for line in lines(only_run(tmp_path) / "completions.jsonl"):
        told = {name: value for name, value in line["metrics"].items() if name.startswith("p(")}
        assert 0.5 < sum(told.values()) <= 1.0001
        assert line["completion"] == max(told, key=told.get)[2]


def test_the_table_of_a_run_tells_both_ways(tmp_path):
    with reference_server("--logprobs", "mixed") as url:
        done = bench_runner(
            "run", "--benchmark", "mmlu", "--base-url", url, "--dataset", MMLU, "--results-dir", tmp_path
        )
    assert done.code == 0, done.err
    assert "answers by      generation 6, logprobs 6" in done.out


@pytest.mark.servers
def test_a_real_model_answers_by_letter(tmp_path, demo_model):
    done = bench_runner(
        "run", "--benchmark", "mmlu", "--model", demo_model, "--dataset", MMLU, "--limit", 2, "--answer-by", "letter",
        "--prompt-style", "chat", "--max-tokens", 32, "--results-dir", tmp_path, "--json",
        "--", "--threads", 1,
    )  # fmt: skip
    assert done.code == 0, done.err
    found = lines(only_run(tmp_path) / "completions.jsonl")
    assert {line["completion"] for line in found if "completion" in line} <= {"A", "B", "C", "D"}
    assert all("metrics" not in line for line in found)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--answer-by", "guess"), "--answer-by: 'guess' is not auto|letter"),
        (("--few-shot", "9"), "--few-shot: '9' is not N"),
        (("--dataset", "/none.jsonl"), "no such file"),
        (("--dataset", ROOT / "README.md"), "README.md is not a data set"),
        (("--dataset", MMLU, "--few-shot", "3"), "there are only 2 examples of the subject 'anatomy'"),
    ],
)
def test_bad_options_and_data_are_told_before_anything_starts(tmp_path, demo_model, words, message):
    done = bench_runner(
        "run", "--benchmark", "mmlu", "--model", demo_model, *words, "--results-dir", tmp_path / "out"
    )
    assert done.code == 2
    assert message in done.err
    assert not (tmp_path / "out").exists()
