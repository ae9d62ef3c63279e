"""A reference's predictions in a folder: who made them of what, and one line a window, each on disk before it counts.

The folder may be used by any run that measures the same windows. More windows may be added to it later.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from evaluation.benchmarks.kld.predictions import KeptWindow
from evaluation.loop.journal import SETTINGS_NAME, LineJournal
from results.errors import ResultsError, UsageError
from results.files import read_file
from results.json_text import NOT_THAT_JSON
from results.stats.divergence import KldReference  # noqa: TC001 - a field: msgspec reads it at run time

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from evaluation.benchmarks.kld.predictions import Prediction
    from evaluation.benchmarks.kld.windows import Window

WINDOWS_NAME = "predictions.jsonl"


class ReferenceSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What determines the predictions. server, build: who made them. facts: what is known of the model."""

    text_sha256: str
    window: int
    top: int
    server: str
    build: str = ""
    facts: KldReference


def read_reference(folder: Path) -> tuple[ReferenceSettings, dict[int, KeptWindow]]:
    """What a reference holds. Raises ResultsError."""
    try:
        settings = msgspec.json.decode(read_file(folder / SETTINGS_NAME), type=ReferenceSettings)
        return settings, kept_windows(read_file(folder / WINDOWS_NAME))
    except (OSError, *NOT_THAT_JSON) as error:
        raise ResultsError(
            f"the reference's predictions in {folder} can't be read: {error}",
            hint="run the same command again; if that doesn't help, delete this folder: it is made again",
        ) from error


def kept_windows(data: bytes) -> dict[int, KeptWindow]:
    """The windows by index; torn lines are passed over."""
    found = {}
    for line in data.splitlines():
        try:
            window = msgspec.json.decode(line, type=KeptWindow)
        except NOT_THAT_JSON:
            continue
        found[window.index] = window
    return found


def predictions_of(window: KeptWindow, folder: Path) -> list[Prediction]:
    """A reference's predictions of a window. Raises ResultsError."""
    try:
        return window.predictions()
    except ValueError as error:
        raise ResultsError(
            f"the reference's predictions in {folder} are damaged: {error}",
            hint="delete this folder, and run the same command again: they are made anew",
        ) from error


def open_reference(journal: LineJournal, settings: ReferenceSettings) -> dict[int, KeptWindow]:
    """Lock it for writing, and give what is there already. Made with other settings, it begins anew.

    Raises ResultsError.
    """
    data = journal.lock_and_read()
    try:
        before = msgspec.json.decode(read_file(journal.path.with_name(SETTINGS_NAME)), type=ReferenceSettings)
    except (OSError, *NOT_THAT_JSON):
        before = None
    found = kept_windows(data) if before == settings else {}
    journal.repair(data, b"".join(msgspec.json.encode(window) + b"\n" for window in found.values()))
    journal.bind(settings)
    return found


def require_same_tokens(
    windows: Sequence[Window],
    kept: dict[int, KeptWindow],
    *,
    name: str,
    text_sha256: str,
    of: ReferenceSettings,
) -> None:
    """Raises UsageError if the reference did not predict the same tokens of the same text."""
    if of.text_sha256 != text_sha256:
        raise UsageError(
            f"the reference {name} measured another text",
            hint="give the same --kld-text to both",
            settings=("kld_text", "kld_reference"),
        )
    for window in windows:
        there = kept.get(window.index)
        if there is None:
            raise UsageError(
                f"the reference {name} has {len(kept)} of the {len(windows)} windows",
                hint=f"lower --limit to {len(kept)}, or make the reference again with more windows",
                settings=("kld_reference", "limit"),
            )
        if there.tokens != window.tokens:
            raise UsageError(
                f"the reference {name} reads the text as other tokens than this model: their vocabularies differ",
                hint="a reference is the same model in another precision, or one with the same tokenizer",
                settings=("kld_reference",),
            )
