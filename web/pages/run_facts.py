"""What the page of a run shows of its record: configuration with its proof, phases, outcomes, and what happened."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any, NamedTuple

from results.prompts.optimisation import optimisation_of
from results.records import Outcome, RunStatus
from results.stats import divergence
from results.stats.machines import energy_doubts, speed_doubts
from results.stats.speed import headline, measured_loads
from results.store.reading.run_figures import short
from results.views.run_text import shown_status
from web.pages.composites.columns import stat_words
from web.pages.table import Cell, Column, Empty, Kind, Row, Table

if TYPE_CHECKING:
    from results.prompts.optimisation import Optimisation
    from results.records import Metric, RunRecord, Score
    from results.store.reading.run_row import RunRow
    from web.pages.table import Value

GIB = 1 << 30
OUTCOMES: dict[str, tuple[str, str]] = {
    Outcome.PASSED: ("passed", "good"),
    Outcome.FAILED: ("failed", "bad"),
    Outcome.TRUNCATED: ("cut by a limit", "warn"),
    Outcome.NO_ANSWER: ("without an answer", "warn"),
    Outcome.INFRASTRUCTURE_ERROR: ("lost", "dim"),
}


class Part(NamedTuple):
    """A part of a whole, drawn as a stretch of a bar. begin, size: percent of the bar."""

    name: str
    text: str
    tone: str
    begin: float
    size: float
    key: str = ""


class Stat(NamedTuple):
    """One figure at the top of the page. more: a quieter line."""

    name: str
    value: str
    more: str = ""


def lead_of(record: RunRecord, row: RunRow, rank: str) -> tuple[str, tuple[str, ...], str]:
    """What to know first, what to know next, and the kind of card. rank: against the best of its table, or ""."""
    if record.error is not None and row.status is not RunStatus.SUCCEEDED:
        more = (f"Try: {record.error.hint}",) if record.error.hint else ()
        return record.error.message, more, "bad" if row.status is RunStatus.FAILED else "warn"
    if row.status is RunStatus.STARTED:
        so_far = f"{row.answered} answers so far" if row.answered else "no answer yet"
        return "It is running now", (so_far,), "calm"
    if row.status is RunStatus.INTERRUPTED:
        return (
            "It was interrupted",
            (f"What it has is kept; to go on: run ... --resume {row.run_id}",),
            "warn",
        )
    score = record.score
    if score is not None and (search := optimisation_of(score.details)) is not None:
        return _search_lead(search)
    if score is None or score.score is None:
        return _without_score(score), (), "calm"
    low, high = row.score_low, row.score_high
    interval = "" if low is None or high is None else f" (95 % interval {low:.1f} to {high:.1f})"
    solved = f", {score.passed} of {score.completions} answers passed" if score.passed is not None else ""
    ranked = (f"Against the best run on the same problems: {rank}",) if rank else ()
    more = (*ranked, *score.warnings)
    return f"{score.score:.1f} of 100{interval}{solved}", more, "warn" if score.warnings else "good"


def _search_lead(search: Optimisation) -> tuple[str, tuple[str, ...], str]:
    shown = search.gain is not None and search.gain.shown
    more = (
        "The test samples were asked once, with the prompt that the search began with and with the one it found",
        "A search has no score, and a plain run with the prompt also asks what the search has learnt from",
    )
    return search.says[:1].upper() + search.says[1:], more, "good" if shown else "calm"


def _without_score(score: Score | None) -> str:
    if score is None:
        return "It has no result"
    if (found := divergence.kld_result(score.details)) is not None:
        return divergence.headline(found)
    return headline(measured_loads(score.details)) or "It measures something other than right and wrong"


def stats_of(record: RunRecord, row: RunRow) -> tuple[Stat, ...]:
    """The figures at the top; those that aren't known are left out."""
    found = [] if record.composite is None else [Stat(*stat_words(record.composite))]
    search = optimisation_of(record.score.details) if record.score is not None else None
    if search is not None:
        if search.gain is not None:
            found.append(Stat("Seed prompt", f"{search.gain.seed_score:.1f}", "of 100 on test"))
            found.append(Stat("Found prompt", f"{search.gain.score:.1f}", "of 100 on test"))
        found.append(Stat("Requests", f"{search.calls:,}", f"{search.candidates:,} prompts tried"))
    if row.tokens_per_s is not None:
        doubt = "not comparable" if speed_doubts(record) else "tokens/s"
        found.append(Stat("Speed", f"{row.tokens_per_s:,.1f}", doubt))
    if row.memory_bytes is not None:
        found.append(Stat("GPU memory", f"{row.memory_bytes / GIB:.2f}", "GiB at most"))
    elif row.host_memory_bytes is not None:
        found.append(Stat("Memory", f"{row.host_memory_bytes / GIB:.2f}", "GiB of the host at most"))
    if row.joules_per_solved is not None:
        found.append(Stat("Energy", f"{row.joules_per_solved:,.1f}", "J per solved problem"))
    if row.cost_usd is not None:
        found.append(Stat("Cost", f"{row.cost_usd:.4g}", "USD"))
    if row.seconds is not None:
        found.append(Stat("Time", f"{row.seconds:,.0f}", "seconds"))
    if record.score is not None and record.score.completion_tokens:
        prompt = record.score.prompt_tokens
        found.append(
            Stat(
                "Tokens",
                f"{record.score.completion_tokens:,}",
                f"written, {prompt:,} read" if prompt else "written",
            )
        )
    return tuple(found)


