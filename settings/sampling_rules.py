"""Sampling that means nothing, or contradicts itself: known before there is a server, and refused by both sides."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from results.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

CHAT_ONLY = ("system_prompt", "reasoning_effort", "thinking_budget", "chat_template_kwargs")
TOKEN_SAMPLING = ("top_p", "top_k", "min_p", "repeat_penalty", "presence_penalty")


@dataclass(frozen=True, kw_only=True)
class Published:
    """The sampling with which a benchmark's authors publish their figures: completions a sample, and plain nucleus
    sampling.
    """

    n_samples: int
    temperature: float
    top_p: float

    def settings(self) -> dict[str, Any]:
        """top_k and min_p switched off: llama-server has both on by default, and the authors have neither."""
        return {"temperature": self.temperature, "top_p": self.top_p, "top_k": 0, "min_p": 0.0}


PUBLISHED: Mapping[str, Published] = MappingProxyType(
    {
        # README and lcb_runner/runner/parser.py of https://github.com/LiveCodeBench/LiveCodeBench at commit 28fef95.
        "lcb": Published(n_samples=10, temperature=0.2, top_p=0.95),
        # Chen et al. 2021 (arXiv:2107.03374): 200 completions a problem, top_p 0.95 throughout, and for pass@1 the
        # temperature 0.2; of those that they tried, 0.8 is the best for pass@100.
        "human_eval": Published(n_samples=200, temperature=0.2, top_p=0.95),
    }
)


def require_sense(benchmark: str, given: Mapping[str, Any]) -> None:
    """Raises UsageError for settings that exclude each other or mean nothing to the benchmark.

    given: those that were given, by name.
    """
    drawn = [name for name in TOKEN_SAMPLING if given.get(name) is not None]
    if given.get("as_published"):
        if benchmark not in PUBLISHED:
            raise UsageError(
                f"--as-published: {benchmark} has no published sampling of its own",
                hint=f"{' and '.join(PUBLISHED)} have one; give --n-samples, --temperature and --top-p yourself",
                settings=("as_published",),
            )
        twice = [name for name in ("n_samples", "temperature") if given.get(name) is not None] + drawn
        if twice:
            raise UsageError(
                f"{option_of(twice[0])} and --as-published exclude each other",
                settings=(twice[0], "as_published"),
            )
    if benchmark == "mmlu" and drawn and given.get("answer_by") != "letter":
        raise UsageError(
            f"{option_of(drawn[0])} means nothing to answers by log-probabilities",
            hint="take --answer-by letter with it",
            settings=(drawn[0],),
        )
    if given.get("prompt_style") == "completion":
        require_chat_for(given, "as asked for")
    require_room(given.get("thinking_budget"), given.get("max_tokens"))


def require_chat_for(given: Mapping[str, Any], why: str) -> None:
    """Raises UsageError for what only a chat has, where the model is given a text to go on with, and why it is."""
    asked = tuple(name for name in CHAT_ONLY if given.get(name) is not None)
    if asked:
        raise UsageError(
            f"{', '.join(map(option_of, asked))} needs a chat, and the prompts are of style completion: {why}",
            hint="give --prompt-style chat if the model is made for chats, or leave the option out",
            settings=asked,
        )


def require_room(thinking_budget: int | None, max_tokens: int | None) -> None:
    """Raises UsageError where a thought may take all tokens of its answer. None: not known."""
    if thinking_budget is not None and max_tokens is not None and thinking_budget >= max_tokens:
        raise UsageError(
            f"a thinking budget of {thinking_budget} tokens leaves none of {max_tokens} for the answer",
            hint="raise --max-tokens",
            settings=("thinking_budget", "max_tokens"),
        )


def option_of(name: str) -> str:
    """As it stands on the command line."""
    return f"--{name.replace('_', '-')}"
