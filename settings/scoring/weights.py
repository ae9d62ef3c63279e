"""The weights of a composite's parts, as `correctness=40,speed=20` or as a mapping."""

from __future__ import annotations

import contextlib
import math
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from results.errors import UsageError

PART_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,39}")
_EXAMPLE = "give one such as correctness=40,speed=20,quality=25,efficiency=15"
_MOST = 1e6


def read_weights(value: Any) -> dict[str, float]:
    """By part, as given. value: a text or a mapping. Raises UsageError, which says what is wrong."""
    found: dict[str, float] = {}
    for name, written in _pairs(value):
        weight = read_weight(name, written)
        if name in found:
            raise UsageError(f"{name} has two weights", hint=_EXAMPLE)
        found[name] = weight
    if not math.fsum(found.values()):
        raise UsageError("no part has a weight above 0", hint=_EXAMPLE)
    return found


def written_weights(weights: Mapping[str, float]) -> str:
    """The text from which `read_weights` reads them again."""
    return ",".join(f"{name}={weight:.12g}" for name, weight in weights.items())


def require_known(weights: Mapping[str, float], scorer: str | None) -> None:
    """Raise UsageError for a weight of something that is no part. scorer: the file of a scorer of one's own."""
    known = [*known_parts(()), *([scorer_name(scorer)] if scorer else [])]
    for name in weights:
        if name not in known:
            raise UsageError(
                f"--weights: {no_such_part(name, known)}",
                hint=f"the parts are {', '.join(known_parts(()))}; a scorer of your own is one by the name of its "
                "file, with --scorer FILE.py",
                settings=("weights", "scorer"),
            )


def known_parts(scorers: Iterable[str]) -> list[str]:
    """Ours, and those of scorers of one's own, by their files; one that can't give a part is left out."""
    from results.scores.composite import Part

    found = [str(part) for part in Part]
    for file in scorers:
        with contextlib.suppress(UsageError):
            found.append(scorer_name(file))
    return found


def no_such_part(name: str, known: Iterable[str]) -> str:
    """What is wrong with a weight of it, and the part that may be meant."""
    import difflib

    known = list(known)
    close = difflib.get_close_matches(name, known, 1)
    return f"there is no part {name}; " + (
        f"did you mean {close[0]}?" if close else f"one of {', '.join(known)}"
    )


def scorer_name(file: str) -> str:
    """What the part of a scorer of one's own is called: `mine` of mine.py. Raises UsageError for an unfit name."""
    from results.scores.composite import Part

    name = Path(file).name.removesuffix(".py")
    if not PART_NAME.fullmatch(name) or name in {*Part} or name == "composite":
        raise UsageError(
            f"--scorer {file}: a part of a score can't be named {name!r}",
            hint="rename the file: at most 40 letters, digits and _, such as mine.py, and no part that there is",
            settings=("scorer",),
        )
    return name


def _pairs(value: Any) -> list[tuple[str, Any]]:
    if isinstance(value, Mapping):
        return [(str(name), weight) for name, weight in value.items()]
    if not isinstance(value, str):
        raise UsageError("is neither a text nor a mapping", hint=_EXAMPLE)
    pairs = [part.partition("=") for part in value.split(",")]
    if not all(equals for _, equals, _ in pairs):
        raise UsageError(f"{value!r:.80} is not PART=WEIGHT,...", hint=_EXAMPLE)
    return [(name.strip(), weight.strip()) for name, _, weight in pairs]


def read_weight(name: str, written: Any) -> float:
    """A part's weight. Raises UsageError, which says what is wrong."""
    if not PART_NAME.fullmatch(name):
        raise UsageError(f"{name!r} is not the name of a part", hint=_EXAMPLE)
    try:
        if isinstance(written, bool):
            raise TypeError
        weight = float(written)
    except (TypeError, ValueError):
        raise UsageError(
            f"the weight of {name} is {written!r:.40}, and not a number", hint=_EXAMPLE
        ) from None
    if not 0 <= weight <= _MOST:
        raise UsageError(
            f"the weight of {name} is {written!s:.40}, and not from 0 to {_MOST:g}", hint=_EXAMPLE
        )
    return weight
