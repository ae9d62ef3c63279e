"""`--metrics`: functions of a user's own measure the answers of any benchmark, and a mistake in them is found early."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from evaluation.loop.measured_task import MeasuredTask
from evaluation.metrics.own import own_metrics
from evaluation.protocols import Judgement
from results.errors import ScriptError, UsageError
from results.messages import Message
from runner.fingerprint import fingerprint
from runner.request import build_spec
from settings.asked import Asked
from settings.metric_texts import PATTERN, metric_hashes, metric_name, metrics_below
from tests.command_line import bench_runner, lines, only_run
from tests.evaluation.reference import GSM8K, reference_server

ROOT = Path(__file__).parents[2]
CODE = """\
def steps(answer, expected, row):
    return min(1.0, answer.count("\\n") / 10)

def named(answer, expected, row):
    return expected in answer and "question" in row

def broken(answer, expected, row):
    return row["nothing"]

def large(answer, expected, row):
    return 3

def two(answer, expected):
    return 1

short = "no function"
"""


@pytest.fixture
def code(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(CODE)
    return path.with_suffix("")


def script(*words, code=0):
    done = subprocess.run(
        [sys.executable, "-m", *map(str, words)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=60,
        check=False,
    )
    assert done.returncode == code, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def gsm8k(url, output, *options, code=0):
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
    return script("scripts.run_gsm8k", *given, *options, code=code)


def test_every_answer_has_them_and_so_has_the_score_without_changing_it(code, tmp_path):
    metrics = f"{code}.steps,{code}.named"
    with reference_server() as url:
        summary = gsm8k(url, tmp_path / "out", "--metrics", metrics, "--limit", 4)
    written = lines(tmp_path / "out" / "completions.jsonl")
    assert all(
        0 < line["metrics"]["mine.steps"] <= 1 and line["metrics"]["mine.named"] == 1.0 for line in written
    )
    assert summary["score"] == 100.0
    assert next(iter(summary["metrics"])) == "pass@1"
    assert summary["metrics"]["mine.named"]["value"] == 1.0
    assert summary["metrics"]["mine.named"]["low"] < 1.0
    again = script(
        "scripts.run_gsm8k", "--rejudge", tmp_path / "out", "--output", tmp_path / "again",
        "--dataset", GSM8K, "--metrics", f"{code}.steps",
    )  # fmt: skip
    assert again["metrics"]["mine.steps"] == summary["metrics"]["mine.steps"]


def test_a_run_names_them_from_the_current_folder_and_its_record_has_them(code, tmp_path, monkeypatch):
    monkeypatch.chdir(code.parent)
    with reference_server() as url:
        done = bench_runner(
            "run", "--benchmark", "gsm8k", "--dataset", GSM8K, "--base-url", url, "--limit", 3,
            "--metrics", "mine.named", "--results-dir", tmp_path / "results",
        )  # fmt: skip
    assert done.code == 0, done.err
    record = json.loads((only_run(tmp_path / "results") / "run.json").read_bytes())
    assert record["score"]["metrics"]["mine.named"]["value"] == 1.0
    assert record["score"]["scoring"]["beside"] == ["mine.named"]
    assert record["config"]["metrics"] == f"{code}.named"


def test_a_mistake_is_found_before_anything_starts(code, tmp_path, monkeypatch):
    monkeypatch.chdir(code.parent)
    done = bench_runner(
        "run", "--benchmark", "human_eval", "--metrics", "mine.absent", "--results-dir", tmp_path / "results"
    )
    assert done.code == 2
    assert "mine has no function absent" in done.err
    assert "docs/statistics.md" in done.err
    assert not (tmp_path / "results").exists()


def test_one_that_fails_on_an_answer_stops_the_run_and_names_the_line(code, tmp_path):
    with reference_server() as url:
        error = gsm8k(
            url, tmp_path / "out", "--metrics", f"{code}.broken", "--limit", 2, code=ScriptError.exit_code
        )
    where = re.escape(f": KeyError: 'nothing' ({code}.py, line 8)")
    assert re.search(rf"mine\.broken failed on the answer to gsm8k/\d{where}", error["message"])


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("absent", "has no function absent"),
        ("short", "has no function short"),
        ("two", r"can't be called as two\(answer, expected, row\)"),
    ],
)
def test_what_is_no_metric_is_refused(code, name, what):
    with pytest.raises(UsageError, match=what) as refused:
        own_metrics(f"{code}.{name}")
    assert refused.value.hint


@pytest.mark.parametrize(
    ("text", "what"),
    [("raise ValueError('no')", "line 1: ValueError: no"), ("def f(:", "line 1: SyntaxError")],
)
def test_a_file_that_can_not_be_loaded_is_named_with_its_line(tmp_path, text, what):
    (tmp_path / "bad.py").write_text(text)
    with pytest.raises(UsageError, match=f"bad.py, {what}"):
        own_metrics(f"{tmp_path}/bad.f")


def test_a_module_that_is_not_there_is_named(tmp_path):
    with pytest.raises(UsageError, match=r"no not_there_at_all\.py in the current folder"):
        own_metrics("not_there_at_all.f")
    with pytest.raises(UsageError, match="there is no file"):
        own_metrics(f"{tmp_path}/absent.f")


def test_two_of_one_name_are_refused(code, tmp_path):
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "mine.py").write_text(CODE)
    with pytest.raises(UsageError, match=r"two are called mine\.steps"):
        own_metrics(f"{code}.steps,{tmp_path}/b/mine.steps")


@pytest.mark.parametrize("value", ["large", "broken"])
def test_a_value_that_is_no_fraction_is_an_error(code, value):
    (metric,) = own_metrics(f"{code}.{value}")
    with pytest.raises(ScriptError, match="the answer to t/1"):
        metric("a", "b", {}, task_id="t/1")


def test_an_installed_module_is_taken_where_there_is_no_such_file(tmp_path):
    assert metrics_below(tmp_path, "textwrap.dedent") == "textwrap.dedent"
    (tmp_path / "textwrap.py").write_text("")
    assert metrics_below(tmp_path, "textwrap.dedent, other.f") == f"{tmp_path}/textwrap.dedent,other.f"
    assert metric_name("/a/b.c/mine.words") == "mine.words"


@pytest.mark.parametrize(
    ("text", "good"), [("mine.f", True), ("a/b.f,c.d.g", True), ("f", False), ("a.f,", False)]
)
def test_what_the_option_takes(text, good):
    assert bool(re.fullmatch(PATTERN, text)) is good


class _Inner:
    judge_workers = 7

    def judge_transcript(self, transcript, sample):
        return Judgement(passed=True, metrics={"own": 1.0})

    def judge_continuations(self, scored, sample):
        return Judgement(passed=True, completion="Paris")

    def calculate_metrics(self, prediction, expected, sample):
        return Judgement(passed=False, broken=True)


class _Sample:
    task_id, expected, data = "t/1", "Paris", {"question": "?"}


def test_conversations_and_choices_are_measured_too(code):
    task = MeasuredTask(_Inner(), own_metrics(f"{code}.named"))
    assert task.judge_workers == 7
    said = (Message("assistant", "Paris!"), Message("tool", "no"))
    assert task.judge_transcript(said, _Sample).metrics == {"own": 1.0, "mine.named": 1.0}
    assert task.judge_continuations((), _Sample).metrics == {"mine.named": 1.0}
    assert task.calculate_metrics("Paris", "Paris", _Sample).metrics == {}  # it was not judged


def test_no_mean_is_of_two_functions(code, tmp_path):
    """Answers that a function has not seen would count as 0, and those of an older one as its own."""
    out, metric = tmp_path / "out", ("--metrics", f"{code}.named")
    with reference_server() as url:
        gsm8k(url, out, *metric, "--limit", 2)
        gsm8k(url, out, *metric, "--limit", 3)
        code.with_suffix(".py").write_text(CODE + "\n# another\n")
        error = gsm8k(url, out, *metric, "--limit", 4, code=6)
        assert "own_metrics was" in error["message"]
        summary = gsm8k(url, out, "--limit", 4)  # they may be left out
        assert [*summary["metrics"]][:1] == ["pass@1"]
        assert "mine.named" not in summary["metrics"]
        error = gsm8k(url, out, *metric, "--limit", 4, code=6)
        assert "own_metrics was None" in error["message"]


def test_an_installed_module_is_known_by_its_file_too(tmp_path, monkeypatch):
    (tmp_path / "apack").mkdir()
    (tmp_path / "apack" / "__init__.py").write_text("raise ValueError('nothing is imported to find it')")
    module = tmp_path / "apack" / "amod.py"
    monkeypatch.syspath_prepend(tmp_path)
    hashes = set()
    for text in ("", "# changed"):
        module.write_text(text)
        hashes.add(metric_hashes("apack.amod.f")["apack.amod.f"])
    assert len(hashes) == 2
    assert metric_hashes("not_there.f,sys.intern") == {
        "not_there.f": "not_there.f",
        "sys.intern": "sys.intern",
    }


def test_a_changed_function_is_another_run(code, tmp_path):
    def made():
        asked = Asked(
            {"benchmark": "human_eval", "base_url": "http://127.0.0.1:9", "metrics": f"{code}.named"}
        )
        return fingerprint(build_spec(asked))

    before = made()
    assert made() == before
    code.with_suffix(".py").write_text(CODE + "\n")
    assert made() != before
