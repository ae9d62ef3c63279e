"""One run, or a list of runs, as tables for people."""

from __future__ import annotations

import sys
from collections import Counter
from typing import TYPE_CHECKING

import click

from results.durable import explained
from results.files import open_to_read
from results.folders import CERTIFICATES
from results.plain_text import plain_lines, uncoloured
from results.prompts.optimisation import search_headline
from results.records import Outcome, RunStatus
from results.stats import divergence
from results.stats.context import read_context
from results.stats.machines import energy_doubts, speed_doubts
from results.stats.speed import answering_speed, headline, measured_loads, table
from results.store.names import short_names
from results.store.reading.lora_names import lora_names
from results.views.charges_text import charge_rows
from results.views.composites.composite_text import (
    PLAIN_WHOLE,
    composite_rows,
    plain_whole,
    whole_or_partial,
)
from results.views.context_table import context_rows
from results.views.energy_cost import cost_text
from results.views.searches.text import search_rows
from results.views.terminal import Fact, print_table, say_facts

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from results.records import Metric, RunRecord, Score
    from results.sweep_place import ShardFacts
    from results.telemetry import TelemetrySummary

MOST_VALUES = 16  # of one tag, such as MMLU's subjects
GIB = 1 << 30
_OPTIONAL = {"note", "label", "composite"}  # columns of `list` that a terminal doesn't show if they are empty


def print_summary(record: RunRecord, folder: Path, *, price_per_kwh: float | None = None) -> None:
    """Print the score with its 95 % interval, completions, failures by kind, speed, phases, and where the files are.

    price_per_kwh: in the user's currency; with it, the cost of the energy is shown.
    """
    say_facts(
        (Fact(*row) for row in summary_rows(record, folder, price_per_kwh)),
        {"WARNING": "red", "error": "red"},
    )


def summary_rows(
    record: RunRecord, folder: Path, price_per_kwh: float | None = None
) -> list[tuple[str, str]]:
    """What the summary says, by name."""
    rows = _rows(record, folder, price_per_kwh)
    if certified := _certified(record, folder):
        rows.insert([name for name, _ in rows].index("files"), ("certified", certified))
    return rows


def _certified(record: RunRecord, folder: Path) -> str:
    """The newest verdict of `certify` on these settings; empty without one."""
    if not record.fingerprint or not (folder.parent / CERTIFICATES).is_dir():
        return ""
    from results.store.certificates import certificates_of
    from results.views.certificate_text import conclusion

    found = certificates_of(folder.parent, record.fingerprint, warn=lambda _: None)
    return f"against plain decoding: {conclusion(found[0])}" if found else ""


def _rows(record: RunRecord, folder: Path, price_per_kwh: float | None) -> list[tuple[str, str]]:
    provider = record.config.get("provider")
    model = f"{record.model} ({provider})" if provider else record.model
    rows = [("run", record.run_id), ("model", model), ("status", _status_text(record))]
    if record.remarks.label:
        rows.insert(1, ("label", record.remarks.label))
    if record.remarks.archived:
        rows.append(("archived", "left out of list, leaderboard and last; to show it: archive RUN --undo"))
    if record.remarks.note:
        rows.append(("noted", record.remarks.note))
    if lora := lora_names(record.config):
        rows.append(("adapters", ", ".join(lora)))
    rows.append(("speculation", _speculation(record)))
    if record.rejudged_from:
        rows.append(("answers of", record.rejudged_from))
    if shard := record.config.get("shard"):
        rows.append(("shard", f"{shard} of a run{f' in {record.sweep.sweep_id}' if record.sweep else ''}"))
    if record.score is not None:
        rows += search_rows(record.score.details, folder) or _score_rows(record.score)
    if record.composite is not None:
        rows += composite_rows(record.composite)
    if record.telemetry is not None:
        rows += _telemetry_rows(record.telemetry)
    if price_per_kwh is not None:
        rows.append(("cost", cost_text(record, price_per_kwh)))
    rows += [("phases", _phases(record)), *map(_shard_row, record.shards), ("files", str(folder))]
    if record.server is not None:
        rows += [("note", difference) for difference in record.server.differences]
    rows += [("not comparable", f"the speed: {why}") for why in speed_doubts(record)]
    if record.score is not None:
        rows += [("WARNING", warning) for warning in record.score.warnings]
    if record.error is not None:
        name = "interrupted" if record.status is RunStatus.INTERRUPTED else "error"
        rows.append((name, record.error.message))
        if record.error.hint:
            rows.append(("try", record.error.hint))
    return [(name, value) for name, value in rows if value]


