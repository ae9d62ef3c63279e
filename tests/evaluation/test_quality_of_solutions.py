"""Quality of solutions that people and models wrote: HumanEval's own, and recorded answers of two small models."""

from __future__ import annotations

import ast
import asyncio
import contextlib
import json
import textwrap
from pathlib import Path

import pytest

from evaluation.answers.code import from_chat
from evaluation.benchmarks.human_eval.task import load_data
from evaluation.scoring.contract import Means, Solution
from evaluation.scoring.quality.complexity import complexity_of
from evaluation.scoring.quality.facts import NotKnown, ProgramFacts, Reader, require_tools
from evaluation.scoring.quality.hidden_code import executes_text
from evaluation.scoring.quality.lint import LINT_RULES
from evaluation.scoring.quality.measure import Quality, quality_of
from evaluation.scoring.quality.own_text import own_program
from evaluation.scoring.samples import of_human_eval
from results.errors import UsageError
from results.records import Completion, Outcome

MEANS = Means(level="process", timeout_s=3, memory_bytes=1 << 30, workers=2)
ANSWERS = Path(__file__).parent / "fixtures" / "smollm2_135m_answers.json"


@pytest.fixture(scope="module")
def problems():
    return {sample.task_id: sample.data for sample in load_data().samples}


def solution(task_id, problem, completion):
    passed = Completion(task_id=task_id, completion=completion, passed=True, outcome=Outcome.PASSED)
    return Solution(sample=of_human_eval(task_id, problem), completion=passed)


def measured(solutions):
    async def all_of_them():
        return [found async for found in Quality(MEANS).measure(solutions)]

    return {one.sample.task_id: found for one, found in asyncio.run(all_of_them())}


def test_the_reference_is_as_good_as_itself(problems):
    """As the body of the function, and as in chat, where the function stands there again."""
    some = [*problems.items()][::8]
    bodies = measured([solution(name, each, each["canonical_solution"]) for name, each in some])
    assert {found.value for found in bodies.values()} == {100.0}
    again = [solution(name, each, f"\n\n{each['prompt']}{each['canonical_solution']}") for name, each in some]
    assert {found.value for found in measured(again).values()} == {100.0}


def test_a_recorded_answer_is_measured_as_its_author_wrote_it(problems):
    """HumanEval/35: one line where the reference has a loop, `l` from the task, and examples, which are none of it."""
    (answer,) = [
        each["text"]
        for each in json.loads(ANSWERS.read_text())["answers"]
        if each["task_id"] == "HumanEval/35" and "max(l)" in each["text"]
    ]
    problem = problems["HumanEval/35"]
    code = from_chat(answer, problem["prompt"], problem["entry_point"]).code
    found = measured([solution("HumanEval/35", problem, code)])["HumanEval/35"]
    assert found.value == 100
    assert found.figures["solution"]["findings"] == {"E741": 1}
    assert found.figures["solution"]["statements"] == 2
    assert found.figures["reference"]["findings"] == {"E741": 1}


def test_a_real_solution_that_is_longer_and_more_tangled_is_worth_less(problems):
    """HumanEval/28 with a loop and branches as beginners write them, where the reference has one call."""
    problem = problems["HumanEval/28"]
    tangled = (
        "    import os\n    result = ''\n    for i in range(len(strings)):\n        if strings[i] != None:\n"
        "            if len(strings[i]) > 0:\n                result = result + strings[i]\n"
        "            else:\n                result = result\n    return result\n"
    )
    found = measured([solution("HumanEval/28", problem, tangled)])["HumanEval/28"]
    assert {"E711", "F401"} <= set(found.figures["solution"]["findings"])
    assert found.figures["complexity"] == pytest.approx(25)
    assert found.figures["length"] < 50
    assert found.figures["maintainability"] < 90
    assert found.value < 60


def test_comments_silence_no_finding(problems):
    problem = problems["HumanEval/53"]
    silent = "    import os  # noqa: F401\n    return x + y  # ruff: noqa\n# ruff: noqa\n"
    found = measured([solution("HumanEval/53", problem, silent)])["HumanEval/53"]
    assert found.figures["solution"]["findings"] == {"F401": 1}


def test_an_answer_takes_along_what_it_needs_of_the_prompt(problems):
    """HumanEval/32 has a helper in its prompt, and an import; the stub of the function is left behind."""
    prompt = problems["HumanEval/32"]["prompt"]
    again = "\n\ndef find_zero(xs: list):\n    return poly(xs, 0)\n"
    text = own_program(prompt, again, "find_zero")
    assert text.count("def find_zero") == 1
    assert "def poly" in text
    assert "import math" in text
    assert "def poly" not in own_program(prompt, "def find_zero(xs):\n    return 0.0\n", "find_zero")


@pytest.mark.parametrize(
    "hostile",
    [
        "(" * 100_000 + ")" * 100_000,
        "-" * 150_000 + "1",
        "x = " + "[" * 150 + "]" * 150,
        "def f():\n" + "".join(f"{' ' * n}if x:\n" for n in range(1, 120)) + " " * 120 + "pass",
        "\udcff",
        "x = '\0'",
    ],
)
def test_a_program_that_kills_whoever_parses_it_costs_only_itself(hostile):
    with Reader() as reader:
        with contextlib.suppress(NotKnown):  # most are not; that they are is no fault
            reader.facts("", hostile, "")
        assert reader.facts("", "x = 1\n", "").statements == 1


