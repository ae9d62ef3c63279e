"""From what a model answered to a whole program that reads and prints. Pure: text in, text out."""

from __future__ import annotations

import re
import textwrap

from evaluation.answers.code import BEGINS_CODE, CODE_TAGS, fenced_blocks, parsable_prefix, syntax_tree

_MOST_STARTS = 20  # each is parsed many times
_BEGINS_PROGRAM = re.compile(r"\w+ *=|print\(|#")
_PRINTS = re.compile(r"\bprint\b|\bstdout\b")


def program_from_chat(text: str) -> str:
    """The program in an answer that may hold prose, fences, examples of input and output; empty where none is.

    Of several blocks of Python the last one that can be parsed and prints something: the model's final word, but not
    a sample of its output, which often is a fence without a tag, nor a definition that it explains.
    """
    blocks = fenced_blocks(text)
    candidates = [
        textwrap.dedent(block.code) for block in blocks if block.tag in CODE_TAGS and block.code.strip()
    ]
    parsable = [code for code in candidates if syntax_tree(code) is not None]
    printing = [code for code in parsable if _PRINTS.search(code)]
    if printing or candidates:
        return (printing or parsable or candidates)[-1]
    return "" if blocks else program_from_completion(text)


def program_from_completion(text: str) -> str:
    """The program in a text without fences: from its first line of code as far as it can be parsed."""
    lines = text.split("```", 1)[0].splitlines()
    if syntax_tree("\n".join(lines)) is not None:
        return "\n".join(lines) + "\n" if "".join(lines).strip() else ""
    starts = [at for at, line in enumerate(lines) if BEGINS_CODE.match(line) or _BEGINS_PROGRAM.match(line)]
    found = ""
    for start in starts[:_MOST_STARTS]:
        code = parsable_prefix(lines[start:])
        if syntax_tree(code) is not None:
            if _PRINTS.search(code):
                return code
            found = found or code
    return found
