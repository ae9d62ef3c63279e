"""Make one run of the shards of a run: a run without a model or a server, whose record is that of the whole."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import msgspec

from parsers import registry
from parsers.contract import ScriptOutput, read_end
from results.errors import Interrupted
from results.records import Results, RunStatus
from results.store.remarks import RunRemarks
from runner.asked_style import FAMILY_STYLE
from runner.attempt import RAW_OUTPUT_BYTES
from runner.fingerprint import fingerprint
from runner.run import FinishedRun, as_ended
from runner.scoring.asked import ScoringAsked
from runner.scoring.step import with_composite
from runner.script.command import Script, option_words, suite_words
from runner.script.following import NothingToWatch, require_success, run_script
from runner.shards.sums import (
    shard_facts,
    summed_phases,
    summed_results,
    summed_score,
    summed_server,
    summed_telemetry,
)
from settings.secrets import without_secrets

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from results.records import RunRecord
    from results.store.run_folder import RunFolder
    from results.store.runs import RunEntry
    from results.sweep_place import SweepPlace
    from runner.display import Display
    from runner.spec import RunSpec


def merge_shards(
    spec: RunSpec,
    shards: Sequence[tuple[RunFolder, RunRecord]],
    entry: RunEntry,
    display: Display,
    held: Callable[[], AbstractContextManager[None]],
    *,
    place: SweepPlace,
) -> FinishedRun:
    """Merge the shards, which have succeeded, in their order. Nothing is asked or judged.

    spec: of the whole run. entry: where it goes, also again after an earlier try that was killed or failed. Before its
    last record is written, the shards are archived: what kills it in between leaves nothing that counts twice, and the
    next try finishes it. It is recorded like any run, and its error is in what is returned. Raises ResultsError.
    """
    records = [record for _, record in shards]
    with entry.claim():
        command = _command(spec, entry.folder, [folder.path for folder, _ in shards])
        record = _first_record(spec, records, entry, command, place)
        error: BaseException | None = None
        entry.begin(record)
        display.say(f"run {entry.folder.run_id}: merging {len(shards)} shards")
        try:
            record = _merged(spec, record, records, entry.folder, command)
            if (scoring := ScoringAsked.of(spec.asked)) is not None:
                record = with_composite(record, entry.folder, scoring, display, baseline=None)
            remarks = RunRemarks(entry.folder.path.parent, display.say)
            shown = [folder for folder, shard in shards if not shard.remarks.archived]
            with held():
                remarks.archive(shown, archived=True)
        except BaseException as caught:  # noqa: BLE001 - recorded, then returned or raised again
            error = caught
        with held():
            final = entry.finish(as_ended(record, error))
    if error is not None and not isinstance(error, Exception | Interrupted):
        raise error
    return FinishedRun(final, entry.folder, error)


def _command(spec: RunSpec, folder: RunFolder, shards: Sequence[Path]) -> tuple[str, ...]:
    words = ["--output", str(folder.path)]
    for shard in shards:
        words += ["--merge-shards", str(shard)]
    for setting, value in spec.for_script():
        words += option_words(setting, value)
    return (sys.executable, "-m", spec.benchmark.module, *words, *suite_words(spec.benchmark))


def _first_record(
    spec: RunSpec, shards: Sequence[RunRecord], entry: RunEntry, command: tuple[str, ...], place: SweepPlace
) -> RunRecord:
    first, known = shards[0], entry.before
    config = {name: value for name, value in first.config.items() if name not in {"shard", "port"}}
    style = config.get(FAMILY_STYLE)
    if isinstance(style, dict) and style.get("run_id") in {shard.run_id for shard in shards}:
        config[FAMILY_STYLE] = {**style, "run_id": entry.folder.run_id}  # it decided that itself
    record = msgspec.structs.replace(
        first,
        run_id=entry.folder.run_id,
        timestamp=min(record.timestamp for record in shards),
        status=RunStatus.STARTED,
        config={**config, "shards": spec.asked["shards"]},
        results=Results(),
        score=None,
        composite=None,
        phases=summed_phases(shards),
        server=summed_server(shards),
        script_command=without_secrets(command),
        telemetry=None,
        earlier_hosts=tuple(dict.fromkeys(host for record in shards for host in record.earlier_hosts)),
        incidents=tuple(incident for record in shards for incident in record.incidents),
        resumed=known.resumed + 1 if known else 0,
        merged_from="",
        shards=tuple(map(shard_facts, shards)),
        fingerprint="",
        sweep=place,
        error=None,
    )
    return msgspec.structs.replace(record, remarks=known.remarks if known else type(first.remarks)())


def _merged(
    spec: RunSpec,
    record: RunRecord,
    shards: Sequence[RunRecord],
    folder: RunFolder,
    command: tuple[str, ...],
) -> RunRecord:
    """Raises BenchError."""
    said_from = folder.script_out.stat().st_size if folder.script_out.exists() else 0
    script = Script.without_server(command, shown=record.script_command)
    ended = run_script(script, folder, NothingToWatch(), on_event=lambda _: None)
    require_success(ended, folder, said_from=said_from, command=record.script_command)
    output = ScriptOutput.from_files(folder.script_out, folder.script_log, folder.path, exit_code=0)
    score = summed_score(registry.get(spec.parser).parse(output), shards)
    results = msgspec.structs.replace(
        summed_results(shards), score=score.score, raw_output=read_end(folder.script_out, RAW_OUTPUT_BYTES)
    )
    return msgspec.structs.replace(
        record,
        score=score,
        results=results,
        phases=msgspec.structs.replace(record.phases, generate_s=score.generate_s, execute_s=score.execute_s),
        telemetry=summed_telemetry(shards, score),
        fingerprint=fingerprint(spec),
    )
