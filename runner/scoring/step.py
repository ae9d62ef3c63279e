"""Compute a run's composite score from its answers, by the script for it; no server runs meanwhile."""

from __future__ import annotations

import contextlib
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from parsers.contract import read_end
from results.errors import BenchError, ScriptError
from results.json_text import NOT_THAT_JSON
from results.scores.composite import CompositeScore, Part, PartScore
from runner.rerun import recorded_value
from runner.scoring.baseline import why_speed_is_unknown
from runner.script.command import Script, option_words
from runner.script.following import NothingToWatch, require_success, run_script
from settings.table import TABLE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from results.records import RunRecord
    from results.store.run_folder import RunFolder
    from runner.display import Display
    from runner.scoring.asked import ScoringAsked
    from runner.scoring.baseline import Baseline

MODULE = "scripts.scoring.score_run"
_DATA = ("tasks", "dataset", "mbpp_set", "mbpp_tests")
_SUMMARY_BYTES = 4 << 20


@dataclass(frozen=True)
class ScoringFiles:
    """What the program prints, beside what the benchmark's script printed: each is read on its own."""

    folder: Path

    @property
    def script_out(self) -> Path:
        return self.folder / "scoring.out"

    @property
    def script_log(self) -> Path:
        return self.folder / "scoring.log"


def with_composite(
    record: RunRecord, folder: RunFolder, asked: ScoringAsked, display: Display, *, baseline: Baseline | None
) -> RunRecord:
    """The record of a run that succeeded, with its composite; where that can't be computed, with the reason: the run
    is worth more. A baseline that was asked for and isn't here makes the speed unknown. Raises Interrupted.
    """
    missing = (
        "" if baseline is not None or not asked.baseline else f"the baseline {asked.baseline} is not here"
    )
    try:
        composite = composite_score(record, folder, asked, display, baseline=baseline, missing=missing)
    except BenchError as error:
        display.say(f"note: no composite score: {error.message}; to try again: rescore {folder.run_id}")
        composite = CompositeScore(
            rules="", weights={}, parts={}, composite=PartScore(value=None, why_not=error.message)
        )
    return msgspec.structs.replace(record, composite=composite)


class _Said(msgspec.Struct):
    event: str
    composite: CompositeScore


def composite_score(
    record: RunRecord,
    folder: RunFolder,
    asked: ScoringAsked,
    display: Display,
    *,
    baseline: Baseline | None,
    missing: str = "",
    sandbox: str | None = None,
) -> CompositeScore:
    """Measure what is not measured yet, and put it together. missing: why there is nothing to compare speed with.

    Raises ScriptError, ResultsError, UsageError, Interrupted.
    """
    files = ScoringFiles(folder.path)
    for path in (files.script_out, files.script_log):
        path.unlink(missing_ok=True)
    why = why_speed_is_unknown(record, folder, baseline) or missing
    words = _words(record, asked, baseline, why=why, sandbox=sandbox)
    command = (sys.executable, "-m", MODULE, "--output", str(folder.path), *words)
    display.say(f"scoring the answers of {folder.run_id}")

    def on_event(event: dict[str, Any]) -> None:
        if event["event"] == "progress":
            display.progress(event)

    ended = run_script(
        Script.without_server(command, shown=command), files, NothingToWatch(), on_event=on_event
    )
    require_success(ended, files, said_from=0, command=command)
    for line in reversed(read_end(files.script_out, _SUMMARY_BYTES).splitlines()):
        with contextlib.suppress(*NOT_THAT_JSON):  # a scorer of one's own may print, too
            return msgspec.json.decode(line, type=_Said).composite
    raise ScriptError("the program of composite scores ended without one", hint=f"see {files.script_log}")


def _words(
    record: RunRecord, asked: ScoringAsked, baseline: Baseline | None, *, why: str, sandbox: str | None
) -> Iterator[str]:
    if asked.weights is not None:
        yield from ("--weights", asked.weights)
    if baseline is not None and asked.counts(Part.SPEED):
        yield from ("--speed-baseline", str(baseline.folder.path), "--baseline-run", baseline.folder.run_id)
    if asked.target_s is not None and asked.counts(Part.SPEED):
        yield from ("--speed-target-s", f"{asked.target_s:.12g}")
    if why:
        yield f"--speed-unknown={why}"
    if asked.scorer is not None:
        yield from ("--scorer", str(asked.scorer))
    level = sandbox or record.config.get("sandbox")
    if level:
        yield from ("--sandbox", str(level))
    for name in _DATA:
        if record.config.get(name) is not None:
            yield from option_words(TABLE[name], recorded_value(TABLE[name], record.config[name]))
