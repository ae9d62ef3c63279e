"""`python -m evaluation.scoring.quality.facts_program`: a line of JSON with a program in, a line with its facts out.

A process of its own, because a program that a model wrote may be nested so deeply, or be so long, that whoever parses
it dies: whoever asks sees that, and goes on with the next one.
"""

from __future__ import annotations

import json
import resource
import signal
import sys
import warnings
from typing import Any

from evaluation.answers.syntax import MOST_CHARACTERS
from evaluation.scoring.quality.complexity import complexity_of
from evaluation.scoring.quality.hidden_code import executes_text
from evaluation.scoring.quality.lint import findings_in
from evaluation.scoring.quality.own_text import own_program, statements_of

CPU_S = 20  # of one program
MEMORY_BYTES = 2 << 30


def facts_of(before: str, completion: str, entry_point: str) -> dict[str, Any]:
    """The fields of `ProgramFacts`; or `error`, why there are none, and whether that is `lasting`."""
    import ast

    try:
        from radon.metrics import mi_compute, mi_parameters
    except ImportError as error:
        return {"error": f"radon does not work: {error}", "lasting": False}

    if len(completion) > MOST_CHARACTERS:
        return {"error": f"it has more than {MOST_CHARACTERS} characters"}
    text = own_program(before, completion.removeprefix("\ufeff"), entry_point)  # Python skips such a mark too
    tree = ast.parse(text)
    if executes_text(tree):
        return {"error": "it executes text as code, which can't be measured"}
    try:
        findings = findings_in(text)
    except (ImportError, OSError) as error:
        return {"error": f"ruff does not work: {error}", "lasting": False}
    if findings is None:
        return {"error": "ruff can't read it"}
    statements = statements_of(tree)
    complexity = complexity_of(tree)
    volume, _, lines, _ = mi_parameters(text, count_multi=False)
    return {
        "findings": findings,
        "statements": statements,
        "complexity": complexity.whole,
        "most_complex": complexity.most,
        # Without its term for comments: a single one would raise it by half of its range.
        "maintainability": round(mi_compute(volume, complexity.whole, lines, 0), 3),
    }


def main() -> None:
    """Ends where its input ends."""
    warnings.simplefilter("ignore")  # invalid escapes in somebody else's code
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for whoever asks, whose end is that of our input
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    for line in sys.stdin.buffer:
        used = resource.getrusage(resource.RUSAGE_SELF)
        hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
        until = int(used.ru_utime + used.ru_stime) + 1 + CPU_S
        resource.setrlimit(
            resource.RLIMIT_CPU, (until if hard == resource.RLIM_INFINITY else min(until, hard), hard)
        )
        try:
            found = facts_of(*json.loads(line))
        except Exception as error:  # noqa: BLE001 - a program may be odd in ways that radon does not know
            found = {"error": f"it can't be parsed ({type(error).__name__})"}
        sys.stdout.write(json.dumps(found) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
