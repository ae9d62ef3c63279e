"""Problems of our own in EvalPlus's format, and solutions of each: right ones, wrong ones, and such of other types.

    python -m tests.evaluation.evalplus_problems FOLDER

writes HumanEvalPlus.jsonl, MbppPlus.jsonl and solutions.json, which `tests/tools/evalplus_verdicts.py` reads.
"""

# ruff: noqa: E501, PLR0917 - tables of problems and solutions

from __future__ import annotations

import json
import sys
import textwrap
from pathlib import Path
from typing import Any, NamedTuple


class Attempt(NamedTuple):
    """A whole solution."""

    task_id: str
    name: str
    code: str


def _human_eval(
    number: int, name: str, parameters: str, body: str, base: list[Any], plus: list[Any], **more: Any
) -> dict[str, Any]:
    return {
        "task_id": f"HumanEval/{number}",
        "prompt": f'{more.pop("before", "")}def {name}({parameters}):\n    """{name}"""\n',
        "entry_point": name,
        "canonical_solution": textwrap.indent(textwrap.dedent(body).strip(), "    ") + "\n",
        "contract": "",
        "base_input": base,
        "plus_input": plus,
        "atol": 0,
        **more,
    }


def _mbpp(number: int, name: str, code: str, base: list[Any], plus: list[Any], **more: Any) -> dict[str, Any]:
    return {
        "task_id": f"Mbpp/{number}",
        "prompt": f'"""\nWrite the function {name}.\nassert {name}() is not None\n"""\n',
        "entry_point": name,
        "canonical_solution": "\n" + textwrap.dedent(code).strip() + "\n",
        "contract": "",
        "base_input": base,
        "plus_input": plus,
        "atol": 0,
        "assertion": "",
        **more,
    }


