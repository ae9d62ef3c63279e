"""The tokens that a provider counted for one request, and the cost that it states, read out of its answer."""

from __future__ import annotations

import math
from typing import Any

from evaluation.models.replies import as_mapping, read_json
from results.json_text import number, whole_number
from settings.spending.prices import PaidTokens


def paid_tokens(raw: bytes) -> PaidTokens | None:
    """Of an answer in the shape of OpenAI's API or Anthropic's; None where the counts are missing.

    Some providers (Gemini, xAI) leave thoughts out of the answer's tokens, but never out of the total. OpenRouter
    states the cost of a request; with a key of the user's own for the provider behind it (`is_byok`), that one's charge
    comes on top.
    """
    try:
        body = as_mapping(read_json(raw))
    except ValueError:
        return None
    if (given := _count(body, "prompt_eval_count")) is not None:  # Ollama's
        output = _count(body, "eval_count")
        return None if output is None else PaidTokens(input_tokens=given, output_tokens=output)
    if (given := _count(body, "tokens_evaluated")) is not None:  # llama-server's own
        output = _count(body, "tokens_predicted")
        return None if output is None else PaidTokens(input_tokens=given, output_tokens=output)
    usage = as_mapping(body.get("usage"))
    tier = body.get("service_tier", usage.get("service_tier"))
    tier = tier if isinstance(tier, str) and len(tier) < 100 else ""
    if (given := _count(usage, "input_tokens")) is not None:  # Anthropic's
        output = _count(usage, "output_tokens")
        read, written = _count(usage, "cache_read_input_tokens"), _count(usage, "cache_creation_input_tokens")
        if output is None:
            return None
        return PaidTokens(
            input_tokens=given + (read or 0) + (written or 0),
            output_tokens=output,
            cache_read_tokens=read or 0,
            cache_write_tokens=written or 0,
            service_tier=tier,
        )
    prompt, completion = _count(usage, "prompt_tokens"), _count(usage, "completion_tokens")
    if prompt is None or completion is None:
        return None
    details = as_mapping(usage.get("prompt_tokens_details"))
    cached, written = _count(details, "cached_tokens"), _count(details, "cache_write_tokens")
    total = _count(usage, "total_tokens") or 0
    return PaidTokens(
        input_tokens=prompt,
        output_tokens=max(completion, total - prompt),
        cache_read_tokens=min(cached or 0, prompt),
        cache_write_tokens=min(written or 0, prompt - min(cached or 0, prompt)),
        stated_cost_usd=_stated(usage),
        service_tier=tier,
    )


def _stated(usage: dict[str, Any]) -> float | None:
    cost = _amount(usage.get("cost"))
    if cost is None or usage.get("is_byok") is not True:
        return cost
    behind = _amount(as_mapping(usage.get("cost_details")).get("upstream_inference_cost"))
    return None if behind is None else cost + behind


def _amount(value: object) -> float | None:
    found = number(value)
    return found if found is not None and math.isfinite(found) and found >= 0 else None


def _count(mapping: dict[str, Any], name: str) -> int | None:
    return whole_number(mapping.get(name))
