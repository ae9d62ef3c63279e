"""What a model adds to show its function at work: prints, calls, asserts, `if __name__ == ...`."""

from __future__ import annotations

import ast
import sys
from typing import TYPE_CHECKING

from evaluation.answers.syntax import bound_names, free_names, syntax_tree, used_names, without

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

_IMPORTS = (ast.Import, ast.ImportFrom)
_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, *_IMPORTS)
_SHOWING = {
    "print", "input", "check", "doctest.testmod", "unittest.main", "exit", "quit", "sys.exit",
}  # fmt: skip
_MAKERS = {"partial", "lru_cache", "cache", "wraps", "update_wrapper"}  # of functions
_READING = {"sys.stdin", "sys.argv"}


def without_examples(code: str, entry_point: str, *, is_part: bool = False) -> str:
    """The code without examples, and without imports from `__future__`, which are only valid at the very beginning.

    Examples are not part of the solution, and a wrong one would fail a right solution. They are the statements at the
    top level that call the entry point, themselves or through other functions, and what follows from them; but never
    one that binds a name that the entry point needs. A call that fills a table stays. Packages that only examples need
    are examples, too: the sandbox has few. is_part: other code may need them.
    """
    tree = syntax_tree(code)
    if tree is None:
        return code
    left_out = [*_future(tree), *_examples(tree, entry_point, is_part=is_part)]
    left_out += [node for node in tree.body if _is_remark(node) and node not in left_out]
    kept = without(code, left_out) if left_out else code
    return kept if syntax_tree(kept) is not None else code


def without_remarks(code: str) -> str:
    """The code without words that Python takes for statements, such as `Complexity: O(n)`, which only raise errors."""
    tree = syntax_tree(code)
    remarks = [node for node in tree.body if _is_remark(node)] if tree is not None else []
    return without(code, remarks) if remarks else code


def _is_remark(node: ast.stmt) -> bool:
    """An annotation without a value, or an expression that does nothing."""
    if isinstance(node, ast.AnnAssign):
        return node.value is None
    return (
        isinstance(node, ast.Expr)
        and not isinstance(node.value, ast.Constant)
        and not any(isinstance(inner, (ast.Call, ast.Await, ast.NamedExpr)) for inner in ast.walk(node))
    )


def _future(tree: ast.Module) -> list[ast.stmt]:
    return [node for node in tree.body if isinstance(node, ast.ImportFrom) and node.module == "__future__"]


def _examples(tree: ast.Module, entry_point: str, *, is_part: bool) -> list[ast.stmt]:
    if all(isinstance(node, _DEFINITIONS) and (is_part or not _is_foreign(node)) for node in tree.body):
        return []  # as of most answers
    using: dict[str, set[str]] = {}  # by name: what is bound with its help
    helping: dict[str, set[str]] = {}  # by name: what it is bound with
    for node in tree.body:
        for name in bound_names(node):
            helping.setdefault(name, set()).update(free_names(node))
            if isinstance(node, _DEFINITIONS):
                for used in used_names(node):
                    using.setdefault(used, set()).add(name)
    calling, needed = _closure(entry_point, using), _closure(entry_point, helping)
    makes_it = any(_makes_function(node, entry_point) for node in tree.body)
    found: list[ast.stmt] = []
    left_out: set[str] = set()
    for node in tree.body:
        bound = set(bound_names(node))
        if bound & needed and (makes_it or not _shows_result(node, entry_point)):
            continue
        if isinstance(node, _DEFINITIONS):
            is_example = not is_part and _is_foreign(node)
        else:
            is_example = _shows(node) or _reads(node) or bool(_called(node) & calling)
        if is_example or used_names(node) & left_out:
            found.append(node)
            left_out |= bound - {entry_point}
    return found


def _closure(start: str, following: Mapping[str, Iterable[str]]) -> set[str]:
    reached, waiting = {start}, [start]
    while waiting:
        new = set(following.get(waiting.pop(), ())) - reached
        reached |= new
        waiting += new
    return reached