def test_without_a_reference_the_figures_are_absolute():
    facts = ProgramFacts(
        findings={"F401": 1}, complexity=25, most_complex=20, maintainability=70.0, statements=10
    )
    assert quality_of(facts, None) == {"lint": 90, "complexity": 50, "maintainability": 70.0}


def test_the_page_names_the_rules():
    page = (Path(__file__).parents[2] / "docs" / "scoring.md").read_text()
    assert f"`{' '.join(LINT_RULES)}`" in page


def test_a_child_that_somebody_else_ended_costs_nothing():
    with Reader() as reader:
        assert reader.facts("", "x = 1\n", "").statements == 1
        child = reader._child
        child.kill()
        child.wait()
        assert reader.facts("", "x = 1\ny = 2\n", "").statements == 2


def test_one_that_somebody_ends_each_time_says_nothing_of_the_program():
    """As the kernel does where memory is short."""

    class Ended(Reader):
        def _started(self):
            child = super()._started()
            child.kill()
            return child

    with (
        Ended() as reader,
        pytest.raises(NotKnown, match="what reads programs ended with signal 9") as caught,
    ):
        reader.facts("", "x = 1\n", "")
    assert not caught.value.lasting


@pytest.mark.parametrize(
    ("package", "code", "said"),
    [
        (
            "ruff/__main__.py",
            "def find_ruff_bin():\n    return '/etc/passwd'\n",
            "ruff does not work.*Permission",
        ),
        (
            "radon/metrics.py",
            "raise ImportError('no such library')\n",
            "radon does not work: no such library",
        ),
    ],
)
def test_tools_that_do_not_work_are_refused_and_are_no_fault_of_a_program(
    tmp_path, monkeypatch, package, code, said
):
    (tmp_path / package).parent.mkdir()
    (tmp_path / package).parent.joinpath("__init__.py").write_text("")
    (tmp_path / package).write_text(code)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(UsageError, match=said):
        require_tools()
    with Reader() as reader, pytest.raises(NotKnown, match=said) as caught:
        reader.facts("", "x = 1\n", "")
    assert not caught.value.lasting


@pytest.mark.parametrize(
    "hidden",
    [
        "exec('x = 1')\n",
        "f = compile('x = 1', '', 'exec')\n",
        "e = exec\ne('x = 1')\n",
        "def f(e=exec):\n    e('x = 1')\n",
        "list(map(eval, ['1']))\n",
        "from builtins import exec as e\n",
        "__builtins__.exec('x = 1')\n",
        "globals()['__builtins__']\n",
        "eval('1 + 1')\n",
        "eval('1' + '+1')\n",
        "s = '1'\ns += '+ 1'\neval(s)\n",
        "for s in ['1 + 1']:\n    eval(s)\n",
        "exec('x = 1')\ndef exec(_):\n    pass\n",
        "def exec(_):\n    pass\ndel exec\nexec('x = 1')\n",
    ],
)
def test_code_in_a_string_has_no_quality(hidden):
    assert executes_text(ast.parse(hidden))


@pytest.mark.parametrize(
    "plain",
    [
        "def f(a):\n    text = '1 + ' + a\n    return eval(text)\n",
        "def compile(words):\n    return words\ncompile('a')\n",
        "import re\nre.compile('a')\n",
        "evaluate = 1\n",
    ],
)
def test_a_calculator_and_functions_of_its_own_hide_nothing(plain):
    assert not executes_text(ast.parse(plain))


TANGLED = """
if x == 1:
    return 1
elif x == 2:
    return 2
return 3
"""


def tangled(depth):
    return textwrap.indent(TANGLED, "    " * depth)


@pytest.mark.parametrize(
    "inside",
    [
        f"def f(x):\n    def g(x):\n{tangled(2)}\n    return g(x)\n",
        f"def f(x):\n    class A:\n        def g(self, x):\n{tangled(3)}\n    return A().g(x)\n",
        f"class A:\n    class B:\n        def f(self, x):\n            def g(x):\n{tangled(4)}\n            return g\n",
        "def f(x):\n    try:\n        pass\n    except* A:\n        pass\n    except* B:\n        pass\n",
    ],
)
def test_what_stands_inside_a_function_is_complex_too(inside):
    assert (
        complexity_of(ast.parse(inside)).whole
        >= complexity_of(ast.parse(f"def f(x):\n{tangled(1)}")).whole
        == 3
    )


def test_no_comment_makes_a_program_better():
    """One for five lines would raise radon's index from 80 to 100, and none silences a rule."""
    program = "import os\ndef f(a=[]):\n    if a == None:\n        x = 1\n    return a\n"
    with Reader() as reader:
        bare = reader.facts("", program, "")
        for comment in (
            "ruff: noqa", "flake8: noqa", "ruff: disable[F401,B006]", "type: ignore", "fmt: off",
            "/// script\n# [tool.ruff]\n# lint.ignore = ['F']\n# ///",
        ):  # fmt: skip
            assert reader.facts("", f"# {comment}\n{program}", "") == bare, comment
        assert reader.facts("", program.replace("os\n", "os  # noqa: F401\n"), "") == bare
    assert bare.findings.keys() >= {"F401", "B006", "E711", "F841"}
    assert bare.maintainability < 85


def test_one_that_is_longer_than_any_solution_says_so():
    with Reader() as reader, pytest.raises(NotKnown, match="more than 200000 characters"):
        reader.facts("", "x = 1\n" * 40_000, "")


def test_a_byte_order_mark_costs_nothing():
    with Reader() as reader:
        assert reader.facts("", "\ufeffx = 1\n", "").statements == 1
