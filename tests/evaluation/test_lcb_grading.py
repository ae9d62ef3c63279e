"""Solutions against tests in the real sandbox: our verdicts, and those that the official runner would give."""

from __future__ import annotations

import os

import pytest

from evaluation.benchmarks.lcb.data import Test as Case
from evaluation.benchmarks.lcb.data import load_data, read_tests
from evaluation.benchmarks.lcb.grading import grade, official_grade
from evaluation.benchmarks.lcb.task import known_solutions
from evaluation.loop.grader import Grader
from results.errors import ScriptError
from tests.evaluation.lcb_problems import FILE, SOURCES

pytestmark = pytest.mark.slow

TIMEOUT_S = 20.0  # far from what the slowest needs that ends by itself
# Each takes seconds by its nature; the last one most, and the comparison with the official code has it.
SLOW = ("never ends", "sleeps", "swallows the alarm")


@pytest.fixture(scope="module")
def grader():
    yield from opened(TIMEOUT_S)


@pytest.fixture(scope="module")
def hasty_grader():
    """For what never ends by itself."""
    yield from opened(0.5)


def opened(timeout_s):
    with_limits = Grader(level="auto", timeout_s=timeout_s)
    with_limits.open()
    yield with_limits
    with_limits.close()


@pytest.fixture(scope="module")
def samples():
    return {sample.task_id: sample for sample in load_data([FILE]).samples}


def graded(code, tests, function, grader):
    ours = grade(code, tests, function, grader)
    return ours, official_grade(code, tests, function, grader, first=min(len(tests), ours.passed_tests + 1))


@pytest.mark.parametrize(
    ("returned", "passes"),
    [("np.sum(xs)", True), ("[*np.array(xs)] == xs and 3", True), ("np.bool_(xs)", False), ("np.array(3)", True),
     ("np.float64(3)", True), ("np.str_(3)", False)],
)  # fmt: skip
def test_a_number_of_numpys_is_the_number_that_it_equals(grader, returned, passes):
    """As the official runner compares it."""
    code = f"import numpy as np\ndef total(xs):\n    return {returned}\n"
    ours, official = graded(code, [Case("[1, 2]", "3", "functional")], "total", grader)
    assert (ours.passed, official.passed) == (passes, passes), ours.why


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.id)
def test_right_pass_wrong_fail_and_the_official_verdict_differs_where_it_is_at_fault(source, samples, grader):
    sample = samples[source.id]
    tests = read_tests(sample.data["place"])
    attempts = [attempt for attempt in source.attempts if attempt.name not in SLOW]
    verdicts = {}
    for attempt in attempts:
        ours, official = graded(attempt.code, tests, sample.data["function"], grader)
        verdicts[attempt.name] = (ours.passed, official.passed)
        assert (ours.passed_tests == len(tests)) == ours.passed == (ours.why == "")
    assert verdicts == {attempt.name: (attempt.ours, attempt.official) for attempt in attempts}


@pytest.mark.parametrize("name", ["never ends", "sleeps"])
def test_a_solution_without_end_fails_at_its_first_test(name, samples, hasty_grader):
    source = next(source for source in SOURCES if any(attempt.name == name for attempt in source.attempts))
    code = next(attempt.code for attempt in source.attempts if attempt.name == name)
    ours, official = graded(code, read_tests(samples[source.id].data["place"]), None, hasty_grader)
    assert (ours.passed, ours.passed_tests, official.passed, official.passed_tests) == (False, 0, False, 0)
    assert ours.why.startswith("test 1 of 5: ")


@pytest.mark.servers
def test_each_test_has_its_own_time():
    """Eleven tests of a tenth of a second are no timeout where one may take a second, in either way."""
    code = "import time\nend = time.process_time() + 0.1\nwhile time.process_time() < end:\n    pass\nprint(input())\n"
    tests = [Case(f"{n}\n", f"{n}\n", "stdin") for n in range(11)]
    for grader in opened(1.0):
        ours, official = graded(code, tests, None, grader)
    assert ours.passed
    assert official.passed


