"""`--prompt FILE`: an instruction and examples reach the model in front of each question, and nothing else changes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from evaluation.benchmarks.gsm8k.task import Gsm8kTask, load_data
from evaluation.loop.checkpoint import read_settings
from evaluation.loop.prompted_task import PromptedTask, with_prompt
from evaluation.protocols import Prompt, PromptStyle
from results.errors import ResumeMismatch, UsageError
from results.messages import Message
from results.prompts.prompt_file import MOST_BYTES, Example, PromptFile, PromptText, read_prompt_file
from results.prompts.sent_prompts import read_prompts
from results.records import decode_record
from runner.fingerprint import fingerprint
from runner.request import build_spec
from runner.rerun import asked_again
from settings.asked import Asked
from tests.command_line import bench_runner, only_run
from tests.evaluation.reference import GSM8K, reference_server

ROOT = Path(__file__).parents[2]
TOLD = {
    "instruction": "Work it out.",
    "examples": [{"question": "What is 1 + 1?", "answer": "The final answer is 2"}],
}


@pytest.fixture
def prompt(tmp_path):
    return written(tmp_path / "prompt.json", TOLD)


def written(path, told, **others):
    path.write_text(json.dumps({"prompt": told, **others}))
    return path


def gsm8k(url, output, *options, code=0):
    words = [
        "--base-url", url, "--model", "m", "--output", output, "--dataset", GSM8K, "--limit", 2, *options,
    ]  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-m", "scripts.run_gsm8k", *map(str, words)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=60,
        check=False,
    )
    assert done.returncode == code, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def spec(benchmark="human_eval", **given):
    return build_spec(
        Asked({"benchmark": benchmark, "base_url": "http://127.0.0.1:9", "model": "m", **given})
    )


def text(instruction="", *examples):
    return PromptText(
        instruction=instruction, examples=tuple(Example(question=q, answer=a) for q, a in examples)
    )


def test_in_a_chat_it_stands_before_the_tasks_own_words():
    asked = Prompt("Be exact.", "2 + 2?", history=(Message("user", "Hello"),))
    found = with_prompt(asked, text("Think.", ("1 + 1?", "2")), PromptStyle.CHAT)
    assert found.system == "Think.\n\nBe exact."
    assert [(said.role, said.content) for said in found.history] == [
        ("user", "1 + 1?"),
        ("assistant", "2"),
        ("user", "Hello"),
    ]
    assert found.user == "2 + 2?"


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (text("Sums."), "Sums.\n\nQ: 2 + 2\nA:"),
        (text("", ("Q: 1 + 1\nA:", "2")), "Q: 1 + 1\nA: 2\n\nQ: 2 + 2\nA:"),
        (text("", ("def f():\n", "    pass\n")), "def f():\n    pass\n\nQ: 2 + 2\nA:"),
        (text("  \n", ("", "")), "Q: 2 + 2\nA:"),
    ],
)
def test_a_text_to_go_on_with_has_it_in_front(told, expected):
    found = with_prompt(Prompt("", "Q: 2 + 2\nA:"), told, PromptStyle.COMPLETION)
    assert found.system + found.user == expected
    assert not found.history


def test_everything_else_is_the_tasks_own():
    class Inner:
        style = PromptStyle.CHAT
        stop = ("x",)

        def calculate_metrics(self, *_):
            return "its own verdict"

    task = PromptedTask(Inner(), text("Think."))
    assert (task.stop, task.calculate_metrics("a", "b", None)) == (("x",), "its own verdict")


@pytest.mark.parametrize("style", PromptStyle)
def test_a_question_that_stands_in_it_is_counted_also_without_the_words_around_it(style):
    task = Gsm8kTask(load_data(GSM8K), style=style)
    first, second, *others = task.get_samples(None)
    prompt = text(
        "",
        (first.data["question"].upper(), "1"),  # as people write it
        (task.worked_example(second).question, "2"),  # as `optimise` does
        ("many", "3"),  # a word of other questions
    )
    everything = {each.task_id for each in (first, second, *others)}
    assert PromptedTask(task, prompt).told(everything) == 2
    assert PromptedTask(task, prompt).told({second.task_id, others[0].task_id}) == 1


def test_the_model_is_told_and_another_prompt_does_not_go_on_with_its_answers(prompt, tmp_path):
    with reference_server() as url:
        out = tmp_path / "out"
        summary = gsm8k(url, out, "--prompt", prompt, "--prompt-style", "chat", "--system-prompt", "First.")
        assert summary["score"] == 100.0
        for sent in read_prompts(out).values():
            assert [said.role for said in sent.messages] == ["system", "user", "assistant", "user"]
            assert sent.messages[0].content == "First.\n\nWork it out."
            assert sent.messages[1].content == "What is 1 + 1?"
        other = written(tmp_path / "other.json", {"instruction": "Guess."})
        words = ("--prompt-style", "chat", "--system-prompt", "First.")
        refused = gsm8k(url, out, "--prompt", other, *words, code=ResumeMismatch.exit_code)
        assert "prompt_sha256 was" in refused["message"]
        settings = read_settings(out)
        gsm8k(url, tmp_path / "plain", *words)
        plain = read_settings(tmp_path / "plain")
        assert settings.own_prompts_sha256 == plain.prompts_sha256 != settings.prompts_sha256
        assert plain.own_prompts_sha256 is None


def test_a_run_records_it_and_is_run_again_only_with_the_same(prompt, tmp_path):
    results = tmp_path / "results"
    with reference_server() as url:
        done = bench_runner(
            "run", "--benchmark", "gsm8k", "--dataset", GSM8K, "--base-url", url, "--limit", 2,
            "--prompt", prompt, "--prompt-style", "completion", "--results-dir", results,
        )  # fmt: skip
    assert done.code == 0, done.err
    folder = only_run(results)
    record = decode_record((folder / "run.json").read_bytes(), where="here")
    assert record.config["prompt_sha256"] == read_prompt_file(prompt).prompt.sha256
    sent = next(iter(read_prompts(folder).values()))
    assert sent.text.startswith("Work it out.\n\nWhat is 1 + 1? The final answer is 2\n\nQ: ")
    assert asked_again(record)["prompt"] == str(prompt)
    written(prompt, {"instruction": "Guess."})
    with pytest.raises(UsageError, match="has changed since"):
        asked_again(record)


def test_only_what_it_adds_makes_another_run(prompt, tmp_path):
    plain, asked = fingerprint(spec()), fingerprint(spec(prompt=str(prompt)))
    lineage = {"benchmark": "gsm8k", "model": "m", "optimizer": "gepa", "seed": 1}
    same = written(tmp_path / "same.json", TOLD, lineage=lineage)
    empty = written(tmp_path / "empty.json", {})
    assert fingerprint(spec(prompt=str(same))) == asked != plain
    assert fingerprint(spec(prompt=str(empty))) == plain
    assert fingerprint(spec(prompt=str(written(tmp_path / "o.json", {"instruction": "x"})))) != asked


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", "is not a prompt file"),
        (b"\xff\x00", "is not a prompt file"),
        (b'{"prompt": {"instruction": "a", "exmaples": []}}', "unknown field `exmaples`"),
        (b'{"instruction": "a"}', "is not a prompt file"),
        (b'{"prompt": {"examples": [{"question": 1, "answer": ""}]}}', "is not a prompt file"),
        (b'{"schema_version": 99, "prompt": {}}', "newer bench_runner"),
        (b"[" * 100_000, "is not a prompt file"),
        (b" " * (MOST_BYTES + 1), "is larger than"),
        (
            json.dumps({"prompt": {"examples": [{"question": "", "answer": ""}] * 201}}).encode(),
            "more than 200",
        ),
    ],
)
def test_what_is_no_prompt_is_refused_before_anything_starts(tmp_path, content, what):
    path = tmp_path / "p.json"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=what) as refused:
        spec(prompt=str(path))
    assert refused.value.hint
    assert refused.value.settings == ("prompt",)


@pytest.mark.parametrize("benchmark", ["speed", "kld", "needle", "ifeval"])
def test_benchmarks_without_questions_to_change_refuse_it(prompt, benchmark):
    with pytest.raises(UsageError, match="--prompt does not apply"):
        spec(benchmark, prompt=str(prompt))


def test_an_external_script_does_not_get_it(prompt):
    with pytest.raises(UsageError, match="is for our own script"):
        spec("mine", script="/bin/true", prompt=str(prompt))


def test_only_what_the_model_is_told_counts():
    first, second = (Example(question="q", answer="a", sample=name) for name in ("x", "y"))
    assert PromptText(examples=(first,)).sha256 == PromptText(examples=(second,)).sha256
    assert PromptFile(prompt=PromptText()).prompt.is_empty
