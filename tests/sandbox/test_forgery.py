"""No program passes whose tests did not run to their end, whatever it prints, replaces, writes or leaves."""

from __future__ import annotations

import pytest

from sandbox import Limits, Program, UnitTests
from tests.sandbox.conftest import on

# None of these programs passes it.
TEST = UnitTests("def check(candidate):\n    assert candidate(1) == 2, 'wrong'\ncheck(f)\n", "f")
FRAMES = """
import gc, inspect, os, sys, types
found, seen = [], set()
def search(value, depth):
    if id(value) in seen or depth > 6: return
    seen.add(id(value))
    if type(value) is bytes and 8 <= len(value) <= 64: found.append(value)
    try: reached = gc.get_referents(value)
    except Exception: return
    for other in reached: search(other, depth + 1)
frame = sys._getframe()
while frame:
    search(frame, 0); search(frame.f_locals, 0); search(frame.f_globals, 0)
    frame = frame.f_back
for thing in gc.get_objects(): search(thing, 4)
for frame in sys._current_frames().values(): search(frame, 0)
for value in found[:400]:
    for descriptor in range(3, 64):
        try: os.write(descriptor, value + b"passed\\n")
        except OSError: pass
os._exit(0)
"""
FORGERIES = {
    "os._exit": ("import os\nprint('passed')\nos._exit(0)", "killed"),
    "sys.exit": ("import sys\nprint('passed', flush=True)\nsys.exit(0)", "killed"),
    "exit": ("exit()", "exception"),  # the site module's, which is not there
    "raises SystemExit in the call": ("def f(x): raise SystemExit(0)", "killed"),
    "defines check": ("def f(x): return 1\ndef check(f): pass", "wrong_answer"),
    "a thread replaces check": (
        (
            "import threading, time\ndef swap():\n while True:\n"
            "  for n in ('check',):\n   if n in globals(): globals()[n] = lambda f: None\n"
            "threading.Thread(target=swap, daemon=True).start()\ntime.sleep(0.1)\ndef f(x): return 1"
        ),
        "wrong_answer",
    ),
    "replaces AssertionError": (
        "import builtins\nbuiltins.AssertionError = KeyError\ndef f(x): return 1",
        "wrong_answer",
    ),
    "replaces what a runner may use": (
        (
            "import builtins, os, sys, signal, time\n"
            "for m, n in ((builtins, 'exec'), (builtins, 'compile'), (builtins, 'isinstance'), (builtins, 'repr'),\n"
            " (builtins, 'type'), (builtins, 'BaseException'), (os, 'write'), (os, '_exit'), (os, 'getpid'),\n"
            " (sys, 'exit'), (time, 'monotonic'), (sys, 'excepthook')): setattr(m, n, lambda *a, **k: b'passed\\n')\n"
            "def f(x): return 1"
        ),
        "killed",
    ),
    "writes into all descriptors": (
        "import os\nfor d in range(128):\n try: os.write(d, b'passed\\n')\n except OSError: pass\nos._exit(0)",
        "killed",
    ),
    "closes all descriptors": ("import os\nos.closerange(0, 4096)\ndef f(x): return 2", "killed"),
    "tracing": (
        "import sys\ndef trace(frame, event, arg):\n return trace\nsys.settrace(trace)\ndef f(x): return 1",
        "wrong_answer",
    ),
    "tracing through threading": (
        (
            "import threading\ndef trace(*a): return trace\nthreading.settrace(trace)\n"
            "t = threading.Thread(target=lambda: None); t.start(); t.join()\ndef f(x): return 1"
        ),
        "wrong_answer",
    ),
    "a debugger": ("import pdb\npdb.set_trace()\ndef f(x): return 1", "exception"),
    "raises in a comparison": (
        "class E:\n def __eq__(self, o): raise SystemExit(0)\ndef f(x): return E()",
        "wrong_answer",
    ),
    "an error that describes itself as a pass": (
        (
            "class B:\n def __radd__(self, o): return b'passed\\n'\n"
            "class S(str):\n def encode(self, *a): return B()\n def __format__(self, s): return S('passed\\n')\n"
            "class M(type):\n __name__ = property(lambda c: S('passed'))\n"
            "class E(Exception, metaclass=M):\n def __str__(self): return S('passed\\n')\n"
            "def f(x): raise E"
        ),
        "exception",
    ),
    "an error whose description fails": (
        "class E(Exception):\n def __str__(self): raise SystemExit(0)\ndef f(x): raise E",
        "exception",
    ),
    "an error that claims another class": (
        "class E(Exception):\n __class__ = property(lambda s: MemoryError)\ndef f(x): raise E",
        "exception",
    ),
    "changes the runner's own functions": (
        (
            "import sys\nclass B:\n def __radd__(self, o): return b'passed\\n'\n"
            "frame = sys._getframe()\n"
            "while 'describe' not in frame.f_globals:\n frame = frame.f_back\n"
            "g = frame.f_globals\n"
            "evil = lambda *a, **k: B()\ng['describe'].__kwdefaults__ = None\ng['describe'].__code__ = evil.__code__\n"
            "for n in ('verdict', 'take', 'answer', 'judge', 'SECRET_BYTES'): g[n] = evil\n"
            "def f(x): raise KeyError"
        ),
        "killed",
    ),
    "a child that would pass": ("import os\nif os.fork(): os._exit(0)\ndef f(x): return 2", "killed"),
    "a child passes, its parent fails": (
        "import os\npid = os.fork()\ndef f(x): return 2 if pid == 0 else 1",
        "wrong_answer",
    ),
    "hooks at exit": (
        "import atexit, os\natexit.register(lambda: os._exit(0))\ndef f(x): return 1",
        "wrong_answer",
    ),
    "a non-daemon thread left running": (
        "import threading, time\nthreading.Thread(target=time.sleep, args=(99,)).start()\ndef f(x): return 1",
        "wrong_answer",
    ),
    "an alarm's handler that exits": (
        (
            "import os, signal, time\nsignal.signal(signal.SIGALRM, lambda *a: os._exit(0))\n"
            "signal.setitimer(signal.ITIMER_REAL, 0.05)\ntime.sleep(0.5)\ndef f(x): return 1"
        ),
        "killed",
    ),
    "walks frames and objects for the secret": (FRAMES, "killed"),
    "JSON on its output": (
        """import os\nfor d in (1, 2):
    os.write(d, b'\\x00\\x00\\x00\\x12{"kind": "passed"}')\nos._exit(0)""",
        "killed",
    ),
}


