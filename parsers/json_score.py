"""Any program that prints its score as JSON."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

from parsers.output import count, json_object, json_objects_from_the_end, not_understood, number
from results.errors import ParseError
from results.records import Metric, Score
from results.stats.intervals import wilson_interval

if TYPE_CHECKING:
    from parsers.contract import ScriptOutput


class JsonScore:
    """Reads the last line of stdout that is a JSON object with "score" (percent) or "pass@1" (a fraction).

    The whole of stdout may be that object too, over several lines. A "samples" count gives the interval; all
    other keys go into the details. With both, "score" is the score.
    """

    name = "json"

    def parse(self, output: ScriptOutput) -> Score:
        whole = json_object(output.stdout.strip())
        candidates = itertools.chain([whole] if whole else [], json_objects_from_the_end(output.stdout))
        found = next((document for document in candidates if {"score", "pass@1"} & document.keys()), None)
        if found is None:
            raise not_understood(output, self.name, 'line that is a JSON object with "score" or "pass@1"')
        return _score(found)


def _score(document: dict[str, Any]) -> Score:
    key, top = ("score", 100.0) if "score" in document else ("pass@1", 1.0)
    value = number(document[key])
    if value is None or not 0 <= value <= top:
        allowed = "a percentage from 0 to 100" if key == "score" else "a fraction from 0 to 1"
        raise ParseError(f"{key} is {document[key]!r}, which is not {allowed}")
    fraction = value / top
    samples = count(document.get("samples")) or None
    low, high = wilson_interval(fraction * samples, samples) if samples else (None, None)
    return Score(
        score=value if key == "score" else 100 * value,  # 100 * (7 / 100) is not 7
        metrics={key if key == "pass@1" else "score": Metric(value=fraction, low=low, high=high)},
        samples=samples,
        details={name: other for name, other in document.items() if name not in {key, "samples"}},
    )


PARSER = JsonScore()