_POLY = "import math\ndef poly(xs: list, x: float):\n    return sum(c * math.pow(x, i) for i, c in enumerate(xs))\n\n"
_BISECT = """
low, high = -1.0, 1.0
while poly(xs, low) * poly(xs, high) > 0:
    low, high = 2 * low, 2 * high
while high - low > 1e-10:
    middle = (low + high) / 2
    if poly(xs, middle) * poly(xs, low) > 0:
        low = middle
    else:
        high = middle
return low
"""
HUMAN_EVAL = [
    _human_eval(0, "close_pairs", "numbers, limit", """
        return any(abs(a - b) < limit for i, a in enumerate(numbers) for b in numbers[i + 1:])
        """, [[[1.0, 2.0, 3.0], 0.5], [[1.0, 2.8, 2.9], 0.3]], [[[], 1.0], [[1.0, 1.0], 0.0], [[0.1, 0.2], 1]],
        contract="\n    assert isinstance(numbers, list)\n    assert len(numbers) > 0\n"),
    _human_eval(32, "find_zero", "xs", _BISECT, [[[1, 2]], [[-6, 11, -6, 1]]], [[[3, -1]], [[-8, 0, 0, 1]]],
                before=_POLY, atol=1e-4),
    _human_eval(2, "fraction_of", "number", "return number % 1.0", [[3.5], [1.33]], [[123.456], [0.0], [1e-9]], atol=1e-6),
    _human_eval(4, "deviation", "numbers", """
        mean = sum(numbers) / len(numbers)
        return sum(abs(x - mean) for x in numbers) / len(numbers)
        """, [[[1.0, 2.0]], [[1.0, 2.0, 3.0, 4.0]]], [[[1e9, 1.0]], [[0.1, 0.2, 0.3]]]),
    _human_eval(5, "interleave", "numbers, between", """
        result = []
        for number in numbers[:-1]:
            result += [number, between]
        return result + numbers[-1:]
        """, [[[1, 2], 9], [[], 4]], [[[1], 2], [list(range(50)), -1]]),
    _human_eval(8, "sum_product", "numbers", """
        total, product = 0, 1
        for number in numbers:
            total, product = total + number, product * number
        return total, product
        """, [[[]], [[1, 2, 3]]], [[[0, 5]], [[10**18] * 3], [[2.5, 4]]]),
    _human_eval(21, "rescale", "numbers", """
        low, high = min(numbers), max(numbers)
        return [(x - low) / (high - low) for x in numbers]
        """, [[[2.0, 49.9]], [[1.0, 2.0, 3.0]]], [[[0.1, 0.7, 0.3]], [[-5.0, 5.0, 1e-3]]]),
    _human_eval(33, "sort_thirds", "values", """
        values = list(values)
        values[::3] = sorted(values[::3])
        return values
        """, [[[3, 2, 1, 0]], [[]]], [[[9, 1, 1, 8, 2, 2, 7]]]),
    _human_eval(95, "count_kinds", "values", """
        found = {}
        for value in values:
            found[type(value).__name__] = found.get(type(value).__name__, 0) + 1
        return found
        """, [[[1, "a"]], [[]]], [[[None, True, 1.5, [1]]]]),
    _human_eval(128, "sign_product", "values", """
        if not values:
            return None
        sign = 1
        for value in values:
            sign *= (value > 0) - (value < 0)
        return sign
        """, [[[1, -2]], [[]]], [[[0, 5]], [[-1, -1]]]),
    _human_eval(139, "tower", "n", """
        result = 1
        for k in range(1, n + 1):
            result *= k ** k
        return result
        """, [[2], [4]], [[12], [40]]),
    _human_eval(155, "halves", "text", "return (text[:len(text) // 2], text[len(text) // 2:])", [["abcd"], [""]],
                [["\u00e9\U0001f600x"], ["\ud800ab"]]),
    _human_eval(90, "grid", "n", "return [[i / (j + 1) for j in range(n)] for i in range(n)]", [[1], [2]], [[3], [0]],
                atol=1e-6),
]  # fmt: skip
MBPP = [
    _mbpp(2, "similar_elements", "def similar_elements(a, b):\n    return tuple(set(a) & set(b))",
          [[[3, 4, 5], [4, 5, 9]], [[1], [2]]], [[[1, 1, 2], [2, 1]], [[], []]]),
    _mbpp(7, "find_char_long", "import re\ndef find_char_long(text):\n    return re.findall(r'\\b\\w{4,}\\b', text)",
          [["Please move back"], [""]], [["a bb ccc dddd dddd"]]),
    _mbpp(164, "are_equivalent", """
        def are_equivalent(a, b):
            return sum(d for d in range(1, a) if a % d == 0) == sum(d for d in range(1, b) if b % d == 0)
        """, [[36, 57], [2, 4]], [[23, 47], [1, 1]]),
    _mbpp(295, "sum_div", "def sum_div(n):\n    return sum(d for d in range(1, n) if n % d == 0)",
          [[8], [12]], [[7], [1], [28]]),
    _mbpp(581, "surface_Area", """
        def surface_Area(base_edge, height):
            return base_edge ** 2 + 2 * base_edge * height
        """, [[3, 4], [4, 5]], [[1, 2], [10, 7]]),
    _mbpp(558, "digit_distance_nums", """
        def digit_distance_nums(n1, n2):
            return sum(map(int, str(abs(n1 - n2))))
        """, [[1, 2], [23, 56]], [[123, 256], [9, 10]]),
    _mbpp(794, "text_starta_endb", "import re\ndef text_starta_endb(text):\n    return re.search('a.*?b$', text)",
          [["aabbbb"], ["aabAbbbc"]], [["ab"], [""]]),
    _mbpp(103, "check_str", "import re\ndef check_str(text):\n    return re.match('[aeiou]', text)",
          [["annie"], ["dawood"]], [["E"], [""]]),
    _mbpp(63, "widest", "def widest(pairs):\n    return max(abs(b - a) for a, b in pairs)",
          [[[[3, 5], [1, 7]]], [[[2, 2]]]], [[[[0, 9], [9, 0]]]]),
    _mbpp(75, "divisible", """
        def divisible(rows, k):
            return [row for row in rows if all(x % k == 0 for x in row)]
        """, [[[[6, 24], [7, 9]], 6]], [[[[5, 10]], 5], [[], 2]]),
    _mbpp(106, "joined", "def joined(values, more):\n    return more + tuple(values)", [[[5, 6], [9, 10]]], [[[], []]]),
    _mbpp(115, "all_empty", "def all_empty(sets):\n    return not any(sets) and all(type(s) in (set, dict) for s in sets)",
          [[[[], []]], [[[1], []]]], [[[[1, 2, 2]]]]),
    _mbpp(124, "angle_sum", "import cmath\ndef angle_sum(a, b):\n    return cmath.phase(complex(a) + b)",
          [["0", "1j"], ["2.5", "1+1j"]], [["-1", "0j"]]),
    _mbpp(252, "to_polar", "import cmath\ndef to_polar(number):\n    return cmath.polar(number)",
          [["1"], ["4"]], [["1+2j"], ["-3j"]]),
    _mbpp(250, "count_in", "def count_in(values, x):\n    return hash(values) is not None and values.count(x)",
          [[[10, 8, 10], 10]], [[[], 1], [[1], 1]]),
    _mbpp(259, "maximised", """
        def maximised(one, other):
            return tuple(tuple(map(max, a, b)) for a, b in zip(one, other))
        """, [[[[1, 3], [4, 5]], [[6, 7], [3, 9]]]], [[[[0, 0]], [[0, -1]]]]),
    _mbpp(278, "before_tuple", """
        def before_tuple(values):
            return next((n for n, x in enumerate(values) if isinstance(x, tuple)), len(values))
        """, [[[1, 5, [4, 6]]], [[1]]], [[[[1]]]]),
    _mbpp(307, "with_list", "def with_list(values, k, x):\n    return values[:k] + ([x],) + values[k + 1:]",
          [[["a", 5, []], 1, 9]], [[[1], 0, 2]]),
    _mbpp(722, "tall", """
        def tall(people, height):
            return {name: facts for name, facts in people.items() if facts[0] > height and type(facts) is tuple}
        """, [[{"a": [6.2, 70], "b": [5.9, 65]}, 6.0]], [[{}, 1]]),
    _mbpp(580, "evens", """
        def evens(values):
            return tuple(evens(x) if isinstance(x, tuple) else x for x in values
                         if isinstance(x, tuple) or x % 2 == 0)
        """, [[[4, 5, [7, 6, [2, 4]], 6]]], [[[]], [[[1]]]]),
    _mbpp(9, "frequencies", "from collections import Counter\ndef frequencies(values):\n    return Counter(values)",
          [[[1, 1, 2]]], [[[]], [["a", None]]]),
    _mbpp(82, "sphere", "import math\ndef sphere(r):\n    return 4 / 3 * math.pi * r ** 3", [[10], [25]], [[0], [1e9]]),
    _mbpp(12, "sorted_in_place", """
        def sorted_in_place(rows):
            rows.sort(key=sum)
            return rows
        """, [[[[2, 4], [1, 1]]]], [[[[3], [1], [2]]]],
        contract='    assert isinstance(rows, list)\n    assert all(rows), "empty row"'),
    _mbpp(17, "nan_and_infinity", "def nan_and_infinity(x):\n    return [x, -x, x * 0.5]",
          [[1.5]], [[float("inf")], [float("nan")], [1e308]]),
]  # fmt: skip

