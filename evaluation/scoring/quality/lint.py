"""Ruff's findings in one program, under rules that are named here and nowhere else."""

from __future__ import annotations

import functools
import json
import signal
import subprocess

# Likely bugs and needless code (pyflakes, bugbear, pylint's errors and warnings), statements that PEP 8 calls wrong,
# comprehensions and conditions that have a simpler form. Nothing of layout, which no score should hang on.
LINT_RULES = ("B", "C4", "E4", "E7", "E9", "F", "PIE", "PLE", "PLW", "SIM")
TARGET = "py313"  # the Python that a program is taken to be for, whatever Python this is
_MOST_PRINTED_BYTES = 32 << 20


def findings_in(program: str) -> dict[str, int] | None:
    """How many of each rule; comments that silence rules don't. None where ruff can't read it, or dies of it.
    Raises ImportError or OSError where ruff can't be executed, or somebody else ended it.

    Ruff gets the text by stdin, and nothing that stands in it, or in a file beside it, changes the rules.
    """
    command = [
        *(_ruff(), "check", "--isolated", "--no-cache", "--no-fix", "--ignore-noqa", "--quiet"),
        *("--output-format", "json", "--target-version", TARGET, "--select", ",".join(LINT_RULES)),
        *("--stdin-filename", "solution.py", "-"),
    ]
    done = subprocess.run(
        command, input=program.encode("utf-8", "replace"), capture_output=True, check=False, cwd="/"
    )
    if done.returncode in {-signal.SIGKILL, -signal.SIGTERM}:
        raise ChildProcessError(f"it was ended by signal {-done.returncode}")
    if done.returncode not in {0, 1} or len(done.stdout) > _MOST_PRINTED_BYTES:
        return None
    found: dict[str, int] = {}
    for each in json.loads(done.stdout):
        rule = str(each.get("code") or "syntax")
        found[rule] = found.get(rule, 0) + 1
    return dict(sorted(found.items()))


@functools.cache
def _ruff() -> str:
    import importlib

    return str(importlib.import_module("ruff.__main__").find_ruff_bin())  # of the package, wherever it put it
