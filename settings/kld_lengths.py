"""The context that a window of kld needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from settings.benchmark_settings import KLD_WINDOW
from settings.speed_lengths import LongestRequest

if TYPE_CHECKING:
    from collections.abc import Mapping

LEAST_WINDOW = 4  # tokens; of fewer, none would be measured


def longest_window(given: Mapping[str, object]) -> LongestRequest:
    """The longest request with these settings of a run: a whole window, and a token that vLLM writes behind it."""
    window = int(str(given.get("kld_window") or KLD_WINDOW))
    return LongestRequest(
        window,
        1,
        "kld_window",
        answer_setting="kld_window",
        spare_tokens=0,
        least_prompt=LEAST_WINDOW,
        says=f"--kld-window {window:,} needs {window + 1:,} tokens of context",
    )
