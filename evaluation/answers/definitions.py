"""How a piece of code defines the function that is asked for: parsed, never executed."""

from __future__ import annotations

import ast
import enum
import re
import sys
from typing import TYPE_CHECKING

from evaluation.answers.syntax import (
    bound_names,
    lines_of_statement,
    source_of,
    syntax_tree,
    used_names,
    without,
)
from sandbox.interpreter import PACKAGES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_SCOPES = (*_FUNCTIONS, ast.ClassDef, ast.Lambda)
# A comment that stands for code: it names a part and says no more, or that it is the same.
_SAME = r"\b(?:same|unchanged|as\s+(?:before|above)|omitted)\b"
_PART = (
    r"(?:the\s+|your\s+)?(?:(?:rest|remainder)\s+of\s+(?:the\s+|your\s+)?|(?:remaining|existing|previous|original)\s+)"
    r"(?:code|function|logic|implementation|body)\b"
)
_LEFT_OUT = (
    rf"(?mi)^[ \t]++#[ \t]*+[(\[<]?(?:(?:\.{{3}}|\u2026)(?:\W*$|[^\n]{{0,40}}(?:\brest\b|\bexisting\b|{_SAME}))"
    rf"|{_PART}(?:(?:\s+(?:goes|stays|continues|follows))?(?:\s+here)?\W*$|[^\n]{{0,40}}{_SAME})"
    rf"|(?:the\s+)?(?:rest|everything\s+else)\b[^\n]{{0,20}}{_SAME})"
)
_INSTALLED = {*sys.stdlib_module_names, *(name.replace("-", "_") for name in PACKAGES)}
_MOST_PARTS = 5  # the last ones of those that are corrected


def without_own_imports(code: str, others: Iterable[str]) -> str:
    """The code without imports from what are other pieces of the same answer: of names that one of them defines. What
    the sandbox has is imported from there, whatever a piece says for those who have it not.
    """
    tree = syntax_tree(code)
    found = [node for node in tree.body if isinstance(node, ast.ImportFrom)] if tree is not None else []
    foreign = [
        node for node in found if node.level or (node.module or "").partition(".")[0] not in _INSTALLED
    ]
    if tree is None or not foreign:
        return code
    trees = [other for other in map(syntax_tree, others) if other is not None]
    there = {name for other in trees for name in _bound(other, imported=False) - _bound(other, imported=True)}
    own = [node for node in foreign if all(each.name in there and each.asname is None for each in node.names)]
    return without(code, own) if own else code


def _bound(tree: ast.Module, *, imported: bool) -> set[str]:
    return {name for node in tree.body if _is_import(node) is imported for name in bound_names(node)}


class Definition(enum.IntEnum):
    """The better the greater. NAMED: somewhere, where nobody can call it, or in what can't be parsed. STUB: without a
    body. METHOD: of a class that can be made without arguments, as in answers in LeetCode's style.
    """

    NONE = 0
    NAMED = 1
    STUB = 2
    METHOD = 3
    FUNCTION = 4


def definition_of(tree: ast.Module, name: str) -> Definition:
    """The best one in it."""
    binding = [node for node in tree.body if name in set(bound_names(node)) and not _is_import(node)]
    if is_body(tree):  # a variable in it may have the name
        binding = [node for node in binding if isinstance(node, _FUNCTIONS)]
    if binding and any(isinstance(node, _FUNCTIONS) or name not in used_names(node) for node in binding):
        last = next((node for node in reversed(binding) if isinstance(node, _FUNCTIONS)), None)
        is_stub = last is not None and last is binding[-1] and _is_stub(last)
        return Definition.STUB if is_stub else Definition.FUNCTION
    return Definition.METHOD if _method(tree, name) is not None else Definition.NONE


def with_rewritten(code: str, later: Iterable[str], *, but: str = "") -> str:
    """The code with those of its functions that a later piece writes again, when that consists of nothing else: a part
    that was corrected. but: a function that stays.
    """
    for part in list(later)[-_MOST_PARTS:]:
        tree, again = syntax_tree(code), syntax_tree(part)
        if tree is None or again is None or not again.body:
            continue
        old = {
            node.name: node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name != but
        }
        new = [node for node in again.body if isinstance(node, ast.FunctionDef) and node.name in old]
        if len(new) < len(again.body) or any(_is_stub(node) for node in new):
            continue
        lines = code.split("\n")
        for node in sorted(new, key=lambda node: old[node.name].lineno, reverse=True):
            first, last = lines_of_statement(old[node.name])
            lines[first:last] = [source_of(part, node)]
        code = "\n".join(lines)
    return code


