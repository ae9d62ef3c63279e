"""`RunStore` from the run folders themselves: complete and always right, and slow where many answers are read."""

from __future__ import annotations

import hashlib
import math
import threading
from collections import Counter, defaultdict
from typing import TYPE_CHECKING

import msgspec

from results.durable import explained
from results.errors import ResultsError
from results.records import Outcome, RunStatus
from results.store.answers import natural
from results.store.reading import queries
from results.store.reading.problems import cells_of, outcomes_of
from results.store.reading.run_files import (
    SampleLine,
    completion_at,
    completions_at,
    folder_of,
    may_be_run,
    open_own,
    prompt_in,
    sample_lines,
)
from results.store.reading.run_row import RunRow, run_row
from results.store.run_store import SamplePage, SampleQuery, SampleRow, TaskCounts
from results.store.verdicts import CompletionVerdict, read_verdicts

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from pathlib import Path

    from results.prompts.sent_prompts import SentPrompt
    from results.records import Completion, RunRecord
    from results.store.run_folder import RunFolder
    from results.store.run_store import BenchmarkRuns, GridPage, GridQuery, RunPage, RunQuery, TagCounts

_Signature = tuple[int, int, int]
_MOST_TESTS = 20_000  # kept at once


class _Sample(msgspec.Struct, frozen=True):
    """A completion's last line, and where it begins."""

    offset: int
    line: SampleLine