@pytest.mark.servers
@pytest.mark.parametrize(
    ("burnt_s", "passed", "near"), [(0.01, True, False), (0.35, True, True), (0.75, False, True)]
)
def test_a_solution_near_its_time_limit_is_marked(hasty_grader, burnt_s, passed, near):
    code = f"import time\nwhile time.process_time() < {burnt_s}:\n    pass\nprint(input())\n"
    found = grade(code, [Case("1\n", "1\n", "stdin")], None, hasty_grader)
    assert (found.passed, found.near_time_limit) == (passed, near)


def test_the_first_failure_ends_it_and_is_told(grader):
    tests = [Case("1\n", "1\n", "stdin"), Case("2\n", "5\n", "stdin"), Case("3\n", "3\n", "stdin")]
    ours, official = graded("print(input())\n", tests, None, grader)
    assert ours[:3] == official[:3] == (False, 1, "test 2 of 3: line 1 is '2' instead of '5'")


SPY = """
import gc, os, re, sys
def found():
    frames, frame = [], sys._getframe()
    while frame is not None:
        frames += [repr(frame.f_locals), repr(frame.f_globals)]
        frame = frame.f_back
    for thing in gc.get_objects():
        frames += [repr(item) for item in gc.get_referents(thing) if isinstance(item, (str, bytes))]
    for name in range(64):
        try:
            frames.append(repr(os.pread(name, 1 << 16, 0)))
        except OSError:
            pass
    return re.search(r"expected-[0-9a-f]{16}", "".join(frames)) is not None
"""


@pytest.mark.parametrize("function", [None, "f"])
def test_a_solution_can_not_find_what_is_expected(grader, function):
    """Not in its frames, among the collector's objects, nor in any open file; not in the official way either."""
    secret = f"expected-{os.urandom(8).hex()}"
    if function is None:
        code, tests = f"{SPY}print(found())\n", [Case("1\n", secret, "stdin")] * 2
    else:
        code, tests = f"{SPY}def f(n):\n    return found()\n", [Case("1", f'"{secret}"', "functional")] * 2
    for verdict in graded(code, tests, function, grader):
        assert not verdict.passed
        assert "False" in verdict.why  # it looked everywhere, and found nothing


def test_writing_into_every_descriptor_forges_nothing(grader):
    code = """
import os
for name in range(1, 64):
    try:
        os.write(name, b'["printed", "42"]\\n["returned", "42"]\\n42\\n')
    except OSError:
        pass
os._exit(0)
"""
    tests = [Case("1\n", "7\n", "stdin")] * 2
    ours, official = graded(code, tests, None, grader)
    assert not ours.passed
    assert not official.passed


def test_output_without_end_is_stopped(hasty_grader):
    ours, official = graded(
        "while True:\n    print('x' * 9999)\n", [Case("1\n", "x\n", "stdin")], None, hasty_grader
    )
    assert not ours.passed
    assert not official.passed


def test_long_output_that_is_right_passes(grader):
    """Of five megabytes, more than a program may print otherwise."""
    expected = "1234567\n" * 700_000
    ours, official = graded("print('1234567\\n' * 700000)\n", [Case("1\n", expected, "stdin")], None, grader)
    assert (ours.passed, official.passed) == (True, True)


def test_long_input_arrives_whole(grader):
    numbers = " ".join(map(str, range(200_000)))
    tests = [Case(numbers + "\n", str(sum(range(200_000))), "stdin")]
    assert graded("print(sum(map(int, input().split())))", tests, None, grader)[0].passed
    tests = [Case(f"[{numbers.replace(' ', ',')}]", str(sum(range(200_000))), "functional")]
    assert graded("def f(numbers):\n    return sum(numbers)", tests, "f", grader)[0].passed


def test_the_self_test_goes_the_way_of_a_run_and_notices_a_wrong_grader(grader):
    good, bad = known_solutions()
    grader.self_test(good, bad)
    with pytest.raises(
        ScriptError, match=r"failed its self-test, so nothing was scored: 2 of 2 verdicts are wrong"
    ):
        grader.self_test(bad[:1], good[:1])
