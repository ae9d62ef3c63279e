"""Programs that read stdin and print: many inputs, each on its own, judged by what was printed."""

from __future__ import annotations

import random

import msgspec
import pytest

from sandbox import Case, Limits, Program, run_cases
from tests.sandbox.conftest import SHORT, TIGHT

DOUBLE = "import sys\nfor line in sys.stdin: print(2 * int(line))"


def prints(expected: bytes):
    return lambda stdout: stdout.split() == expected.split()


def doubled(numbers: list[int]) -> list[Case]:
    return [Case(stdin=f"{number}\n", check=prints(str(2 * number).encode())) for number in numbers]


def kinds(verdicts) -> list[str]:
    return [str(verdict.kind) for verdict in verdicts]


def test_many_cases_each_get_their_own_verdict(box):
    verdicts = run_cases(box, DOUBLE, doubled(list(range(100))), TIGHT)
    assert kinds(verdicts) == ["passed"] * 100
    assert [verdict.stdout for verdict in verdicts] == [b"%d\n" % (2 * number) for number in range(100)]


@pytest.mark.parametrize("stop", [True, False])
def test_a_failing_case_in_the_middle_stops_the_rest_or_does_not(stop, box):
    code = "n = int(input())\nprint(n if n == 3 else 2 * n)"
    verdicts = run_cases(box, code, doubled(list(range(1, 7))), TIGHT, stop_at_first_failure=stop)
    expected = ["passed", "passed", "wrong_output", "passed", "passed", "passed"]
    assert kinds(verdicts) == expected[: 3 if stop else 6]


def test_each_fault_has_its_own_kind_and_the_cases_after_it_are_judged(box):
    code = """
import os, sys, time
what = input()
if what == "loop":
    while True: pass
if what == "sleep": time.sleep(99)
if what == "raise": raise KeyError(what)
if what == "memory": b"x" * (1 << 30)
if what == "flood":
    while True: print("x" * 1000)
if what == "error": sys.exit(2)
if what == "die": os.abort()
print(what)
"""
    faults = ["loop", "sleep", "raise", "memory", "flood", "error", "die"]
    cases = [Case(stdin=what + "\n", check=prints(what.encode())) for what in [*faults, "fine"]]
    verdicts = run_cases(box, code, cases, SHORT, stop_at_first_failure=False)
    assert kinds(verdicts) == [
        *("timeout", "timeout", "exception", "memory_limit", "output_limit", "killed", "killed"),
        "passed",
    ]


def test_a_case_has_its_own_limit_of_time(box):
    """The second case has time for what the first one may not take; neither has what the other left over."""
    code = "import time\nend = time.process_time() + 0.5\nwhile time.process_time() < end: pass\nprint(1)"
    short = msgspec.structs.replace(TIGHT, cpu_s=0.05)
    verdicts = run_cases(box, code, [Case(limits=short), Case()], TIGHT, stop_at_first_failure=False)
    assert kinds(verdicts) == ["timeout", "passed"]
    assert verdicts[0].detail == "used 0.05 s of processor time"


def test_no_case_finds_anything_of_the_one_before(box):
    code = """
import builtins, os, sys, threading, time
assert not hasattr(builtins, "left") and not os.listdir("/tmp") and "left" not in os.environ
builtins.left = 1
os.environ["left"] = "1"
sys.modules["json"] = None
open("left", "w").write("x")
if os.fork() == 0: time.sleep(60)
threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
print(sys.stdin.readline().strip(), end="")  # not all of it
"""
    cases = [
        Case(stdin=f"{number}\nmore\n", check=lambda out, n=number: out == b"%d" % n) for number in range(5)
    ]
    assert kinds(run_cases(box, code, cases, TIGHT)) == ["passed"] * 5


