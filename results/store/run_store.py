"""`RunStore`: how the recorded runs are read, whether from their folders or from an index of them.

Run folders stay the truth. `reading.folder_run_store.FolderRunStore` reads them; `index.sql_run_store.SqlRunStore`,
with the extra `serve`, answers the same from an index that follows them.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Protocol

import msgspec

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from pathlib import Path

    from results.prompts.sent_prompts import SentPrompt
    from results.records import Completion, Outcome, RunRecord, RunStatus
    from results.store.reading.problems import GridRow
    from results.store.reading.run_row import RunRow
    from results.store.run_folder import RunFolder
    from results.store.verdicts import CompletionVerdict

MOST_ROWS = 500  # of one page, of runs, samples or problems
MOST_RUNS = 24  # of one grid


class RunOrder(enum.StrEnum):
    """The order of a list of runs. Runs without a value come last; among equals the newest comes first."""

    NEWEST = "newest"
    OLDEST = "oldest"
    SCORE = "score"
    TOKENS_PER_S = "tokens_per_s"
    MEMORY = "memory"
    SECONDS = "seconds"
    MODEL = "model"


class RunQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which runs. Empty fields match any. model: a pattern such as `*Q4*`, or part of the name, in any case. benchmark:
    the whole name. statuses: the effective ones (a run whose harness is dead is interrupted). since, until: of its
    beginning, with a time zone. text: part of the id, label, model or benchmark, in any case. archived: None for both
    kinds. limit: 1 to 500. cursor: `next_cursor` of the page before.
    """

    model: str = ""
    benchmark: str = ""
    statuses: tuple[RunStatus, ...] = ()
    since: dt.datetime | None = None
    until: dt.datetime | None = None
    text: str = ""
    label: str = ""
    sweep_id: str = ""
    archived: bool | None = False
    order: RunOrder = RunOrder.NEWEST
    limit: int = 100
    cursor: str = ""


class RunPage(msgspec.Struct, frozen=True):
    """total: of all pages. next_cursor: empty on the last page."""

    rows: tuple[RunRow, ...]
    total: int
    next_cursor: str = ""


class BenchmarkRuns(msgspec.Struct, frozen=True):
    """A benchmark that has runs. runs: all of them, archived ones too. newest: when the last one began, ISO 8601."""

    benchmark: str
    runs: int
    newest: str


class SampleQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which completions of a run, in the order of the samples. Empty fields match any. tag, value: such as difficulty
    and hard. text: part of the sample's id, in any case. limit: 1 to 500. cursor: `next_cursor` of the page before.
    """

    outcome: Outcome | None = None
    tag: str = ""
    value: str = ""
    text: str = ""
    limit: int = 100
    cursor: str = ""


class SampleRow(msgspec.Struct, frozen=True):
    """One completion without its texts. detail: why it failed, in a line. request_s: of its request."""

    task_id: str
    index: int
    outcome: Outcome
    detail: str
    tags: dict[str, str]
    prompt_tokens: int | None
    completion_tokens: int | None
    request_s: float | None
    cost_usd: float | None
    near_time_limit: bool


class SamplePage(msgspec.Struct, frozen=True):
    """total: of all pages. next_cursor: empty on the last page."""

    rows: tuple[SampleRow, ...]
    total: int
    next_cursor: str = ""


class GridOrder(enum.StrEnum):
    """DIFFERING: problems that some runs solved, then those of none, then of all. HARDEST: fewest solvers first."""

    DIFFERING = "differing"
    HARDEST = "hardest"
    TASK = "task"


class GridQuery(msgspec.Struct, frozen=True, kw_only=True):
    """The runs are the columns, in this order; at most 24. tag, value: only problems with it. page: from 1 on."""

    run_ids: tuple[str, ...]
    order: GridOrder = GridOrder.DIFFERING
    tag: str = ""
    value: str = ""
    page: int = 1
    per_page: int = 100


class GridPage(msgspec.Struct, frozen=True):
    """runs: the columns; those that are not known are left out. rows: their cells stand in that order. total: problems
    on all pages.
    """

    runs: tuple[RunRow, ...]
    rows: tuple[GridRow, ...]
    total: int
    page: int
    pages: int


class TaskCounts(msgspec.Struct, frozen=True):
    """One problem over all succeeded runs of its benchmark that are not archived. judged: completions that were not
    lost. runs: how many have one. disagreements: pairs of completions of which one passed and the other didn't.
    """

    task_id: str
    runs: int
    passed: int
    judged: int
    tags: dict[str, str]

    @property
    def share(self) -> float:
        """How many of the judged completions passed, as a fraction."""
        return self.passed / self.judged if self.judged else 0.0

    @property
    def disagreements(self) -> int:
        return self.passed * (self.judged - self.passed)


class TagCounts(msgspec.Struct, frozen=True):
    """One run on its samples with one value of a tag. completions: with those that were lost. passed: of them. solved:
    the share that passed, in percent, with its 95 % interval over the samples. request_s: mean of its requests.
    cost_usd: None unless known for each.
    """

    run: RunRow
    value: str
    samples: int
    completions: int
    passed: int
    lost: int
    solved: float
    low: float
    high: float
    request_s: float | None
    completion_tokens: int | None
    cost_usd: float | None


class RunStore(Protocol):
    """The recorded runs of one results folder. Safe to use from several threads. Names of runs are whole ids; a run
    that isn't known, or whose folder is a link, is None or empty. Nothing here follows a link out of the folder.

    Every method raises ResultsError if the results can't be read.
    """

    @property
    def results_dir(self) -> Path: ...

    def version(self) -> str:
        """A short text that changes whenever an answer of this store may: for caches and ETags. Takes milliseconds."""

    def runs(self, query: RunQuery) -> RunPage:
        """The runs that the query asks for. Raises UsageError for a cursor that is none."""

    def rows(self) -> Sequence[RunRow]:
        """All runs, oldest first. A row is the same object until its run changes."""

    def row(self, run_id: str) -> RunRow | None: ...

    def folder(self, run_id: str) -> RunFolder | None: ...

    def record(self, run_id: str) -> RunRecord | None:
        """Its whole record, as it is on disk."""

    def records(self) -> Iterator[tuple[RunFolder, RunRecord]]:
        """All runs, oldest first, with their records but without their output. Runs that can't be read are left out."""

    def skipped(self) -> Mapping[str, str]:
        """The folders that are no run, or can't be read: why, by name."""

    def benchmarks(self) -> tuple[BenchmarkRuns, ...]:
        """By name."""

    def verdicts(self, run_id: str) -> Sequence[CompletionVerdict]:
        """The last verdict of each completion, in the order of the samples. Raises ParseError as `read_verdicts`."""

    def outcomes(self, run_id: str, tag: str = "", value: str = "") -> Mapping[str, Sequence[Outcome]]:
        """How each sample's completions ended, by index; of all samples, or of those with that value of the tag. Raises
        ParseError as `read_verdicts`.
        """

    def samples(self, run_id: str, query: SampleQuery) -> SamplePage:
        """Raises UsageError for a cursor that is none."""

    def sample(self, run_id: str, task_id: str, index: int = 0) -> Completion | None: ...

    def prompt(self, run_id: str, task_id: str) -> SentPrompt | None:
        """What was asked; None where it was not kept."""

    def grid(self, query: GridQuery) -> GridPage:
        """What each run made of each problem, a page of them."""

    def hardest(self, benchmark: str, limit: int = 100) -> tuple[TaskCounts, ...]:
        """The problems with the lowest share of passed completions, the most often judged first."""

    def flipped(self, benchmark: str, limit: int = 100) -> tuple[TaskCounts, ...]:
        """The problems on which completions disagree most; only those on which some do."""

    def tags(self, benchmark: str) -> Mapping[str, tuple[str, ...]]:
        """The tags of its samples, such as difficulty, with their values."""

    def by_tag(
        self, benchmark: str, tag: str, run_ids: Collection[str] | None = None
    ) -> tuple[TagCounts, ...]:
        """Each succeeded run that is not archived on each value of the tag, newest run first. run_ids: only these."""

    def kept_tests(self, first: str, others: Sequence[str], what: str) -> Mapping[str, bytes]:
        """What `keep_tests` kept for the first run and each of the others, by the other's id; without those of runs
        that have changed since.
        """

    def keep_tests(self, first: str, what: str, found: Mapping[str, bytes]) -> None:
        """Keep the outcomes of tests between the first run and others, which take long to compute. what: names the
        test, with the version of its arithmetic. found: by the other run's id.
        """