def method_of(tree: ast.Module, name: str) -> tuple[str, str]:
    """The class that defines it as a method, and a function that calls that on a new object each time."""
    found = _method(tree, name)
    if found is None:
        raise ValueError(f"no class has a method {name}")
    owner, method = found
    receiver = owner.name if _needs_no_object(method) else f"{owner.name}()"
    return owner.name, f"def {name}(*args, **named):\n    return {receiver}.{name}(*args, **named)\n"


def returns(tree: ast.Module, name: str) -> bool:
    """Whether the last function of that name returns or yields anything."""
    for node in reversed(tree.body):
        if isinstance(node, _FUNCTIONS) and node.name == name:
            return _returns(node.body)
    return True


def comes_to_result(tree: ast.Module, name: str) -> bool:
    """Whether a function of that name, where it is the last statement, ends by giving or raising something."""
    last: ast.AST = tree.body[-1]
    if not (isinstance(last, _FUNCTIONS) and last.name == name):
        return True
    while (
        body := getattr(last, "finalbody", None)
        or getattr(last, "orelse", None)
        or getattr(last, "body", None)
    ):
        last = body[-1]
    return isinstance(last, ast.Raise) or (isinstance(last, ast.Return) and last.value is not None)


def leaves_out(code: str, tree: ast.Module, name: str) -> bool:
    """Whether a function of that name is an excerpt: `...` stands for a part of it, or a comment does and it may end
    without a result. A function that is whole may have comments on what was there before.
    """
    last = next(
        (node for node in reversed(tree.body) if isinstance(node, _FUNCTIONS) and node.name == name), None
    )
    if last is None or _is_stub(last):
        return False
    body = [node.value for node in last.body if isinstance(node, ast.Expr)]
    elided = any(isinstance(value, ast.Constant) and value.value is ... for value in body)
    behind = "\n".join(code.split("\n")[last.lineno :])
    return elided or ("#" in behind and not _ends(last.body) and re.search(_LEFT_OUT, behind) is not None)


def _ends(body: Sequence[ast.stmt]) -> bool:
    """Whether no way leads through these statements to what follows them."""
    last = body[-1] if body else None
    if isinstance(last, ast.If):
        return _ends(last.body) and _ends(last.orelse)
    if isinstance(last, ast.Try):
        ways = [last.orelse or last.body, *(handler.body for handler in last.handlers)]
        return _ends(last.finalbody) or all(map(_ends, ways))
    if isinstance(last, ast.Match):
        return all(_ends(case.body) for case in last.cases)
    if isinstance(last, ast.While):
        return isinstance(last.test, ast.Constant) and bool(last.test.value)
    if isinstance(last, (ast.With, ast.AsyncWith)):
        return _ends(last.body)
    if isinstance(last, (ast.For, ast.AsyncFor)):
        return _ends(last.orelse)
    return isinstance(last, (ast.Return, ast.Raise))


def is_body(tree: ast.Module) -> bool:
    """Whether it is the body of a function: it returns anything, outside of the functions that it defines."""
    return _returns(tree.body)


def _is_import(node: ast.stmt) -> bool:
    return isinstance(node, (ast.Import, ast.ImportFrom))


def _is_stub(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Whether the function has nothing but a docstring, `pass`, `...` or `raise NotImplementedError`."""
    return all(_does_nothing(statement) for statement in node.body)


def _does_nothing(node: ast.stmt) -> bool:
    if isinstance(node, ast.Raise):
        return bool(node.exc and "NotImplementedError" in used_names(node.exc))
    return isinstance(node, ast.Pass) or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))


def _method(tree: ast.Module, name: str) -> tuple[ast.ClassDef, ast.FunctionDef] | None:
    for owner in reversed(tree.body):
        if not isinstance(owner, ast.ClassDef):
            continue
        for method in owner.body:
            if not (isinstance(method, ast.FunctionDef) and method.name == name) or _is_stub(method):
                continue
            if _needs_no_object(method) or _is_made_of_nothing(owner):
                return owner, method
    return None


def _needs_no_object(method: ast.FunctionDef) -> bool:
    return any(
        isinstance(each, ast.Name) and each.id in {"staticmethod", "classmethod"}
        for each in method.decorator_list
    )


def _is_made_of_nothing(owner: ast.ClassDef) -> bool:
    for node in owner.body:
        if isinstance(node, ast.FunctionDef) and node.name == "__init__":
            args = node.args
            required = len(args.posonlyargs) + len(args.args) - len(args.defaults)
            return required <= 1 and None not in args.kw_defaults
    return True


def _returns(body: Sequence[ast.stmt]) -> bool:
    return any(isinstance(node, (ast.Return, ast.Yield, ast.YieldFrom)) for node in _inside(body))


def _inside(body: Sequence[ast.stmt]) -> Iterator[ast.AST]:
    waiting: list[ast.AST] = list(body)
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, _SCOPES):
            waiting += ast.iter_child_nodes(node)
