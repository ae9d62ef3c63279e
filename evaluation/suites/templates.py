"""The texts of a suite file, filled in from a row: Jinja2 in its sandbox, and bounded besides.

A suite file may come from anybody. Its templates read nothing but the row: they have no loader, no globals, no macros,
and only the filters, tests and methods that are named here. They end: what a loop goes over and every text that is made
cost something, and one filling has so much to spend. Nothing depends on a clock, so the same file fails in the same
way everywhere.
"""

from __future__ import annotations

import contextvars
import functools
import re
from typing import TYPE_CHECKING, Any

from jinja2 import StrictUndefined, TemplateError, TemplateSyntaxError, UndefinedError, defaults, nodes
from jinja2.environment import Template as Compiled
from jinja2.exceptions import SecurityError
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment

from evaluation.suites.template_rules import (
    THEIR_FILTERS,
    THEIR_TESTS,
    TemplateProblem,
    close_to,
    require_allowed,
)
from evaluation.suites.text_filters import FILTERS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

BUDGET = 1_000_000  # characters and items that one filling may make
_LARGEST_NUMBER = 10**18
_MOST_DIGITS = 20

_THEIRS: dict[str, Any] = dict(defaults.DEFAULT_FILTERS)  # type: ignore[attr-defined]  # not in its stubs
_THEIR_TESTS: dict[str, Any] = dict(defaults.DEFAULT_TESTS)  # type: ignore[attr-defined]
_SPENT, _LOOP, _JOINED = "spent__", "loop__", "joined__"  # filters of ours, which no template can name
_left: contextvars.ContextVar[list[int]] = contextvars.ContextVar("left")


class _TooMuch(Exception):
    """The budget is spent."""


class Template:
    """A text with places to fill in. Raises TemplateProblem where it is none, or does what is not allowed."""

    def __init__(self, source: str) -> None:
        self.source = source
        self._compiled = _template(source)

    def fill(self, fields: Mapping[str, Any]) -> str:
        """The text for a row's fields. Raises TemplateProblem."""
        with _Spending(fields):
            return "".join(self._compiled.generate(fields))


class Expression:
    """A value that follows from a row. Raises TemplateProblem as `Template` does."""

    def __init__(self, source: str) -> None:
        self.source = source
        self._compiled = _expression(source)

    def value(self, fields: Mapping[str, Any]) -> Any:
        """The value for a row's fields. Raises TemplateProblem."""
        with _Spending(fields):
            context = self._compiled.new_context(dict(fields))
            for _ in self._compiled.root_render_func(context):
                pass
            found = context.vars["result"]
            if isinstance(found, StrictUndefined):
                str(found)  # raises what it lacks
            return found


class _Spending:
    """While one template is filled in: its budget, and its errors in our words."""

    def __init__(self, fields: Mapping[str, Any]) -> None:
        self._fields = fields

    def __enter__(self) -> None:
        self._token = _left.set([BUDGET])

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        _left.reset(self._token)
        if isinstance(error, Exception):
            raise TemplateProblem(_said(error, self._fields)) from None


class _Sandbox(ImmutableSandboxedEnvironment):
    intercepted_binops = frozenset({"+", "-", "*", "/", "//", "%"})

    def __init__(self) -> None:
        super().__init__(
            undefined=StrictUndefined, autoescape=False, keep_trailing_newline=True, cache_size=0
        )
        self.globals = {}
        allowed = {name: _THEIRS[name] for name in THEIR_FILTERS} | FILTERS
        self.filters = {name: _paying(function) for name, function in allowed.items()}
        self.filters |= {_LOOP: _loop, _JOINED: _joined, _SPENT: _spent}
        self.tests = {name: _paying(_THEIR_TESTS[name]) for name in THEIR_TESTS}

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        """Texts and lists may be added; all else is for numbers, which stay small."""
        if operator == "+" and isinstance(left, (str, list, tuple)) and type(left) is type(right):
            _pay(len(left) + len(right))
            joined: Any = left + right  # type: ignore[operator]  # of the same type
            return _spent(joined)
        for value in (left, right):
            if isinstance(value, StrictUndefined):
                str(value)
            if not isinstance(value, (int, float)) or abs(value) > _LARGEST_NUMBER:
                raise SecurityError(f"`{operator}` is only for numbers up to 10^18; texts are joined by ~")
        return super().call_binop(context, operator, left, right)

    def call(self, context: Any, called: Any, /, *args: Any, **kwargs: Any) -> Any:
        owner = getattr(called, "__self__", "")
        for value in (owner, *args, *kwargs.values()):
            _spent(value)
        if getattr(called, "__name__", "") == "replace":
            _pay_for_replacing(owner, *args)
        return _spent(super().call(context, called, *args, **kwargs))


