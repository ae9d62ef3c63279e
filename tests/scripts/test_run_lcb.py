"""LiveCodeBench as a whole: against a server that answers as it is told, in the real sandbox, through the harness."""
# ruff: noqa: E501 - command lines and tables of cases

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from results.records import RunRecord
from tests.evaluation.lcb_problems import FILE, SOURCES, by_id

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
SERVER = Path(__file__).parents[1] / "programs" / "answering_server.py"


def solution(source, name="reference"):
    return next(attempt.code for attempt in source.attempts if attempt.name == name)


def fenced(code):
    return f"I thought about it.\n\n```python\n{code}\n```\n\nThat is all."


REFERENCES = {source.content: fenced(solution(source)) for source in SOURCES}


@contextlib.contextmanager
def answering(folder, answers):
    """Give the URL of a server that answers so."""
    file = folder / "answers.json"
    file.write_text(json.dumps(answers))
    with subprocess.Popen([sys.executable, SERVER, file], stdout=subprocess.PIPE, text=True) as process:
        try:
            yield f"http://127.0.0.1:{json.loads(process.stdout.readline())['port']}"
        finally:
            process.kill()


def run(url, output, *options, code=0):
    command = [
        sys.executable,
        "-m",
        "scripts.run_lcb",
        "--base-url",
        url,
        "--model",
        "m",
        "--output",
        str(output),
    ]
    done = subprocess.run(
        [*command, *map(str, options)], capture_output=True, text=True, cwd=ROOT, timeout=200, check=False,
        env={**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(output)},
    )  # fmt: skip
    assert done.returncode == code, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()], done.stderr


def lines(output):
    written = (output / "completions.jsonl").read_text().splitlines()
    return {line["task_id"]: line for line in map(json.loads, written)}


def test_reference_solutions_score_100_percent_overall_and_by_every_tag(tmp_path):
    with answering(tmp_path, REFERENCES) as url:
        events, said = run(url, tmp_path / "out", "--dataset", FILE, "--prompt-style", "chat")
    summary = events[-1]
    assert (summary["score"], summary["completions"], summary["outcomes"]["passed"]) == (100.0, 8, 8)
    assert summary["official"] == {"score": 100.0, "unknown": 0, "differences": []}
    assert {name: metric["value"] for name, metric in summary["metrics"].items()} == {
        "pass@1": 1.0,
        **{f"pass@1 difficulty={value}": 1.0 for value in ("easy", "medium", "hard")},
        **{f"pass@1 platform={value}": 1.0 for value in ("atcoder", "codeforces", "leetcode")},
        **{f"pass@1 month=2024-0{month}": 1.0 for month in (3, 4, 5, 6)},
    }
    assert "score 100.00" in said
    start = next(event for event in events if event["event"] == "start")
    assert (start["settings"]["max_tokens"], start["settings"]["timeout_s"]) == (4096, 6.0)
    assert lines(tmp_path / "out")["kiosk_g"]["metrics"] == {
        "tests": 37.0,
        "tests_passed": 37.0,
        "official": 1.0,
    }


def test_each_wrong_answer_is_told_with_its_test_and_each_difference_is_listed(tmp_path):
    answers = {
        by_id()["kiosk_a"].content: fenced(solution(by_id()["kiosk_a"], "Capital letter")),
        by_id()["kiosk_b"].content: fenced(solution(by_id()["kiosk_b"], "lines of the buffer")),
        by_id()["3201"].content: fenced(solution(by_id()["3201"], "remembers what it saw")),
        by_id()["3202"].content: "I don't know.",
        by_id()["1900_C"].content: fenced(solution(by_id()["1900_C"])) + "It prints\n```\n1.500\n```\n",
    }
    with answering(tmp_path, {**REFERENCES, **answers}) as url:
        events, _ = run(url, tmp_path / "out", "--dataset", FILE, "--prompt-style", "chat")
    written, summary = lines(tmp_path / "out"), events[-1]
    assert {name for name, line in written.items() if line["outcome"] != "passed"} == {
        "kiosk_a",
        "3202",
        "1900_C",
    }
    assert written["kiosk_a"]["detail"] == "test 2 of 5: line 1 is 'None' instead of 'none'"
    assert written["kiosk_a"]["metrics"] == {"tests": 5.0, "tests_passed": 1.0, "official": 0.0}
    assert written["3202"]["detail"] == "no code where LiveCodeBench looks for it"
    sample_output = "test 1 of 5: line 1 is '' instead of '1.500'; the code that we find passes"
    assert (written["1900_C"]["detail"], written["1900_C"]["metrics"]["extracted"]) == (sample_output, 1.0)
    assert (summary["score"], summary["official"]["score"]) == (62.5, 37.5)
    assert {found["task_id"]: found["why"] for found in summary["official"]["differences"]} == {
        "3201": "the official runner fails it: test 2 of 4: it returned 1 instead of 0",
        "kiosk_b": "the official runner fails it: test 1 of 4: line 1 is '2' instead of '6'",
    }
    assert summary["metrics"]["pass@1 difficulty=easy"]["value"] == 0.5


def test_a_base_model_is_shown_an_example_and_stops_at_the_next_heading(tmp_path):
    answers = {content: text.split("```python\n")[1].split("```")[0] + "\n\n### Question\nNext" for content, text in REFERENCES.items()}  # fmt: skip
    with answering(tmp_path, answers) as url:
        events, _ = run(url, tmp_path / "out", "--dataset", FILE, "--prompt-style", "completion")
    assert events[-1]["score"] == 100.0
    start = next(event for event in events if event["event"] == "start")
    assert start["settings"]["stop"] == ["\n###"]


