"""Read the Prometheus page (`/metrics`) of llama-server or vLLM."""

from __future__ import annotations

from results.telemetry import ServerReading

_COUNTERS = {
    "llamacpp:prompt_tokens_total": "prompt_tokens",
    "llamacpp:prompt_tokens_cached_total": "cached_prompt_tokens",
    "llamacpp:tokens_predicted_total": "generation_tokens",
    "llamacpp:prompt_seconds_total": "prompt_s",
    "llamacpp:tokens_predicted_seconds_total": "generation_s",
    "llamacpp:spec_decode_num_draft_tokens_total": "draft_tokens",
    "llamacpp:spec_decode_num_accepted_tokens_total": "accepted_draft_tokens",
    "vllm:prompt_tokens_total": "prompt_tokens",
    "vllm:prefix_cache_hits_total": "cached_prompt_tokens",  # in tokens; newer versions also have prompt_tokens_cached
    "vllm:generation_tokens_total": "generation_tokens",
    "vllm:request_queue_time_seconds_sum": "queue_s",
    "vllm:request_prefill_time_seconds_sum": "prompt_s",
    "vllm:request_decode_time_seconds_sum": "generation_s",
    "vllm:spec_decode_num_draft_tokens_total": "draft_tokens",
    "vllm:spec_decode_num_accepted_tokens_total": "accepted_draft_tokens",
}
_REQUESTS = {
    "llamacpp:requests_processing": "requests_running",
    "llamacpp:requests_deferred": "requests_waiting",
    "vllm:num_requests_running": "requests_running",
    "vllm:num_requests_waiting": "requests_waiting",
}
_SHARES = {
    "llamacpp:kv_cache_usage_ratio": "kv_cache_utilization",  # until spring 2025
    "vllm:gpu_cache_usage_perc": "kv_cache_utilization",  # until 0.10; both are fractions in spite of the name
    "vllm:kv_cache_usage_perc": "kv_cache_utilization",
}
_WORK = {  # what else changes while it works, besides the counters
    "llamacpp:n_decode_total": "decoded",
    "vllm:request_success_total": "requests_finished",
}
_READ = _COUNTERS | _REQUESTS | _SHARES
_FIELDS = _READ | _WORK
_MOST = 2.0**53  # larger floats are not exact counts


def read_metrics(text: str) -> ServerReading | None:
    """The reading of either server, with None for values that are missing or NaN. None if no value is known.

    Several engines of one vLLM are summed; for cache utilisation, the fullest counts. Seconds are summed over requests,
    so with several at once they grow faster than the clock. llama-server counts prompt tokens without cached ones, vLLM
    with them. llama-server doesn't report cache utilisation and waiting times. Its generated tokens and seconds, and
    vLLM's seconds, grow only when a request ends.
    """
    known = set(_READ.values())
    found = {name: value for name, value in _values(text).items() if name in known}
    return ServerReading(**found) if found else None


def read_work(text: str) -> dict[str, float]:
    """All known values that change when the server does something, by name; {} if there are none."""
    idle = set(_SHARES.values())
    return {name: value for name, value in _values(text).items() if name not in idle}


def _values(text: str) -> dict[str, float]:
    from prometheus_client.parser import text_string_to_metric_families  # takes 70 ms, so only when measuring

    # vLLM's page has a thousand other lines; parsing them ten times a second would cost more than everything else.
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
    except ValueError:  # not a Prometheus page
        return {}
    return found


def _sum(first: float, second: float) -> float:
    return first + second


def _name(line: str) -> str:
    return line.partition("{")[0].partition(" ")[0]
