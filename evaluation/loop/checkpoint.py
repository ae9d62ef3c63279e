"""`completions.jsonl`: the journal of finished completions, which is the checkpoint; and what it is bound to.

A completion is one line, on disk (fsync) before it counts as done. After a crash the journal may end in a
torn line: it is cut off and that completion is asked for again. Lines that failed for infrastructure are
dropped on resume.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from evaluation.loop.journal import SETTINGS_NAME, LineJournal
from evaluation.models.sampling import RequestSettings
from results.completion_lines import decode_completion
from results.durable import explained
from results.errors import ResumeMismatch
from results.files import read_file
from results.json_text import NOT_THAT_JSON
from results.records import Completion, Outcome, decode_versioned
from sandbox import MEMORY_BYTES
from settings.metric_texts import OWN_METRICS
from settings.verdict_rules import FIRST, VerdictRules

if TYPE_CHECKING:
    from pathlib import Path

JOURNAL_NAME = "completions.jsonl"
SETTINGS_VERSION = 1

Key = tuple[str, int]


class Settings(RequestSettings, frozen=True, kw_only=True):
    """All that determines a completion, and how many of them are wanted.

    model: the model's identity (its name, unless the caller knows a better one, such as the file's hash).
    data_sha256: of the data set's file; prompts_sha256: of every prompt as it is sent; own_prompts_sha256: of
    the task's own, if a prompt file adds something to them. timeout_s, memory_limit_bytes:
    processor time and memory of one execution. shuffle: seed of the samples' order; None: that of the data set.
    shard: the part of them, as 2/4; None: all.
    provider, provider_params, use_guided_json: see the settings of these names; None for a server of one's own.
    left_out: parameters that the server refused, so that its own defaults held; None where there are none. sent_as:
    those that it takes by another name. extraction_version, judging_version: see `settings.verdict_rules`. options: the
    benchmark's own, as JSON gives them back. `limit` and `n_samples` say how much, so they may grow on resume;
    everything else must be the same. Concurrency, retries, the server's URL and HTTP timeouts determine nothing and are
    not here.
    """

    schema_version: int = SETTINGS_VERSION
    benchmark: str
    model: str
    data_sha256: str
    prompts_sha256: str
    own_prompts_sha256: str | None = None
    prompt_style: str
    stop: tuple[str, ...]
    timeout_s: float
    memory_limit_bytes: int = MEMORY_BYTES
    limit: int
    n_samples: int
    shuffle: int | None = None
    shard: str | None = None
    provider: str | None = None
    provider_params: dict[str, Any] | None = None
    use_guided_json: bool | None = None
    left_out: tuple[str, ...] | None = None
    sent_as: dict[str, str] | None = None
    extraction_version: int = FIRST.extraction_version
    judging_version: int = FIRST.judging_version
    options: dict[str, Any] = msgspec.field(default_factory=dict)
    style_choice: dict[str, Any] = msgspec.field(default_factory=dict)


_MAY_GROW = ("limit", "n_samples")
_NOT_COMPARED = ("schema_version", "style_choice", "sent_as", "own_prompts_sha256")


def read_settings(folder: Path) -> Settings | None:
    """What the journal there is bound to; None for a fresh folder. Raises ResultsError."""
    path = folder / SETTINGS_NAME
    with explained("read", path):
        try:
            data = read_file(path)
        except FileNotFoundError:
            return None
    what = "the settings of a run"
    return decode_versioned(data, Settings, version=SETTINGS_VERSION, where=str(path), what=what)


def check_settings(old: Settings, new: Settings, folder: Path) -> None:
    """Raises ResumeMismatch naming each difference that forbids going on in that folder."""
    differences = []
    for name in Settings.__struct_fields__:
        was, now = getattr(old, name), getattr(new, name)
        grows = name in _MAY_GROW and now >= was
        if name == "options":
            names = [own for own in {**was, **now} if was.get(own) != now.get(own)]
            if not now.get(
                OWN_METRICS
            ):  # they may be left out from now on, but no other ones may measure the rest
                names = [own for own in names if own != OWN_METRICS]
            differences += [
                f"{own} was {_shown(was.get(own))} and is now {_shown(now.get(own))}" for own in names
            ]
        elif name not in _NOT_COMPARED and was != now and not grows:
            differences.append(f"{name} was {_shown(was)} and is now {_shown(now)}")
    if differences:
        other_rules = any(getattr(old, name) != getattr(new, name) for name in VerdictRules._fields)
        raise ResumeMismatch(
            f"{folder} holds completions of other settings: " + "; ".join(differences),
            hint="its verdicts follow other rules than today's: `rejudge` makes them again from its answers"
            if other_rules
            else "use the same settings as the first time, or choose another --output",
        )


class Journal(LineJournal):
    """The journal of the completions in one folder."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, JOURNAL_NAME)
        self._there = self._kept = b""

    def look(self) -> dict[Key, Completion]:
        """Lock the folder and give what is finished; nothing in it is changed yet. Raises ResultsError."""
        self._there = self.lock_and_read()
        lines, finished = _finished(self._there)
        self._kept = b"".join(lines)
        return finished

    def go_on(self) -> None:
        """After `look`: repair the journal, so that completions can be added. Raises ResultsError."""
        self.repair(self._there, self._kept)

    def begin_with(self, lines: bytes) -> None:
        """After `look`: let these be all that it has, at once. Raises ResultsError."""
        self.repair(self._there, lines)

    def open(self) -> dict[Key, Completion]:
        """`look`, and `go_on`."""
        finished = self.look()
        self.go_on()
        return finished


def _finished(data: bytes) -> tuple[list[bytes], dict[Key, Completion]]:
    """The lines worth keeping and what they say: the latest of a completion, no infrastructure errors.

    A line is kept byte for byte, whatever stands where it should have a count.
    """
    lines: dict[Key, bytes] = {}
    finished: dict[Key, Completion] = {}
    for line in data.splitlines(keepends=True):
        if not line.endswith(b"\n"):
            continue
        try:
            completion = decode_completion(line)
        except NOT_THAT_JSON:
            continue
        if completion.outcome is not Outcome.INFRASTRUCTURE_ERROR:
            key = (completion.task_id, completion.index)
            lines[key], finished[key] = line, completion
    return list(lines.values()), finished


def _shown(value: object) -> str:
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= 60 else text[:57] + "..."
