"""Runs side by side: one table for each set of comparable runs, with each run's rank, costs and settings."""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from results.compare.comparability import Difference, forbidding, read_run_settings
from results.compare.composites import composite_order, kinds_of_composites
from results.compare.fidelity import mean_divergence
from results.compare.versus_best import Rank, against_best
from results.errors import ResultsError
from results.records import RunStatus
from results.stats.machines import kinds_of, machine_of
from results.store.reading.charges import usd_per_solved
from results.store.reading.prompt_cache import cache_ram_of
from results.store.reading.run_figures import (
    family_of,
    quantization_of,
    short,
    shown_settings,
    tokens_per_s_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from results.compare.versus_best import Versus
    from results.records import RunRecord
    from results.store.run_folder import RunFolder
    from results.store.run_store import RunStore
    from results.sweep_place import RaceResult


class SortBy(enum.StrEnum):
    SCORE = "score"
    TOKENS_PER_S = "tokens_per_s"
    MEMORY = "memory"
    JOULES = "joules"
    SECONDS = "seconds"
    COST = "cost"
    COMPOSITE = "composite"


class GroupBy(enum.StrEnum):
    MODEL = "model"
    QUANTIZATION = "quantization"


@dataclass(frozen=True)
class Row:
    """One run. score and its 95 % interval: percent. tokens_per_s: generated tokens of all requests together; only
    speed benchmarks have its interval. gpu_memory_bytes, host_memory_bytes: peaks. family: the model's name without
    the quantisation. settings: those that differ within the table. versus: None for a run that is alone or has no
    score. usd_per_solved: what a provider charged. called: what a report calls it, if not by its name.
    price_per_kwh: in the user's currency, if the cost is shown.
    """

    folder: RunFolder
    record: RunRecord
    status: RunStatus
    family: str
    quantization: str
    score: float | None
    score_low: float | None
    score_high: float | None
    samples: int | None
    tokens_per_s: float | None
    tokens_per_s_low: float | None
    tokens_per_s_high: float | None
    gpu_memory_bytes: int | None
    host_memory_bytes: int | None
    energy_j: float | None
    joules_per_solved: float | None
    seconds: float | None
    settings: dict[str, str]
    usd_per_solved: float | None = None
    versus: Versus | None = None
    called: str = ""
    price_per_kwh: float | None = None

    @property
    def wh_per_1000_solved(self) -> float | None:
        """The energy of a thousand solved samples, in Wh."""
        return wh_per_1000(self.joules_per_solved)

    @property
    def cost_per_1000_solved(self) -> float | None:
        """What that costs; None without a price or energy."""
        return cost_per_1000(self.joules_per_solved, self.price_per_kwh)

    @property
    def memory_bytes(self) -> int | None:
        """The GPU's memory if known, otherwise the host's."""
        return self.gpu_memory_bytes if self.gpu_memory_bytes is not None else self.host_memory_bytes

    @property
    def name(self) -> str:
        """What distinguishes it from the table's other runs, in one line."""
        return " ".join([self.record.model, *(f"{name}={value}" for name, value in self.settings.items())])

    @property
    def lost(self) -> int:
        """Lost answers; the score counts them as not solved."""
        return self.record.score.lost if self.record.score is not None else 0

    @property
    def answers(self) -> int:
        """All requested answers, including lost ones."""
        return (self.record.score.completions if self.record.score is not None else None) or 0

    @property
    def race_result(self) -> RaceResult | None:
        return self.record.sweep.race_result if self.record.sweep is not None else None


@dataclass(frozen=True)
class Table:
    """Comparable runs. group: the model or quantisation that they share, with --group-by. apart: the settings, with
    their values here, that set it apart from the benchmark's other tables, whose scores can't be compared with these.
    """

    benchmark: str
    group: str
    apart: dict[str, str]
    rows: tuple[Row, ...]

    @property
    def machines(self) -> list[tuple[str, ...]]:
        """The kinds of machine that its runs were made on, see `results.stats.machines`."""
        return kinds_of(row.record for row in self.rows)

    @property
    def title(self) -> str:
        settings = ", ".join(f"{name} {value}" for name, value in self.apart.items())
        return ", ".join(part for part in (self.benchmark, self.group, settings) if part)


def make_tables(
    runs: Iterable[tuple[RunFolder, RunRecord]],
    *,
    warn: Callable[[str], None],
    group_by: GroupBy | None = None,
    sort_by: SortBy = SortBy.SCORE,
    price_per_kwh: float | None = None,
    store: RunStore | None = None,
) -> list[Table]:
    """The tables of these runs. warn: called for a run whose settings can't be read; only its command line counts.
    price_per_kwh: as in `Row`. store: as in `against_best`.
    """
    groups: dict[tuple[str, str], list[tuple[RunFolder, RunRecord]]] = {}
    for folder, record in runs:
        key = (record.benchmark, _group_of(record, group_by))
        groups.setdefault(key, []).append((folder, record))
    tables = []
    for (benchmark, group), members in sorted(groups.items()):
        sets = _comparable_sets(members, warn)
        for position, each in enumerate(sets):
            others = [one for number, one in enumerate(sets) if number != position]
            rows = _with_settings([_row(folder, record) for folder, record, _ in each])
            places = against_best([(row.folder, row.record) for row in rows], store)
            rows = [
                replace(row, versus=versus, price_per_kwh=price_per_kwh)
                for row, versus in zip(rows, places, strict=True)
            ]
            tables.append(Table(benchmark, group, _apart(each[0], others), tuple(sort_rows(rows, sort_by))))
    return tables


def wh_per_1000(joules_per_solved: float | None) -> float | None:
    """Joules of one solved sample as Wh of a thousand."""
    return None if joules_per_solved is None else joules_per_solved * 1000 / 3600


def cost_per_1000(joules_per_solved: float | None, price_per_kwh: float | None) -> float | None:
    """What a thousand solved samples cost; None if the energy or the price isn't known."""
    energy_wh = wh_per_1000(joules_per_solved)
    return None if energy_wh is None or price_per_kwh is None else energy_wh / 1000 * price_per_kwh


def sort_rows(rows: Iterable[Row], sort_by: SortBy) -> list[Row]:
    """Best first, rows without a value last. If no row has a score, sorting by score sorts by divergence from a
    reference if that is known, else by speed.

    Sorted by score, the run that all others are tested against comes first (a run on few samples may have a higher
    score), and runs that a race stopped come last. Sorted by something that the machine decides, runs of one kind of
    machine stay together; sorted by the composite, those whose composite was computed alike do.
    """
    rows = list(rows)
    if sort_by is SortBy.COMPOSITE:
        scored = kinds_of_composites(row.record for row in rows)
        return sorted(rows, key=lambda row: (*composite_order(row.record, scored), row.record.run_id))
    if sort_by is SortBy.SCORE and all(row.score is None for row in rows):
        divergences = {row.record.run_id: mean_divergence(row.record) for row in rows}
        if any(value is not None for value in divergences.values()):
            return sorted(rows, key=lambda row: _last_if_none(divergences[row.record.run_id]))
        sort_by = SortBy.TOKENS_PER_S

    together = sort_by in {SortBy.TOKENS_PER_S, SortBy.JOULES, SortBy.SECONDS}
    kinds = kinds_of(row.record for row in rows) if together else []

    def group(row: Row) -> int:
        if together:
            return kinds.index(machine_of(row.record))
        rank = row.versus.rank if row.versus is not None and sort_by is SortBy.SCORE else None
        return {Rank.BEST: 0, Rank.STOPPED: 2}.get(rank, 1) if rank is not None else 1

    def key(row: Row) -> float:
        value, sign = {
            SortBy.SCORE: (row.score, -1),
            SortBy.TOKENS_PER_S: (row.tokens_per_s, -1),
            SortBy.MEMORY: (row.memory_bytes, 1),
            SortBy.JOULES: (row.joules_per_solved, 1),
            SortBy.SECONDS: (row.seconds, 1),
            SortBy.COST: (row.usd_per_solved, 1),
        }[sort_by]
        return _last_if_none(None if value is None else sign * value)

    return sorted(rows, key=lambda row: (group(row), key(row), row.record.run_id))


def _last_if_none(value: float | None) -> float:
    return math.inf if value is None else value


_Member = tuple["RunFolder", "RunRecord", "dict[str, Any] | None"]


def _comparable_sets(
    runs: Sequence[tuple[RunFolder, RunRecord]], warn: Callable[[str], None]
) -> list[list[_Member]]:
    """Sets of runs comparable with the set's first. Finished runs come first, because all their settings are known."""
    sets: list[list[_Member]] = []
    for folder, record in sorted(runs, key=lambda run: run[1].status is not RunStatus.SUCCEEDED):
        try:
            settings = read_run_settings(folder)
        except ResultsError as error:
            warn(error.message)
            settings = None
        member = (folder, record, settings)
        for each in sets:
            if not forbidding(each[0][1], record, each[0][2], settings):
                each.append(member)
                break
        else:
            sets.append([member])
    return sets


def _apart(first: _Member, others: Sequence[Sequence[_Member]]) -> dict[str, str]:
    """The settings that set a table apart; hashes only if nothing else does."""
    found: dict[str, Difference] = {}
    for other in others:
        reasons = forbidding(first[1], other[0][1], first[2], other[0][2])
        words = [reason for reason in reasons if not reason.name.endswith("sha256")]
        found |= {reason.name: reason for reason in words or reasons}
    return {name: short(reason.first) for name, reason in found.items()}


def _group_of(record: RunRecord, group_by: GroupBy | None) -> str:
    if group_by is GroupBy.MODEL:
        return family_of(record)
    if group_by is GroupBy.QUANTIZATION:
        return quantization_of(record) or "quantisation unknown"
    return ""


def _row(folder: RunFolder, record: RunRecord) -> Row:
    score, telemetry = record.score, record.telemetry
    metric = next(iter(score.metrics.values()), None) if score is not None else None
    has_score = score is not None and score.score is not None and metric is not None
    speed, low, high = tokens_per_s_of(record)
    return Row(
        folder=folder,
        record=record,
        status=folder.effective_status(record),
        family=family_of(record),
        quantization=quantization_of(record),
        score=score.score if score is not None else None,
        score_low=100 * metric.low if has_score and metric and metric.low is not None else None,
        score_high=100 * metric.high if has_score and metric and metric.high is not None else None,
        samples=score.samples if score is not None else None,
        tokens_per_s=speed,
        tokens_per_s_low=low,
        tokens_per_s_high=high,
        gpu_memory_bytes=telemetry.peak_memory_bytes if telemetry is not None else None,
        host_memory_bytes=telemetry.peak_process_memory_bytes or None if telemetry is not None else None,
        energy_j=telemetry.energy_j if telemetry is not None else None,
        joules_per_solved=telemetry.joules_per_solved if telemetry is not None else None,
        seconds=record.results.time_taken if score is None or not score.cached else None,
        settings={},
        usd_per_solved=usd_per_solved(score),
    )


def _with_settings(rows: Sequence[Row]) -> list[Row]:
    """Each row with the settings that differ between rows; with the model's hash, the limit and the prompt cache of its
    server if only they differ.
    """
    known = [shown_settings(row.record) for row in rows]
    names = {name: None for each in known for name in each}
    differing = [name for name in names if len({short(each.get(name)) for each in known}) > 1]
    settings = [
        {name: short(each[name]) for name in differing if each.get(name) is not None} for each in known
    ]
    for name, of in (("sha256", _sha256), ("limit", _limit), ("cache_ram", cache_ram_of)):
        alike: dict[str, set[object]] = {}
        for row, each in zip(rows, settings, strict=True):
            alike.setdefault(f"{row.record.model} {each}", set()).add(of(row.record))
        several = [
            len(alike[f"{row.record.model} {each}"]) > 1 for row, each in zip(rows, settings, strict=True)
        ]
        for row, each, is_one in zip(rows, settings, several, strict=True):
            if is_one and of(row.record) is not None:
                each[name] = short(of(row.record))
    return [replace(row, settings=each) for row, each in zip(rows, settings, strict=True)]


def _sha256(record: RunRecord) -> str | None:
    return record.model_identity.sha256 if record.model_identity is not None else None


def _limit(record: RunRecord) -> object:
    """The requested limit; None in a race, which sets it itself."""
    raced = record.sweep is not None and record.sweep.race_result is not None
    return None if raced else record.config.get("limit")