def _shard_row(shard: ShardFacts) -> tuple[str, str]:
    """Which run it is, how much it answered, how long that took, and where."""
    seconds = "" if shard.time_taken_s is None else f"{shard.time_taken_s:.0f} s"
    done = "" if shard.completions is None else f"{shard.completions} completions"
    gpus = " and ".join(dict.fromkeys(shard.gpus))
    where = " with ".join(filter(None, (shard.host, gpus)))
    took = " in ".join(filter(None, (done, seconds)))
    return f"shard {shard.shard}", ", ".join(filter(None, (shard.run_id, took, where)))


def _speculation(record: RunRecord) -> str:
    """Who proposes tokens, and how many of them the model took; empty without speculation."""
    draft, telemetry = record.draft_identity, record.telemetry
    how = record.config.get("spec_type") or record.config.get("speculative_config")
    parts = [] if draft is None else [" ".join(filter(None, (draft.name, draft.quantization)))]
    if draft is None and how:
        parts.append(str(how))
    if telemetry is not None and (acceptance := telemetry.draft_acceptance) is not None:
        took = f"{telemetry.accepted_draft_tokens} of {telemetry.draft_tokens} proposed tokens"
        parts.append(f"{100 * acceptance:.1f} % accepted ({took})")
    elif parts and record.status is RunStatus.SUCCEEDED:
        proposed = telemetry.draft_tokens if telemetry is not None else None
        parts.append(
            "no token was proposed" if proposed == 0 else "the server does not tell how much is accepted"
        )
    return ", ".join(parts)


def shown_status(status: RunStatus) -> str:
    """The status as shown; a running run's record says `started`."""
    return "running" if status is RunStatus.STARTED else str(status)


def _status_text(record: RunRecord) -> str:
    restarts = len(record.incidents)
    again = f", its server restarted {restarts} times" if restarts else ""
    return f"{shown_status(record.status)}{again}"


def _score_rows(score: Score) -> list[tuple[str, str]]:
    rows = [("score", _score_text(score))]
    by_tag = Counter(tag for name in score.metrics if (tag := _tag(name)))
    context = read_context(score.details)
    in_table = {"length", "depth"} if context is not None else set()
    for name, metric in score.metrics.items():
        if (
            name == "score" or by_tag[_tag(name)] > MOST_VALUES or _tag(name) in in_table
        ):  # shown above, in percent; or too many to read; or shown as a table
            continue
        rows.append((name, f"{metric.value:.3f}{_interval(metric, 1)}"))
    rows += [
        (f"by {tag}", f"{count} figures: show --json") for tag, count in by_tag.items() if count > MOST_VALUES
    ]
    if context is not None:
        rows += context_rows(context)
    if score.lost:
        judged = (score.completions or 0) - score.lost
        right = "" if score.passed is None or score.by_metric else f", of which {score.passed} are right"
        rows.append(("lost answers", f"{score.lost}; {judged} were judged{right}"))
    if score.score_answered is not None and score.score_answered != score.score:
        rows.append(
            ("finished only", f"{score.score_answered:.1f} of 100, without truncated, empty or lost answers")
        )
    if score.completions is not None:
        rows.append(("completions", str(score.completions)))
    kinds = [
        f"{score.outcomes[kind]} {kind.replace('_', ' ')}" for kind in Outcome if score.outcomes.get(kind)
    ]
    rows.append(("outcomes", ", ".join(kinds)))
    ways = score.details.get("answers_by")
    if isinstance(ways, dict):
        rows.append(("answers by", ", ".join(f"{way} {count}" for way, count in ways.items())))
    rows += charge_rows(score)
    rate = answering_speed(score)
    if rate is not None and "speed" not in score.details:
        rows.append(("speed", f"{rate:.1f} tokens/s, {score.completion_tokens} tokens generated"))
    fidelity = divergence.kld_result(score.details)
    if fidelity is not None:
        rows += divergence.table(fidelity)
    loads = measured_loads(score.details)
    measured = score.details.get("speed")
    if loads:
        rows += table(loads)
    elif isinstance(measured, dict):
        rows += [(name, f"{value:.6g}") for name, value in measured.items() if isinstance(value, int | float)]
    return rows


def _tag(metric: str) -> str:
    """`difficulty` from `pass@1 difficulty=easy`; empty for a figure of all samples."""
    _, space, tag = metric.partition(" ")
    return tag.partition("=")[0] if space and "=" in tag else ""


def _telemetry_rows(telemetry: TelemetrySummary) -> list[tuple[str, str]]:
    energy = []
    for value, text in (
        (telemetry.energy_j, "{:.0f} J"),
        (telemetry.joules_per_completion, "{:.1f} J per completion"),
        (telemetry.joules_per_solved, "{:.1f} J per solved sample"),
        (telemetry.tokens_per_joule, "{:.2f} tokens/J"),
    ):
        if value is not None:
            energy.append(text.format(value))
    memory = []
    if telemetry.peak_memory_bytes is not None:
        memory.append(f"{telemetry.peak_memory_bytes / GIB:.2f} GiB of a GPU at most")
    if telemetry.peak_process_memory_bytes:
        memory.append(f"{telemetry.peak_process_memory_bytes / GIB:.2f} GiB of the host at most")
    if telemetry.memory_left_bytes:
        memory.append(
            f"{telemetry.memory_left_bytes / GIB:.2f} GiB of a GPU still held after the server ended"
        )
    return [
        ("energy", ", ".join(energy)),
        *(("energy unsure", why) for why in telemetry.energy_doubts),
        ("memory", ", ".join(memory)),
    ]


