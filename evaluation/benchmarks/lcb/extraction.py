"""The solution in an answer to a problem of LiveCodeBench. Pure: text in, code out."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from evaluation.answers.code import CODE_TAGS, fenced_blocks, syntax_tree
from evaluation.protocols import PromptStyle

if TYPE_CHECKING:
    from collections.abc import Sequence

# What a base model writes after its answer: the example that it was shown goes on with headings.
STOP = "\n###"
_PYTHON = {"python", "py", "python3", "py3"}
_READS = re.compile(r"\binput\b|\bstdin\b|\bopen\(\s*(?:0|['\"]/dev/stdin)")


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
    blocks = fenced_blocks(text)
    codes = [block.code for block in blocks if block.tag in _PYTHON and block.code.strip()]
    if not any(_fits(code, function) for code in codes):
        codes = [block.code for block in blocks if block.tag in CODE_TAGS and block.code.strip()] or codes
    if not codes and not blocks and _parses(text):
        codes = [text]
    return Solution(_best(codes, function).strip("\n"))


def official_extract(text: str, style: PromptStyle) -> str:
    """What the official runner executes: what lies between the last two lines with a fence, whatever that is; of a text
    that a base model wrote, all.
    """
    if style is PromptStyle.COMPLETION:
        return text.strip()
    lines = text.split("\n")
    fences = [number for number, line in enumerate(lines) if "```" in line]
    return "" if len(fences) < 2 else "\n".join(lines[fences[-2] + 1 : fences[-1]])


def _best(codes: Sequence[str], function: str | None) -> str:
    rank = {code: (_parses(code), _fits(code, function), number) for number, code in enumerate(codes)}
    return max(codes, key=lambda code: rank[code], default="")


def _fits(code: str, function: str | None) -> bool:
    if function is None:
        return _READS.search(code) is not None
    return (
        re.search(rf"\bdef\s+{re.escape(function)}\b|^{re.escape(function)}\s*=", code, re.MULTILINE)
        is not None
    )


def _parses(code: str) -> bool:
    tree = syntax_tree(code)
    return tree is not None and bool(tree.body)