def test_several_completions_give_pass_at_k(tmp_path):
    source = by_id()["kiosk_a"]
    both = [fenced(solution(source)), fenced(solution(source, "nothing"))]
    with answering(tmp_path, {source.content: both}) as url:
        options = ("--n-samples", 2, "--concurrency", 1, "--end-date", "2024-03-02", "--prompt-style", "chat")
        events, _ = run(url, tmp_path / "out", "--dataset", FILE, *options)
    values = {name: metric["value"] for name, metric in events[-1]["metrics"].items()}
    assert (values["pass@1 difficulty=easy"], values["pass@2 difficulty=easy"], values["pass@2"]) == (
        0.5,
        1.0,
        0.5,
    )


def test_a_window_of_days_is_a_setting_that_a_resume_must_repeat(tmp_path):
    with answering(tmp_path, REFERENCES) as url:
        options = ("--dataset", FILE, "--prompt-style", "chat", "--start-date", "2024-05-30")
        events, _ = run(url, tmp_path / "out", *options, "--end-date", "2024-06-15")
        assert set(lines(tmp_path / "out")) == {"1900_E", "kiosk_g"}
        assert events[-1]["score"] == 100.0
        events, said = run(url, tmp_path / "out", *options, code=6)
        assert "end_date was '2024-06-15' and is now None" in said
        assert "end_date" in said


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (["--release", "release_v2"], 4, "--dataset FILE"),
        ([], 4, "livecodebench/code_generation_lite could not be fetched"),
        (["--release", "v0"], 2, "there is no release 'v0'"),
        (["--release", "v1", "--dataset", str(FILE)], 2, "exclude each other"),
        (["--dataset", str(FILE), "--start-date", "2024-13-01"], 2, "is not a day such as 2024-08-31"),
        (
            ["--dataset", str(FILE), "--start-date", "2024-05-02", "--end-date", "2024-05-01"],
            2,
            "is after --end-date",
        ),
        (
            ["--dataset", str(FILE), "--end-date", "2020-01-01"],
            2,
            "the data covers 2024-03-02 to 2024-06-15",
        ),
    ],
)
def test_what_can_not_be_run_is_told_before_anything_is_asked(tmp_path, options, code, said):
    _, told = run("http://127.0.0.1:9", tmp_path / "out", *options, code=code)
    assert said in told
    assert "Traceback" not in told


def test_tests_that_can_not_be_read_end_the_run_with_their_line_and_keep_what_was_judged(tmp_path):
    rows = [json.loads(line) for line in FILE.read_text().splitlines()]
    for row in rows:
        if row["question_id"] == "kiosk_g":  # the last one
            row["private_test_cases"] = "torn"
    file = tmp_path / "torn.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    with answering(tmp_path, REFERENCES) as url:
        _, said = run(
            url, tmp_path / "out", "--dataset", file, "--prompt-style", "chat", "--concurrency", 1, code=2
        )
    assert (
        "torn.jsonl, line 8: its tests can't be read: private_test_cases is neither JSON nor base64" in said
    )
    assert len(lines(tmp_path / "out")) == 7


def test_a_whole_run_keeps_the_official_verdicts_in_the_record(tmp_path):
    """Through the harness: its options reach the script, and its parser counts anew by tag."""
    source = by_id()["kiosk_b"]
    answers = {**REFERENCES, source.content: fenced(solution(source, "global"))}
    with answering(tmp_path, answers) as url:
        command = [
            sys.executable, "bench_runner.py", "run", "--benchmark", "lcb", "--server", "attach", "--base-url", url, "--model", "m",
            "--dataset", str(FILE.relative_to(ROOT)), "--start-date", "2024-03-01", "--end-date", "2024-03-31",
            "--prompt-style", "chat", "--results-dir", str(tmp_path / "results"),
        ]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=200, check=False)
    assert done.returncode == 0, done.stderr
    (folder,) = (path.parent for path in (tmp_path / "results").glob("*/run.json"))
    record = msgspec.json.decode((folder / "run.json").read_bytes(), type=RunRecord)
    assert record.results.score == 100.0
    assert record.score.metrics["pass@1 platform=atcoder"].value == 1.0
    assert record.score.details["official"]["score"] == pytest.approx(200 / 3)
    (difference,) = record.score.details["official"]["differences"]
    assert (difference["task_id"], difference["passed"]) == ("kiosk_b", True)
    assert "NameError" in difference["why"]
    assert record.config["start_date"] == "2024-03-01"
    assert record.config["dataset"] == str(FILE)


def test_a_solution_that_needs_a_package_is_counted_and_its_official_verdict_left_open(tmp_path):
    """Protects from calling a verdict official that depends on what is installed there."""
    source = by_id()["kiosk_a"]
    answers = {**REFERENCES, source.content: fenced("import no_such_package\n" + solution(source))}
    with answering(tmp_path, answers) as url:
        events, said = run(
            url, tmp_path / "out", "--dataset", FILE, "--end-date", "2024-03-02", "--prompt-style", "chat"
        )
    assert events[-1]["official"] == {"score": 50.0, "unknown": 1, "differences": []}
    assert (
        "1 of 2 solutions failed because they import a package that the sandbox does not have"
        in events[-1]["warnings"][0]
    )
    assert "WARNING: 1 of 2 solutions failed because they import a package" in said
    assert "official" not in lines(tmp_path / "out")["kiosk_a"]["metrics"]
