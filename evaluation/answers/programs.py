"""From what a model answered to a whole program that reads and prints. Pure: text in, text out."""

from __future__ import annotations

import re
import textwrap
from typing import TYPE_CHECKING, NamedTuple

from evaluation.answers.code import BEGINS_CODE
from evaluation.answers.fences import fenced_blocks, lines_of
from evaluation.answers.syntax import missing_names, parsable_prefix, syntax_tree, tries_of

if TYPE_CHECKING:
    from collections.abc import Sequence

_BEGINS_PROGRAM = re.compile(r"\w++ *+=|print\(|#")
_PRINTS = re.compile(r"\bprint\b|\bstdout\b|\bos\.write\b")
READS = re.compile(
    r"\binput\b(?! *=[^=])|\bstdin\b|\bfileinput\b|\bos\.read\b|\bopen\(\s*+(?:0|['\"]/dev/stdin)"
)


class _Program(NamedTuple):
    """How much a block is like a program, the most important first."""

    parses: bool
    reads_and_prints: bool
    is_whole: bool
    prints: bool


def program_from_chat(text: str) -> str:
    """The program in an answer that may hold prose, fences, examples of input and output; empty where none is.

    Of several blocks of Python the last one that is most like a program: it can be parsed, reads and prints, and uses
    no names that it doesn't have. So it is the model's final word, but neither a demonstration behind the program nor
    a sample of its output. A program that is spread over several blocks is put together.
    """
    blocks = [block for block in fenced_blocks(text) if block.code.strip()]
    codes = [textwrap.dedent(block.code) for block in blocks if block.may_be_python]
    if not codes:
        others = [textwrap.dedent(block.code) for block in blocks]
        codes = [code for code in others if all(_rank(code))]
    if not codes:
        return "" if blocks else program_from_completion(text)
    best = last_best(codes)
    if len(codes) > 1 and not _rank(best).is_whole:
        together = "\n".join(codes)
        if all(_rank(together)):
            return together
    return best


def last_best(codes: Sequence[str]) -> str:
    """The last of those that are most like a program."""
    ranks = [_rank(code) for code in codes]
    return max(zip(ranks, range(len(codes)), codes, strict=True))[2]


def _rank(code: str) -> _Program:
    tree = syntax_tree(code)
    prints = _PRINTS.search(code) is not None
    return _Program(
        parses=tree is not None and bool(tree.body),
        reads_and_prints=prints and READS.search(code) is not None,
        is_whole=tree is not None and not missing_names(tree),
        prints=prints,
    )


def program_from_completion(text: str) -> str:
    """The program in a text without fences: from its first line of code as far as it can be parsed."""
    lines = lines_of(text.split("```", 1)[0])
    if syntax_tree("\n".join(lines)) is not None:
        return "\n".join(lines).rstrip("\n") + "\n" if "".join(lines).strip() else ""
    starts = [at for at, line in enumerate(lines) if BEGINS_CODE.match(line) or _BEGINS_PROGRAM.match(line)]
    found = ""
    for start in starts[: tries_of(text) // 2]:
        code = parsable_prefix(lines[start:])
        if syntax_tree(code) is not None:
            if _PRINTS.search(code):
                return code
            found = found or code
    return found
