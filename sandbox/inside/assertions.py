"""Runs inside the sandbox, in the process of the tests: what an assertion compared, and which call it was about.

Standard library only: this source stands before the zygote's own (sandbox/inside/zygote.py).

Tests are compiled with each operand of an assertion handed through a function that keeps it until the assertion holds.
So each is evaluated once, in its order, and what fails is still there to be shown. Literals stand in the source.
"""

import ast
import contextlib
import functools
import itertools
import types
import typing
from typing import Any

from sandbox.inside.values import Unpacking

TESTS = "<code>"
MOST_SOURCE = 200_000  # characters of tests: more would take long to rewrite
SHOWN = 2000  # characters of a value
SHOWN_SOURCE = 1000
DEEPEST = 30
SEEN, HELD = "@seen", "@held"  # no name that a source could have
RELATIONS: dict[type, str] = {
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.Is: "is",
    ast.IsNot: "is not",
    ast.In: "in",
    ast.NotIn: "not in",
}
BLOCKS = {"body", "orelse", "finalbody", "handlers", "cases"}  # of statements
NOWHERE: Any = {"lineno": 1, "col_offset": 0, "end_lineno": 1, "end_col_offset": 0}
SEEN_NAME, HELD_NAME = (ast.Name(name, ast.Load(), **NOWHERE) for name in (SEEN, HELD))
MIRRORED = {
    "==": "==",
    "!=": "!=",
    "<": ">",
    "<=": ">=",
    ">": "<",
    ">=": "<=",
    "is": "is",
    "is not": "is not",
}


class Compared(typing.NamedTuple):
    """left, right: the place of a value that was kept, or else a literal. right: None of a value that must be true."""

    left: Any
    relation: str
    right: Any = None


