"""A parser in a file of the user's own: loaded as Python, and held to the contract."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import msgspec

from results.errors import ParseError, UsageError
from results.own_file import load_own_file, place_in, words_of
from results.plain_text import tail
from results.records import Score

if TYPE_CHECKING:
    from pathlib import Path

    from parsers.contract import Parser, ScriptOutput

_PAGE = "docs/parsers.md shows a complete one"
_ABOUT = ("parser",)


class OwnParser:
    """The file's PARSER. What it raises, and a score that is none, becomes a ParseError."""

    def __init__(self, path: Path, parser: Parser) -> None:
        self.name = path.name
        self._path = path
        self._parser = parser

    def parse(self, output: ScriptOutput) -> Score:
        try:
            score = self._parser.parse(output)
        except ParseError:
            raise
        except (Exception, SystemExit) as error:  # anything may be wrong in it, and the run is worth keeping
            raise ParseError(
                f"{place_in(self._path, error)}: {words_of(error)}",
                hint=_PAGE,
                log_tail=tail(output.stdout),
            ) from error
        if wrong := _wrong(score):
            raise ParseError(f"{self._path}: parse returned {wrong}", hint=_PAGE)
        return score


def load(path: Path) -> OwnParser:
    """Runs the file. Raises UsageError where it is missing, fails, or has no PARSER."""
    module = load_own_file(path, setting="parser", page=_PAGE)
    parser = getattr(module, "PARSER", None)
    if not callable(getattr(parser, "parse", None)):
        raise UsageError(f"{path} defines no PARSER with a method parse(output)", hint=_PAGE, settings=_ABOUT)
    return OwnParser(path, parser)  # type: ignore[arg-type]


def _wrong(score: Any) -> str:
    """Why that is no score; empty: it is one."""
    if not isinstance(score, Score):
        return f"{type(score).__name__}, not a Score"
    try:
        msgspec.convert(msgspec.to_builtins(score), Score)
    except (msgspec.MsgspecError, TypeError) as error:
        return f"a Score that does not fit into a record: {error}"
    if score.score is not None and not 0 <= score.score <= 100:
        return f"a score of {score.score}, not a percentage from 0 to 100"
    for name, metric in score.metrics.items():
        if not 0 <= metric.value <= 1 or math.isnan(metric.value):
            return f"a metric {name!r} of {metric.value}, not a fraction from 0 to 1"
    return ""
