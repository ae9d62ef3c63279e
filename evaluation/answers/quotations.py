"""Where a text only quotes a mark: in a program's strings and comments, in a sample, between quotes or backticks.

Every place of a text is looked at a bounded number of times, whatever a model wrote.
"""

from __future__ import annotations

import ast
import bisect
import re
from typing import NamedTuple

from evaluation.answers.fences import PYTHON, language
from evaluation.answers.syntax import syntax_tree

# These are compiled where they are used: few texts hold marks.
_FENCE = r"(?m)(?<!`)(`{3,}+)([^`\n]*)$|(?<!~)(~{3,}+)([^`~\n]*)$"
# Strings of Python, and of what resembles it. An apostrophe within a word opens none; one that is not closed takes the
# rest of its line, so that no place is looked at twice.
_STRING = r"""(?<!\w)[rRbBuUfF]{0,2}(?:"(?:[^"\\\n]|\\.)*+(?P<double>")?|'(?:[^'\\\n]|\\.)*+(?P<single>')?)"""
_LONG_STRING = (
    r'(?<!\w)[rRbBuUfF]{0,2}(?P<long>"{3}(?:[^\\]|\\.)*?(?:"{3}|\Z)|\'{3}(?:[^\\]|\\.)*?(?:\'{3}|\Z))'
)
_IN_CODE = rf"(?s)(?P<comment>#[^\n]*)|{_LONG_STRING}|{_STRING}"
_IN_PROSE = rf"(?P<code>`+[^`\n]*`+)|{_STRING}"
# Behind a mark that is spoken of: `</think> tags`.
_NAMED = re.compile(r"[ \t]+(?:tags?|tokens?|marks?|markers?|elements?|blocks?|delimiters?|sections?)\b")
_MOST_PROGRAM_CHARS = 1 << 20


class _Block(NamedTuple):
    """What stands between two fences, as places in the text."""

    start: int
    end: int
    tag: str
    closed: bool


class Quotations:
    """Those of a text, from `begin` on. A thought may hold anything, so a block counts only as far as it makes sense.

    opening: what opens a thought. A fenced block that holds both marks is a sample of it.
    """

    def __init__(self, text: str, begin: int, opening: re.Pattern[str]) -> None:
        self._text = text
        self._opening = opening
        self._blocks = _blocks(text, begin)
        self._starts = [block.start for block in self._blocks]
        self._quoted: dict[int, list[tuple[int, int]]] = {}  # by the start of a block or line
        self._programs: dict[int, bool] = {}
        self._samples: dict[int, re.Match[str] | None] = {}
        self._line = (0, -1)

    def hold(self, mark: re.Match[str]) -> bool:
        """Whether the mark is merely quoted."""
        number = bisect.bisect(self._starts, mark.start()) - 1
        if number >= 0 and mark.start() < self._blocks[number].end:
            return self._in_block(self._blocks[number], mark)
        if not self._blocks and self._is_program(0, len(self._text)):
            # `B<think>c` compares three names, and is no program.
            return self._is_quoted(_IN_CODE, 0, len(self._text), mark) or _states(self._text)
        if _NAMED.match(self._text, mark.end()):
            return True
        return self._is_quoted(_IN_PROSE, *self._line_of(mark), mark)

    def _in_block(self, block: _Block, mark: re.Match[str]) -> bool:
        if block.closed:
            if block.start not in self._samples:
                self._samples[block.start] = self._opening.search(self._text, block.start, block.end)
            sample = self._samples[block.start]
            if block.tag not in {"", PYTHON} or (sample is not None and sample.start() < mark.end()):
                return True
        if not self._is_quoted(_IN_CODE, block.start, block.end, mark):
            return False
        # A draft that broke off within a string of several lines seems to hold all that follows.
        alone = not self._text[self._line_of(mark)[0] : mark.start()].strip()
        return not alone or self._is_program(block.start, block.end)

    def _is_program(self, start: int, end: int) -> bool:
        if start not in self._programs:
            self._programs[start] = is_program(self._text[start:end])
        return self._programs[start]

    def _line_of(self, mark: re.Match[str]) -> tuple[int, int]:
        start, end = self._line
        if not start <= mark.start() <= mark.end() <= end:
            start = self._text.rfind("\n", 0, mark.start()) + 1
            end = self._text.find("\n", mark.end())
            self._line = start, end if end >= 0 else len(self._text)
        return self._line

    def _is_quoted(self, what: str, start: int, end: int, mark: re.Match[str]) -> bool:
        if start not in self._quoted:
            found = re.compile(what).finditer(self._text, start, end)
            self._quoted[start] = [each.span() for each in found if each.lastgroup]
        spans = self._quoted[start]
        before = bisect.bisect(spans, (mark.start(), len(self._text))) - 1
        return before >= 0 and mark.start() < spans[before][1]


def is_program(text: str) -> bool:
    """Whether it is Python as a whole, so that a mark in it stands in a string or a comment."""
    return len(text) <= _MOST_PROGRAM_CHARS and syntax_tree(text) is not None


def _states(text: str) -> bool:
    tree = syntax_tree(text)
    return tree is not None and any(not isinstance(node, ast.Expr) for node in tree.body)


def _blocks(text: str, begin: int) -> list[_Block]:
    """The fenced blocks behind `begin`: a fence ends its line, and the closing one has no words behind it."""
    blocks: list[_Block] = []
    fence, tag, start = "", "", 0
    for found in re.compile(_FENCE).finditer(text, begin):
        marks, words = found[1] or found[3], (found[2] or found[4] or "").strip()
        if not fence:
            fence, tag, start = marks, language(words), found.end()
        elif marks.startswith(fence) and not words:
            blocks.append(_Block(start, found.start(), tag, closed=True))
            fence = ""
    if fence:
        blocks.append(_Block(start, len(text), tag, closed=False))
    return blocks
