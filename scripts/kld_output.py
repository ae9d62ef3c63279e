"""What both ways of kld do alike: the journal of windows, what it is bound to, and the summary."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from evaluation.loop.checkpoint import Settings, check_settings, read_settings
from results.errors import ResultsError, UsageError
from results.json_text import NOT_THAT_JSON
from results.stats.divergence import KldReference, table
from settings.setting import MOST

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from evaluation.benchmarks.kld.text import MeasuredText
    from evaluation.loop.journal import LineJournal
    from results.stats.divergence import KldResult
    from scripts.arguments import Arguments
    from scripts.events import Events

NAME = "kld"


def require_bound(
    journal: LineJournal,
    arguments: Arguments,
    text: MeasuredText,
    *,
    options: Mapping[str, Any],
    is_new: bool,
) -> Settings:
    """What may not change within one folder. Raises ResumeMismatch if it has, and ResultsError if nobody knows.

    options: what determines the result beside the model and the text. is_new: whether the journal holds nothing yet.
    """
    settings = Settings(
        benchmark=NAME,
        model=arguments.model_identity or arguments.model,
        data_sha256=text.sha256,
        prompts_sha256="",
        prompt_style="completion",
        stop=(),
        temperature=0.0,
        max_tokens=0,
        seed=0,
        timeout_s=0,
        limit=arguments.limit or MOST,
        n_samples=1,
        options={"window": arguments.options["kld_window"], **options},
    )
    old = read_settings(arguments.output)
    if old is not None:
        check_settings(old, settings, arguments.output)
    elif not is_new:
        raise ResultsError(
            f"{journal.path} holds windows, and there is no settings.json that says with which settings",
            hint="choose another --output",
        )
    return settings


def told_facts(text: str) -> KldReference | None:
    """--facts. Raises UsageError."""
    try:
        return msgspec.json.decode(text, type=KldReference) if text else None
    except NOT_THAT_JSON as error:
        raise UsageError(f"--facts: {error}", hint="leave it out") from error


def say_summary(events: Events, result: KldResult, *, warnings: Sequence[str], new: int) -> None:
    """For people and for the parser. new: windows that were measured now."""
    for warning in warnings:
        events.say(f"WARNING: {warning}")
    for name, value in table(result):
        events.say(f"{name:20} {value}")
    events.emit(
        "summary",
        benchmark=NAME,
        score=None,
        kld=msgspec.to_builtins(result),
        new_completions=new,
        warnings=list(warnings),
    )
