"""How much one run of a request asks for: its samples or requests, all of which a benchmark's program keeps at once."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from settings.needle_lengths import DEPTHS, KINDS, PER_CELL

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

MOST_SAMPLES = 100_000
_LEAST_REQUESTS = 10  # of a load, if none are given
_REQUESTS_AT_ONCE = 5  # as often as requests at once


def most_samples(document: Mapping[str, Any]) -> Iterator[tuple[str, int]]:
    """For each part of a manifest where it stands, such as `runs[0]`, and the most that one of its runs may ask for.

    The values that different runs of a matrix have may be counted together, so the runs may ask for less.
    """
    defaults = document.get("defaults", {})
    if "matrix" in document:
        matrix = dict(document["matrix"])
        include, _ = matrix.pop("include", ()), matrix.pop("exclude", ())
        values = _values({**defaults, **matrix})
        for entry in include:
            for name, more in _values(entry).items():
                values[name] += more
        yield "matrix", _samples(values)
    for index, run in enumerate(document.get("runs", ())):
        yield f"runs[{index}]", _samples(_values({**defaults, **run}))


def _values(settings: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Of each setting every value that it may have, also by a model's overrides."""
    found: dict[str, list[Any]] = defaultdict(list)
    for name, value in settings.items():
        several = value if isinstance(value, list) else [value]
        if name != "model":
            found[name] += several
            continue
        for model in several:
            if isinstance(model, dict):
                for each, more in _values(model.get("overrides", {})).items():
                    found[each] += more
    return found


def _samples(values: Mapping[str, list[Any]]) -> int:
    asked = {"needle": _of_needle, "speed": _of_speed}
    largest = max((asked[each](values) for each in values.get("benchmark", ()) if each in asked), default=1)
    return largest * _number(values, "n_samples", 1)


def _of_needle(values: Mapping[str, list[Any]]) -> int:
    cells = _items(values, "lengths", 1) * _items(values, "depth_percent", len(DEPTHS))
    return cells * _items(values, "kinds", len(KINDS)) * _number(values, "per_cell", PER_CELL)


def _of_speed(values: Mapping[str, list[Any]]) -> int:
    prompts = max(_items(values, "prompt_tokens", 1), _items(values, "depths", 1))
    asked = _number(values, "requests", _LEAST_REQUESTS)
    at_once = [str(each).split(",") for each in values.get("concurrencies", ())] or [["1"]]
    requests = max(
        sum(max(asked, _REQUESTS_AT_ONCE * int(each)) for each in one if each.isdecimal()) for one in at_once
    )
    return prompts * _items(values, "output_tokens", 1) * requests


def _items(values: Mapping[str, list[Any]], name: str, usual: int) -> int:
    """The most items of a list that stands in one text."""
    return max((str(each).count(",") + 1 for each in values.get(name, ())), default=usual)


def _number(values: Mapping[str, list[Any]], name: str, usual: int) -> int:
    return max((int(text) for each in values.get(name, ()) if (text := str(each)).isdecimal()), default=usual)