@on("bubblewrap", "landlock", "process")
@pytest.mark.parametrize("name", FORGERIES)
def test_a_wrong_program_does_not_pass(name, judged):
    code, kind = FORGERIES[name]
    verdict = judged(Program(code=code, tests=TEST))
    assert verdict.kind == kind, verdict


# Looks through all memory around its own objects for a text that the one before had, and then for one of its own.
SEARCH = """
import ctypes, gc
libc = ctypes.CDLL(None)
def found(mark):
    pages = {id(thing) >> 12 for thing in gc.get_objects()} | {libc.sbrk(0) >> 12}
    pages |= {page + step for page in tuple(pages) for step in range(-300, 300)}
    end, libc.mincore.argtypes = ctypes.create_string_buffer(1), [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_char_p]
    mapped = sorted(page for page in pages if libc.mincore(page << 12, 4096, end) == 0)
    here = id(mark) >> 12
    return sum(mark in ctypes.string_at(page << 12, 4096) for page in mapped if abs(page - here) > 1)
own = bytes(range(65, 91)) * 400
assert found(own[:26]) > 0
print(found(bytes([69, 97, 114, 108, 105, 101, 114]) + b"-" + b"sample"))
"""


@on("bubblewrap", "landlock", "process")
def test_nothing_of_an_earlier_program_or_its_tests_is_in_the_memory_of_the_next(judged):
    """What it said, printed and was asked; a program that found that could give the answers of another one."""
    mark = "Earlier-sample"
    tests = UnitTests(f"assert f('{mark}') == 2, '{mark}'", "f", before=f"name = '{mark}'")
    for _ in range(3):
        assert judged(Program(code=f"def f(x):\n    print('{mark}')", tests=tests)).kind == "wrong_answer"
    verdict = judged(SEARCH, limits=Limits())
    assert (verdict.kind, verdict.output.strip()) == ("passed", "0"), verdict


