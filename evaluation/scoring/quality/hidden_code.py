"""Whether a program may have code in its strings, which nobody can measure."""

from __future__ import annotations

import ast
import builtins
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_EXECUTE = {"exec", "compile", "__import__", "__builtins__"}
_MODULES = {"builtins", "code", "codeop", "importlib", "marshal", "runpy", "timeit"}
_ATTRIBUTES = {"exec", "eval", "__import__", "__builtins__", "__globals__", "CodeType", "FunctionType"}


def executes_text(tree: ast.Module) -> bool:
    """Whether it names what executes text as code. `eval` of a text that is not written there is a calculator's right;
    so is a function of its own by one of the names. What hides itself better is not found.
    """
    nodes = [*ast.walk(tree)]
    own = _own_functions(tree)
    called = {id(node.func) for node in nodes if isinstance(node, ast.Call)}
    written = _Written(nodes)

    def executes(node: ast.AST) -> bool:
        match node:
            case ast.Name(id=name, lineno=line):
                is_meant = name in _EXECUTE or (name == "eval" and id(node) not in called)
                return is_meant and not (name in own and line > own[name])
            case ast.Call(func=ast.Name(id="eval", lineno=line), args=args):
                is_own = "eval" in own and line > own["eval"]
                return not is_own and (not args or written.out(args[0]))
            case ast.Attribute(attr=name):
                return name in _ATTRIBUTES
            case ast.Constant(value="__builtins__" | "__import__"):
                return True
            case ast.Import() | ast.ImportFrom():
                return bool(_modules(node) & _MODULES)
        return False

    return any(map(executes, nodes))


def _modules(node: ast.Import | ast.ImportFrom) -> set[str]:
    names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]
    return {name.partition(".")[0] for name in names}


def _own_functions(tree: ast.Module) -> dict[str, int]:
    """The line before each function of the module, by its name, the first of several; without those that are taken away
    again.
    """
    deleted = {
        name.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Delete)
        for name in node.targets
        if isinstance(name, ast.Name)
    }
    return {
        node.name: node.lineno - 1
        for node in reversed(tree.body)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name not in deleted
    }


class _Written:
    """Which expressions are made of nothing but what is written in the program."""

    def __init__(self, nodes: Sequence[ast.AST]) -> None:
        self._given: dict[str, list[ast.expr]] = {}
        known: set[int] = set()
        for node in nodes:
            for target, value in _givings(node):
                self._given.setdefault(target.id, []).append(value)
                known.add(id(target))
        self._others = {name for node in nodes if id(node) not in known for name in _binding(node)}
        self._asked: set[str] = set()

    def out(self, expression: ast.expr) -> bool:
        """Whether all of it is."""
        return all(self._is_written(node.id) for node in ast.walk(expression) if isinstance(node, ast.Name))

    def _is_written(self, name: str) -> bool:
        if name in self._others:
            return False
        if name not in self._given:
            return hasattr(builtins, name) and name != "input"
        if name in self._asked:
            return True
        self._asked.add(name)
        return all(map(self.out, self._given[name]))


def _givings(node: ast.AST) -> Iterator[tuple[ast.Name, ast.expr]]:
    """A name with the expression that it gets its value from."""
    match node:
        case ast.Assign(targets=targets, value=value):
            pairs = [(target, value) for target in targets]
        case ast.AugAssign(target=target, value=value) | ast.NamedExpr(target=target, value=value):
            pairs = [(target, value)]
        case ast.AnnAssign(target=target, value=ast.expr() as value):
            pairs = [(target, value)]
        case ast.For(target=target, iter=value) | ast.comprehension(target=target, iter=value):
            pairs = [(target, value)]
        case _:
            pairs = []
    yield from ((target, value) for target, value in pairs if isinstance(target, ast.Name))


def _binding(node: ast.AST) -> Iterator[str]:
    match node:
        case ast.Name(id=name, ctx=ast.Store()) | ast.arg(arg=name):
            yield name
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            yield name
        case ast.alias(name=name, asname=other):
            yield other or name.partition(".")[0]
        case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
            yield name
