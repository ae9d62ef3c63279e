"""`python -m evaluation.scoring.own_program FILE.py`: a line with an answer of a model in, a line with its value out.

The process in which a scorer of a user's own is loaded and called. What that prints goes to stderr.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec

from evaluation.scoring.contract import CodingSample, Solution
from results.errors import UsageError
from results.json_text import encode
from results.own_file import load_own_file, place_in, words_of
from results.records import Completion  # noqa: TC001 - msgspec reads the type

if TYPE_CHECKING:
    from collections.abc import Callable

PAGE = "docs/scoring.md shows a complete one"
_SHOWN = 60  # characters of a value


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """One answer, with what a scorer is told of its task."""

    benchmark: str
    task_id: str
    before: str
    reference: str
    entry_point: str
    tags: dict[str, str]
    completion: Completion


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """What the function gave, or what is wrong. The first one is about the file itself, and has no value."""

    value: Annotated[float, msgspec.Meta(ge=0, le=100)] | None = None
    error: str = ""


def load(path: Path) -> Callable[[Solution], Any]:
    """Runs the file. Raises UsageError where it is missing, fails, or has no function `score`."""
    module = load_own_file(path, setting="scorer", page=PAGE)
    function = getattr(module, "score", None)
    if not callable(function):
        raise UsageError(f"{path} defines no function score(solution)", hint=PAGE, settings=("scorer",))
    return function  # type: ignore[no-any-return]


def value_of(function: Callable[[Solution], Any], path: Path, asked: Asked) -> Said:
    """What it gives for that answer. It is handed objects that nobody else looks at again."""
    where = f"on the answer to {asked.task_id}"
    sample = CodingSample(
        benchmark=asked.benchmark,
        task_id=asked.task_id,
        data=None,
        before=asked.before,
        reference=asked.reference,
        entry_point=asked.entry_point,
        tags=asked.tags,
    )
    try:
        value = function(Solution(sample=sample, completion=asked.completion))
    except BaseException as error:  # noqa: BLE001 - it is a user's code, and ends no more than this call
        return Said(error=f"{place_in(path, error)}: {where}: {words_of(error)}")
    if value is None:
        return Said()
    with contextlib.suppress(Exception):  # what it gave may be of a class of its own
        number = -1.0 if isinstance(value, bool) or not isinstance(value, Real) else float(value)
        if 0 <= number <= 100:
            return Said(value=number)
    shown = f"an object of {type(value).__name__}"
    with contextlib.suppress(Exception):
        shown = repr(value)[:_SHOWN]
    return Said(error=f"{path}: score gave {shown} {where}, and neither None nor a number from 0 to 100")


def main(path: Path) -> None:
    """Ends where its input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for whoever asks, who then ends this process
    questions, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing, end = os.pipe()
    os.close(end)
    os.dup2(nothing, 0)  # at its end
    os.dup2(2, 1)  # what the file prints is no answer

    def say(said: Said) -> None:
        answers.write(encode(said) + b"\n")
        answers.flush()

    try:
        function = load(path)
    except UsageError as error:
        say(Said(error=error.message))
        return
    except BaseException as error:  # noqa: BLE001 - a user's code
        say(Said(error=f"{place_in(path, error)}: {words_of(error)}"))
        return
    say(Said())
    for line in questions:
        say(value_of(function, path, msgspec.json.decode(line, type=Asked)))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
    os._exit(0)  # not waiting for threads that the file started