def _pay(cost: int) -> None:
    left = _left.get()
    left[0] -= cost + 1
    if left[0] < 0:
        raise _TooMuch


def _spent(value: Any) -> Any:
    """Pay for a value and all that is in it, each time that it is in it."""
    if isinstance(value, (list, tuple, dict)):
        todo = [value]
        while todo:
            each = todo.pop()
            if isinstance(each, dict):
                todo += each.keys()
                todo += each.values()
            elif isinstance(each, (list, tuple)):
                todo += each
            _pay(len(each) if isinstance(each, (str, list, tuple, dict)) else 1)
    else:
        _pay(len(value) if isinstance(value, str) else 1)
    return value


def _paying(function: Callable[..., Any]) -> Callable[..., Any]:
    """A filter that pays for what it is given and for what it makes. Iterators become lists, or nobody would pay."""
    before = _BEFORE.get(getattr(function, "__name__", ""), _nothing)

    @functools.wraps(function)
    def paying(*args: Any, **kwargs: Any) -> Any:
        for value in (*args, *kwargs.values()):
            _spent(value)
        before(*args, **kwargs)
        found = function(*args, **kwargs)
        if hasattr(found, "__next__") or hasattr(found, "__anext__"):
            found = [_spent(each) for each in found]
        return _spent(found)

    return paying


def _nothing(*_: Any, **__: Any) -> None: ...


def _pay_for_replacing(text: Any = "", old: Any = "", new: Any = "", *_: Any, **kwargs: Any) -> None:
    """Each of many may become something long."""
    old, new = kwargs.get("old", old), kwargs.get("new", new)
    if isinstance(text, str) and isinstance(old, str) and isinstance(new, str):
        _pay(len(text) + text.count(old) * len(new))


def _pay_for_joining(_: Any, values: Any = (), d: Any = "", *__: Any, **kwargs: Any) -> None:
    separator = kwargs.get("d", d)
    if isinstance(values, (str, list, tuple, dict)) and isinstance(separator, str):
        _pay(len(values) * len(separator))


def _only_numbers(_: Any, __: Any = (), *more: Any, **kwargs: Any) -> None:
    if len(more) > 1 or "start" in kwargs:
        raise SecurityError("sum takes no start here")


def _no_indent(_: Any, __: Any = None, *more: Any, **kwargs: Any) -> None:
    if more or kwargs:
        raise SecurityError("tojson takes no indent here")


def _few_digits(_: Any, precision: Any = 0, *__: Any, **kwargs: Any) -> None:
    digits = kwargs.get("precision", precision)
    if not isinstance(digits, int) or abs(digits) > _MOST_DIGITS:
        raise SecurityError(f"round takes at most {_MOST_DIGITS} digits")


_BEFORE: dict[str, Callable[..., None]] = {  # by the names of Jinja2's functions: checks before they work
    "do_replace": lambda _, *args, **kwargs: _pay_for_replacing(*args, **kwargs),
    "sync_do_join": _pay_for_joining,
    "do_join": _pay_for_joining,
    "sync_do_sum": _only_numbers,
    "do_sum": _only_numbers,
    "do_tojson": _no_indent,
    "do_round": _few_digits,
}


def _loop(value: Any) -> Any:
    """What a loop goes over, paid for before."""
    if isinstance(value, StrictUndefined):
        str(value)
    found = value if isinstance(value, (list, tuple, dict, str)) else list(value)
    _pay(len(found))
    return found


def _joined(parts: tuple[Any, ...]) -> str:
    return str(_spent("".join([str(_spent(part)) for part in parts])))


@functools.cache
def _sandbox() -> _Sandbox:
    return _Sandbox()


