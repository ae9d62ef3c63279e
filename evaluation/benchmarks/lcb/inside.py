"""Runs inside the sandbox, before and around a solution to a problem of LiveCodeBench; see `programs`.

Standard library only: this source stands before the line that calls one of its functions. It is never imported.
"""
# ruff: noqa: BLE001, S102, SIM115 - it executes what others wrote, and streams live as long as it does

from __future__ import annotations

import ast
import builtins
import contextlib
import io
import json
import os
import signal
import subprocess
import sys
import types
from typing import Any

MOST_DIGITS = 50_000  # of a number as text, as in the official runner
MOST_TOLD = 300
DISARMED = (
    "kill system putenv remove removedirs rmdir fchdir setuid fork forkpty killpg rename renames truncate replace "
    "unlink fchmod fchown chmod chown chroot lchflags lchmod lchown getcwd chdir"
)


def call_function(code: str, function: str, prelude: str) -> None:
    """Call it with the arguments that come on stdin, a JSON value a line; print what it returned, coded.

    What the solution itself prints goes to stderr.
    """
    allow_long_numbers()
    arguments = [json.loads(line) for line in sys.stdin.read().split("\n")]
    channel = own_channel()
    module = types.ModuleType("solution")
    execute(prelude, module)
    execute(code, module)
    owner = module.Solution() if "class Solution" in code else module
    channel.write(json.dumps(coded(getattr(owner, function)(*arguments))))
    channel.close()


def run_as_official(code: str, function: str | None, prelude: str, timeout_s: float) -> None:
    """All tests of a JSON list of inputs on stdin, with the official runner's arrangements around the solution.

    Prints a JSON list a test: ["printed", text], ["returned", coded], or ["failed", why] as the last one.
    """
    allow_long_numbers()
    signal.signal(signal.SIGPROF, ring)
    inputs = json.loads(sys.stdin.read())
    real = devnull_as_stdin()
    channel = own_channel()
    dumps, write, flush = json.dumps, channel.write, channel.flush

    def tell(*words: str) -> None:
        write(dumps(words) + "\n")
        flush()

    if "numpy" in code:  # imported by the official runner itself, before it disarms
        with contextlib.suppress(ImportError):
            import numpy as np  # noqa: F401
    disarm()
    try:
        if function is None:
            method = made(as_function(code, prelude), timeout_s).wrapped_function
        else:
            method = getattr(made(prelude + "\n\n" + code, timeout_s), function)
            inputs = [[json.loads(line) for line in text.split("\n")] for text in inputs]
    except Exception as error:
        tell("failed", repr(error)[:MOST_TOLD])
        return
    for given in inputs:
        try:
            alarm(timeout_s)
            result = run_program(method, given, real) if function is None else method(*given)
            alarm(0)
        except Exception as error:
            alarm(0)
            tell("failed", repr(error)[:MOST_TOLD])
            return
        if function is None:
            tell("printed", result)
        else:
            tell("returned", dumps(coded(result)))


def coded(value: Any) -> Any:
    """As JSON can say it; `checker.decoded` reads it."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, list):
        return [coded(item) for item in value]
    if isinstance(value, tuple):
        return {"tuple": [coded(item) for item in value]}
    if isinstance(value, dict):
        return {"dict": [[coded(key), coded(item)] for key, item in value.items()]}
    number = plain_number(value)
    return {"other": type(value).__name__} if number is None else number


def plain_number(value: Any) -> Any:
    """A number of NumPy's, a Fraction or a Decimal as the number that it equals; None for whatever else."""
    kind = type(value)
    if kind.__module__ == "numpy" and getattr(value, "shape", None) == ():
        item = value.item()
        return item if isinstance(item, (bool, int, float, str)) else None
    if (kind.__module__, kind.__name__) not in {("fractions", "Fraction"), ("decimal", "Decimal")}:
        return None
    try:
        return next((same for same in (int(value), float(value)) if same == value), None)
    except (ArithmeticError, ValueError):  # infinite, or larger than every float
        return None


def allow_long_numbers() -> None:
    if hasattr(sys, "set_int_max_str_digits"):
        sys.set_int_max_str_digits(MOST_DIGITS)


def own_channel() -> Any:
    """To where stdout went, which is stderr from here on."""
    channel = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return channel


