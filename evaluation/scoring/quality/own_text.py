"""What of an executed program its author wrote, as one program: a prompt's stub is none of it once it is replaced."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from evaluation.answers.syntax import bound_names, missing_names, parse, source_of, used_names

if TYPE_CHECKING:
    from collections.abc import Sequence


def own_program(before: str, completion: str, entry_point: str) -> str:
    """The solution as a whole program, as its author would know it again. Raises what `parse` raises.

    Examples of use were replaced by `pass` before the program was executed: these lines are left out.
    """
    text = _whole(before, completion, entry_point)
    tree = parse(text)
    replaced = {node.lineno for node in tree.body if isinstance(node, ast.Pass)}
    shared = {node.lineno for node in tree.body if not isinstance(node, ast.Pass)}
    lines = text.split("\n")
    return "\n".join(line for number, line in enumerate(lines, 1) if number not in replaced - shared)


def _whole(before: str, completion: str, entry_point: str) -> str:
    """before: what stood before the completion: imports, helpers, and last the beginning of the function. A completion
    that is the function's body is put behind it. One that defines the function itself takes with it what it needs of
    the imports and helpers, and nothing else, so that it is not blamed for a second definition.
    """
    if not before.strip():
        return completion
    try:
        alone = parse(completion)
    except (SyntaxError, ValueError):  # a body, which stands deeper
        return f"{before}{completion}"
    if entry_point not in {name for node in alone.body for name in bound_names(node)}:
        return f"{before}{completion}"
    needed = _needed(parse(f"{before}    pass\n").body, missing_names(alone), entry_point)
    kept = "".join(f"{source_of(before, node)}\n" for node in needed)
    return f"{kept}\n{completion.strip()}\n" if kept else f"{completion.strip()}\n"


def _needed(statements: Sequence[ast.stmt], missing: frozenset[str], entry_point: str) -> list[ast.stmt]:
    """Those that bind missing names, and what these need in turn."""
    wanted, kept = set(missing), []
    for node in reversed(statements):
        bound = set(bound_names(node))
        if entry_point not in bound and bound & wanted:
            kept.append(node)
            wanted |= used_names(node)
    return kept[::-1]


def statements_of(tree: ast.Module) -> int:
    """How many there are, docstrings and other lone strings left out."""
    return sum(isinstance(node, ast.stmt) and not _is_text(node) for node in ast.walk(tree))


def _is_text(node: ast.stmt) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )
