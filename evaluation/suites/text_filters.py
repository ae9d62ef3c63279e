"""Filters for the templates of suites, beside those of Jinja2: what data sets need and Jinja2 can't say.

Each takes a text, ends in time that its length bounds, and reads nothing else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


def without_brackets(text: str) -> str:
    """Without each shortest part of a line in square brackets, as lm-eval takes them out of HellaSwag's texts."""
    return "\n".join(map(_without_brackets, str(text).split("\n")))


def _without_brackets(line: str) -> str:
    kept, at = [], 0
    while (opens := line.find("[", at)) >= 0 and (closes := line.find("]", opens)) >= 0:
        kept.append(line[at:opens])
        at = closes + 1
    return "".join([*kept, line[at:]])


def detokenized(text: str) -> str:
    """Without the blanks that a tokeniser put before punctuation and into words, as lm-eval takes them out of WSC."""
    text = str(text)
    for apart, together in _TOKENISED:
        text = text.replace(apart, together)
    return text


_TOKENISED = (
    *((" n't", "n't"), (" )", ")"), ("( ", "("), ('" ', '"'), (' "', '"')),
    *((" '", "'"), (" .", "."), (" ,", ",")),
)

FILTERS: dict[str, Callable[..., Any]] = {"without_brackets": without_brackets, "detokenized": detokenized}
