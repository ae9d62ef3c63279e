"""Rows of our own in the format of Google's mbpp.jsonl, with right and wrong solutions of each."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path


class Attempt(NamedTuple):
    """code: a whole answer. passes: all of the row's assertions."""

    code: str
    passes: bool


class Problem(NamedTuple):
    row: dict[str, Any]
    attempts: tuple[Attempt, ...]


def _row(number: int, text: str, code: str, tests: list[str], **more: Any) -> dict[str, Any]:
    return {
        "text": text,
        "code": code.replace("\n", "\r\n"),  # as in Google's file
        "task_id": number,
        "test_setup_code": "",
        "test_list": tests,
        "challenge_test_list": [],
        **more,
    }


_NODE = (
    "class Leaf:\n    def __init__(self, value):\n        self.value = value\n        self.next = None\n"
    "def chain_sum(first):\n    total = 0\n    while first is not None:\n        total += first.value\n"
    "        first = first.next\n    return total\n"
)
PROBLEMS = (
    Problem(
        _row(
            11,
            "Write a function to remove each blank of a text.",
            "def without_blanks(text):\n    return text.replace(' ', '')\n",
            [
                "assert without_blanks('a b c') == 'abc'",
                "assert without_blanks('') == ''",
                "assert without_blanks(' ') == ''",
            ],
            challenge_test_list=["assert without_blanks('\\t ') == '\\t'"],
        ),
        (
            Attempt("def without_blanks(text):\n    return ''.join(c for c in text if c != ' ')", True),
            Attempt("def without_blanks(text):\n    return text.strip()", False),
            Attempt("def without_blanks(text):\n    raise SystemExit(0)", False),
            Attempt("def blanks(text):\n    return text", False),
            Attempt("def without_blanks(text:\n", False),
        ),
    ),
    Problem(
        _row(
            12,
            "Write a function to find the words that two lists share.",
            "def shared_words(a, b):\n    return list(set(a) & set(b))\n",
            [
                "assert set(shared_words(['a', 'b'], ['b'])) == set(['b'])",
                "assert set(shared_words([], [])) == set()",
                "assert sorted(shared_words(['x', 'y'], ['y', 'x'])) == ['x', 'y']",
            ],
        ),
        (
            Attempt("def shared_words(a, b):\n    return (word for word in {*a} if word in b)", True),
            Attempt("def shared_words(a, b):\n    return a + b", False),
            Attempt("def shared_words(a, b):\n    return None", False),
        ),
    ),
    Problem(
        _row(
            13,
            "Write a function to find the area of a circle.",
            "import math\ndef circle_area(radius):\n    return math.pi * radius ** 2\n",
            [
                "assert math.isclose(circle_area(1), 3.14159, rel_tol=0.001)",
                "assert math.isclose(circle_area(0), 0.0, rel_tol=0.001)",
                "assert math.isclose(circle_area(2.0), 12.566, rel_tol=0.001)",
            ],
        ),
        (
            Attempt("import math\ndef circle_area(r):\n    return math.pi * r * r", True),
            Attempt("import math\ndef circle_area(r):\n    return 2 * math.pi * r", False),
        ),
    ),
    Problem(
        _row(
            14,
            "Write a function to sum a chain of leaves.",
            _NODE,
            [
                "assert chain_sum(first) == 6",
                "assert chain_sum(first.next) == 5",
                "assert chain_sum(None) == 0",
            ],
            test_setup_code="first = Leaf(1)\nfirst.next = Leaf(2)\nfirst.next.next = Leaf(3)\n",
        ),
        (
            Attempt(_NODE, True),
            Attempt(_NODE.replace("+=", "="), False),
            Attempt("def chain_sum(first):\n    return 6", False),
        ),
    ),
    Problem(
        _row(
            15,
            "Write functions to pack a pair of numbers and to unpack it.",
            "def pack(a, b):\n    return a * 1000 + b\ndef unpack(code):\n    return divmod(code, 1000)\n",
            ["assert unpack(pack(3, 4)) == (3, 4)", "assert pack(0, 1) == 1", "assert unpack(7) == (0, 7)"],
        ),
        (
            Attempt(
                "def pack(a, b):\n    return 1000 * a + b\ndef unpack(n):\n    return n // 1000, n % 1000",
                True,
            ),
            Attempt(
                "def pack(a, b):\n    return 1000 * a + b\ndef unpack(n):\n    return n % 1000, n // 1000",
                False,
            ),
        ),
    ),
    Problem(
        _row(
            510,
            "Write a function to sort numbers in place and say how many there are.",
            "def sort_and_count(numbers):\n    numbers.sort()\n    return len(numbers)\n",
            [
                "values = [3, 1, 2]\nassert sort_and_count(values) == 3 and values == [1, 2, 3]",
                "assert sort_and_count([]) == 0",
                "assert sort_and_count([1]) is not None",
            ],
        ),
        (
            Attempt("def sort_and_count(n):\n    n[:] = sorted(n)\n    return len(n)", True),
            Attempt("def sort_and_count(n):\n    n = sorted(n)\n    return len(n)", False),
        ),
    ),
)
# Of the examples and of the training split: not asked.
_OTHERS = [
    _row(10, "Write a function to say one.", "def one():\n    return 1", ["assert one() == 1"] * 3),
    _row(511, "Write a function to say two.", "def two():\n    return 2", ["assert two() == 2"] * 3),
]


def full(path: Path) -> Path:
    """As mbpp.jsonl."""
    rows = [_OTHERS[0], *(problem.row for problem in PROBLEMS), _OTHERS[1]]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def sanitized(path: Path) -> Path:
    """As sanitized-mbpp.json: the first three."""
    rows = [
        {
            "source_file": "own.ipynb",
            "task_id": row["task_id"],
            "prompt": row["text"],
            "code": row["code"].replace("import math\r\n", ""),
            "test_imports": ["import math"] if "import math" in row["code"] else [],
            "test_list": row["test_list"],
        }
        for row, _ in PROBLEMS[:3]
    ]
    path.write_text(json.dumps(rows))
    return path