# A solution is the reference under another name, and this around it: `_r` is the reference.
_AROUND = {
    "reference": "return _r(*args)",
    "none": "return None",
    "nothing but true": "return True",
    "zero": "return 0",
    "text": "return str(_r(*args))",
    "a list": "out = _r(*args)\nreturn list(out)",
    "a tuple": "out = _r(*args)\nreturn tuple(out)",
    "a set": "return set(_r(*args))",
    "backwards": "return _r(*args)[::-1]",
    "a generator": "return (x for x in _r(*args))",
    "an iterator": "return iter(_r(*args))",
    "one more": "return _r(*args) + 1",
    "negative": "return -_r(*args)",
    "a bool": "return bool(_r(*args))",
    "a float": "return float(_r(*args))",
    "a whole number": "return int(_r(*args))",
    "a little more": "out = _r(*args)\nreturn _moved(out, 1e-9)",
    "more than the tolerance": "out = _r(*args)\nreturn _moved(out, 1e-3)",
    "relatively near": "out = _r(*args)\nreturn _scaled(out, 1 + 1e-8)",
    "relatively far": "out = _r(*args)\nreturn _scaled(out, 1.01)",
    "a decimal": "import decimal\nreturn decimal.Decimal(_r(*args))",
    "a fraction": "import fractions\nreturn fractions.Fraction(_r(*args))",
    "raises for what it saw twice": "_seen.append(1)\nif len(_seen) > 2:\n    raise ValueError\nreturn _r(*args)",
    "wrong from the third call on": "_seen.append(1)\nreturn _r(*args) if len(_seen) < 3 else _seen",
    "exits": "raise SystemExit(0)",
    "changes its arguments": "import copy\nout = copy.deepcopy(_r(*args))\n"
    "for one in args:\n    if isinstance(one, (list, dict, set)):\n        one.clear()\nreturn out",
    "prints": "print('x' * 1000)\nreturn _r(*args)",
    "truth": "out = _r(*args)\nreturn out is not None",
    "what changes is returned": "return args[0]",
    "wrapped": "return [_r(*args)]",
    "shorter": "return _r(*args)[:-1]",
    "longer": "out = _r(*args)\nreturn out + out[:1]",
    "a dict": "return dict(_r(*args))",
    "without duplicates": "out = _r(*args)\nreturn type(out)(set(out))",
}  # fmt: skip
_HELPERS = """
_seen = []
def _moved(out, by):
    if isinstance(out, (list, tuple)):
        return type(out)(_moved(x, by) for x in out)
    return out + by if isinstance(out, (int, float, complex)) and not isinstance(out, bool) else out
def _scaled(out, by):
    if isinstance(out, (list, tuple)):
        return type(out)(_scaled(x, by) for x in out)
    return out * by if isinstance(out, (int, float, complex)) and not isinstance(out, bool) else out
"""


