"""Sampling settings that have no effect or contradict each other. Both sides refuse them, before any server starts."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import msgspec

from results.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

CHAT_ONLY = ("system_prompt", "reasoning_effort", "thinking_budget", "chat_template_kwargs")
TOKEN_SAMPLING = ("top_p", "top_k", "min_p", "repeat_penalty", "presence_penalty")


class Published(msgspec.Struct, frozen=True, kw_only=True):
    """How a benchmark's authors get their figures: completions per sample, plain nucleus sampling (top_p None: greedy,
    the likeliest token counts), and other settings of the run by name.
    """

    n_samples: int = 1
    temperature: float = 0.0
    top_p: float | None = None
    others: Mapping[str, Any] = msgspec.field(default_factory=dict)

    def settings(self) -> dict[str, Any]:
        """The values by setting. top_k and min_p are off: the authors use neither, llama-server both by default."""
        if self.top_p is None:
            return {"temperature": self.temperature}
        return {"temperature": self.temperature, "top_p": self.top_p, "top_k": 0, "min_p": 0.0}


PUBLISHED: Mapping[str, Published] = MappingProxyType(
    {
        # Austin et al. 2021 (arXiv:2108.07732): 80 completions behind three examples, at temperature 0.5.
        "mbpp": Published(n_samples=80, temperature=0.5, top_p=1.0, others={"prompt_style": "completion"}),
        # README and lcb_runner/runner/parser.py of https://github.com/LiveCodeBench/LiveCodeBench at commit 28fef95.
        "lcb": Published(n_samples=10, temperature=0.2, top_p=0.95),
        # Chen et al. 2021 (arXiv:2107.03374): 200 completions per problem, always top_p 0.95, and temperature 0.2 for
        # pass@1. Of the temperatures that they tried, 0.8 is the best for pass@100.
        "human_eval": Published(n_samples=200, temperature=0.2, top_p=0.95),
        # Liu et al. 2023 (arXiv:2305.01210) and the leaderboard of EvalPlus: greedy.
        "human_eval_plus": Published(),
        "mbpp_plus": Published(),
        # Hendrycks et al. 2021 (arXiv:2009.03300): five examples of the subject, and the likeliest next letter.
        "mmlu": Published(others={"few_shot": 5, "prompt_style": "completion", "answer_by": "auto"}),
    }
)


def require_sense(benchmark: str, given: Mapping[str, Any]) -> None:
    """Raise UsageError for settings that exclude each other or have no effect on the benchmark.

    given: the values that were given, by name.
    """
    drawn = [name for name in TOKEN_SAMPLING if given.get(name) is not None]
    if given.get("as_published"):
        if benchmark not in PUBLISHED:
            *others, last = (name for name, one in PUBLISHED.items() if one.top_p is not None)
            raise UsageError(
                f"--as-published: {benchmark} has no published sampling of its own",
                hint=f"{', '.join(others)} and {last} have one; give --n-samples, --temperature and --top-p yourself",
                settings=("as_published",),
            )
        published = PUBLISHED[benchmark]
        twice = [name for name in ("n_samples", "temperature") if given.get(name) is not None] + drawn
        twice += [
            name
            for name, value in published.others.items()
            if given.get(name) not in {None, "auto", value, str(value)}
        ]
        if twice:
            raise UsageError(
                f"{option_of(twice[0])} can't be combined with --as-published",
                hint="leave one of them out",
                settings=(twice[0], "as_published"),
            )
        if published.others.get("prompt_style") == "completion":
            require_chat_for(given, "as published")
    if benchmark == "mmlu" and drawn and given.get("answer_by") != "letter":
        raise UsageError(
            f"{option_of(drawn[0])} does not apply to answers by log-probabilities",
            hint="add --answer-by letter",
            settings=(drawn[0],),
        )
    if given.get("prompt_style") == "completion":
        require_chat_for(given, "as asked for")
    require_room(given.get("thinking_budget"), given.get("max_tokens"))


def require_chat_for(given: Mapping[str, Any], why: str) -> None:
    """Raise UsageError for settings that need a chat. Call it when prompts are of style completion, for reason
    `why`.
    """
    asked = tuple(name for name in CHAT_ONLY if given.get(name) is not None)
    if asked:
        raise UsageError(
            f"{', '.join(map(option_of, asked))} needs a chat, but the prompt style is completion: {why}",
            hint="use --prompt-style chat if the model is made for chats, or leave the option out",
            settings=asked,
        )


def require_room(thinking_budget: int | None, max_tokens: int | None) -> None:
    """Raise UsageError if thinking may use up all tokens of an answer. None means not known."""
    if thinking_budget is not None and max_tokens is not None and thinking_budget >= max_tokens:
        raise UsageError(
            f"a thinking budget of {thinking_budget} tokens leaves none of {max_tokens} for the answer",
            hint="raise --max-tokens",
            settings=("thinking_budget", "max_tokens"),
        )


def option_of(name: str) -> str:
    """The setting's name on the command line."""
    return f"--{name.replace('_', '-')}"
