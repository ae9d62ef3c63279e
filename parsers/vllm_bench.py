"""`vllm bench serve`: throughput and latencies of a server under load."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from parsers.files import result_file
from parsers.output import count, figure
from results.errors import ParseError
from results.records import Score

if TYPE_CHECKING:
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
        path, found = result_file(output, self.name, "*.json", _fits, expected)
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


def _fits(document: Any) -> bool:
    keys = ("duration", "completed", "request_throughput")
    return isinstance(document, dict) and all(figure(document.get(key)) is not None for key in keys)


PARSER = VllmBench()
