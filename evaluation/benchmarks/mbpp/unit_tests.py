"""MBPP's assertions as tests that call a program in another process."""

from __future__ import annotations

import ast
import builtins
from typing import TYPE_CHECKING

from evaluation.answers.syntax import bound_names, missing_names, syntax_tree
from sandbox import Program, UnitTests

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_CALLED = "_value_of"  # no name that a solution has


def entry_point(code: str, tests: Sequence[str]) -> str:
    """The function that the tests call and the reference solution defines; empty where there is none."""
    return next(iter(_called(tests, _defined(code))), "")


def program(problem: Mapping[str, object], completion: str) -> Program:
    """What is executed for one completion.

    Most tests pass plain data to one function. Where they need more of the program, such as instances of its classes,
    the expressions that call it are evaluated beside it; what they are compared with never is.
    """
    code, tests = str(problem["code"]), _texts(problem["tests"])
    name, setup = str(problem["entry_point"]), str(problem["setup"]).strip()
    defined = _defined(code)
    imports = "".join(f"{line}\n" for line in [*_texts(problem["imports"]), *_imports_of(code, tests)])
    if not setup and set(_used(tests, defined)) == {name}:
        return Program(
            code=f"{completion}\n",
            as_main=False,
            tests=UnitTests(code="\n".join(tests), entry_point=name, before=imports),
        )
    calls = _Calls(defined)
    rewritten = [ast.unparse(calls.visit(ast.parse(test))) for test in tests]
    wrapper = f"def {_CALLED}(expression):\n    return eval(expression)\n"
    alone = syntax_tree(setup)
    before = f"{imports}{setup}\n" if alone is not None and not missing_names(alone) else imports
    return Program(
        code=f"{completion}\n{imports}{setup}\n{wrapper}",
        as_main=False,
        tests=UnitTests(code="\n".join(rewritten), entry_point=_CALLED, before=before),
    )


class _Calls(ast.NodeTransformer):
    """Replaces each call of the program by one that evaluates it there."""

    def __init__(self, names: frozenset[str]) -> None:
        self._names = names

    def visit_Call(self, node: ast.Call) -> ast.AST:
        """Of the outermost call of the program; what stands around it stays with the tests."""
        if isinstance(node.func, ast.Name) and node.func.id in self._names:
            text = ast.Constant(ast.unparse(node))
            return ast.Call(func=ast.Name(id=_CALLED, ctx=ast.Load()), args=[text], keywords=[])
        return self.generic_visit(node)


def _defined(code: str) -> frozenset[str]:
    tree = syntax_tree(code)
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Assign)
    defining = [node for node in tree.body if isinstance(node, kinds)] if tree is not None else []
    return frozenset(name for node in defining for name in bound_names(node))


def _called(tests: Iterable[str], defined: frozenset[str]) -> Iterable[str]:
    for node in _nodes(tests):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            name = node.func.id
            if name in defined or (not defined and not hasattr(builtins, name)):
                yield name


def _used(tests: Iterable[str], defined: frozenset[str]) -> Iterable[str]:
    yield from _called(tests, defined)
    yield from (node.id for node in _nodes(tests) if isinstance(node, ast.Name) and node.id in defined)


def _nodes(tests: Iterable[str]) -> Iterable[ast.AST]:
    for test in tests:
        tree = syntax_tree(test)
        if tree is not None:
            yield from ast.walk(tree)


def _imports_of(code: str, tests: Iterable[str]) -> list[str]:
    """The reference's imports of names that the tests use: published, both stand in one program."""
    tree = syntax_tree(code)
    used = {node.id for node in _nodes(tests) if isinstance(node, ast.Name)}
    found = [
        node
        for node in (tree.body if tree is not None else ())
        if isinstance(node, (ast.Import, ast.ImportFrom))
    ]
    return [ast.unparse(node) for node in found if used & set(bound_names(node))]


def _texts(value: object) -> list[str]:
    return [str(each) for each in value] if isinstance(value, list) else []
