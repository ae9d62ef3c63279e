"""`vllm bench serve`: throughput and latencies of a server under load."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from parsers.files import LARGEST_BYTES, read_json, result_file
from parsers.output import count, figure, json_objects_from_the_end
from results.errors import ParseError
from results.files import read_file
from results.records import Score

if TYPE_CHECKING:
    from pathlib import Path

    from parsers.contract import ScriptOutput

_UNITS = {
    "request_throughput": "requests/s",
    "request_goodput": "requests/s",
    "output_throughput": "tokens/s",
    "total_token_throughput": "tokens/s",
}
# With --save-detailed: one entry a request, which is not for a run log.
_LONG = {"input_lens", "output_lens", "ttfts", "itls", "latencies", "start_times", "queue_times"}
_LONG |= {"generated_texts", "errors"}


class VllmBench:
    """Reads the newest JSON file of `vllm bench serve --save-result --result-dir {output_dir}`.

    There is no score. details["speed"] has the throughputs and all latencies (milliseconds) under the tool's
    names; tokens, seconds and completed requests are those of the Score. Failed requests are a warning.
    """

    name = "vllm_bench"

    def parse(self, output: ScriptOutput) -> Score:
        expected = "JSON file of vllm bench serve (--save-result --result-dir {output_dir})"
        path, found = result_file(output, self.name, "*.json", _fits, expected, read=_read)
        if not count(found["completed"]):
            raise ParseError(
                f"{path}: no request was completed", hint="use --save-detailed to see their errors"
            )
        speed = {
            f"{key}, {unit}": figure(value)
            for key, value in found.items()
            if (unit := "ms" if key.endswith("_ms") else _UNITS.get(key)) and figure(value) is not None
        }
        failed = count(found.get("failed"))
        if failed is None:  # as older versions have it
            failed = max(0, (count(found.get("num_prompts")) or 0) - (count(found["completed"]) or 0))
        warnings = (f"{failed} requests failed",) if failed else ()
        said = {key: value for key, value in found.items() if key not in _LONG}
        return Score(
            score=None,
            completions=count(found["completed"]),
            prompt_tokens=count(found.get("total_input_tokens")),
            completion_tokens=count(found.get("total_output_tokens")),
            generate_s=figure(found["duration"]),
            warnings=warnings,
            details={"speed": speed, "vllm_bench": said},
        )


def _read(path: Path) -> Any:
    """The last result of a file; with --append-result it has one a line."""
    document = read_json(path)
    if document is None and path.stat().st_size <= LARGEST_BYTES:
        document = next(json_objects_from_the_end(read_file(path).decode("utf-8", "replace")), None)
    return document


def _fits(document: Any) -> bool:
    keys = ("duration", "completed", "request_throughput")
    return isinstance(document, dict) and all(figure(document.get(key)) is not None for key in keys)


PARSER = VllmBench()