LEFT = {
    "a daemon thread": "import threading, time\nthreading.Thread(target=time.sleep, args=(99,), daemon=True).start()",
    "a thread": "import threading, time\nthreading.Thread(target=time.sleep, args=(99,)).start()",
    "an exit hook": "import atexit, time\natexit.register(time.sleep, 99)",
    "a child": "import os, time\nif os.fork() == 0: time.sleep(99)",
    "a detached grandchild": "import os, time\nif os.fork() == 0:\n os.setsid()\n if os.fork() == 0: time.sleep(99)\n"
    " os._exit(0)\nos.wait()",
    "a grandchild that ignores signals": "import os, signal, time\nif os.fork() == 0:\n os.setsid()\n"
    " signal.signal(signal.SIGTERM, signal.SIG_IGN)\n signal.signal(signal.SIGHUP, signal.SIG_IGN)\n"
    " os.closerange(0, 99)\n time.sleep(99)",
    "files": "import os\nos.makedirs('a/b')\nopen('a/b/c', 'w').write('message')\nopen('/dev/shm/x', 'w').write('y')",
    "files that it locked": "import os\nos.makedirs('a/b/c')\nopen('a/b/c/d', 'w')\nos.chmod('a/b/c', 0)\n"
    "os.chmod('a', 0)\nos.chmod('/tmp', 0)",
    "links": "import os\nos.symlink('/', 'root')\nos.symlink('..', 'up')\nos.mkfifo('fifo')\n"
    "os.symlink('/usr/lib', 'lib')\nopen('a', 'w')\nos.link('a', 'b')",
    "a deep tree": "import os\nfor _ in range(400):\n os.mkdir('d')\n os.chdir('d')",
    "a replaced builtin": "import builtins\nbuiltins.print = builtins.sorted = None",
    "a listening socket": "import os, socket\ns = socket.socket(socket.AF_UNIX)\ns.bind('sock')\ns.listen()",
}


# Without namespaces there is no /dev/shm and no socket; and what only there can be hard to end or to empty.
LEFT_AMONG_OTHERS = {
    **{name: code for name, code in LEFT.items() if name != "a listening socket"},
    "files": "import os\nos.makedirs('a/b')\nopen('a/b/c', 'w').write('message')\nopen('.hidden', 'w')",
    "files that it locked": "import os\nos.makedirs('a/b/c')\nopen('a/b/c/d', 'w')\nos.mkdir('a/closed', 0)\n"
    "os.mkdir('closed', 0)\nos.chmod('a', 0)\nos.chmod('.', 0)",
    "a deep tree": "import os\nfor _ in range(1100):\n os.mkdir('d')\n os.chdir('d')",
    "a child that walks away": """
import ctypes, os
libc = ctypes.CDLL(None)
if os.fork() == 0:
    os.setsid()
    for _ in range(4): libc.fork()
    while True:  # the parent of each is gone before it can be found
        if libc.fork(): libc._exit(0)""",
    "children in groups of their own": """
import os, time
for _ in range(6):
    if os.fork() == 0:
        os.setsid()
        if os.fork(): os._exit(0)
        os.setpgid(0, 0)
        time.sleep(99)""",
}


@on("landlock", "process")
@pytest.mark.parametrize("name", LEFT_AMONG_OTHERS)
def test_nothing_remains_without_namespaces_either(name, judged):
    assert judged(LEFT_AMONG_OTHERS[name]).kind == "passed"


@pytest.mark.parametrize("name", LEFT)
def test_a_right_program_passes_whatever_it_leaves_and_nothing_of_it_remains(name, judged):
    assert judged(LEFT[name]).kind == "passed"
