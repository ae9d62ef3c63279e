"""How well KL divergence has predicted flipped verdicts and lost points so far, in the runs of a results folder."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from results.compare.comparability import forbidding, read_run_settings
from results.compare.fidelity import KnownDivergence, known_divergences
from results.errors import ParseError, ResultsError
from results.records import Outcome, RunStatus
from results.stats.divergence import FULL_PRECISION
from results.stats.paired import mcnemar_exact
from results.stats.rank_correlation import RankCorrelation, rank_correlation
from results.store.verdicts import read_verdicts

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from results.records import RunRecord
    from results.store.run_folder import RunFolder

    Run = tuple[RunFolder, RunRecord]

FEWEST_SAMPLES = 20  # that both answered
SAME = 0.01  # nats: as near as Q8_0 and Q6_K usually are
DAMAGED = 0.1  # nats: as far as Q3_K and Q2_K usually are
_LEVEL = 0.05
_FEWEST_SOLVED = 10  # by the base: where it solves hardly anything, there is nothing to lose


class ServedModel(NamedTuple):
    """What a divergence is of. sha256: of the model's content. options: what else decides its predictions: the server's
    own options, such as KV cache types, and adapters.
    """

    sha256: str
    options: bytes

    @classmethod
    def of(cls, sha256: str, config: Mapping[str, Any]) -> ServedModel:
        """config: of a record, or that a run's would have."""
        words = [str(word) for word in config.get("server_args") or ()]
        return cls(sha256, msgspec.json.encode([words, config.get("lora_content") or None]))


Table = dict[ServedModel, KnownDivergence]


@dataclass(frozen=True, kw_only=True)
class PredictedPair:
    """One model's run of a benchmark beside that of the reference, or of the model nearest to it.

    sha256, kld: of the model, in nats. solved: samples that the base solved. flipped: share of samples whose verdict
    differs. loss: share of samples lost, less those won. p_value: of McNemar's exact test, two-sided.
    """

    benchmark: str
    base: str
    model: str
    sha256: str
    kld: float
    samples: int
    solved: int
    flipped: float
    loss: float
    p_value: float

    @property
    def surprise(self) -> str:
        """How the benchmark contradicts the divergence; "" if it doesn't."""
        if self.kld <= SAME and self.p_value < _LEVEL and self.loss > 0:
            return "nearly the same, but worse"
        if self.kld >= DAMAGED and self.loss <= 0 and self.solved >= _FEWEST_SOLVED:
            return "far away, but not worse"
        return ""


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """pairs: all there are. flips, loss: rank correlations of the divergence with these over the pairs. Pairs of one
    model, on several benchmarks or with several settings, depend on each other: the intervals count each model once.
    """

    pairs: tuple[PredictedPair, ...]
    flips: RankCorrelation
    loss: RankCorrelation

    @property
    def models(self) -> int:
        """Of so many the pairs are."""
        return len({pair.sha256 for pair in self.pairs})

    @property
    def surprises(self) -> tuple[PredictedPair, ...]:
        return tuple(pair for pair in self.pairs if pair.surprise)


def comparable_divergences(records: Iterable[RunRecord]) -> list[Table]:
    """Of each model as it was served, the newest divergence; one table for each way and reference by which it was
    measured.

    The first table has a reference in full precision if one has, then the most entries.
    """
    by_id = {record.run_id: record for record in records}
    tables: dict[tuple[object, ...], Table] = defaultdict(dict)
    for known in known_divergences(by_id.values()):  # newest first
        if known.model_sha256 is not None:
            served = ServedModel.of(known.model_sha256, by_id[known.run_id].config)
            tables[known.measured_as].setdefault(served, known)
    return sorted(tables.values(), key=lambda table: (_is_full(table), len(table)), reverse=True)


def reference_of(table: Table) -> ServedModel | None:
    """The reference of all divergences of a table, as it was served. None if its content is not known."""
    reference = next(iter(table.values())).result.reference
    if reference is None or reference.sha256 is None:
        return None
    served = reference.served
    return ServedModel.of(
        reference.sha256, {"server_args": served.get("server_args"), "lora_content": served.get("lora")}
    )


def prediction(runs: Sequence[Run]) -> Prediction:
    """From all runs of a folder. Of each benchmark and model as it was served, the newest finished run counts, with one
    completion per sample, and of each reference the table of divergences with the most entries. Runs that can't be read
    are left out.
    """
    records = [record for _, record in runs]
    pairs: list[PredictedPair] = []
    references: set[str | None] = set()
    for table in comparable_divergences(records):
        reference = next(iter(table.values())).reference_sha256
        if reference not in references:
            references.add(reference)
            pairs += _pairs_of(table, runs)
    klds = [pair.kld for pair in pairs]
    models = len({pair.sha256 for pair in pairs})
    return Prediction(
        pairs=tuple(pairs),
        flips=rank_correlation(klds, [pair.flipped for pair in pairs], units=models),
        loss=rank_correlation(klds, [pair.loss for pair in pairs], units=models),
    )


def _pairs_of(table: Table, runs: Sequence[Run]) -> list[PredictedPair]:
    klds = {served: known.mean for served, known in table.items()}
    if (reference := reference_of(table)) is not None:
        klds[reference] = 0.0
    newest: dict[str, dict[ServedModel, Run]] = defaultdict(dict)  # by benchmark
    for folder, record in sorted(runs, key=lambda run: run[1].timestamp):
        model = record.model_identity
        if record.status is not RunStatus.SUCCEEDED or record.remarks.archived:
            continue
        if model is None or model.sha256 is None or (record.config.get("n_samples") or 1) != 1:
            continue
        if (served := ServedModel.of(model.sha256, record.config)) in klds:
            newest[record.benchmark][served] = (folder, record)
    found = []
    for of_benchmark in newest.values():
        nearest = min(of_benchmark, key=klds.__getitem__)
        base = of_benchmark[nearest]
        for served, run in of_benchmark.items():
            if served == nearest:
                continue
            if (pair := _pair(base, run, served.sha256, klds[served])) is not None:
                found.append(pair)
    return found


def _pair(base: Run, run: Run, sha256: str, kld: float) -> PredictedPair | None:
    """None if the two can't be compared, or have too few samples in common."""
    try:
        settings = [read_run_settings(folder) for folder, _ in (base, run)]
        if forbidding(base[1], run[1], settings[0], settings[1]):
            return None
        passed = [_passed(folder) for folder, _ in (base, run)]
    except (OSError, ParseError, ResultsError):
        return None
    common = [task_id for task_id in passed[0] if task_id in passed[1]]
    if len(common) < FEWEST_SAMPLES:
        return None
    lost = sum(passed[0][task_id] and not passed[1][task_id] for task_id in common)
    won = sum(passed[1][task_id] and not passed[0][task_id] for task_id in common)
    return PredictedPair(
        benchmark=base[1].benchmark,
        base=base[1].model,
        model=run[1].model,
        sha256=sha256,
        kld=kld,
        samples=len(common),
        solved=sum(passed[0][task_id] for task_id in common),
        flipped=(lost + won) / len(common),
        loss=(lost - won) / len(common),
        p_value=mcnemar_exact(lost, won),
    )


def _passed(folder: RunFolder) -> dict[str, bool]:
    verdicts, _ = read_verdicts(folder.completions)
    return {
        verdict.task_id: verdict.passed
        for verdict in verdicts
        if verdict.outcome is not Outcome.INFRASTRUCTURE_ERROR
    }


def _is_full(table: Table) -> bool:
    reference = next(iter(table.values())).result.reference
    return reference is not None and reference.quantization in FULL_PRECISION
