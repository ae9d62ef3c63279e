"""Cyclomatic complexity as radon counts it, of all of a program: radon leaves out what stands inside a function."""

from __future__ import annotations

import ast
from typing import NamedTuple


class Complexity(NamedTuple):
    """whole: of the program. most: of its most complex function or class, or of the program where it has none."""

    whole: int
    most: int


def complexity_of(tree: ast.Module) -> Complexity:
    """Changes the tree. Raises ImportError without radon, and RecursionError."""
    from radon.visitors import ComplexityVisitor

    visitor = ComplexityVisitor.from_ast(_Flat().flat(tree))
    whole = visitor.total_complexity
    return Complexity(whole, max((block.complexity for block in visitor.blocks), default=whole))


class _Flat(ast.NodeTransformer):
    """Functions and classes inside functions, and classes inside classes, stand beside them instead."""

    def __init__(self) -> None:
        self._beside: list[ast.stmt] = []
        self._inside: list[type[ast.AST]] = []

    def flat(self, tree: ast.Module) -> ast.Module:
        self.generic_visit(tree)
        tree.body += self._beside
        return tree

    def _block(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> ast.stmt:
        is_method = self._inside == [ast.ClassDef] and not isinstance(node, ast.ClassDef)
        moves = bool(self._inside) and not is_method
        within, self._inside = self._inside, [*([] if moves else self._inside), type(node)]
        self.generic_visit(node)
        self._inside = within
        if not moves:
            return node
        self._beside.append(node)
        return ast.copy_location(ast.Pass(), node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.stmt:
        return self._block(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.stmt:
        return self._block(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.stmt:
        return self._block(node)

    def visit_TryStar(self, node: ast.TryStar) -> ast.AST:
        """Which radon does not know."""
        self.generic_visit(node)
        plain = ast.Try(body=node.body, handlers=node.handlers, orelse=node.orelse, finalbody=node.finalbody)
        return ast.copy_location(plain, node)