class FolderRunStore:
    """The runs in `results_dir`. What was read of a record is kept until the record changes."""

    def __init__(self, results_dir: Path) -> None:
        self._results_dir = results_dir.absolute()
        self._lock = threading.Lock()
        self._known: dict[str, tuple[_Signature, RunRow | str]] = {}
        self._tests: dict[tuple[str, str, str], tuple[object, bytes]] = {}

    @property
    def results_dir(self) -> Path:
        return self._results_dir

    def version(self) -> str:
        """A hash of when each run's files changed."""
        rows = self._rows()
        states = [(run_id, row.status, row.answered, self._changed(run_id)) for run_id, row in rows.items()]
        return hashlib.sha256(repr(states).encode()).hexdigest()[:16]

    def runs(self, query: RunQuery) -> RunPage:
        return queries.run_page(self._rows().values(), query)

    def rows(self) -> Sequence[RunRow]:
        return [*self._rows().values()]

    def row(self, run_id: str) -> RunRow | None:
        return self._rows().get(run_id)

    def folder(self, run_id: str) -> RunFolder | None:
        folder = folder_of(self._results_dir, run_id)
        return folder if folder is not None and run_id in self._rows() else None

    def record(self, run_id: str) -> RunRecord | None:
        folder = self.folder(run_id)
        return folder.read_record() if folder is not None else None

    def records(self) -> Iterator[tuple[RunFolder, RunRecord]]:
        return slim_records(self, self._rows())

    def skipped(self) -> Mapping[str, str]:
        self._rows()
        with self._lock:
            return {name: found for name, (_, found) in self._known.items() if isinstance(found, str)}

    def benchmarks(self) -> tuple[BenchmarkRuns, ...]:
        return queries.benchmark_runs(self._rows().values())

    def verdicts(self, run_id: str) -> Sequence[CompletionVerdict]:
        return verdicts_in(self.folder(run_id))

    def outcomes(self, run_id: str, tag: str = "", value: str = "") -> Mapping[str, Sequence[Outcome]]:
        return outcomes_of(
            (verdict.task_id, verdict.outcome)
            for verdict in self.verdicts(run_id)
            if not tag or verdict.tags.get(tag) == value
        )

    def lenient_outcomes(self, run_id: str, tag: str, value: str) -> Mapping[str, Sequence[Outcome]]:
        """The same, also where lines contradict themselves."""
        return outcomes_of(
            (each.line.task_id, each.line.outcome)
            for each in self._samples(run_id)
            if not tag or each.line.tags.get(tag) == value
        )

    def samples(self, run_id: str, query: SampleQuery) -> SamplePage:
        folder = self.folder(run_id)
        found = [each for each in self._samples(run_id) if _asked(each.line, query)]
        there, following = queries.page(found, query.limit, query.cursor)
        if folder is None:
            return SamplePage((), 0)
        details = completions_at(folder, [each.offset for each in there])
        rows = tuple(
            _sample_row(each.line, completion) for each, completion in zip(there, details, strict=True)
        )
        return SamplePage(rows, len(found), following)

    def sample(self, run_id: str, task_id: str, index: int = 0) -> Completion | None:
        folder = self.folder(run_id)
        for each in self._samples(run_id):
            if folder is not None and (each.line.task_id, each.line.index) == (task_id, index):
                return completion_at(folder, each.offset)
        return None

    def prompt(self, run_id: str, task_id: str) -> SentPrompt | None:
        folder = self.folder(run_id)
        return prompt_in(folder, task_id) if folder is not None else None

    def grid(self, query: GridQuery) -> GridPage:
        runs = queries.columns_of(query, self._rows().get)
        columns = [cells_of(self.lenient_outcomes(run.run_id, query.tag, query.value)) for run in runs]
        return queries.grid_page(query, runs, columns)

    def hardest(self, benchmark: str, limit: int = 100) -> tuple[TaskCounts, ...]:
        return queries.hardest(self._tasks(benchmark), limit)

    def flipped(self, benchmark: str, limit: int = 100) -> tuple[TaskCounts, ...]:
        return queries.flipped(self._tasks(benchmark), limit)

    def tags(self, benchmark: str) -> Mapping[str, tuple[str, ...]]:
        found: dict[str, set[str]] = defaultdict(set)
        for row in self._counted(benchmark):
            for name, values in queries.tag_values(self._countable(row.run_id)).items():
                found[name] |= values
        return {name: tuple(sorted(values)) for name, values in sorted(found.items())}

    def by_tag(
        self, benchmark: str, tag: str, run_ids: Collection[str] | None = None
    ) -> tuple[TagCounts, ...]:
        found = []
        for row in reversed(self._counted(benchmark)):
            if run_ids is not None and row.run_id not in run_ids:
                continue
            countable = self._countable(row.run_id)
            by_value: dict[str, list[SampleLine]] = defaultdict(list)
            for line in countable if tag in queries.tag_values(countable) else ():
                if tag in line.tags:
                    by_value[line.tags[tag]].append(line)
            for value, lines in sorted(by_value.items()):
                seconds = [line.seconds for line in lines if line.seconds is not None]
                tokens = [line.tokens_written for line in lines]
                costs = [line.usd for line in lines]
                found.append(
                    queries.tag_counts(
                        row,
                        value,
                        outcomes=Counter(line.outcome for line in lines),
                        samples=len({line.task_id for line in lines}),
                        request_s=math.fsum(seconds) / len(seconds) if seconds else None,
                        completion_tokens=None if None in tokens else sum(filter(None, tokens)),
                        cost_usd=None if None in costs else math.fsum(filter(None, costs)),
                    )
                )
        return tuple(found)

    def kept_tests(self, first: str, others: Sequence[str], what: str) -> Mapping[str, bytes]:
        found = {}
        for other in others:
            with self._lock:
                state, test = self._tests.get((first, other, what), (None, b""))
            if state is not None and state == self._states(first, other):
                found[other] = test
        return found

    def keep_tests(self, first: str, what: str, found: Mapping[str, bytes]) -> None:
        for other, test in found.items():
            state = self._states(first, other)
            with self._lock:
                if len(self._tests) >= _MOST_TESTS:
                    self._tests.clear()
                self._tests[first, other, what] = (state, test)

    def _states(self, *run_ids: str) -> object:
        return tuple(self._changed(run_id) for run_id in run_ids)

    def _changed(self, run_id: str) -> object:
        folder = self._results_dir / run_id
        return tuple(_signature(folder / name) for name in ("run.json", "completions.jsonl", "settings.json"))

    def _rows(self) -> dict[str, RunRow]:
        """All runs, oldest first."""
        with explained("read", self._results_dir):
            try:
                names = sorted(path.name for path in self._results_dir.iterdir())
            except FileNotFoundError:
                names = []
        with self._lock:
            known, self._known = self._known, {}
            for name in names:
                if (found := self._read(name, known.get(name))) is not None:
                    self._known[name] = found
            return {name: row for name, (_, row) in self._known.items() if isinstance(row, RunRow)}

    def _read(
        self, name: str, before: tuple[_Signature, RunRow | str] | None
    ) -> tuple[_Signature, RunRow | str] | None:
        """What is known of that folder, with its record's signature; None if it is no run's."""
        path = self._results_dir / name
        signature = _signature(path / "run.json")
        if signature is None or not may_be_run(name):
            return None
        is_running = before is not None and _runs(before[1])
        if before is not None and before[0] == signature and not is_running:
            return before
        return signature, read_row(self._results_dir, name)

    def _samples(self, run_id: str) -> list[_Sample]:
        """The run's completions, the last line of each, in the order of the samples."""
        folder = self.folder(run_id)
        file = open_own(folder.completions) if folder is not None else None
        if file is None:
            return []
        with file:
            found = {
                (line.task_id, line.index): _Sample(offset, line)
                for offset, _, line in sample_lines(file)
                if line is not None
            }
        ordered = sorted(found, key=lambda key: (natural(key[0]), *key))
        return [found[key] for key in ordered]

    def _countable(self, run_id: str) -> list[SampleLine]:
        """The same lines, where sums over runs are made; none of a run with an odd one."""
        lines = [each.line for each in self._samples(run_id)]
        return [] if any(line.oddity for line in lines) else lines

    def _counted(self, benchmark: str) -> list[RunRow]:
        return [row for row in self._rows().values() if row.benchmark == benchmark and queries.counts(row)]

    def _tasks(self, benchmark: str) -> list[TaskCounts]:
        counts: dict[str, list[int]] = {}
        tags: dict[str, dict[str, str]] = {}
        for row in self._counted(benchmark):
            judged: Counter[str] = Counter()
            for line in self._countable(row.run_id):
                there = counts.setdefault(line.task_id, [0, 0, 0])
                tags[line.task_id] = line.tags
                if line.outcome is not Outcome.INFRASTRUCTURE_ERROR:
                    judged[line.task_id] += 1
                    there[1] += line.outcome is Outcome.PASSED
                    there[2] += 1
            for task_id in judged:
                counts[task_id][0] += 1
        return [
            TaskCounts(task_id, runs, passed, judged, tags[task_id])
            for task_id, (runs, passed, judged) in counts.items()
        ]


