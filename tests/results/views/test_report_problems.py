"""The grid of problems and the answers in a report: what leads where, in which order, and how much of it there is."""

from __future__ import annotations

import html
import re

import msgspec
import pytest

from results.compare.answer_diff import MOST_LINES, side_by_side
from results.compare.leaderboard import make_tables
from results.compare.problem_grid import problem_grid
from results.prompts.sent_prompts import Message, sent_prompt, write_prompts
from results.records import Completion
from results.store.reading.problems import Solved
from results.views.report.contents import runs_report
from results.views.report.page import page
from results.views.report.problems import problems_of
from tests.results.recorded_runs import F, P, record_run

EVIL = (
    "</pre><script>alert(1)</script><img src=http://evil.example/x onerror=alert(2)>\x1b[31m{{ 7*7 }}\u202e"
)


def run_with(folder, model, *answers):
    """answers: code and outcome of each problem."""
    run = record_run(folder, [outcome for _, outcome in answers], model=model)
    lines = [
        Completion(
            task_id=f"HumanEval/{number}", outcome=outcome, passed=outcome is P, completion=code,
            answer=f"Sure:\n{code}", detail="" if outcome is P else f"AssertionError: {code[:9]}",
        )
        for number, (code, outcome) in enumerate(answers)
    ]  # fmt: skip
    run.completions.write_bytes(b"".join(msgspec.json.encode(line) + b"\n" for line in lines))
    return run


def table_of(*runs):
    (table,) = make_tables([(run, run.read_record()) for run in runs], warn=pytest.fail)
    return table


def problems(*runs, most_bytes=1 << 20):
    table = table_of(*runs)
    names = {row.record.run_id: row.record.model for row in table.rows}
    return problems_of(table, names, prefix="p", most_bytes=most_bytes, warn=pytest.fail)


def test_problems_on_which_runs_differ_come_first(tmp_path):
    runs = [record_run(tmp_path, outcomes, model=model) for model, outcomes in
            (("a", [P, F, P, F]), ("b", [P, F, F, P]))]  # fmt: skip
    grid = problem_grid(table_of(*runs), warn=pytest.fail)
    assert [(row.task_id, row.solved, row.solvers) for row in grid] == [
        ("HumanEval/2", Solved.BY_SOME, 1), ("HumanEval/3", Solved.BY_SOME, 1),
        ("HumanEval/1", Solved.BY_NONE, 0), ("HumanEval/0", Solved.BY_ALL, 2),
    ]  # fmt: skip


def test_every_sign_leads_to_the_answer_of_its_run(tmp_path):
    same = ("return 1", P)
    found = problems(
        run_with(tmp_path, "a", ("return x", P), same), run_with(tmp_path, "b", ("return y", F), same)
    )
    differing, alike = found.problems
    assert [(given.names, given.words) for given in differing.given] == [("a", "solved"), ("b", "wrong")]
    assert differing.given[1].sides == (("return x", "return y", True),)
    assert differing.given[1].answer == "Sure:\nreturn y"
    assert [given.names for given in alike.given] == ["a, b"], "one answer, given twice"
    assert [sign.answer for sign in found.groups[0].lines[0].signs] == [given.id for given in differing.given]
    runs = run_with(tmp_path, "a", ("return x", P)), run_with(tmp_path, "b", ("return y", F))
    text = page(runs_report([(run, run.read_record()) for run in runs], warn=pytest.fail))
    ids = set(re.findall(r'\bid="([^"]+)"', text))
    assert set(re.findall(r'href="#([^"]+)"', text)) <= ids
    assert "<del>return x</del>" in text
    assert "<ins>return y</ins>" in text


def test_the_prompt_stands_with_the_answers_if_it_was_kept(tmp_path):
    run = run_with(tmp_path, "a", ("return x", F))
    asked = (Message("system", "Be brief."), Message("user", f"Write f. {EVIL}"))
    write_prompts(run.path, [sent_prompt("HumanEval/0", asked)])
    assert problems(run).problems[0].prompt == f"system:\nBe brief.\n\nuser:\nWrite f. {EVIL}"
    text = page(runs_report([(run, run.read_record())], warn=pytest.fail))
    assert "Be brief." in text
    assert "<script" not in text


def test_answers_are_bounded_and_what_is_left_out_is_said(tmp_path):
    long = [(f"x = {n}\n" * 500, F if n % 5 else P) for n in range(40)]
    runs = [run_with(tmp_path, name, *long) for name in "ab"]
    found = problems(*runs, most_bytes=30_000)
    assert 0 < len(found.problems) < 40
    assert found.left_out == 40 - len(found.problems)
    assert sum(problem.size for problem in found.problems) <= 30_000
    assert found.problems[0].task_id == "HumanEval/1", "those that nobody solved, before those that all did"
    assert (
        "characters are left out here"
        in problems(run_with(tmp_path, "c", ("y" * 99_999, F))).problems[0].given[0].code
    )


def test_a_hostile_answer_is_only_text(tmp_path):
    runs = [run_with(tmp_path, EVIL, (EVIL, P)), run_with(tmp_path, "b", (f"{EVIL}\nx", F))]
    text = page(runs_report([(run, run.read_record()) for run in runs], warn=pytest.fail))
    assert "<script" not in text
    assert "<img" not in text
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "{{ 7*7 }}" in text
    assert "evil.example" in html.unescape(text)


def test_several_completions_of_a_problem_are_counted(tmp_path):
    run = record_run(tmp_path, [[P, F, F], [P, P, P]], model="a")
    other = record_run(tmp_path, [[F, F, F], [P, P, F]], model="b")
    found = problems(run, other)
    signs = {
        line.task_id: [sign.sign for sign in line.signs] for group in found.groups for line in group.lines
    }
    assert signs == {"HumanEval/0": ["1/3", "0/3"], "HumanEval/1": ["3/3", "2/3"]}


def test_runs_without_verdicts_have_no_grid(tmp_path):
    assert problems(record_run(tmp_path, no_verdicts=True)).groups == ()


def test_lines_that_are_the_same_stand_beside_each_other():
    pairs = side_by_side("a\nb\nc\nd", "a\nc\nD\ne")
    assert [tuple(pair) for pair in pairs] == [("a", "a"), ("b", None), ("c", "c"), ("d", "D"), (None, "e")]
    assert [pair.same for pair in pairs] == [True, False, True, False, False]
    assert side_by_side("\n" * MOST_LINES, "x") is None
