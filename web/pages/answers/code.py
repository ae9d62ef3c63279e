"""Code and other texts of models as lines of safe HTML, with colours by class, since a strict page has no inline style.

Every text comes from a model or a server, so nothing reaches the page but through `plain` and `escape`. Work is bounded
by the length of the text: what is too long is shown without colours, never slowly.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from markupsafe import Markup, escape

from results.plain_text import plain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from pygments.lexer import Lexer
    from pygments.token import _TokenType

MOST_COLOURED_CHARS = 40_000  # of a text; three times as many hostile ones take a lexer seconds
MOST_COLOURED_LINE = 2_000  # characters of its longest line
MOST_LINE_CHARS = 2_000  # of a line as it is shown
_LINE_END = re.compile(r"\r\n|[\r\n]")
_MOST_FENCE = 200  # characters; a longer line is no fence
# Nothing that matched is tried again shorter, or a line of ticks and blanks would take time with its square.
_FENCE = re.compile(r" {0,3}(`{3,}+|~{3,}+)[ \t]*+([\w+-]*+)[^`\n]*+")
_LANGUAGES = {"": "python", "py": "python", "python": "python", "python3": "python", "json": "json"}

Token = tuple[str, str]  # class, "" for none; and text
Tokens = tuple[Token, ...]  # of a line


@dataclass(frozen=True)
class Part:
    """A piece of an answer. language: of its code; "" for prose."""

    text: str
    language: str = ""


@dataclass(frozen=True)
class Shown:
    """As much of a text as a page has room for. lines: as HTML. left_out: characters that aren't shown. first: the
    number of the first line.
    """

    lines: tuple[Markup, ...]
    left_out: int = 0
    first: int = 1


def text_lines(text: str) -> list[str]:
    """The lines of a text, without their ends; a carriage return ends one too."""
    return _LINE_END.split(text)


def code_lines(text: str, language: str = "python") -> list[Tokens]:
    """The tokens of each line, safe to show but not escaped yet. language: python, json, or anything else for none."""
    return token_lines(text_lines(text), language)


def token_lines(lines: Sequence[str], language: str) -> list[Tokens]:
    """The same for a text in lines; it gives one for each of them."""
    safe = [_safe(line) for line in lines]
    if (
        language not in {"python", "json"}
        or sum(map(len, safe)) > MOST_COLOURED_CHARS
        or max(map(len, safe), default=0) > MOST_COLOURED_LINE
    ):
        return [(("", line),) if line else () for line in safe]
    return _coloured(safe, language)


def as_html(tokens: Tokens, begin: int = 0, end: int = 0, tag: str = "mark") -> Markup:
    """A line. Characters from `begin` to `end` stand in elements `tag`. A long line is cut, with a note."""
    parts: list[str] = []
    at = 0
    for kind, text in tokens:
        shown = text[: MOST_LINE_CHARS - at]
        for piece, inside in _split(shown, begin - at, end - at):
            html = str(escape(piece))
            html = f'<span class="{kind}">{html}</span>' if kind else html
            parts.append(f"<{tag}>{html}</{tag}>" if inside else html)
        at += len(text)
    if at > MOST_LINE_CHARS:
        more = f"{at - MOST_LINE_CHARS:,} more characters in this line"
        parts.append(f'<span class="cut">[{more}]</span>')
    return Markup("".join(parts))  # noqa: S704 - each text was escaped above


def shown(text: str, language: str = "python", *, most_bytes: int, first: int = 1) -> Shown:
    """The beginning of a text, in at most so many bytes of HTML, and at least one line. first: its first line's
    number.
    """
    lines = text_lines(text)
    kept: list[Markup] = []
    size = chars = 0
    for number, tokens in enumerate(token_lines(lines, language)):
        html = as_html(tokens)
        size += len(html.encode()) + 1
        if kept and size > most_bytes:
            break
        kept.append(html)
        chars += min(len(lines[number]), MOST_LINE_CHARS) + 1
    return Shown(tuple(kept), max(0, len(text) - chars), first)


def parts(text: str) -> Iterator[Part]:
    """An answer in Markdown as prose and fenced code. A fence that was never closed reaches to the end."""
    kept: list[str] = []
    fence, language = "", ""

    def piece() -> Iterator[Part]:
        joined = "\n".join(kept)
        if joined.strip():
            yield Part(joined.strip("\n"), language)
        kept.clear()

    for line in text_lines(text):
        found = _FENCE.fullmatch(line) if len(line) <= _MOST_FENCE else None
        if found and not fence:
            yield from piece()
            fence, language = found[1], _LANGUAGES.get(found[2].lower(), "text")
        elif found and found[1].startswith(fence) and not found[2]:
            yield from piece()
            fence, language = "", ""
        else:
            kept.append(line)
    yield from piece()


def _safe(line: str) -> str:
    return "\t".join(map(plain, line.split("\t")))


def _split(text: str, begin: int, end: int) -> Iterator[tuple[str, bool]]:
    """Its pieces before, in and behind that range, and whether each is inside."""
    begin, end = min(max(begin, 0), len(text)), min(max(end, 0), len(text))
    for piece, inside in ((text[:begin], False), (text[begin:end], True), (text[max(begin, end) :], False)):
        if piece:
            yield piece, inside


def _coloured(lines: Sequence[str], language: str) -> list[Tokens]:
    kind_of = _kinds()
    found: list[Tokens] = []
    line: list[Token] = []
    text = "\n".join(lines)
    for kind, value in _lexer(language).get_tokens(text):
        name = kind_of(kind)
        for number, piece in enumerate(value.split("\n")):
            if number:
                found.append(tuple(line))
                line = []
            if piece and line and line[-1][0] == name:
                line[-1] = (name, line[-1][1] + piece)
            elif piece:
                line.append((name, piece))
    found.append(tuple(line))
    if [*map(_joined, found[: len(lines)])] != [*lines]:  # a lexer that changes its text shows no colours
        return [(("", line),) if line else () for line in lines]
    return found[: len(lines)]


def _joined(tokens: Tokens) -> str:
    return "".join(text for _, text in tokens)


@functools.cache
def _lexer(language: str) -> Lexer:
    """Made once: it costs milliseconds."""
    from pygments.lexers.data import JsonLexer
    from pygments.lexers.python import PythonLexer

    lexer = JsonLexer if language == "json" else PythonLexer
    return lexer(stripnl=False, ensurenl=True)


@functools.cache
def _kinds() -> Callable[[_TokenType], str]:
    """The class of a kind of token: few, since each costs bytes on the page and a reader's attention."""
    from pygments.token import Token

    named = (
        (Token.Comment, "tc"),
        (Token.Literal.String.Doc, "tc"),
        (Token.Literal.String, "ts"),
        (Token.Literal.Number, "tn"),
        (Token.Keyword, "tk"),
        (Token.Operator.Word, "tk"),
        (Token.Name.Function, "td"),
        (Token.Name.Class, "td"),
        (Token.Name.Decorator, "td"),
        (Token.Name.Tag, "td"),
        (Token.Name.Builtin, "tb"),
        (Token.Name.Exception, "tb"),
    )

    @functools.cache
    def kind_of(token: _TokenType) -> str:
        return next((name for parent, name in named if parent in token.split()), "")

    return kind_of
