"""Python's own view of code that a model wrote: parsed, never executed, in bounded time."""

from __future__ import annotations

import ast
import builtins
import functools
import threading
import warnings
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

MOST_CHARACTERS = 200_000  # of code: no solution is longer, and to parse that much takes a third of a second
_KEPT_CHARACTERS = (
    10_000  # of code of which the tree is kept for a while: an answer's pieces are parsed several times
)
_MOST_TRIES = 20
_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)

# One at a time: CPython 3.11 counts how deep a tree is in one place for all threads, and another thread's turn in the
# middle of it is a SystemError ("AST constructor recursion depth mismatch").
_PARSING = threading.Lock()


def parse(code: str) -> ast.Module:
    """As `ast.parse`, thread-safe and without warnings. Raises what that does, and ValueError for code that is longer
    than MOST_CHARACTERS.
    """
    if len(code) > MOST_CHARACTERS:
        raise ValueError(f"{len(code)} characters are no solution")
    with _PARSING, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # invalid escapes in somebody else's code
        return ast.parse(code)


def syntax_tree(code: str) -> ast.Module | None:
    """None where the code can't be parsed. The tree is shared: not to be changed."""
    return _kept_tree(code) if len(code) <= _KEPT_CHARACTERS else _tree(code)


def _tree(code: str) -> ast.Module | None:
    try:
        return parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


_kept_tree = functools.lru_cache(maxsize=32)(_tree)


def _nodes_of(tree: ast.AST) -> list[ast.AST]:
    """It and all below it, as `ast.walk` gives them, in half the time."""
    found = [tree]
    for node in found:  # which grows
        for value in vars(node).values():
            if isinstance(value, ast.AST):
                found.append(value)
            elif value.__class__ is list:
                found += [each for each in value if isinstance(each, ast.AST)]
    return found


def tries_of(text: str) -> int:
    """How often parts of a text may be parsed to find out where its code begins or ends."""
    return max(3, min(_MOST_TRIES, MOST_CHARACTERS // (len(text) + 1)))


def parsable_prefix(lines: Sequence[str]) -> str:
    """The longest beginning that can be parsed, found by cutting before each error in turn; all where that doesn't
    come to an end soon.
    """
    kept, code = lines, "\n".join(lines) + "\n"
    for _ in range(tries_of(code)):
        try:
            parse(code)
        except SyntaxError as error:
            kept = kept[: min((error.lineno or len(kept)), len(kept)) - 1]
            code = "\n".join(kept) + "\n"
        except (ValueError, RecursionError, MemoryError):
            break
        else:
            return code if kept else "\n".join(lines) + "\n"
    return "\n".join(lines) + "\n"


def whole_statements(code: str) -> str:
    """The statements at the top level before the first one that can't be parsed; empty where none is whole."""
    lines = code.split("\n")
    kept = parsable_prefix(lines).rstrip("\n")
    tree = syntax_tree(kept) if kept else None
    if tree is None:
        return ""
    behind = lines[kept.count("\n") + 1 :]
    following = next((line for line in behind if line.strip()), "")
    if following[:1].isspace():  # the last statement was cut
        lines = kept.split("\n")[: _first_line(tree.body[-1]) - 1] if tree.body else []
        kept = "\n".join(lines).rstrip()
    return f"{kept}\n" if following and kept else ""


def bound_names(node: ast.AST) -> Iterator[str]:
    """The names that a statement binds where it stands: not those inside of functions and classes that it defines."""
    waiting = [node]
    while waiting:
        inner = waiting.pop()
        yield from _bound_by(inner)
        if not isinstance(inner, _SCOPES):
            waiting += ast.iter_child_nodes(inner)


_BINDING = {
    ast.FunctionDef,
    ast.AsyncFunctionDef,
    ast.ClassDef,
    ast.Name,
    ast.Import,
    ast.ImportFrom,
    ast.ExceptHandler,
    ast.MatchAs,
    ast.MatchStar,
    ast.MatchMapping,
}


def _bound_by(node: ast.AST) -> Iterable[str]:
    """By this node alone."""
    return _bound_by_one(node) if node.__class__ in _BINDING else ()


def _bound_by_one(node: ast.AST) -> Iterator[str]:
    match node:
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            yield node.name
        case ast.Name(ctx=ast.Store()):
            yield node.id
        case ast.Import() | ast.ImportFrom():
            for alias in node.names:
                yield alias.asname or alias.name.split(".")[0]
        case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
            yield name
        case ast.MatchMapping(rest=str(name)):
            yield name


def used_names(node: ast.AST) -> set[str]:
    """All names that are read anywhere in it."""
    return _used_in(_nodes_of(node))


def _used_in(nodes: Iterable[ast.AST]) -> set[str]:
    return {
        inner.id for inner in nodes if isinstance(inner, ast.Name) and not isinstance(inner.ctx, ast.Store)
    }


def free_names(node: ast.stmt) -> set[str]:
    """The names that a statement has from around it: of a function without its arguments and what it binds itself."""
    if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
        return used_names(node)
    own: set[str] = set()
    shared: set[str] = set()
    nodes = _nodes_of(node)
    for inner in nodes:
        if isinstance(inner, ast.arg):
            own.add(inner.arg)
        elif isinstance(inner, ast.Global):
            shared.update(inner.names)
        elif inner is not node:
            own.update(_bound_by(inner))
    return _used_in(nodes) - (own - shared)


@functools.lru_cache(maxsize=32)
def missing_names(tree: ast.Module) -> frozenset[str]:
    """Names that the code reads and neither binds anywhere nor has from Python: it isn't whole without them."""
    known = {"__name__", "__file__", "__doc__", "*"}
    nodes = _nodes_of(tree)
    for node in nodes:
        if node.__class__ in _BINDING:
            known.update(_bound_by(node))
        elif isinstance(node, ast.arg):
            known.add(node.arg)
        if isinstance(node, ast.ImportFrom) and node.names[0].name == "*":
            return frozenset()
    return frozenset(name for name in _used_in(nodes) - known if not hasattr(builtins, name))


def source_of(code: str, node: ast.stmt) -> str:
    """The lines of a statement as they stand in the code, its decorators too."""
    first, last = lines_of_statement(node)
    return "\n".join(code.split("\n")[first:last])


def lines_of_statement(node: ast.stmt) -> tuple[int, int]:
    """The numbers of its first line, counted from 0, and of the one behind its last."""
    return _first_line(node) - 1, node.end_lineno or node.lineno


def _first_line(node: ast.stmt) -> int:
    """With its decorators."""
    decorators: list[ast.expr] = getattr(node, "decorator_list", [])
    return min([node.lineno, *(each.lineno for each in decorators)])


def without(code: str, nodes: Iterable[ast.stmt]) -> str:
    """The code with `pass` in place of some statements; all else keeps its line."""
    lines = [line.encode() for line in code.split("\n")]
    for node in sorted(nodes, key=lambda node: (node.lineno, node.col_offset), reverse=True):
        first, last = _first_line(node) - 1, (node.end_lineno or node.lineno) - 1
        before, behind = lines[first][: node.col_offset], lines[last][node.end_col_offset :]
        if first == last:
            lines[first] = before + b"pass" + behind
        else:
            lines[first : last + 1] = [before + b"pass", *[b""] * (last - first - 1), b"pass" + behind]
    return b"\n".join(lines).decode()