class Assertions:
    """What the tests of one program assert and call."""

    def __init__(self) -> None:
        self._source = ""
        self._found: list[tuple[int, int, dict[str, Any], list[Compared]]] = []
        self._values: dict[int, dict[int, Any]] = {}
        self._call: typing.Optional[dict[str, Any]] = None
        self._returned: list[Any] = []
        self._line: Any = None

    def compiled(self, source: str) -> types.CodeType:
        """The tests, so that they leave what they compare. Raises what `compile` does."""
        if len(source) <= MOST_SOURCE:
            try:
                tree = ast.parse(source, TESTS)
                self._source = source
                self._rewrite(tree)
                return compile(tree, TESTS, "exec", dont_inherit=True)
            except Exception:
                self._found.clear()
        return compile(source, TESTS, "exec", dont_inherit=True)

    def names(self) -> dict[str, Any]:
        """What the compiled tests call."""
        return {SEEN: self._see, HELD: self._hold}

    def calling(self, call: dict[str, Any]) -> None:
        """A call of the program begins. call: its arguments, packed."""
        self._call, self._returned, self._line = call, [], None

    def returned(self, value: Any) -> None:
        self._returned = [value]

    def raised(self, line: Any) -> None:
        """line: of the program, as it says itself."""
        self._line = line if type(line) is int and 0 < line < 1 << 31 else None

    def at_end(self, name: str, error: typing.Optional[BaseException] = None) -> dict[str, Any]:
        """What is known of a failure: texts for people. name: of the function that is called. error: none where the
        program ended, or is too slow. Never raises.
        """
        try:
            found = self._of_error(error) if error is not None else {}
            if self._call is not None:
                values = Unpacking(int)  # as they were passed
                args = [shown(value, SHOWN // 2) for value in values.unpack_each(self._call["call"])]
                named = self._call["named"]
                args += [
                    f"{word}={shown(value, SHOWN // 2)}"
                    for word, value in zip(named, values.unpack_each(named.values()))
                ]
                found["call"] = cut(f"{name}({', '.join(args)})", SHOWN)
            if self._returned and found.get("got") != shown(self._returned[0]):
                found["returned"] = shown(self._returned[0])
            if self._line is not None:
                found["line"] = self._line
        except Exception:  # nothing that is only shown decides anything
            return {}
        return found

    def _rewrite(self, node: Any) -> None:
        """Statements only: there are none in expressions."""
        for field in node._fields:
            if field not in BLOCKS:
                continue
            statements: list[Any] = []
            for statement in getattr(node, field):
                if type(statement) is ast.Assert:
                    statements += self._watched(statement)
                else:
                    self._rewrite(statement)
                    statements.append(statement)
            setattr(node, field, statements)

    def _watched(self, statement: ast.Assert) -> list[Any]:
        number = constant(len(self._found))
        comparisons: list[Compared] = []
        places = itertools.count()

        def keep(value: Any, *, also_literals: bool = False) -> tuple[Any, Any]:
            if not also_literals and literal(value):
                return value, value
            place = next(places)
            seen = ast.Call(SEEN_NAME, [number, constant(place), value], [], **place_of(value))
            return seen, place

        def watch(test: Any, wanted: str) -> Any:
            if isinstance(test, ast.BoolOp):
                test.values = [watch(value, wanted) for value in test.values]
            elif isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
                test.operand = watch(test.operand, "" if wanted else "not ")
            elif isinstance(test, ast.Compare):
                chained = len(test.ops) > 1
                test.left, left = keep(test.left, also_literals=chained)
                for at, (operator, operand) in enumerate(zip(test.ops, test.comparators)):
                    test.comparators[at], right = keep(operand, also_literals=chained)
                    comparisons.append(Compared(left, wanted + RELATIONS[type(operator)], right))
                    left = right
            else:
                test, place = keep(test)
                comparisons.append(Compared(place, "is false" if wanted else "is true"))
            return test

        here, segment = place_of(statement), place_of(statement.test)
        self._found.append((here["lineno"], here["end_lineno"], segment, comparisons))
        statement.test = watch(statement.test, "")
        return [statement, ast.Expr(ast.Call(HELD_NAME, [number], [], **here), **here)]

    def _see(self, number: int, place: int, value: Any) -> Any:
        if place == 0:
            self._values[number] = {}
        # Within its own operands an assertion may be met again, and hold.
        self._values.setdefault(number, {})[place] = value
        return value

    def _hold(self, number: int) -> None:
        self._values.pop(number, None)

    def _of_error(self, error: BaseException) -> dict[str, Any]:
        line = None
        trace = error.__traceback__
        while trace is not None:
            if trace.tb_frame.f_code.co_filename == TESTS:
                line = trace.tb_lineno
            trace = trace.tb_next
        if line is None or not self._source:
            return {}
        here = [number for number, (first, last, _, _) in enumerate(self._found) if first <= line <= last]
        if not here:
            lines = self._source.splitlines()
            return {"check": cut(lines[line - 1].strip(), SHOWN_SOURCE)} if line <= len(lines) else {}
        # Of several in one line the last one whose values are still held.
        number = next((each for each in reversed([*self._values]) if each in here), here[0])
        _, _, segment, comparisons = self._found[number]
        text = ast.get_source_segment(self._source, ast.Constant(None, **segment))
        found = {"check": cut(f"assert {text or ''}", SHOWN_SOURCE)}
        values = self._values.get(number, {})
        reached = [each for each in comparisons if was_reached(each, values)]
        if reached and isinstance(error, AssertionError):
            found.update(sides(reached[-1], values))
        return found


def place_of(node: Any) -> dict[str, Any]:
    """For a node that stands there as well. `ast.fix_missing_locations` would walk through all below one."""
    return {
        "lineno": node.lineno,
        "col_offset": node.col_offset,
        "end_lineno": node.end_lineno,
        "end_col_offset": node.end_col_offset,
    }


@functools.lru_cache(256)
def constant(number: int) -> ast.expr:
    """One node serves in many places, and in many trees: whatever is executed there can't fail, so none is shown."""
    return ast.Constant(number, **NOWHERE)


def literal(node: Any) -> bool:
    """Whether its value stands in the source, as far as that is seen quickly."""
    if isinstance(node, ast.UnaryOp):
        return isinstance(node.operand, ast.Constant)
    if isinstance(node, (ast.List, ast.Tuple)):
        return all(map(literal, node.elts))
    return isinstance(node, ast.Constant)


def was_reached(comparison: Compared, values: dict[int, Any]) -> bool:
    places = [side for side in (comparison.left, comparison.right) if type(side) is int]
    return bool(places) and all(place in values for place in places)


def sides(comparison: Compared, values: dict[int, Any]) -> dict[str, str]:
    """What was compared: a value that was computed stands first."""
    left, relation, right = comparison
    if right is None:
        return {"got": shown(values[left]), "relation": relation}
    if type(left) is not int and relation in MIRRORED:
        left, relation, right = right, MIRRORED[relation], left
    got, expected = (
        shown(values[side] if type(side) is int else ast.literal_eval(side)) for side in (left, right)
    )
    return {"got": got, "relation": relation, "expected": expected}


def cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[:most]}..."


def shown(value: Any, most: int = SHOWN) -> str:
    """As `repr`, as far as `most` characters go, in time that depends on them and not on the value."""
    parts: list[str] = []

    def write(text: str) -> None:
        nonlocal most
        most -= len(text)
        parts.append(text if most >= 0 else f"{text[:most]}...")
        if most < 0:
            raise OverflowError

    def items(opening: str, values: typing.Iterable[Any], closing: str, depth: int) -> None:
        write(opening)
        for number, item in enumerate(values):
            if number:
                write(", ")
            describe_value(item, depth + 1)
        write(closing)

    def describe_value(value: Any, depth: int) -> None:
        kind = type(value)
        if depth > DEEPEST:
            write("...")
        elif kind in (str, bytes, bytearray):
            write(repr(value[: most + 1]))
        elif kind is int and value.bit_length() > 3 * most + 64:
            write(f"<an integer of {value.bit_length()} bits>")
        elif kind is list:
            items("[", value, "]", depth)
        elif kind is tuple:
            items("(", value, ",)" if len(value) == 1 else ")", depth)
        elif kind in (set, frozenset) and value:
            before, after = ("{", "}") if kind is set else ("frozenset({", "})")
            items(before, value, after, depth)
        elif kind is dict:
            write("{")
            for number, (key, item) in enumerate(value.items()):
                write(", " * bool(number))
                describe_value(key, depth + 1)
                write(": ")
                describe_value(item, depth + 1)
            write("}")
        else:
            try:
                write(repr(value))
            except OverflowError:
                raise
            except Exception:
                write(f"<{kind.__name__} object>")

    with contextlib.suppress(OverflowError):
        describe_value(value, 0)
    return "".join(parts)
