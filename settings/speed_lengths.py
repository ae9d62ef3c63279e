"""The lengths of the speed benchmark's requests; the script sends them, and the server's context is chosen for them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NoReturn

import msgspec

from results.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

TOKENS = "[0-9]{1,7}[kK]?"  # 8k is 8192
TOKENS_LIST = f"{TOKENS}(,{TOKENS})*"
PROMPT_TOKENS = "512"
OUTPUT_TOKENS = "128"
LEAST_PROMPT = 16  # tokens: the shortest prompt that is unlike all others, and what depth 0 has
# Beyond prompt and answer: what a server adds to a prompt, and prompts made of words, whose length is about that asked.
SPARE_TOKENS = 64


class LongestRequest(msgspec.Struct, frozen=True):
    """The longest request of a benchmark, in tokens. setting: the one that its prompt's length comes from.

    at_once: how many are sent at once, for which slots are made if their number isn't given; None: any number.
    answer_setting: the one that its answer's length comes from. spare_tokens: what may be added to the prompt.
    least_prompt: the shortest prompt that the benchmark has.
    says: how much context it needs, as a sentence; empty: the usual one.
    """

    prompt_tokens: int
    output_tokens: int
    setting: str
    at_once: int | None = None
    answer_setting: str = "output_tokens"
    spare_tokens: int = SPARE_TOKENS
    least_prompt: int = 1
    says: str = ""

    @property
    def sentence(self) -> str:
        """How much context it needs."""
        return self.says or (
            f"{self.option} {self.prompt_tokens:,} and answers of {self.output_tokens:,} tokens need "
            f"{self.prompt_tokens + self.output_tokens:,} tokens of context"
        )

    @property
    def option(self) -> str:
        return f"--{self.setting.replace('_', '-')}"

    @property
    def tokens(self) -> int:
        """The context that it needs."""
        return self.prompt_tokens + self.output_tokens + self.spare_tokens

    def fits(self, ctx_size: int) -> bool:
        """Whether a slot with so many tokens holds it, with nothing to spare."""
        return self.prompt_tokens + self.output_tokens <= ctx_size


def token_count(text: str) -> int:
    """The number of tokens: 512, or 8k for 8192. Raises ValueError."""
    plain = text.strip()
    if not re.fullmatch(TOKENS, plain):
        raise ValueError(f"{text!r} is not a number of tokens such as 512 or 8k")
    return int(plain[:-1]) << 10 if plain[-1] in "kK" else int(plain)


def longest_request(given: Mapping[str, str | None]) -> LongestRequest:
    """The longest request of the speed benchmark with these settings.

    Raises UsageError if depths and prompts are given, and ValueError for a text that is no list of numbers.
    """
    if given.get("depths") and given.get("prompt_tokens"):
        refuse_both_lengths()
    setting = "depths" if given.get("depths") else "prompt_tokens"
    prompts = [token_count(each) for each in (given.get(setting) or PROMPT_TOKENS).split(",")]
    answers = [token_count(each) for each in (given.get("output_tokens") or OUTPUT_TOKENS).split(",")]
    at_once = None
    if setting == "depths":  # one, as in a chat, unless more are asked for
        at_once = max(int(each) for each in (given.get("concurrencies") or "1").split(","))
    return LongestRequest(max(*prompts, LEAST_PROMPT), max(answers), setting, at_once)


def refuse_both_lengths() -> NoReturn:
    """Raise the UsageError for --depths and --prompt-tokens together."""
    raise UsageError(
        "--depths and --prompt-tokens both set the length of the prompts",
        hint="give one of them",
        settings=("depths", "prompt_tokens"),
    )
