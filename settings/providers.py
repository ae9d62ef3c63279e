"""Who answers requests, and what each of them takes: one row a provider."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Supports:
    """What requests may ask a provider for.

    seed: of sampling. logprobs: of the likeliest tokens. completions: a text to go on with, beside chats.
    json_schema: that an answer must fit. tools: that the model may call. most_stops: sequences that end an answer; the
    task cuts at the others itself.
    """

    seed: bool = True
    logprobs: bool = True
    completions: bool = True
    json_schema: bool = True
    tools: bool = True
    most_stops: int = 4