def outcome_parts(score: Score | None) -> tuple[Part, ...]:
    """How many answers of each outcome, as stretches of one bar."""
    counts = score.outcomes if score is not None else {}
    total = sum(counts.values())
    parts, begin = [], 0.0
    for key, (name, tone) in OUTCOMES.items():
        if count := counts.get(key, 0):
            size = 100 * count / total
            parts.append(Part(name, f"{count:,}", tone, round(begin, 2), round(size, 2), str(key)))
            begin += size
    return tuple(parts)


def phase_parts(record: RunRecord) -> tuple[Part, ...]:
    """Where the time went, as stretches of one bar; executing overlaps with generating, so it isn't one of them."""
    phases = record.phases
    script, generate = phases.script_s, phases.generate_s
    if (
        script is None and record.results.time_taken is not None
    ):  # a run that was stopped says no more than that
        script = max(0.0, record.results.time_taken - (phases.load_s or 0.0) - (phases.stop_s or 0.0))
    known = [
        ("loading the model", phases.load_s, "f3"),
        ("generating answers", generate, "f0"),
        (
            "judging and the rest",
            None if script is None or generate is None else max(0.0, script - generate),
            "f2",
        ),
        ("generating and judging", script if generate is None else None, "f0"),
        ("stopping", phases.stop_s, "f1"),
    ]
    there = [(name, seconds, tone) for name, seconds, tone in known if seconds]
    total = sum(seconds for _, seconds, _ in there)
    parts, begin = [], 0.0
    for name, seconds, tone in there:
        size = 100 * seconds / total
        parts.append(Part(name, f"{seconds:,.1f} s", tone, round(begin, 2), round(size, 2)))
        begin += size
    return tuple(parts)


def configuration_table(record: RunRecord) -> Table:
    """Each setting as it was asked for and as the server reported it."""
    server = record.server
    asked: dict[str, Any] = {**(server.asked if server is not None else {})}
    effective = server.effective if server is not None else {}
    options = record.config.get("options")
    config = {**record.config, **(options if isinstance(options, dict) else {})}
    for name, value in config.items():
        if name not in {"options", "nonce"} and value is not None:
            asked.setdefault(name, value)
    rows = []
    for name in {**asked, **effective}:
        one, other = asked.get(name), effective.get(name)
        differs = name in asked and name in effective and short(one) != short(other)
        cells: dict[str, Cell | Value] = {
            "setting": name,
            "asked": _setting(one, there=name in asked),
            "effective": Cell(
                _setting(other, there=name in effective), tone="warn" if differs else "",
                badge="differs" if differs else "", badge_tone="warn",
            ),
        }  # fmt: skip
        rows.append((not differs, name not in effective, Row(cells)))
    columns = (
        Column("setting", "setting"),
        Column("asked", "asked for", term="asked"),
        Column("effective", "in effect", term="effective"),
    )
    ordered = tuple(row for _, _, row in sorted(rows, key=lambda each: each[:2]))
    empty = Empty("No settings were recorded.")
    return Table("Settings, as asked for and in effect", columns, ordered, empty=empty, quiet_caption=True)


