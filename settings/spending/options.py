"""The rows for what requests may cost, and for answers that are kept so that none is asked for twice."""

from __future__ import annotations

from typing import TYPE_CHECKING

from results.errors import UsageError
from settings.setting import Determines, Section, Setting

if TYPE_CHECKING:
    from collections.abc import Iterable

MOST_TOKENS = 10**12
CACHE_BYTES = 2 << 30

# The fields of a request that change its price only through its tokens, of which the worst case is known. Any other,
# such as a search, a faster mode or another model to fall back on, can't stand beside --max-cost.
PRICED_BY_TOKENS = frozenset(
    {
        "model", "messages", "prompt", "system", "stream", "stream_options", "max_tokens", "max_completion_tokens",
        "temperature", "seed", "top_p", "top_k", "min_p", "top_a", "n", "best_of", "stop", "stop_sequences",
        "repeat_penalty", "repetition_penalty", "presence_penalty", "frequency_penalty", "logit_bias", "logprobs",
        "top_logprobs", "prompt_logprobs", "echo", "reasoning_effort", "verbosity", "thinking", "output_config",
        "thinking_token_budget", "thinking_budget_tokens", "thinking_budget", "chat_template_kwargs", "tools",
        "tool_choice", "parallel_tool_calls", "response_format", "structured_outputs", "service_tier", "user", "store",
        "metadata", "safety_identifier", "prompt_cache_key", "options", "think", "format", "keep_alive", "raw",
        "add_special_tokens", "min_tokens", "ignore_eos",
    }
)  # fmt: skip


def require_priced_by_tokens(fields: Iterable[str]) -> None:
    """Raise UsageError for a field whose price isn't known. fields: of a request's body."""
    if others := sorted(set(fields) - PRICED_BY_TOKENS):
        raise UsageError(
            f"--max-cost can't be held with {others[0]}, whose price isn't known",
            hint="leave it out of --provider-params, or cap the tokens with --max-tokens-total",
            settings=("max_cost", "provider_params"),
        )


SPENDING_SETTINGS = (
    Setting(
        name="max_cost",
        kind="number",
        help="Interrupt the run before it costs more than USD; --resume continues with a higher cap.",
        section=Section.COST,
        determines=Determines.NOTHING,
        metavar="USD",
        above=0,
        maximum=1_000_000,
        default_text="none",
        not_for=("speed", "kld", "ifeval"),
        to_script=True,
    ),
    Setting(
        name="max_tokens_total",
        kind="whole",
        help="Interrupt the run before its prompts and answers take more than N tokens.",
        section=Section.COST,
        determines=Determines.NOTHING,
        metavar="N",
        minimum=1,
        maximum=MOST_TOKENS,
        default_text="none",
        not_for=("speed", "kld", "ifeval"),
        to_script=True,
    ),
    Setting(
        name="cache",
        kind="flag",
        help="Keep answers, and take those that are kept instead of asking again. The run has no speed then.",
        section=Section.COST,
        determines=Determines.NOTHING,
        not_for=("speed", "kld", "ifeval"),
        to_script=True,
    ),
    Setting(
        name="cache_size",
        kind="size",
        help="With --cache: keep at most so much; the answers unused for longest go first.",
        section=Section.COST,
        determines=Determines.NOTHING,
        metavar="SIZE",
        minimum=1 << 20,
        maximum=1 << 50,
        default_text=f"{CACHE_BYTES >> 30}G",
        not_for=("speed", "kld", "ifeval"),
        to_script=True,
    ),
)
