"""What the templates of a suite may contain: which parts of Jinja2, filters, tests and methods."""

from __future__ import annotations

import difflib
from typing import Any

from jinja2 import nodes

from evaluation.suites.text_filters import FILTERS

MOST_NODES = 20_000  # parts of one template
MOST_DEPTH = 60  # of parts within parts: Jinja2 compiles them by recursion

THEIR_FILTERS = {
    "abs", "capitalize", "count", "d", "default", "dictsort", "first", "float", "int", "items", "join", "last",
    "length", "list", "lower", "map", "max", "min", "reject", "rejectattr", "replace", "reverse", "round", "select",
    "selectattr", "sort", "string", "sum", "title", "tojson", "trim", "unique", "upper", "wordcount",
}  # fmt: skip
THEIR_TESTS = {
    "boolean", "defined", "divisibleby", "eq", "equalto", "even", "false", "float", "ge", "gt", "greaterthan", "in",
    "integer", "iterable", "le", "lessthan", "lower", "lt", "mapping", "ne", "none", "number", "odd", "sequence",
    "string", "true", "undefined", "upper",
}  # fmt: skip
_METHODS = {
    "capitalize", "count", "endswith", "find", "get", "index", "isalpha", "isdigit", "isspace", "isupper", "items",
    "keys", "lower", "lstrip", "partition", "removeprefix", "removesuffix", "replace", "rfind", "rpartition", "rsplit",
    "rstrip", "split", "splitlines", "startswith", "strip", "title", "upper", "values",
}  # fmt: skip
_PARTS = (
    nodes.Template, nodes.Output, nodes.TemplateData, nodes.Name, nodes.Const, nodes.List, nodes.Tuple, nodes.Dict,
    nodes.Pair, nodes.Keyword, nodes.CondExpr, nodes.Filter, nodes.Test, nodes.Getitem, nodes.Getattr, nodes.Slice,
    nodes.Concat, nodes.Compare, nodes.Operand, nodes.Add, nodes.Sub, nodes.Mul, nodes.Div, nodes.FloorDiv, nodes.Mod,
    nodes.And, nodes.Or, nodes.Not, nodes.Neg, nodes.Pos, nodes.Call, nodes.For, nodes.If, nodes.Assign,
)  # fmt: skip


class TemplateProblem(Exception):
    """What is wrong with a template. line: in it, from 1; None where that is not known."""

    def __init__(self, what: str, line: int | None = None) -> None:
        super().__init__(what)
        self.what = what
        self.line = line


def require_allowed(tree: nodes.Node) -> None:
    """Raises TemplateProblem for what a template may not contain."""
    count = 0
    todo = [(tree, 0)]
    while todo:
        node, depth = todo.pop()
        count += 1
        line = getattr(node, "lineno", None)
        if count > MOST_NODES or depth > MOST_DEPTH:
            raise TemplateProblem("is too large, or too deeply nested", line)
        if not isinstance(node, _PARTS) or (isinstance(node, nodes.For) and node.recursive):
            raise TemplateProblem(f"`{type(node).__name__.lower()}` is not allowed in a suite", line)
        _require_known(node, line)
        todo += [(child, depth + 1) for child in node.iter_child_nodes()]


def _require_known(node: nodes.Node, line: int | None) -> None:
    if isinstance(node, (nodes.Filter, nodes.Test)):
        kind, known = (
            ("filter", THEIR_FILTERS | FILTERS.keys())
            if isinstance(node, nodes.Filter)
            else ("test", THEIR_TESTS)
        )
        if node.name not in known:
            raise TemplateProblem(f"there is no {kind} {node.name!r} here{close_to(node.name, known)}", line)
        if node.dyn_args is not None or node.dyn_kwargs is not None:
            raise TemplateProblem("arguments are written one by one", line)
    if isinstance(node, nodes.Call):
        method = node.node.attr if isinstance(node.node, nodes.Getattr) else ""
        if method not in _METHODS:
            raise TemplateProblem(
                f"only methods can be called, such as .strip(){close_to(method, _METHODS)}", line
            )
        if node.dyn_args is not None or node.dyn_kwargs is not None:
            raise TemplateProblem("arguments are written one by one", line)


def close_to(name: str, known: Any) -> str:
    """` (did you mean ...?)`, or nothing."""
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5) if name else []
    return f" (did you mean {close[0]}?)" if close else ""