def _setting(value: Any, *, there: bool) -> str | None:
    return short(value) if there and value is not None else None


def commands_of(record: RunRecord) -> tuple[tuple[str, str], ...]:
    """The exact command lines, as a shell would need them."""
    server = record.server.command if record.server is not None else ()
    found = (("Server", server), ("Script", record.script_command))
    return tuple((name, shlex.join(words)) for name, words in found if words)


def identity_of(record: RunRecord) -> tuple[tuple[str, str], ...]:
    """Model, server, machine and program: what makes the result this one."""
    facts: list[tuple[str, Any]] = []
    for title, model in (("Model", record.model_identity), ("Draft model", record.draft_identity)):
        if model is None:
            continue
        size = f"{model.size_bytes / GIB:.2f} GiB" if model.size_bytes else ""
        many = f"{model.parameter_count / 1e9:.2f} billion parameters" if model.parameter_count else ""
        what = ", ".join(filter(None, (model.name, model.architecture, model.quantization, many, size)))
        facts += [(title, what), (f"{title}, sha256", model.sha256), (f"{title}, file", model.path)]
        if model.chat_template_sha256:
            facts.append(("Chat template, sha256", model.chat_template_sha256))
    host = record.host
    gpus = [gpu for gpu in host.get("gpus") or () if isinstance(gpu, dict)]
    facts += [
        ("Server", " ".join(filter(None, (record.server.kind, _build(record)))) if record.server else ""),
        ("Host", host.get("hostname")),
        ("Processor", host.get("processor")),
        ("GPUs", ", ".join(str(gpu.get("name")) for gpu in gpus)),
        ("Driver", ", ".join(sorted({str(gpu["driver"]) for gpu in gpus if gpu.get("driver")}))),
        ("bench-runner", " ".join(str(told) for key in ("version", "commit") if (told := record.harness.get(key)))),
        ("Fingerprint", record.fingerprint),
        ("Sweep", record.sweep.sweep_id if record.sweep is not None else ""),
        ("Answers of", record.rejudged_from),
        ("Shard", record.config.get("shard") or ""),
        ("Merged of", ", ".join(f"{each.shard}: {each.run_id}" for each in record.shards)),
    ]  # fmt: skip
    return tuple((name, str(value)) for name, value in facts if value)


def _build(record: RunRecord) -> str:
    effective = record.server.effective if record.server is not None else {}
    return next((str(effective[name]) for name in ("build", "version") if effective.get(name)), "")


def doubts_of(record: RunRecord) -> tuple[str, ...]:
    """What keeps its figures from being compared, and what the server did otherwise than asked."""
    found = [*record.server.differences] if record.server is not None else []
    found += [f"speed not comparable: {why}" for why in speed_doubts(record)]
    found += [f"energy unsure: {why}" for why in energy_doubts(record)]
    found += [f"composite: {each}" for each in (record.composite.warnings if record.composite else ())]
    return tuple(found)


def scores_table(score: Score | None) -> Table | None:
    """The score's parts by tag, and further metrics, with intervals; None if the score is all there is."""
    metrics = dict(list(score.metrics.items())[1:]) if score is not None else {}
    rows = tuple(_score_row(name, metric) for name, metric in metrics.items())
    if not rows:
        return None
    columns = (
        Column("metric", "metric"),
        Column("percent", "value", kind=Kind.SCORE, digits=1, term="interval"),
    )
    return Table("Further scores", columns, rows, quiet_caption=True)


def _score_row(name: str, metric: Metric) -> Row:
    low, high = metric.low, metric.high
    return Row(
        {
            "metric": name,
            "percent": Cell(
                100 * metric.value,
                low=None if low is None else 100 * low,
                high=None if high is None else 100 * high,
            ),
        }
    )


def status_words(row: RunRow) -> str:
    """The status as pages show it."""
    return shown_status(row.status)
