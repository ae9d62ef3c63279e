"""The solution in an answer to a problem of LiveCodeBench. Pure: text in, code out."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from evaluation.answers.fences import PYTHON, fenced_blocks
from evaluation.answers.programs import READS
from evaluation.answers.syntax import missing_names, syntax_tree
from evaluation.protocols import PromptStyle

if TYPE_CHECKING:
    from collections.abc import Sequence

# What a base model writes after its answer: the example that it was shown goes on with headings.
STOP = "\n###"


class Solution(NamedTuple):
    """code: empty where there is none. ended: the answer's own end was found."""

    code: str
    ended: bool = False


def extract(text: str, style: PromptStyle, function: str | None) -> Solution:
    """The solution in an answer, which may hold prose, drafts, examples of use, and the output that is expected.

    Of a chat's fenced blocks the last one that can be parsed and does what is asked for: defines the function, or
    reads the input; else what comes nearest.
    """
    if style is PromptStyle.COMPLETION and not text.lstrip().startswith("```"):
        code, stop, _ = text.partition(STOP)
        return Solution(code.strip(), ended=bool(stop))
    blocks = [block for block in fenced_blocks(text) if block.code.strip()]
    codes = [block.code for block in blocks if block.tag == PYTHON]
    if not any(_fits(code, function) for code in codes):
        codes = [block.code for block in blocks if block.may_be_python] or codes
    if not codes and not blocks and _rank(text, None)[0]:
        codes = [text]
    return Solution(_best(codes, function).strip("\n"))


def official_extract(text: str, style: PromptStyle) -> str:
    """What the official runner executes: what lies between the last two lines with a fence, whatever that is; of a text
    that a base model wrote, all up to where it stops.
    """
    if style is PromptStyle.COMPLETION:
        return text.partition(STOP)[0].strip()
    lines = text.split("\n")
    fences = [number for number, line in enumerate(lines) if "```" in line]
    return "" if len(fences) < 2 else "\n".join(lines[fences[-2] + 1 : fences[-1]])


def _best(codes: Sequence[str], function: str | None) -> str:
    ranks = [(*_rank(code, function), number) for number, code in enumerate(codes)]
    return codes[max(ranks)[-1]] if ranks else ""


def _rank(code: str, function: str | None) -> tuple[bool, bool, bool]:
    """Whether it can be parsed, does what is asked for, and uses no names that it doesn't have.

    Of a function the official runner brings the usual imports, so that its names say nothing.
    """
    tree = syntax_tree(code)
    parses = tree is not None and bool(tree.body)
    is_whole = tree is not None and (function is not None or not missing_names(tree))
    return parses, _fits(code, function), is_whole


def _fits(code: str, function: str | None) -> bool:
    if function is None:
        return READS.search(code) is not None
    return (
        re.search(rf"\bdef\s+{re.escape(function)}\b|^{re.escape(function)}\s*=", code, re.MULTILINE)
        is not None
    )
