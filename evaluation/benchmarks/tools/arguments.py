"""The arguments of a call: read strictly, checked against the tool's schema. They are the model's text: hostile."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any, NoReturn

from results.json_text import as_json_keeps

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jsonschema import Draft202012Validator

MOST_CHARS = 100_000
_SHOWN = 120


class BadArguments(Exception):
    """Why they can't be what the tool takes, in a line."""


def read_arguments(text: str) -> dict[str, Any]:
    """The object in the text. Raises BadArguments for anything else, and for what JSON does not have: a name that is
    given twice, NaN, a number that no float holds.
    """
    if len(text) > MOST_CHARS:
        raise BadArguments(f"the arguments have more than {MOST_CHARS} characters")
    try:
        found = json.loads(
            text, object_pairs_hook=_object, parse_constant=_not_json, parse_float=_finite, strict=False
        )
    except BadArguments:
        raise
    except RecursionError:
        raise BadArguments("the arguments are nested too deep") from None
    except ValueError as error:
        raise BadArguments(f"the arguments are not JSON ({shown(str(error))}): {shown(text)}") from None
    if not isinstance(found, dict):
        raise BadArguments(f"the arguments are not an object: {shown(text)}")
    return found


def require_schema(arguments: Mapping[str, Any], validator: Draft202012Validator) -> None:
    """Raises BadArguments with the first thing that the tool's schema refuses."""
    try:
        error = next(validator.iter_errors(arguments), None)
        if error is not None:
            where = ".".join(str(part) for part in error.absolute_path)
            raise BadArguments(shown(f"{where}: {error.message}" if where else error.message))
    except RecursionError:
        raise BadArguments("the arguments are nested too deep") from None


def shown(value: object) -> str:
    """In a bounded line."""
    try:
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    except (RecursionError, ValueError, TypeError):
        text = "(nested too deep)"
    line = " ".join(str(as_json_keeps(text[: 4 * _SHOWN])).split())
    return line if len(line) <= _SHOWN else f"{line[:_SHOWN]}..."


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise BadArguments(f"{shown(twice)} is given twice")
    return found


def _not_json(name: str) -> NoReturn:
    raise BadArguments(f"{name} is not a number of JSON")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise BadArguments(f"{shown(text)} is too large a number")
    return value