def execute(code: str, module: types.ModuleType) -> None:
    exec(compile(code, "<solution>", "exec", dont_inherit=True), module.__dict__)


# From here on what the official runner does.


class TimeoutException(Exception):
    pass


def ring(_number: int, _frame: object) -> None:
    raise TimeoutException


def alarm(seconds: float) -> None:
    """Of processor time: the verdict shall not depend on what else the machine does."""
    signal.setitimer(signal.ITIMER_PROF, seconds)


def devnull_as_stdin() -> Any:
    """As in a process that multiprocessing started."""
    sys.stdin.close()
    devnull = os.open(os.devnull, os.O_RDONLY)
    if devnull != 0:
        os.dup2(devnull, 0)
    sys.stdin = open(0, encoding="utf-8", closefd=False)
    return sys.stdin


def disarm() -> None:
    import shutil

    everything: Any = builtins
    everything.quit = everything.help = None
    os.environ["OMP_NUM_THREADS"] = "1"
    for name in DISARMED.split():
        setattr(os, name, None)
    for owner, names in ((shutil, "rmtree move chown"), (subprocess, "Popen")):
        for name in names.split():
            setattr(owner, name, None)
    modules: Any = sys.modules
    modules.update(dict.fromkeys(["ipdb", "joblib", "resource", "psutil", "tkinter"]))


def as_function(code: str, prelude: str) -> str:
    """A program as a function: its imports before, all else in the body; `if __name__ == "__main__"` at its end is
    resolved.
    """
    try:
        tree = ast.parse(code)
        last = tree.body[-1]
        if isinstance(last, ast.If) and ast.unparse(last.test).strip() == "__name__ == '__main__'":
            code = unparsed(tree.body[:-1]) + "\n" + unparsed(last.body)
    except Exception:  # noqa: S110 - it is then taken as it is
        pass
    try:
        tree = ast.parse(code)
        imports: list[ast.stmt] = [s for s in tree.body if isinstance(s, (ast.Import, ast.ImportFrom))]
        (wrapped,) = ast.parse("def wrapped_function(): pass").body
        wrapped.body = [statement for statement in tree.body if statement not in imports]  # type: ignore[attr-defined]
        return prelude + "\n" + unparsed(imports) + "\n" + ast.unparse(wrapped)
    except Exception:
        return code


def unparsed(statements: list[ast.stmt]) -> str:
    return ast.unparse(ast.Module(statements, []))


def made(code: str, timeout_s: float) -> Any:
    alarm(timeout_s)
    try:
        module = types.ModuleType("tmp_sol")
        execute(code, module)
        return module.Solution() if "class Solution" in code else module
    finally:
        alarm(0)


def run_program(method: Any, text: str, real: Any) -> str:
    """What it prints through sys.stdout."""
    lines = iter(text.split("\n"))
    captured = io.StringIO()
    everything: Any = builtins
    own_open, own_stdout = open, sys.stdout
    real.read = lambda *_: text
    real.readlines = lambda *_: text.split("\n")
    real.readline = lambda *_: next(lines)
    sys.stdin, sys.stdout, everything.open = Stdin(text), captured, opened(text)
    try:
        method()
    except SystemExit:
        pass
    finally:
        sys.stdin, sys.stdout, everything.open = real, own_stdout, own_open
    return captured.getvalue()


class Stdin:
    """All of it at once, again and again; no iterator."""

    def __init__(self, text: str) -> None:
        self.text, self.file, self.buffer = text, io.StringIO(text), Buffer(text)

    def read(self, *_: int) -> str:
        return self.text

    def readline(self, *arguments: int) -> str:
        return self.file.readline(*arguments)

    def readlines(self, *_: int) -> list[str]:
        return self.text.split("\n")

    def __getattr__(self, name: str) -> Any:
        return getattr(self.file, name)


class Buffer:
    """Its first line, again and again."""

    def __init__(self, text: str) -> None:
        self.data = text.encode()

    def read(self, *_: int) -> bytes:
        return self.data

    def readline(self, *_: int) -> bytes:
        return self.data.split(b"\n")[0] + b"\n"


def opened(text: str) -> Any:
    def imitation(*arguments: Any, **named: Any) -> Any:
        from unittest.mock import mock_open

        return mock_open(read_data=text)(*arguments, **named)

    return imitation
