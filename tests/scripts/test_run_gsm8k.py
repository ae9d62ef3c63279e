"""GSM8K as a whole: its data, its prompts, what it says of answers, and a real model."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from evaluation.benchmarks.gsm8k.task import Gsm8kTask, load_data
from evaluation.protocols import PromptStyle
from results.errors import UsageError
from settings.verdict_rules import rules_of
from tests.command_line import bench_runner, lines, only_run
from tests.evaluation.reference import GSM8K, reference_server, rows

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
CHAT, COMPLETION = PromptStyle.CHAT, PromptStyle.COMPLETION


def run(url, output, *options, dataset=GSM8K, code=0, env=None):
    """Its last event and what it said to people."""
    given = ("--dataset", dataset) if dataset else ()
    words = ("--base-url", url, "--model", "m", "--output", output, *given, *options)
    done = subprocess.run(
        [sys.executable, "-m", "scripts.run_gsm8k", *map(str, words)],
        capture_output=True, text=True, cwd=ROOT, env={**os.environ, **(env or {})}, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == code, done.stderr
    return json.loads(done.stdout.splitlines()[-1]), done.stderr


@pytest.mark.parametrize("style", ["chat", "completion"])
def test_the_reference_solutions_score_100_percent(tmp_path, style):
    with reference_server() as url:
        summary, _ = run(url, tmp_path, "--prompt-style", style)
    assert (summary["score"], summary["samples"], summary["sandbox"]) == (100.0, 20, {})
    assert summary["metrics"]["strict-match"]["value"] == 0.0  # they end in `#### 18`
    assert summary["metrics"]["flexible-extract"]["value"] == 1.0
    settings = json.loads((tmp_path / "settings.json").read_text())
    assert (settings["max_tokens"], settings["prompt_style"]) == (2048, style)
    assert settings["options"] == {"few_shot": 0 if style == "chat" else 8}
    assert (settings["extraction_version"], settings["judging_version"]) == rules_of("gsm8k")


def test_the_usual_number_of_examples_and_the_same_number_asked_for_are_one_setting(tmp_path):
    settings = []
    with reference_server() as url:
        for number, options in enumerate(((), ("--few-shot", 8))):
            run(url, tmp_path / str(number), "--prompt-style", "completion", "--limit", 1, *options)
            settings.append(json.loads((tmp_path / str(number) / "settings.json").read_text()))
    assert settings[0] == settings[1]


def test_a_run_under_other_rules_is_not_continued(tmp_path):
    with reference_server() as url:
        run(url, tmp_path, "--prompt-style", "chat", "--limit", 1)
        settings = json.loads((tmp_path / "settings.json").read_text())
        del settings["extraction_version"]  # as it was before it was written down
        (tmp_path / "settings.json").write_text(json.dumps(settings))
        error, _ = run(url, tmp_path, "--prompt-style", "chat", "--limit", 2, code=6)
    assert f"extraction_version was 1 and is now {rules_of('gsm8k').extraction_version}" in error["message"]
    assert "rejudge" in error["hint"]


def test_wrong_answers_fail_and_say_how(tmp_path):
    with reference_server("--wrong-every", 2) as url:
        summary, _ = run(url, tmp_path)
    failed = [line for line in lines(tmp_path / "completions.jsonl") if not line.get("passed")]
    assert (summary["outcomes"]["passed"], summary["outcomes"]["failed"], len(failed)) == (10, 10, 10)
    assert all(line["detail"] == f"0.5 instead of {line['expected']}" for line in failed)


def judge(text, expected="18", style=CHAT):
    task = Gsm8kTask(load_data(GSM8K), style=style)
    sample = msgspec.structs.replace(task.get_samples(1)[0], data={"answer": f"So.\n#### {expected}"})
    return task.calculate_metrics(text, expected, sample)


def test_what_lm_evals_filters_say_is_a_metric_for_each_and_does_not_decide():
    judgement = judge("The final answer is 18. It took 3 steps.")
    assert judgement.passed
    assert judgement.metrics == {"strict-match": 1.0, "flexible-extract": 0.0}
    judgement = judge("3 * 6 = 18.00 dollars")
    assert judgement.passed
    assert judgement.metrics == {"strict-match": 0.0, "flexible-extract": 0.0}  # they compare texts
    judgement = judge("The answer is 12. No, wait: The answer is 18.", style=COMPLETION)
    assert judgement.passed
    assert judgement.metrics == {"strict-match": 0.0, "flexible-extract": 1.0}  # theirs takes the first
    judgement = judge("The final answer is 12. No: The final answer is 18")
    assert judgement.metrics == {"strict-match": 1.0, "flexible-extract": 1.0}  # and in chat the last
    judgement = judge("I do not know")
    assert (judgement.passed, judgement.detail, judgement.ended) == (False, "no number in the answer", False)


def test_questions_that_a_model_makes_up_after_its_answer_do_not_count():
    """Protects models behind a server that ignores stop sequences."""
    text = " The answer is 18.\n\nQ: How many is 2 + 2?\nA: The answer is 4."
    assert judge(text, style=COMPLETION).passed


def prompt(style, **options):
    task = Gsm8kTask(load_data(GSM8K), style=style, **options)
    sample = task.get_samples(1)[0]
    return task.get_prompt(sample).user, sample.data["question"]


def test_in_chat_the_question_stands_alone_and_as_text_behind_eight_examples():
    user, question = prompt(CHAT)
    assert user == (
        f"Given the following problem, reason and give a final answer to the problem.\nProblem: {question}\n"
        'Your response should end with "The final answer is [answer]" where [answer] is the response to the problem.\n'
    )
    user, question = prompt(COMPLETION)
    assert (user.count("Q: "), user.count("The answer is ")) == (9, 8)
    assert user.endswith(f"The answer is 8.\n\nQ: {question}\nA:")


def test_the_number_of_examples_can_be_chosen():
    user, question = prompt(COMPLETION, few_shot=0)
    assert user == f"Q: {question}\nA: Let's think step by step."
    user, _ = prompt(CHAT, few_shot=3)
    assert (user.count("Problem: "), user.count("The final answer is 39\n\n")) == (4, 1)


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet"])
def test_both_published_formats_give_the_same_samples(tmp_path, suffix):
    path = tmp_path / f"test{suffix}"
    if suffix == ".parquet":
        parquet = pytest.importorskip("pyarrow.parquet")
        import pyarrow as pa

        parquet.write_table(pa.Table.from_pylist(rows(GSM8K)), path)
    else:
        path.write_bytes(GSM8K.read_bytes())
    samples = load_data(path).samples
    assert samples == load_data(GSM8K).samples
    assert samples[0].expected == "2125"  # 2,125 in the file


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            '{"question": "a", "answer": "#### 1"}\n{"question": 2, "answer": "#### 1"}',
            r":2: Expected `str`.*question",
        ),
        ('{"question": "a"}', r":1: .*missing required field `answer`"),
        ('{"question": "a", "answer": "18"}', ":1: the answer does not end in `#### NUMBER`"),
        ("{", r":1: not a JSON object"),
        ("[1]", r":1: Expected `object`"),
        ("\n\n", "has no rows"),
    ],
)
def test_a_bad_row_is_named_by_file_and_line(tmp_path, text, message):
    path = tmp_path / "mine.jsonl"
    path.write_text(text)
    with pytest.raises(UsageError, match=message):
        load_data(path)


def test_what_is_no_data_set_is_told_before_the_server_is_asked(tmp_path):
    (tmp_path / "broken.parquet").write_text("no parquet")
    for path, message in [
        (tmp_path / "none.jsonl", "No such file"),
        (ROOT / "README.md", "is not a data set"),
        (tmp_path / "broken.parquet", "can't be read as Parquet"),
    ]:
        event, _ = run("http://127.0.0.1:1", tmp_path / "out", dataset=path, code=2)
        assert message in event["message"]


def test_without_a_network_the_option_that_helps_is_named(tmp_path):
    offline = {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path)}
    event, said = run("http://127.0.0.1:1", tmp_path / "out", dataset=None, code=4, env=offline)
    assert "the data set openai/gsm8k could not be fetched from the Hugging Face Hub" in event["message"]
    assert "--dataset FILE" in said


def test_without_the_reader_of_parquet_the_command_that_installs_it_is_named(tmp_path):
    (tmp_path / "test.parquet").write_bytes(b"PAR1")
    hide = "import sys; sys.modules['pyarrow'] = None; sys.argv = ['x', *sys.argv[1:]]; import runpy; "
    done = subprocess.run(
        [sys.executable, "-c", hide + "runpy.run_module('scripts.run_gsm8k', run_name='__main__')",
         "--base-url", "http://127.0.0.1:1", "--model", "m", "--output", tmp_path / "out",
         "--dataset", tmp_path / "test.parquet"],
        capture_output=True, text=True, cwd=ROOT, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 4, done.stderr
    assert "pip install 'bench-runner[parquet]'" in done.stderr.splitlines()[-1]


@pytest.mark.parametrize(("benchmark", "name"), [("gsm8k", "gsm8k.jsonl"), ("mmlu", "mmlu_test.jsonl")])
def test_json_lines_need_no_reader_of_parquet_and_the_error_of_run_is_a_line(
    tmp_path, demo_model, benchmark, name
):
    (tmp_path / "sitecustomize.py").write_text("import sys; sys.modules['pyarrow'] = None")
    env = {"PYTHONPATH": str(tmp_path), "HF_HOME": str(tmp_path / "hub")}
    command = [sys.executable, "-m", f"scripts.run_{benchmark}", "--base-url", "http://127.0.0.1:1", "--model", "m",
               "--output", tmp_path / "out", "--dataset", GSM8K.with_name(name), "--check"]  # fmt: skip
    read = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **env}, capture_output=True, text=True, timeout=60, check=False
    )
    assert read.returncode == 0, read.stderr
    done = bench_runner(
        "run", "--benchmark", benchmark, "--model", demo_model, "--results-dir", tmp_path / "r", env=env
    )
    assert done.code == 4
    error, hint = done.err.splitlines()
    assert error.startswith("error: ")
    assert error.endswith("is Parquet, but pyarrow is not installed")
    assert "/bin/python -m pip install 'bench-runner[parquet]'; or give the data as JSON Lines" in hint


def test_other_examples_are_another_benchmark(tmp_path):
    with reference_server() as url:
        run(url, tmp_path, "--limit", 2)
        event, _ = run(url, tmp_path, "--limit", 2, "--few-shot", 2, code=6)
    assert "few_shot was " in event["message"]


@pytest.mark.servers
def test_a_real_model_is_scored_from_start_to_end(tmp_path, demo_model):
    done = bench_runner(
        "run", "--benchmark", "gsm8k", "--model", demo_model, "--dataset", GSM8K, "--limit", 2, "--max-tokens", 48,
        "--few-shot", 1, "--results-dir", tmp_path, "--json",
        "--", "--threads", 1,
    )  # fmt: skip
    assert done.code == 0, done.err
    record = json.loads(done.out)
    assert (record["status"], record["score"]["completions"]) == ("succeeded", 2)
    assert {"pass@1", "strict-match", "flexible-extract"} <= set(record["score"]["metrics"])
    assert (record["config"]["dataset"], record["config"]["few_shot"]) == (str(GSM8K), "1")
    assert len(lines(only_run(tmp_path) / "completions.jsonl")) == 2
