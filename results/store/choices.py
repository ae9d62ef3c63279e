"""What `recommend` found, and how often it has looked at the answers.

    RESULTS/choices/ID/choice.json

The id is a hash of what there was to choose from, so the same question continues where it stood. The runs are only in
their own folders. Every look at the answers is noted before its result is told, because looking again has a price; see
`results.stats.as_good`.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path  # noqa: TC003 - a dataclass field
from typing import TYPE_CHECKING, Any

import msgspec

from results.durable import explained, replace_file
from results.errors import ResultsError
from results.files import read_file
from results.json_text import encode_indented
from results.locks import lock
from results.records import decode_versioned

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

CHOICES = "choices"
CHOICE_VERSION = 1


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """The answers of one configuration to one benchmark. key: of the configuration. settings: a hash of what determines
    them, such as the model's content, except for the number of samples. program: of what served and judged them.
    """

    key: str
    benchmark: str
    settings: str
    program: str
    samples: int


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """One look at the answers. number: 0 for a glance, 1 for the planned one, then 2, 3, ... runs: the ids of the runs
    whose answers it saw. settled: pairs of candidates' keys, so far. tolerance_points: the margin of this look.
    evidence: of those answers. limits: of a glance: how many samples of each benchmark it takes.
    """

    number: int
    runs: tuple[str, ...]
    samples: int
    tolerance_points: float
    settled: tuple[tuple[str, str], ...]
    evidence: tuple[Evidence, ...] = ()
    limits: dict[str, int] = {}


class ChoiceRow(msgspec.Struct, frozen=True, kw_only=True):
    """One configuration. key: identifies it among the candidates. verdict: a word: "chosen", "as good", "undecided",
    "worse", "failed" or "left out"; why: in words. Rates are those of one chat at the depth asked for. loss_points: at
    most so much worse than the best of the others (95 % for all together). score: percent of the pooled samples.
    """

    key: str
    label: str
    path: str
    kv_type: str
    verdict: str
    why: str = ""
    score: float | None = None
    samples: int | None = None
    loss_points: float | None = None
    samples_needed: int | None = None
    tokens_per_s: float | None = None
    watts: float | None = None
    joules_per_token: float | None = None
    memory_bytes: int | None = None
    kld: float | None = None
    bits_per_weight: float | None = None
    runs: tuple[str, ...] = ()


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """The answer. ending: see `choosing.recommendation.decision`. head: what to take, or that there is none. proof,
    unknown: sentences. command: the server's command line. chosen, runner_up: keys of rows, or "".
    runner_up_text: a sentence. needed: what would decide it, or "".
    """

    schema_version: int = CHOICE_VERSION
    choice_id: str
    updated: str
    ending: str
    head: str
    constraints: dict[str, Any] = {}
    proof: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    chosen: str = ""
    runner_up: str = ""
    runner_up_text: str = ""
    needed: str = ""
    unknown: tuple[str, ...] = ()
    rows: tuple[ChoiceRow, ...] = ()
    looks: tuple[Look, ...] = ()


@dataclass(frozen=True)
class ChoiceFolder:
    """The folder of one question. One process works on it at a time."""

    path: Path

    @classmethod
    def of(cls, results_dir: Path, choice_id: str) -> ChoiceFolder:
        return cls(results_dir.absolute() / CHOICES / choice_id)

    @property
    def _file(self) -> Path:
        return self.path / "choice.json"

    @contextlib.contextmanager
    def claim(self) -> Iterator[None]:
        """Be the process that answers this question. Raises ResultsError if there is another one."""
        with contextlib.ExitStack() as held:
            with explained("write", self.path):
                self.path.mkdir(parents=True, exist_ok=True)
                descriptor = held.enter_context(lock(self.path / "choice.lock", within_s=0.5))
            if descriptor is None:
                raise ResultsError(
                    f"another process is answering this question, in {self.path}",
                    hint="wait until it ends; what it finishes is reused",
                )
            yield

    def read(self) -> Choice | None:
        """The answer so far; None if there is none. Raises ResultsError if it is damaged or newer."""
        if not self._file.exists():
            return None
        with explained("read", self._file):
            data = read_file(self._file)
        return decode_versioned(
            data, Choice, version=CHOICE_VERSION, where=str(self._file), what="a recommendation"
        )

    def write(self, choice: Choice) -> None:
        """Write it atomically and durably. Raises ResultsError."""
        with explained("write", self._file):
            replace_file(self._file, encode_indented(choice))


def choice_about(results_dir: Path, runs: Collection[str]) -> Choice | None:
    """The newest recommendation that compared at least two configurations (or all that it had) by some of these runs;
    None if there is none. What can't be read is left out.
    """
    found: list[Choice] = []
    for path in (results_dir / CHOICES).glob("*/choice.json"):
        with contextlib.suppress(ResultsError):
            choice = ChoiceFolder(path.parent).read()
            if choice is not None and _rests_on(choice, frozenset(runs)):
                found.append(choice)
    return max(found, key=lambda choice: choice.updated, default=None)


def _rests_on(choice: Choice, runs: frozenset[str]) -> bool:
    measured = [row for row in choice.rows if row.runs]
    there = sum(not runs.isdisjoint(row.runs) for row in measured)
    return there > 0 and there >= min(2, len(measured))
