"""The server's own counters and gauges, from the Prometheus page of llama-server or vLLM (`/metrics`)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import msgspec

from telemetry.contract import ServerReading

if TYPE_CHECKING:
    from collections.abc import Callable

_COUNTERS = {
    "llamacpp:prompt_tokens_total": "prompt_tokens",
    "llamacpp:prompt_tokens_cached_total": "cached_prompt_tokens",
    "llamacpp:tokens_predicted_total": "generation_tokens",
    "llamacpp:prompt_seconds_total": "prompt_s",
    "llamacpp:tokens_predicted_seconds_total": "generation_s",
    "vllm:prompt_tokens_total": "prompt_tokens",
    "vllm:prefix_cache_hits_total": "cached_prompt_tokens",  # in tokens; prompt_tokens_cached says the same, lately
    "vllm:generation_tokens_total": "generation_tokens",
    "vllm:request_queue_time_seconds_sum": "queue_s",
    "vllm:request_prefill_time_seconds_sum": "prompt_s",
    "vllm:request_decode_time_seconds_sum": "generation_s",
}
_REQUESTS = {
    "llamacpp:requests_processing": "requests_running",
    "llamacpp:requests_deferred": "requests_waiting",
    "vllm:num_requests_running": "requests_running",
    "vllm:num_requests_waiting": "requests_waiting",
}
_SHARES = {
    "llamacpp:kv_cache_usage_ratio": "kv_cache_utilization",  # until spring 2025
    "vllm:gpu_cache_usage_perc": "kv_cache_utilization",  # until 0.10; the unit of both is 1 in spite of the name
    "vllm:kv_cache_usage_perc": "kv_cache_utilization",
}
_FIELDS = _COUNTERS | _REQUESTS | _SHARES
_GROWING = tuple(dict.fromkeys(_COUNTERS.values()))


def read_metrics(text: str) -> ServerReading:
    """What the page says of either server; what it lacks, or says as NaN, is None.

    Several engines of one vLLM are summed; their caches are told by the fullest. Seconds are summed over requests:
    with several at once they go faster than the clock. llama-server counts prompt tokens without those it had in its
    cache, vLLM with them; how full its cache is and how long requests waited, llama-server does not tell. Its
    generated tokens and seconds, and vLLM's seconds, grow only when a request ends. Raises ValueError for what is not
    Prometheus text.
    """
    from prometheus_client.parser import text_string_to_metric_families  # 70 ms: only who measures pays

    # vLLM's page has a thousand lines more; parsing them ten times a second would cost more than all else.
    wanted = "\n".join(line for line in text.splitlines() if _name(line) in _FIELDS)
    found: dict[str, float] = {}
    for family in text_string_to_metric_families(wanted + "\n"):
        for sample in family.samples:
            field = _FIELDS.get(sample.name)
            if field is None or not math.isfinite(sample.value):
                continue
            before = found.get(field, 0.0)
            found[field] = max(before, sample.value) if sample.name in _SHARES else before + sample.value
    return ServerReading(**found)


class ServerMetrics:
    """The server's counters made continuous: they go on growing when the server is started anew.

    fetch: the text of the server's `/metrics`; None when there is none now. Tokens between the last reading before a
    server's death and the death itself are lost, and so is a restart that outgrew the last reading unseen.
    """

    def __init__(self, fetch: Callable[[], str | None]) -> None:
        self._fetch = fetch
        self._last: dict[str, float] = {}
        self._before: dict[str, float] = {}  # what servers that are gone had counted

    def read(self) -> ServerReading | None:
        """None: it does not answer, or not with metrics that are known here. What `fetch` raises passes through."""
        text = self._fetch()
        if text is None:
            return None
        try:
            reading = read_metrics(text)
        except ValueError:
            return None
        if reading == ServerReading():
            return None
        return msgspec.structs.replace(reading, **dict(self._continued(reading)))

    def _continued(self, reading: ServerReading) -> list[tuple[str, float]]:
        grown = []
        for name in _GROWING:
            value = getattr(reading, name)
            if value is None:
                continue
            last = self._last.get(name, 0.0)
            if value < last:
                self._before[name] = self._before.get(name, 0.0) + last
            self._last[name] = value
            grown.append((name, self._before.get(name, 0.0) + value))
        return grown


def _name(line: str) -> str:
    return line.partition("{")[0].partition(" ")[0]
