"""The pieces of an answer that may be Python: fenced blocks, code in HTML, interactive sessions, changes to a file."""

from __future__ import annotations

import html
import re
import textwrap
from typing import NamedTuple

from evaluation.answers.fences import PYTHON, Block, fenced_blocks, language
from evaluation.answers.syntax import MOST_CHARACTERS

_CHANGES = {"diff", "patch", "udiff"}
_SESSIONS = {"pycon", "doctest"}
_PROMPT = re.compile(r"[ \t]*+(?:>>>|\.\.\.)(?: |$)")
_ATTRIBUTE = re.compile(
    r"(?:class|lang|language)\s*+=\s*+[\"']?(?:lang(?:uage)?-)?([\w.+-]++)", re.IGNORECASE
)


class Piece(NamedTuple):
    """code: as it stands, with its indent. tag: as that of `Block`. shown: it is a session or a change, which most
    often shows code that stands elsewhere.
    """

    code: str
    tag: str
    shown: bool = False

    @property
    def may_be_python(self) -> bool:
        """Whether its tag allows that."""
        return self.tag in {"", PYTHON}


def pieces_of(text: str) -> list[Piece]:
    """Those that are not empty, in order. Of sessions what was typed, of changes what they lead to. Linear."""
    blocks = [block for block in fenced_blocks(text) if block.code.strip()] or _in_html(text)
    return [_piece(block) for block in blocks]


def _piece(block: Block) -> Piece:
    if len(block.code) > MOST_CHARACTERS:
        return Piece(block.code, block.tag)
    if block.tag in _CHANGES:
        return Piece(_changed(block.code), PYTHON, shown=True)
    if (block.may_be_python or block.tag in _SESSIONS) and block.code.lstrip().startswith(">>> "):
        return Piece(_typed(block.code), PYTHON, shown=True)
    return Piece(block.code, block.tag)


def _typed(session: str) -> str:
    """What follows the prompts of a session."""
    lines = textwrap.dedent(session).split("\n")
    return "\n".join(line[found.end() :] for line in lines if (found := _PROMPT.match(line))) + "\n"


def _changed(difference: str) -> str:
    """What a change leaves of the lines that it shows."""
    kept = [
        line[1:] if line[:1] in {"+", " "} else line
        for line in difference.split("\n")
        if not line.startswith(("-", "@@", "+++ ", "diff ", "index ", "\\ No newline"))
    ]
    return "\n".join(kept)


def _in_html(text: str) -> list[Block]:
    """What stands in `<pre>` and, over several lines, in `<code>`, and is code there."""
    return _in_elements(text, "pre") or _in_elements(text, "code")


def _in_elements(text: str, name: str) -> list[Block]:
    found: list[Block] = []
    begins, ends = (re.compile(mark, re.IGNORECASE) for mark in (rf"<{name}\b[^<>]*+>", rf"</{name}>"))
    at = 0
    while (begin := begins.search(text, at)) and (end := ends.search(text, begin.end())):
        marks, code, at = begin[0], text[begin.end() : end.start()], end.end()
        if inner := re.match(r"\s*+<code\b[^<>]*+>", code, re.IGNORECASE):
            marks, code = marks + inner[0], code[inner.end() :].rpartition("</")[0]
        if "\n" in code:
            named = _ATTRIBUTE.search(marks)
            tag = language(named[1]) if named else ""
            found.append(Block(tag, html.unescape(code).strip("\n") + "\n", closed=True))
    return found
