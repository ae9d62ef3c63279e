"""The finished runs that a sweep refers to instead of running them again."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from engines.model_family import decides_its_style, model_family
from results.compare.comparability import read_run_settings
from results.errors import ResultsError
from results.store.family_styles import FamilyStyle
from results.store.reused_runs import ReusedRun
from results.store.runs import Runs
from runner.reuse import FinishedRuns
from runner.scoring.rescore import score_reused
from sweeps.race import RACE_SEED

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from engines.planned_run import PlannedRun
    from results.records import RunRecord
    from results.store.family_styles import FamilyStyles
    from results.store.run_folder import RunFolder
    from results.store.sweep_folder import SweepFolder
    from runner.display import Display
    from sweeps.plan import Plan


class Reused(NamedTuple):
    """A planned run and the finished one that stands for it."""

    planned: PlannedRun
    folder: RunFolder
    record: RunRecord

    @property
    def family(self) -> str:
        """The model's family if that decides how the model is asked, else ""."""
        spec = self.planned.spec
        return model_family(spec) if spec is not None and decides_its_style(spec) else ""

    def style(self) -> FamilyStyle | None:
        """How the model was asked, where that was found out."""
        try:
            choice = (read_run_settings(self.folder) or {}).get("style_choice")
        except ResultsError:
            return None
        if not isinstance(choice, dict) or choice.get("requested") != "auto" or not choice.get("observed"):
            return None
        return FamilyStyle(
            style=str(choice.get("chosen")),
            because=str(choice["observed"]),
            decided_by=self.record.model,
            run_id=self.record.run_id,
        )


def find_reused(
    plan: Plan,
    results_dir: Path,
    *,
    race: bool,
    lossy: bool = False,
    known: Collection[str] = (),
    styles: FamilyStyles | None = None,
    warn: Callable[[str], None],
) -> tuple[Reused, ...]:
    """The finished runs that this plan would repeat. Of a family, only runs that were asked in one style.

    race, lossy: see `FinishedRuns`. known: fingerprints of which the sweep has runs already. styles: those in which its
    families are asked.

    Raises NewerRecord, ResultsError.
    """
    finished = FinishedRuns(results_dir, warn=warn, race_seed=RACE_SEED if race else None, lossy=lossy)
    found = []
    decided: dict[str, str] = {}
    for planned in plan.results:
        if planned.spec is None or (known and planned.fingerprint in known):
            continue
        there = finished.find(planned.spec, lambda planned=planned: planned.fingerprint)  # type: ignore[misc]
        if there is not None and fits_its_family(reused := Reused(planned, *there), decided, styles):
            found.append(reused)
    return tuple(found)


def by_place(plan: Plan, reused: Iterable[Reused]) -> dict[int, str]:
    """The ids of the runs that stand for planned ones, by index; one that stands for all shards of a run, for each."""
    return {
        run.index: each.record.run_id
        for each in reused
        for run in plan.shards(each.planned) or (each.planned,)
    }


def fits_its_family(reused: Reused, decided: dict[str, str], styles: FamilyStyles | None = None) -> bool:
    """Whether it was asked like the others of its family, which it decides if it is the first. decided: the styles so
    far, by family.
    """
    style, family = reused.style(), reused.family
    if style is None or not family:
        return True
    known = styles.known(family) if styles is not None else None
    return decided.setdefault(family, known.style if known is not None else style.style) == style.style


def note_reused(folder: SweepFolder, reused: Sequence[Reused], display: Display) -> None:
    """Let the sweep refer to these runs, and say so. Raises ResultsError."""
    note_styles(folder, reused)
    for each in reused:
        planned, record = each.planned, each.record
        folder.reused.note(
            ReusedRun(run_id=record.run_id, fingerprint=planned.fingerprint, label=planned.label)
        )
        display.say(f"reused: {reused_text(planned.label, record)}")
    if reused:
        runs = "this finished run" if len(reused) == 1 else f"these {len(reused)} finished runs"
        display.say(f"note: {runs} would only be repeated; --fresh runs everything anew")


def score_reused_runs(
    reused: Sequence[Reused], display: Display, held: Callable[[], AbstractContextManager[None]]
) -> None:
    """Compute the composite scores of these runs that the sweep asks for. Raises Interrupted."""
    for each in reused:
        if each.planned.spec is not None:
            runs = Runs(each.folder.path.parent, display.say)
            score_reused(each.planned.spec, each.record, runs, display, held)


def note_styles(folder: SweepFolder, reused: Sequence[Reused]) -> None:
    """Let the sweep ask the families of these runs as they were asked. Raises ResultsError."""
    for each in reused:
        style = each.style()
        if each.family and style is not None:
            folder.styles.note(each.family, style)


def reused_text(label: str, record: RunRecord) -> str:
    """Which run stands for a planned one, and what came of it."""
    score = record.score.score if record.score else None
    scored = "" if score is None else f", score {score:.1f}"
    return f"{label}: run {record.run_id} of {record.timestamp[:10]}{scored}"