def _shows(node: ast.stmt) -> bool:
    if isinstance(node, ast.If):
        return "__name__" in used_names(node.test)
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        return _dotted(node.value.func) in _SHOWING
    return isinstance(node, ast.Assert)


def _shows_result(node: ast.stmt, entry_point: str) -> bool:
    """Whether it gives the name of the function to what the function returns: `total = total([1, 2])`."""
    value = node.value if isinstance(node, ast.Assign) else None
    return isinstance(value, ast.Call) and bool(value.args) and _dotted(value.func) == entry_point


def _makes_function(node: ast.stmt, name: str) -> bool:
    """Whether it defines a function of that name that returns another, made in it: `total = total(5)` is no example."""
    if isinstance(node, ast.Assign):
        return name in bound_names(node) and isinstance(getattr(node.value, "body", None), ast.Lambda)
    if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) or node.name != name:
        return False
    inside = [inner for inner in ast.walk(node) if inner is not node]
    objects = {inner.name for inner in inside if isinstance(inner, ast.ClassDef)}  # such as can be called
    made = {inner.name for inner in inside if isinstance(inner, (ast.FunctionDef, ast.AsyncFunctionDef))}
    for inner in inside:
        if isinstance(inner, ast.Assign) and _gives_function(inner.value, made, objects):
            made |= set(bound_names(inner))
    given = (inner.value for inner in _own(node) if isinstance(inner, ast.Return))
    return any(_gives_function(value, made, objects) for value in given if value is not None)


def _own(function: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[ast.AST]:
    """The nodes of a function, without those of what it defines."""
    waiting: list[ast.AST] = [*function.body]
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, (*_DEFINITIONS, ast.Lambda)):
            waiting += ast.iter_child_nodes(node)


def _gives_function(value: ast.expr, made: set[str], objects: set[str]) -> bool:
    if isinstance(value, ast.IfExp):
        return _gives_function(value.body, made, objects) or _gives_function(value.orelse, made, objects)
    if isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id in objects:
        return True
    if isinstance(value, ast.Call):  # `partial(inner, 1)`, `lru_cache(None)(inner)`
        if isinstance(value.func, ast.Call) and not any(
            _gives_function(each, made, objects) for each in value.args
        ):
            return False
        maker = value.func.func if isinstance(value.func, ast.Call) else value.func
        return _dotted(maker).rpartition(".")[2] in _MAKERS
    return isinstance(value, ast.Lambda) or (isinstance(value, ast.Name) and value.id in made)


def _is_foreign(node: ast.stmt) -> bool:
    """Whether it imports what Python hasn't."""
    if isinstance(node, ast.Import):
        return not all(alias.name.split(".")[0] in sys.stdlib_module_names for alias in node.names)
    if not isinstance(node, ast.ImportFrom) or node.names[0].name == "*":
        return False
    return (node.module or "").split(".")[0] not in sys.stdlib_module_names


def _reads(node: ast.stmt) -> bool:
    """Whether it takes anything from who starts it as a program."""
    return any(
        (isinstance(inner, ast.Attribute) and (inner.attr == "parse_args" or _dotted(inner) in _READING))
        or (isinstance(inner, ast.Call) and _dotted(inner.func) == "input")
        for inner in ast.walk(node)
    )


def _dotted(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        return f"{node.value.id}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def _called(node: ast.stmt) -> set[str]:
    """The names that are called, or handed to what is called."""
    found: set[str] = set()
    waiting: list[tuple[ast.AST, bool]] = [(node, False)]
    while waiting:
        inner, in_call = waiting.pop()
        in_call = in_call or isinstance(inner, ast.Call)
        if in_call and isinstance(inner, ast.Name):
            found.add(inner.id)
        waiting += ((child, in_call) for child in ast.iter_child_nodes(inner))
    return found