@functools.lru_cache(maxsize=4096)
def _template(source: str) -> Compiled:
    with _explained():
        return _compiled(_sandbox().parse(source))


@functools.lru_cache(maxsize=4096)
def _expression(source: str) -> Compiled:
    with _explained():
        if "{{" in source or "{%" in source:
            raise TemplateProblem(f"is an expression, without braces: {source.strip(' {}%')[:60]}")
        parser = Parser(_sandbox(), source, state="variable")
        found = parser.parse_expression()
        if not parser.stream.eos:
            raise TemplateSyntaxError("something stands behind the expression", lineno=1)
        return _compiled(
            nodes.Template([nodes.Assign(nodes.Name("result", "store", lineno=1), found, lineno=1)], lineno=1)
        )


def _compiled(tree: nodes.Template) -> Compiled:
    require_allowed(tree)
    _make_paying(tree)
    tree.set_environment(_sandbox())
    code = _sandbox().compile(tree, "template", "template")
    return Compiled.from_code(_sandbox(), code, {})


class _explained:  # noqa: N801 - used as a function
    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, TemplateSyntaxError):
            raise TemplateProblem(error.message or "is not a template", error.lineno) from None
        if isinstance(error, TemplateError):
            raise TemplateProblem(error.message or "is not a template") from None
        if isinstance(error, (RecursionError, MemoryError, SyntaxError, OverflowError, ValueError)):
            raise TemplateProblem(
                "is too deeply nested, or otherwise no template that can be compiled"
            ) from None


def _make_paying(tree: nodes.Node) -> None:
    """Put our filters around what loops go over, in place of `~`, and around lists and mappings."""
    for loop in list(tree.find_all(nodes.For)):
        loop.iter = nodes.Filter(loop.iter, _LOOP, [], [], None, None, lineno=loop.lineno)
    for node in _everything(tree):
        for field, value in list(node.iter_fields()):
            if isinstance(value, list):
                value[:] = [_paid(each) for each in value]
            else:
                setattr(node, field, _paid(value))
    sides: list[Any] = [*tree.find_all(nodes.Compare), *tree.find_all(nodes.Operand)]
    for compared in sides:
        compared.expr = nodes.Filter(compared.expr, _SPENT, [], [], None, None, lineno=compared.lineno)
    for output in list(tree.find_all(nodes.Output)):
        output.nodes = [
            part
            if isinstance(part, nodes.TemplateData)
            else nodes.Filter(part, _SPENT, [], [], None, None, lineno=output.lineno)
            for part in output.nodes
        ]


def _everything(tree: nodes.Node) -> Iterator[nodes.Node]:
    todo = [tree]
    while todo:
        node = todo.pop()
        todo += node.iter_child_nodes()
        yield node


def _paid(node: Any) -> Any:
    """What stands in the place of a part that makes a value."""
    if isinstance(node, nodes.Concat):
        parts = nodes.Tuple(node.nodes, "load", lineno=node.lineno)
        return nodes.Filter(parts, _JOINED, [], [], None, None, lineno=node.lineno)
    makes = isinstance(node, (nodes.List, nodes.Dict)) or (
        (isinstance(node, nodes.Tuple) and node.ctx == "load")
        or (isinstance(node, nodes.Getitem) and isinstance(node.arg, nodes.Slice))
    )
    if makes:
        return nodes.Filter(node, _SPENT, [], [], None, None, lineno=node.lineno)
    return node


def _said(error: Exception, fields: Mapping[str, Any]) -> str:
    if isinstance(error, TemplateProblem):
        return error.what
    if isinstance(error, _TooMuch):
        return f"makes more than {BUDGET:,} characters and items"
    if isinstance(error, UndefinedError):
        said = error.message or "a name is undefined"
        missing = re.match(r"'([^']+)' is undefined", said)
        if missing is None:
            return said
        names = ", ".join(sorted(name for name in fields if name != "row"))
        return f"there is no field {missing[1]!r}{close_to(missing[1], fields)}; the row has {names[:300]}"
    if isinstance(error, (MemoryError, RecursionError)):
        return "needs too much memory"
    said = " ".join(str(error).split())[:200]
    return said if isinstance(error, SecurityError) else f"{type(error).__name__}: {said}"