def _solution(row: dict[str, Any], around: str) -> str:
    name = row["entry_point"]
    reference = row["prompt"] + row["canonical_solution"]
    return (
        f"{reference}\n_r = {name}\n{_HELPERS}\n"
        f"def {name}(*args):\n{textwrap.indent(around, '    ')}\n"
    )  # fmt: skip


_OWN = {
    "Mbpp/581": {
        "of the apex": "import math\ndef surface_Area(b, h):\n    s = math.sqrt((b / 2) ** 2 + h ** 2)\n"
        "    return round(b * b + 2 * b * s)",
        "not rounded": "import math\ndef surface_Area(b, h):\n    s = math.sqrt((b / 2) ** 2 + h ** 2)\n"
        "    return b * b + 2 * b * s",
    },
    "Mbpp/558": {
        "digit by digit": "def digit_distance_nums(a, b):\n    a, b = str(a), str(b)\n    n = max(len(a), len(b))\n"
        "    return sum(abs(int(x) - int(y)) for x, y in zip(a.zfill(n), b.zfill(n)))",
        "without zeros": "def digit_distance_nums(a, b):\n"
        "    return sum(abs(int(x) - int(y)) for x, y in zip(str(a), str(b)))",
    },
    "Mbpp/164": {"raises": "def are_equivalent(a, b):\n    raise ValueError", "one argument": "def are_equivalent(a): pass"},
    "Mbpp/794": {"a text": "def text_starta_endb(t):\n    return 'Found' if t[:1] == 'a' and t[-1:] == 'b' else 'No'"},
    "HumanEval/0": {
        "no function": "x = 1\n",
        "no Python": "def close_pairs(numbers:\n",
        "fails at import": "import no_such_module\ndef close_pairs(numbers, limit):\n    return False\n",
        "another signature": "def close_pairs(numbers):\n    return False\n",
        "under main": "if __name__ == '__main__':\n    def close_pairs(n, l):\n        return False\n",
    },
    "HumanEval/90": {
        "broadcast": "def grid(n):\n    return [[1.0] for _ in range(n)] if n == 1 else [[i / (j + 1) for j in range(n)]"
        " for i in range(n)]",
        "ragged": "def grid(n):\n    return [[i / (j + 1) + 1e-9 for j in range(n - i)] for i in range(n)]",
    },
}  # fmt: skip


def attempts() -> list[Attempt]:
    """All solutions of all problems."""
    found = []
    for row in (*HUMAN_EVAL, *MBPP):
        for name, around in _AROUND.items():
            found.append(Attempt(row["task_id"], name, _solution(row, around)))
        found += [Attempt(row["task_id"], name, code) for name, code in _OWN.get(row["task_id"], {}).items()]
    return found


def write_rows(path: Path, rows: list[dict[str, Any]]) -> Path:
    """As EvalPlus publishes them."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    write_rows(folder / "HumanEvalPlus.jsonl", HUMAN_EVAL)
    write_rows(folder / "MbppPlus.jsonl", MBPP)
    (folder / "solutions.json").write_text(json.dumps(attempts()))
