"""The most that requests of a search can take, for budgets that are never exceeded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from evaluation.loop.prompted_task import PromptedTask
from evaluation.loop.requests import make_request
from evaluation.models.asked import asked_by
from evaluation.optimise.contract import Cost
from results.json_text import encode

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from evaluation.models.sampling import Sampling
    from evaluation.optimise.contract import Item
    from evaluation.protocols import Task
    from results.prompts.prompt_file import PromptText
    from scripts.optimising.items import Asked

# A token has at least one byte. A body has other fields beside messages; a template adds some tokens, tools many.
_AROUND_TOKENS = 2048


class WorstCases:
    """Implements `contract.WorstCase`. price, reflector_price: None where nothing is charged, or no cap needs it."""

    def __init__(
        self,
        samples: Mapping[str, Asked],
        sampling: Sampling,
        reflecting: Sampling,
        *,
        price: Any,
        reflector_price: Any,
    ) -> None:
        self._samples = samples
        self._sampling = sampling
        self._reflecting = reflecting
        self._price = price
        self._reflector_price = reflector_price

    def __call__(self, asked: PromptText | str, items: Sequence[Item]) -> Cost:
        if isinstance(asked, str):
            return self._one(len(encode(asked)), self._reflecting, self._reflector_price)
        found = []
        for item in items:
            its_task, sample = self._samples[item.sha256]
            task = cast("Task", PromptedTask(its_task, asked))
            request = make_request(task, sample, self._sampling)
            size = len(encode(asked_by(request)))
            found.append(self._one(size, self._sampling, self._price))
        return Cost(sum(each.tokens for each in found), sum(each.cost_usd for each in found))

    def _one(self, size_bytes: int, sampling: Sampling, price: Any) -> Cost:
        prompt = size_bytes + _AROUND_TOKENS
        answer = sampling.max_tokens + (sampling.thinking_budget or 0)
        return Cost(prompt + answer, 0.0 if price is None else price.worst_usd(prompt, answer))
