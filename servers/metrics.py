"""The Prometheus page of llama-server or vLLM (`/metrics`): what its names mean."""

from __future__ import annotations

from results.telemetry import ServerReading

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
_WORK = {  # beside the counters: what else changes while it works
    "llamacpp:n_decode_total": "decoded",
    "vllm:request_success_total": "requests_finished",
}
_READ = _COUNTERS | _REQUESTS | _SHARES
_FIELDS = _READ | _WORK
_MOST = 2.0**53  # beyond it a counter of whole numbers is none


def read_metrics(text: str) -> ServerReading | None:
    """What the page says of either server; what it lacks, or says as NaN, is None. None: nothing that is known here.

    Several engines of one vLLM are summed; their caches are told by the fullest. Seconds are summed over requests:
    with several at once they go faster than the clock. llama-server counts prompt tokens without those it had in its
    cache, vLLM with them; how full its cache is and how long requests waited, llama-server does not tell. Its
    generated tokens and seconds, and vLLM's seconds, grow only when a request ends.
    """
    known = set(_READ.values())
    found = {name: value for name, value in _values(text).items() if name in known}
    return ServerReading(**found) if found else None


def read_work(text: str) -> dict[str, float]:
    """Everything on the page that changes when the server does something, by name; {}: nothing that is known here."""
    idle = set(_SHARES.values())
    return {name: value for name, value in _values(text).items() if name not in idle}


def _values(text: str) -> dict[str, float]:
    from prometheus_client.parser import text_string_to_metric_families  # 70 ms: only who measures pays

    # vLLM's page has a thousand lines more; parsing them ten times a second would cost more than all else.
    wanted = "\n".join(line for line in text.splitlines() if _name(line) in _FIELDS)
    found: dict[str, float] = {}
    try:
        for family in text_string_to_metric_families(wanted + "\n"):
            for sample in family.samples:
                field = _FIELDS.get(sample.name)
                if field is None or not 0 <= sample.value < _MOST:  # NaN too
                    continue
                before = found.get(field, 0.0)
                together = max if sample.name in _SHARES else _sum
                found[field] = together(before, sample.value)
    except ValueError:  # no such page
        return {}
    return found


def _sum(first: float, second: float) -> float:
    return first + second


def _name(line: str) -> str:
    return line.partition("{")[0].partition(" ")[0]