def _runs(found: RunRow | str) -> bool:
    """Whether it may change without its record changing."""
    return isinstance(found, RunRow) and found.status is RunStatus.STARTED


def read_row(results_dir: Path, name: str) -> RunRow | str:
    """The row of the run in that folder, or why there is none."""
    found = read_run(results_dir, name)
    if isinstance(found, str):
        return found
    folder, record = found
    row = run_row(record, folder.effective_status(record))
    if row.status is RunStatus.SUCCEEDED or row.answered is not None:
        return row
    return msgspec.structs.replace(row, **progress_of(folder))


def read_run(results_dir: Path, name: str) -> tuple[RunFolder, RunRecord] | str:
    """The run in that folder, or why there is none."""
    folder = folder_of(results_dir, name)
    if folder is None:
        return "it, or its run.json, is a link or no regular file"
    try:
        record = folder.read_record()
    except ResultsError as error:
        return error.message
    if record.run_id != name:
        return f"its run.json is that of the run {record.run_id}"
    return folder, record


def progress_of(folder: RunFolder) -> dict[str, object]:
    """The answers of a run that has no score yet: how many are there, and how they ended."""
    try:
        file = open_own(folder.completions)
    except OSError:
        return {}
    if file is None:
        return {}
    with file:
        ended = {
            (line.task_id, line.index): line.outcome for _, _, line in sample_lines(file) if line is not None
        }
    return {"answered": len(ended), "outcomes": dict(Counter(str(each) for each in ended.values()))}


def slim_records(
    store: FolderRunStore, run_ids: Mapping[str, object]
) -> Iterator[tuple[RunFolder, RunRecord]]:
    """The records of these runs without their output."""
    for run_id in run_ids:
        folder = folder_of(store.results_dir, run_id)
        if folder is not None:
            try:
                record = folder.read_record()
            except ResultsError:
                continue
            yield folder, slim(record)


def slim(record: RunRecord) -> RunRecord:
    """The record without its script's output."""
    return msgspec.structs.replace(record, results=msgspec.structs.replace(record.results, raw_output=""))


def verdicts_in(folder: RunFolder | None) -> list[CompletionVerdict]:
    """The last verdict of each completion, in the order of the samples. Raises ParseError, ResultsError."""
    if folder is None or folder.completions.is_symlink() or not folder.completions.exists():
        return []
    with explained("read", folder.completions):
        found, _ = read_verdicts(folder.completions)
    return sorted(found, key=lambda verdict: (natural(verdict.task_id), verdict.task_id, verdict.index))


def _asked(line: SampleLine, query: SampleQuery) -> bool:
    if query.outcome is not None and line.outcome is not query.outcome:
        return False
    if query.tag and line.tags.get(query.tag) != query.value:
        return False
    return query.text.casefold() in line.task_id.casefold()


def _sample_row(line: SampleLine, completion: Completion | None) -> SampleRow:
    return SampleRow(
        task_id=line.task_id,
        index=line.index,
        outcome=line.outcome,
        detail=completion.detail if completion is not None else "",
        tags=line.tags,
        prompt_tokens=line.tokens_asked,
        completion_tokens=line.tokens_written,
        request_s=line.seconds,
        cost_usd=line.usd,
        near_time_limit=line.near_time_limit,
    )


def _signature(path: Path) -> _Signature | None:
    try:
        status = path.stat(follow_symlinks=False)
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino
