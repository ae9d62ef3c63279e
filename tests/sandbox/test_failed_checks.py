"""What is recorded of a failed check: the assertion, the call, both sides; and that recording it decides nothing."""

from __future__ import annotations

import pytest

from results.failed_check import FailedCheck
from sandbox import Limits, Program, UnitTests

SAME = "def f(*x): return x[0] if len(x) == 1 else x\n"


def failed(box, tests, code=SAME, kind="wrong_answer", **limits):
    """What is said of a program that fails its tests."""
    verdict = box.run(Program(code=code, tests=UnitTests(tests, "f")), Limits(**limits))
    assert verdict.kind == kind, verdict
    return verdict.failed_check


# Tests that fail, and what is said: got, relation, expected, returned.
COMPARED = {
    "assert f(4) == 3": ("4", "==", "3", ""),
    "assert 3 == f(4), 'no'": ("4", "==", "3", ""),
    "assert 5 < f(4)": ("4", ">", "5", ""),
    "assert f(None) is True": ("None", "is", "True", ""),
    "assert f(4) in [1, 2]": ("4", "in", "[1, 2]", ""),
    "assert f(0)": ("0", "is true", "", ""),
    "assert not f(1)": ("1", "is false", "", ""),
    "assert not f(1) == 1": ("1", "not ==", "1", ""),
    "assert abs(f(7) - 3) < 1e-6": ("4", "<", "1e-06", "7"),
    "assert 0 < f(4) < 2": ("4", "<", "2", ""),
    "assert 5 < f(4) < 2": ("5", "<", "4", "4"),
    "assert f(1) == 1 and f(2) == 3": ("2", "==", "3", ""),
    "assert f(1) == 2 or f(2) == 3": ("2", "==", "3", ""),
    "assert f([1, {2: (3,)}]) == (3,)": ("[1, {2: (3,)}]", "==", "(3,)", ""),
    "def check(g):\n    for n in range(9):\n        assert g(n) == min(n, 5)\ncheck(f)": ("6", "==", "5", ""),
    "def same(a):\n    assert f(a) == a\n    return a\nassert f(1) == same(2)": ("1", "==", "2", "2"),
}


@pytest.mark.parametrize("tests", COMPARED)
def test_both_sides_of_an_assertion(tests, box):
    check = failed(box, tests)
    assert (check.got, check.relation, check.expected, check.returned) == COMPARED[tests]
    assert check.check.startswith("assert ")
    assert check.check.removeprefix("assert ") in tests
    assert check.call.startswith("f(")


def test_of_two_assertions_in_a_line_the_one_that_fails(box):
    assert failed(box, "assert f(1) == 1; assert f(2) == 1; assert f(3) == 1").check == "assert f(2) == 1"


def test_an_argument_is_shown_as_it_was_passed(box):
    check = failed(box, "assert f([3, 1]) == [1]", code="def f(x):\n    x.sort()\n    return x\n")
    assert check.call == "f([3, 1])"
    assert check.got == "[1, 3]"


def test_an_error_names_the_line_of_the_program(box):
    code = "def f(x):\n    return g(x)\n\ndef g(x):\n    return x['no']\n"
    check = failed(box, "assert f([1]) == 2", code=code, kind="exception")
    assert (check.check, check.call, check.line, check.got) == ("assert f([1]) == 2", "f([1])", 5, "")
    assert failed(box, "f(1)", code="x = 1\nraise KeyError\n", kind="exception").line == 2


def test_a_call_that_takes_too_long_is_named(box):
    code = "def f(x):\n    while x: pass\n"
    check = failed(box, "f(0); f(5)", code=code, kind="timeout", cpu_s=0.2)
    assert check == FailedCheck(call="f(5)")
    sleeps = "import time\ndef f(x):\n    time.sleep(60)\n"
    assert failed(box, "f(1)", code=sleeps, kind="timeout", cpu_s=0.2).call == "f(1)"


def test_values_are_bounded_however_large(box):
    check = failed(
        box, "assert f('x' * 10**6, list(range(10**6)), {n: 'y' * 99 for n in range(999)}) == 10**50000"
    )
    assert max(map(len, (check.check, check.call, check.got, check.expected))) < 2100
    assert check.got.startswith("('xxx")
    assert failed(box, "assert f(1 << 10**6) == 1").got == "<an integer of 1000001 bits>"
    nested = "x = 1\nfor _ in range(90): x = [x]\nassert f(x) == 1"
    assert failed(box, nested).got.count("[") < 40


def test_each_operand_is_evaluated_once_and_in_order(box):
    tests = """
seen = []
def a(x):
    seen.append(x)
    return x
assert a(1) == f(1) and a(2) < a(3) < a(4) and not a(0) or a(9)
assert seen == [1, 2, 3, 4, 0], seen
for n in range(3):
    try:
        assert a(5) == n
    except AssertionError:
        pass
assert len(seen) == 8
class Tests:
    assert (n := f(2)) == 2 and n is 2
async def later():
    assert [a(x) for x in (1,)] == [1]
"""
    assert box.run(Program(code=SAME, tests=UnitTests(tests, "f")), Limits()).kind == "passed"


@pytest.mark.parametrize(
    ("returned", "shown"),
    [
        ("type('A', (), {'__repr__': lambda s: 'forged'})()", "<A object>"),
        ("type('A', (str,), {'__repr__': lambda s: 'forged'})('right')", "'right'"),
        ("'\\x1b[2J\\ud800'", "'\\x1b[2J\\ud800'"),
        ("(x for x in 'ab')", "<generator object>"),
    ],
)
def test_a_hostile_value_is_plain_data(returned, shown, box):
    assert failed(box, "assert f(1) == 1", code=f"def f(x): return {returned}\n").got == shown


def test_a_script_says_nothing_but_its_line(box):
    """It speaks for itself, and could claim anything."""
    verdict = box.run(Program(code="x = 1\n1 / 0\n", script=True), Limits())
    assert verdict.failed_check == FailedCheck(line=2)


def test_tests_that_cannot_be_rewritten_are_executed_as_they_are(box):
    long = "pass\n" * 50_000 + "assert f(1) == 2"
    check = failed(box, long)
    assert (check.call, check.returned, check.check) == ("f(1)", "1", "")


def test_an_assertion_that_is_met_again_within_itself(box):
    """Its inner turn holds and is forgotten; the outer one goes on, and a right program passes."""
    tests = "def to(n):\n if n:\n  assert n == below(n), n\n return n\ndef below(n):\n to(n - 1)\n return f(n)\nto(3)"
    assert failed(box, tests, kind="passed") is None
    assert failed(box, tests, "def f(x): return x + (x > 1)").call == "f(2)"
