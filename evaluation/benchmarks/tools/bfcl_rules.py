"""Whether calls are right by the rules of the Berkeley Function-Calling Leaderboard (v3 and v4, Python categories).

Each argument has a list of values that are right; "" among them: it may be left out. Texts are compared without case,
blanks and the signs , . / - _ * ^. Where the listed values have another type than the function says, they are
variables, and are compared as they stand. Theirs is also that the calls of a turn may come in any order but are matched
in that of the expected ones, and that types are checked one level deep.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from evaluation.benchmarks.tools.arguments import shown

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Called = tuple[str, "Mapping[str, Any]"]  # the name of a tool, and its arguments

_TYPES: dict[str, type] = {
    "string": str,
    "integer": int,
    "float": float,
    "boolean": bool,
    "array": list,
    "tuple": list,
    "dict": dict,
    "any": str,
}
_IGNORED = re.compile(r"[ ,./\-_*^]")


def sent_name(name: str) -> str:
    """A function's name as a tool's: the API takes no dots."""
    return name.replace(".", "_")


def wrong_calls(
    functions: Sequence[Mapping[str, Any]],
    calls: Sequence[Called],
    answers: Sequence[Mapping[str, Mapping[str, list[Any]]]],
) -> str:
    """What is wrong with the calls of one turn, in a line; "" where they are right."""
    if len(calls) != len(answers):
        return f"{len(calls)} call{'s' * (len(calls) != 1)} instead of {len(answers)}"
    by_name = {function["name"]: function for function in functions}
    taken: set[int] = set()
    for answer in answers:
        name, arguments = next(iter(answer.items()))
        why = ""
        for number, call in enumerate(calls):
            if number not in taken:
                found = _wrong_call(by_name[name], call, arguments)
                if not found:
                    taken.add(number)
                    break
                why = why or found
        else:
            return why or f"no call of {name}"
    return ""


def _wrong_call(function: Mapping[str, Any], call: Called, right: Mapping[str, list[Any]]) -> str:
    name, arguments = call
    wanted = sent_name(function["name"])
    if name != wanted:
        return f"it called {shown(name)}, not {wanted}"
    parameters = function["parameters"]
    for required in parameters.get("required", ()):
        if required not in arguments:
            return f"{name}: {required} is missing"
    for argument, value in arguments.items():
        schema = parameters["properties"].get(argument)
        if schema is None or argument not in right:
            return f"{name}: {shown(argument)} is not expected"
        if not _is_right(value, schema, right[argument]):
            return f"{name}: {argument} is {shown(value)}, and none of {shown(right[argument])}"
    left_out = (
        argument for argument, values in right.items() if argument not in arguments and "" not in values
    )
    missing = next(left_out, None)
    return f"{name}: {missing} is missing" if missing is not None else ""


def _is_right(given: Any, schema: Mapping[str, Any], right: list[Any]) -> bool:
    kind = schema["type"]
    wanted = _TYPES.get(kind)
    value: Any = _as_float(given) if kind == "float" and type(given) is int else given
    inner = _TYPES.get(schema.get("items", {}).get("type")) if kind in {"array", "tuple"} else None
    listed = _type_of(right)
    if _is_of(value, wanted):
        if inner is not None and not _has_inner(value, inner, right):
            return False
        is_variable = listed is not None and listed is not wanted
    elif listed is not None and _is_of(value, listed):
        is_variable = True
    else:
        return False
    if not is_variable:
        if wanted is dict:
            return _is_right_dict(value, right)
        if wanted is list and inner is dict:
            return any(_are_right_dicts(value, each) for each in right)
        if wanted is str:
            return _plain(value) in [_plain(each) for each in right if isinstance(each, str)]
        if wanted is list:
            lists = [[_plain(item) for item in each] for each in right if isinstance(each, list | str)]
            return [_plain(item) for item in value] in lists
    return value in right


def _has_inner(value: list[Any], inner: type, right: list[Any]) -> bool:
    """Whether the items have the type that is said, or that of the items of one of the lists; one that is none does."""
    return any(
        not isinstance(each, list) or all(type(item) is inner or _is_listed(item, each) for item in value)
        for each in right
    )


def _is_listed(item: Any, right: list[Any]) -> bool:
    listed = _type_of(right)
    return listed is not None and type(item) is listed


def _is_right_dict(value: Any, right: Sequence[Any]) -> bool:
    return isinstance(value, dict) and any(
        all(key in each and _plain(item) in [_plain(one) for one in each[key]] for key, item in value.items())
        and all(key in value or "" in items for key, items in each.items())
        for each in right
        if isinstance(each, dict)
    )


def _are_right_dicts(value: list[Any], right: Any) -> bool:
    """In their order."""
    if not isinstance(right, list | str) or len(value) != len(right):
        return False
    return all(_is_right_dict(item, [each]) for item, each in zip(value, right, strict=True))


def _is_of(value: Any, kind: type | None) -> bool:
    """Of this very type: true is no number."""
    return type(value) is kind


def _type_of(right: Sequence[Any]) -> type | None:
    return next((type(each) for each in right if each != ""), None)


def _plain(value: Any) -> Any:
    return _IGNORED.sub("", value).lower().replace("'", '"') if isinstance(value, str) else value


def _as_float(value: int) -> Any:
    try:
        return float(value)
    except OverflowError:
        return value
