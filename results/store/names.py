"""What users call a run or a sweep, and which one they mean by it.

A name is an id, a unique beginning of an id, `last`, `last~N` (N before the last), a label, or words that fit only one:
each is found in the id or in the facts about it, such as its model. Upper and lower case are the same in labels and
words. `last` passes over what is hidden, and words find it only if they fit nothing else.
"""

from __future__ import annotations

import re
from enum import IntEnum
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from results.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

_SHOWN = 8  # candidates
_LAST = re.compile(r"last(?:~([0-9]{1,9}))?")
_LISTED_BY = {"run": "bench_runner.py list", "sweep": "bench_runner.py status"}
_Texts = dict[str, str]  # the texts about one id as they are compared, and as written


class AmbiguousName(UsageError):
    """The name fits several ids; the hint lists them."""


class NameFacts(NamedTuple):
    """What is known about an id. texts: where words are looked for. hidden: see above."""

    texts: tuple[str, ...] = ()
    label: str = ""
    hidden: bool = False


class _Fit(IntEnum):
    """How closely a word fits a text."""

    EQUAL = 0
    WHOLE = 1  # F16, but not in BF16
    PART = 2
    NONE = 3


def match_name(
    wanted: str, ids: Iterable[str], facts: Callable[[str], NameFacts], *, what: str = "run"
) -> str:
    """The only id that `wanted` names. facts: called for all ids only if the name is a label or words, and several
    times. what: "run" or "sweep", for messages.

    Of the ids that fit all words, one that fits each word as closely as any other is preferred: `7B` is the model 7B
    and not 27B. Raises UsageError, which lists the candidates, newest first, or says what is like `wanted`.
    """
    known = sorted(set(ids))
    if wanted in known:
        return wanted
    if last := _LAST.fullmatch(wanted):
        return _before_last(int(last[1] or 0), known, facts, wanted, what)
    fitting = [each for each in known if wanted and each.startswith(wanted)]
    words = wanted.casefold().split()
    if not fitting and words:
        fitting = [each for each in known if facts(each).label.casefold().split() == words]
    if not fitting and words:
        texts = {each: _texts(each, facts(each)) for each in known}
        shown = {each: found for each, found in texts.items() if not facts(each).hidden}
        fitting = _fitting(words, shown) or _fitting(words, texts)
        if not fitting:
            raise UsageError(f"there is no {what} {wanted!r}", hint=_alike(words, texts, what))
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        raise AmbiguousName(
            f"{wanted!r} matches {len(fitting)} {what}s",
            hint="add a word, or give one of these ids or its beginning, newest first:\n"
            + _listed(fitting, what),
        )
    raise UsageError(f"there is no {what} {wanted!r}", hint=_newest(known, what))


def short_names(ids: Iterable[str], known: Iterable[str]) -> dict[str, str]:
    """For each id a beginning that names it alone among `known`: its time, or as many of its parts as needed."""
    wanted = set(ids)
    ordered = sorted({*known, *wanted})
    found = {}
    for before, each, after in zip(["", *ordered], ordered, [*ordered[1:], ""], strict=False):
        if each in wanted:
            shared = max(_shared(each, other) for other in (before, after))
            ends = (at for at, character in enumerate(each) if character == "-" and at > shared)
            found[each] = each[: next(ends, len(each))]
    return found


def _shared(first: str, second: str) -> int:
    """How many characters both begin with."""
    return next(
        (at for at, (a, b) in enumerate(zip(first, second, strict=False)) if a != b),
        min(len(first), len(second)),
    )


def _texts(each: str, facts: NameFacts) -> _Texts:
    return {text.casefold(): text for text in (each, *facts.texts, facts.label) if text}


def _before_last(
    steps: int, known: Sequence[str], facts: Callable[[str], NameFacts], wanted: str, what: str
) -> str:
    newest = [*islice((each for each in reversed(known) if not facts(each).hidden), steps + 1)]
    if steps < len(newest):
        return newest[steps]
    known = newest[::-1]
    if not known:
        raise UsageError(f"there is no {what} {wanted!r}", hint=_newest(known, what))
    there = f"there is only one {what}" if len(known) == 1 else f"there are only {len(known)} {what}s"
    first = "last" if len(known) == 1 else f"last~{len(known) - 1}"
    raise UsageError(f"{there}, so none is {wanted!r}", hint=f"the oldest is {first}, {known[0]}")


def _fitting(words: Sequence[str], texts: Mapping[str, _Texts]) -> list[str]:
    fits = {each: [_fit(word, found) for word in words] for each, found in texts.items()}
    fits = {each: found for each, found in fits.items() if _Fit.NONE not in found}
    closest = [min(found) for found in zip(*fits.values(), strict=True)]
    return [each for each, found in fits.items() if found == closest] or [*fits]


def _fit(word: str, texts: _Texts) -> _Fit:
    if word in texts:
        return _Fit.EQUAL
    containing = [text for text in texts if word in text]
    if not containing:
        return _Fit.NONE
    whole = re.compile(rf"(?<![^\W_]){re.escape(word)}(?![^\W_])")
    return _Fit.WHOLE if any(map(whole.search, containing)) else _Fit.PART


def _alike(words: Sequence[str], texts: Mapping[str, _Texts], what: str) -> str:
    """What users may have meant by words that fit nothing together."""
    import difflib

    if re.fullmatch(r"last[-~^ ]?[0-9a-z]{1,3}", words[0]) and len(words) == 1:
        return f"did you mean last, the newest {what}, or last~1, the one before?"
    strange = [word for word in words if all(_fit(word, found) is _Fit.NONE for found in texts.values())]
    if not strange:
        return f"each word fits a {what}, but no {what} fits all; `{_LISTED_BY[what]}` shows what there is"
    there = {folded: text for found in texts.values() for folded, text in found.items()}
    close = [each for word in strange for each in difflib.get_close_matches(word, there, n=3, cutoff=0.6)]
    if close:
        return f"did you mean {' or '.join(there[each] for each in dict.fromkeys(close[:3]))}?"
    none = f"no {what} fits {strange[0]!r}; " if len(words) > 1 else ""
    return none + _newest([*texts], what)


def _newest(known: Sequence[str], what: str) -> str:
    if known:
        return "name one by its id, its beginning, words of it, or last; the latest are:\n" + _listed(
            known[-3:], what, len(known)
        )
    return f"there are no {what}s yet; use another folder with --results-dir or $BENCH_RESULTS_DIR"


def _listed(ids: Sequence[str], what: str, total: int = 0) -> str:
    """The ids, newest first, one a line, and how many more there are."""
    shown = [*reversed(ids)][:_SHOWN]
    more = max(total, len(ids)) - len(shown)
    return "\n".join([*shown, *([f"and {more} more: {_LISTED_BY[what]}"] if more else [])])
