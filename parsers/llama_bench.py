"""llama.cpp's llama-bench: prompt processing and text generation in tokens a second."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from parsers.output import json_objects_from_the_end, not_understood, number
from results.records import Score

if TYPE_CHECKING:
    from parsers.contract import ScriptOutput


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
        for test in tests:
            name = _free_name(_name(test), speed)
            speed[f"{name}, tokens/s"] = test["avg_ts"]
            if number(test.get("stddev_ts")) is not None:
                speed[f"{name}, standard deviation"] = test["stddev_ts"]
        return Score(score=None, details={"speed": speed, "tests": tests})


def _tests(stdout: str) -> list[dict[str, Any]]:
    start = 0 if stdout.startswith("[") else stdout.find("\n[")
    try:
        found = json.loads(stdout[start:]) if start >= 0 else None
    except (ValueError, RecursionError):
        found = None
    rows = found if isinstance(found, list) else [*json_objects_from_the_end(stdout)][::-1]
    return [row for row in rows if _is_test(row)]


def _is_test(row: object) -> bool:
    return isinstance(row, dict) and all(
        number(row.get(key)) is not None for key in ("n_prompt", "n_gen", "avg_ts")
    )


def _name(test: dict[str, Any]) -> str:
    """As in llama-bench's own tables: test::get_test_name in tools/llama-bench/llama-bench.cpp."""
    parts = [f"{kind}{test[key]}" for kind, key in (("pp", "n_prompt"), ("tg", "n_gen")) if test[key]]
    return "+".join(parts) + (f" @ d{test['n_depth']}" if test.get("n_depth") else "")


def _free_name(name: str, taken: dict[str, float]) -> str:
    """The same lengths are tested several times where other parameters vary; details["tests"] says which."""
    count = 1
    while f"{name}{f' #{count}' if count > 1 else ''}, tokens/s" in taken:
        count += 1
    return name if count == 1 else f"{name} #{count}"


PARSER = LlamaBench()