def _score_text(score: Score) -> str:
    if score.score is None:
        if divergence.kld_result(score.details) is not None:
            return "n/a (measures fidelity)"
        return (
            "n/a (speed benchmark)" if measured_loads(score.details) else "n/a: the result is not a fraction"
        )
    first = next(iter(score.metrics.values()), None)
    return f"{score.score:.1f} of 100{'' if first is None else _interval(first, 100)}"


def _interval(metric: Metric, scale: int) -> str:
    if metric.low is None or metric.high is None:
        return ""
    digits = 1 if scale == 100 else 3
    return f"  (95 % interval {metric.low * scale:.{digits}f} to {metric.high * scale:.{digits}f})"


def _phases(record: RunRecord) -> str:
    named = {
        "load": record.phases.load_s,
        "script": record.phases.script_s,
        "generate": record.phases.generate_s,
        "execute": record.phases.execute_s,
        "stop": record.phases.stop_s,
    }
    return ", ".join(f"{name} {seconds:.1f} s" for name, seconds in named.items() if seconds is not None)


def print_raw(path: Path) -> None:
    """Print a script's output byte for byte; on a terminal, without control sequences. Raises ResultsError."""
    with explained("read", path):
        file = open_to_read(path)
    with file:
        if not sys.stdout.isatty():
            import shutil

            shutil.copyfileobj(file, sys.stdout.buffer)
            return
        for line in file:
            click.echo(plain_lines(uncoloured(line.decode("utf-8", "replace"))), nl=False)


def print_list(runs: Sequence[tuple[RunStatus, RunRecord]], *, wide: bool) -> None:
    """Print one line per run; on a terminal, with labels or short ids unless it's `wide`, and without empty columns."""
    ids = [record.run_id for _, record in runs]
    shortened = sys.stdout.isatty() and not wide
    shown = short_names(ids, ids) if shortened else dict(zip(ids, ids, strict=True))
    if shortened:
        shown |= {record.run_id: record.remarks.label for _, record in runs if record.remarks.label}
    header = ["run", "status", "benchmark", "model", "score", "completions", "note", "label"]
    lines: list[Sequence[str]] = [_list_line(shown[record.run_id], status, record) for status, record in runs]
    if not sys.stdout.isatty():
        header += PLAIN_WHOLE
        lines = [[*line, *plain_whole(record)] for line, (_, record) in zip(lines, runs, strict=True)]
    else:
        at = header.index("completions")
        header.insert(at, "composite")
        lines = [
            [*line[:at], whole_or_partial(record.composite, interval=False), *line[at:]]
            for line, (_, record) in zip(lines, runs, strict=True)
        ]
        dropped = {name for at, name in enumerate(header) if not any(line[at] for line in lines)} & _OPTIONAL
        dropped |= {"label"} if shortened else set()
        kept = [at for at, name in enumerate(header) if name not in dropped]
        header, lines = [header[at] for at in kept], [[line[at] for at in kept] for line in lines]
    print_table(header, lines, wide=wide, optional=("completions", "composite"))


def _list_line(shown_id: str, status: RunStatus, record: RunRecord) -> tuple[str, ...]:
    score = record.score
    return (
        shown_id,
        shown_status(status),
        record.benchmark,
        record.model,
        "" if score is None or score.score is None else f"{score.score:.1f}",
        "" if score is None or score.completions is None else str(score.completions),
        _note(record),
        record.remarks.label,
    )


def _note(record: RunRecord) -> str:
    """Short notes for a table; `show` explains them."""
    lost = record.score.lost if record.score is not None else 0
    cached = record.score.cached if record.score is not None else 0
    loads = measured_loads(record.score.details) if record.score is not None else []
    fidelity = divergence.kld_result(record.score.details) if record.score is not None else None
    notes = (
        headline(loads),
        divergence.headline(fidelity) if fidelity is not None else "",
        search_headline(record),
        f"with {', '.join(lora_names(record.config))}" * bool(record.config.get("lora")),
        "archived" * record.remarks.archived,
        f"answers of {record.rejudged_from}" * bool(record.rejudged_from),
        f"shard {record.config.get('shard')}" * bool(record.config.get("shard")),
        f"{lost} answers lost" * bool(lost),
        f"{cached} kept answers" * bool(cached),
        "speed not comparable" * bool(speed_doubts(record)),
        "energy unsure" * bool(energy_doubts(record)),
    )
    return ", ".join(filter(None, notes))
