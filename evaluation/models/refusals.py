"""Which parameters of a request a server's refusal names. Each server says it in words of its own."""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING, Any

from evaluation.models.replies import error_message, read_json

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

# Most servers refuse nothing, so these are compiled where they are used.
_BEFORE = (
    r"\b(un(supported|recogni[sz]ed|known|expected)|extraneous|invalid|forbidden|field"
    r"|(does not|doesn't|do not|don't|cannot|can't|not) (support|accept|allow|take|have|use|permit|recogni[sz]e)\w*)"
    r"\b[^.;\n]{0,200}$"
)
_AFTER = (
    r"^[^.;\n]{0,60}?(\b(unsupported|unrecogni[sz]ed|unknown|deprecated|incompatible|out of range|too large|cannot"
    r"|can't|not (be )?(supported|permitted|allowed|recogni[sz]ed|enabled|available|compatible|valid)"
    r"|(does not|doesn't) support|must (not )?be|should be|is set but|greater than|less than|exceeds?)\b"
    r"|extra inputs|cannot find field)"
)
_SUGGESTION = r"\b(use|mean|meant|try|with|instead of)\W*$"
_SYSTEM = (
    r"\b(system|developer) (role|message|prompt|instruction)s?\b[^.;\n]{0,40}\b(not|un)\W?(supported|enabled|allowed)"
    r"|(does not|doesn't) support (the )?['\"`]?system\b"
)
_READ_CHARS = 2000
_MOST_PLACES = 10  # of one name: a server's words are not trusted to be few
_AROUND = 240
_DEEPEST = 5


def refused_parameters(raw: bytes, sent: Collection[str]) -> tuple[str, ...]:
    """Those of the sent parameters that the refusal is about; () where it is about something else, or does not say.

    By its structure, where it has one (OpenAI's `param`, pydantic's `loc`), else by its words. A name that is merely
    suggested, or quoted from the request, is not meant.
    """
    try:
        body = read_json(raw)
    except ValueError:
        body = None
    places = list(_places(body))
    if places:
        return _unique(name for name in places if name in sent)
    named = [param for param in _params(body) if param in sent]
    return _unique(named or _names(error_message(raw, limit=_READ_CHARS), sent))


def refuses_system_prompt(raw: bytes) -> bool:
    """Whether the refusal is about the role `system`, which some chat templates don't have."""
    return _found(_SYSTEM, error_message(raw, limit=_READ_CHARS))


def _names(text: str, sent: Collection[str]) -> Iterator[str]:
    for name in sent:
        places = re.finditer(rf"(?<![\w.])['\"`\[]?\b{re.escape(name)}\b(\.\w[\w.]*\b)?['\"`\]]?", text)
        for found in itertools.islice(places, _MOST_PLACES):
            before, after = text[: found.start()][-_AROUND:], text[found.end() :][:_AROUND]
            if not _found(_SUGGESTION, before) and (_found(_BEFORE, before) or _found(_AFTER, after)):
                yield name


def _found(pattern: str, text: str) -> bool:
    return re.search(pattern, text, re.IGNORECASE) is not None


def _places(value: Any, depth: int = 0) -> Iterator[str]:
    """The fields of the request that pydantic complains of: the first word behind `body` of each `loc`."""
    if depth > _DEEPEST:
        return
    if isinstance(value, list):
        for each in value:
            yield from _places(each, depth + 1)
    elif isinstance(value, dict):
        place = value.get("loc")
        if isinstance(place, list):
            yield next((part for part in place if isinstance(part, str) and part != "body"), "")
        for key in ("error", "detail", "message"):
            yield from _places(value.get(key), depth + 1)
    elif isinstance(value, str) and "'loc':" in value:  # vLLM used to print the list instead of encoding it
        yield from re.findall(r"'loc': \('body', '(\w+)'", value)


def _params(value: Any, depth: int = 0) -> Iterator[str]:
    """OpenAI's `param`."""
    if depth > _DEEPEST:
        return
    if isinstance(value, list):
        for each in value:
            yield from _params(each, depth + 1)
    elif isinstance(value, dict):
        if isinstance(value.get("param"), str):
            yield value["param"]
        yield from _params(value.get("error"), depth + 1)


def _unique(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))