def test_large_input_and_output_arrive_whole(box):
    """A MiB in and, as bytes of every value, a MiB back."""
    text = "".join(random.Random(1).choices("0123456789 äöü\n", k=1 << 20))
    code = "import sys\ndata = sys.stdin.buffer.read()\nsys.stdout.buffer.write(bytes(255 - b for b in data))"
    limits = msgspec.structs.replace(TIGHT, output_bytes=2 << 20)
    [verdict] = run_cases(box, code, [Case(stdin=text)], limits)
    assert verdict.kind == "passed"
    assert verdict.stdout == bytes(255 - b for b in text.encode())


@pytest.mark.parametrize(
    ("printed", "kind"), [(1 << 20, "passed"), ((1 << 20) + 1, "output_limit"), (5 << 20, "output_limit")]
)
def test_output_is_whole_up_to_its_limit_and_never_cut_unseen(printed, kind, box):
    """A cut output would be judged wrong, or even right; a byte too many is always seen."""
    code = f"import os, sys\nsys.stdout.write('x' * {printed})"
    [verdict] = run_cases(box, code, [Case()], TIGHT)
    assert verdict.kind == kind
    assert verdict.stdout == b"x" * min(printed, 1 << 20)


def test_what_is_said_on_stderr_is_no_output_but_counts_towards_the_limit(box):
    said = "import sys\nprint('debug', file=sys.stderr)\nprint(1)"
    flood = "import sys\nfor _ in range(2000): sys.stderr.write('x' * 1000)\nprint(1)"
    [verdict] = run_cases(box, said, [Case(check=prints(b"1"))], TIGHT)
    assert (verdict.kind, verdict.stdout, verdict.output) == ("passed", b"1\n", "debug\n")
    assert kinds(run_cases(box, flood, [Case(check=prints(b"1"))], TIGHT)) == ["output_limit"]


ENDS = {
    "sys.exit": "import sys\nprint(7)\nsys.exit()",
    "sys.exit(0)": "import sys\nprint(7)\nsys.exit(0)",
    "exit": "print(7)\nexit()",
    "raise SystemExit": "print(7)\nraise SystemExit",
    "under main": "def main(): print(7)\nif __name__ == '__main__': main()",
    "a thread for its recursion": "import sys, threading\nsys.setrecursionlimit(10**6)\n"
    "threading.stack_size(64 << 20)\ndef f(n): return n and 1 + f(n - 1)\n"
    "def main(): print(f(50000) // 7142)\nthreading.Thread(target=main).start()",
    "a hook at its end": "import atexit, io, os, sys\nout = io.StringIO()\n"
    "atexit.register(lambda: os.write(1, out.getvalue().encode()))\nout.write('7\\n')",
    "a buffer of its own": "import io, sys\nsys.stdout = io.TextIOWrapper(open(1, 'wb'))\nprint(7)\nsys.stdout.flush()",
    "reads by descriptor": "import os\nopen(0).read()\nos.write(1, b'7')",
}


@pytest.mark.parametrize("name", ENDS)
def test_the_ends_that_such_programs_have(name, box):
    """Each is an ordinary end of a program, which a runner of functions would take for a failure or would miss."""
    [verdict] = run_cases(box, ENDS[name], [Case(stdin="1\n2\n", check=prints(b"7"))], TIGHT)
    assert verdict.kind == "passed", verdict


def test_only_scripts_may_exit(box):
    code = "import sys\nprint(7)\nsys.exit(0)"
    assert box.run(Program(code=code), Limits()).kind == "killed"
    assert box.run(Program(code=code, script=True), Limits()).kind == "passed"


def test_a_wrong_script_does_not_pass_by_its_exit(box):
    """It passes by what it prints only."""
    cases = doubled([1])
    assert kinds(run_cases(box, "import os\nprint('passed', flush=True)\nos._exit(0)", cases, TIGHT)) == [
        "killed"
    ]
    assert kinds(run_cases(box, "exit(0)", cases, TIGHT)) == ["wrong_output"]
    assert kinds(run_cases(box, "print(2", cases, TIGHT)) == ["syntax_error"]
