"""llama.cpp's llama-bench: prompt processing and text generation in tokens a second."""

from __future__ import annotations

import itertools
import json
import re
from collections import Counter
from typing import TYPE_CHECKING, Any

from parsers.output import count, figure, json_objects_from_the_end, not_understood
from results.records import Score

if TYPE_CHECKING:
    from parsers.contract import ScriptOutput

_DECODER = json.JSONDecoder()
_LIST = re.compile(r"^[ \t]*\[\s*(?=\{)", re.MULTILINE)
_MOST_LISTS = 100  # each is one run of llama-bench


class LlamaBench:
    """Reads what `llama-bench -o json` or `-o jsonl` prints on stdout.

    There is no score. details["speed"] has each test under llama-bench's own name for it, such as "pp512" and
    "tg128 @ d4096", as the mean in tokens a second and its standard deviation; details["tests"] has all it said.
    """

    name = "llama_bench"

    def parse(self, output: ScriptOutput) -> Score:
        tests = _tests(output.stdout)
        if not tests:
            raise not_understood(output, self.name, "list of tests with avg_ts (llama-bench -o json)")
        speed: dict[str, float] = {}
        seen: Counter[str] = Counter()
        for test in tests:
            # The same lengths are tested several times where other parameters vary; details["tests"] says which.
            name = _name(test)
            seen[name] += 1
            name += f" #{seen[name]}" if seen[name] > 1 else ""
            speed[f"{name}, tokens/s"] = test["avg_ts"]
            if figure(test.get("stddev_ts")) is not None:
                speed[f"{name}, standard deviation"] = test["stddev_ts"]
        return Score(score=None, details={"speed": speed, "tests": tests})


def _tests(stdout: str) -> list[dict[str, Any]]:
    """Of all lists there are: backends print lines before, between and behind them."""
    rows: list[Any] = []
    end = 0
    for begins in itertools.islice(_LIST.finditer(stdout), _MOST_LISTS):
        if begins.end() < end:
            continue
        try:
            found, end = _DECODER.raw_decode(stdout, stdout.index("[", begins.start()))
        except (ValueError, RecursionError):
            continue
        rows += found
    rows = rows or [*json_objects_from_the_end(stdout)][::-1]
    return [row for row in rows if _is_test(row)]


def _is_test(row: object) -> bool:
    return (
        isinstance(row, dict)
        and all(count(row.get(key)) is not None for key in ("n_prompt", "n_gen"))
        and figure(row.get("avg_ts")) is not None
    )


def _name(test: dict[str, Any]) -> str:
    """As in llama-bench's own tables: test::get_test_name in tools/llama-bench/llama-bench.cpp."""
    kinds = (("pp", "n_prompt"), ("tg", "n_gen"))
    parts = [f"{kind}{tokens}" for kind, key in kinds if (tokens := count(test[key]))]
    depth = count(test.get("n_depth"))
    return "+".join(parts) + (f" @ d{depth}" if depth else "")


PARSER = LlamaBench()
