"""A request -> a job for the queue: its manifest planned as `sweep` plans it, so that the same mistakes are found."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from results.errors import UsageError
from results.json_text import encode
from results.plain_text import plain
from results.store.run_log import RUN_LOG_NAME, RunLog
from servers.demo_model import cached_path
from sweeps.manifest.reader import parse_manifest
from sweeps.plan import plan_runs, require_a_chance
from sweeps.preflight.report import duration
from sweeps.preflight.run_time import expected
from web.catalogue.manifest import manifest_document
from web.catalogue.mistakes import Mistake, RequestRefused, in_one_line
from web.jobs.job import NewJob, Priority, names_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sweeps.plan import Plan
    from web.catalogue.request import RunRequest
    from web.config import ServeConfig

NAME = "manifest"
_LAUNCHED = {"llama.cpp", "vllm", "command"}
_PRIORITIES = {"high": Priority.HIGH, "normal": Priority.NORMAL, "low": Priority.LOW}
_MOST_NAME = 200
_FIELD = re.compile(r"((?:matrix|defaults|runs|seed|test_mode)\b[^:\s]*): ")


@dataclass(frozen=True, kw_only=True)
class CheckedJob:
    """A job that may be added. labels: of its runs, in the order in which they run. notes: what the user might not
    expect, as sentences without a full stop.
    """

    job: NewJob
    labels: tuple[str, ...]
    notes: tuple[str, ...] = ()


def checked_job(request: RunRequest, config: ServeConfig, user: str, *, schedule_id: str = "") -> CheckedJob:
    """Raises RequestRefused with every mistake. Starts nothing, and asks no benchmark's program about its data: the job
    itself does.
    """
    document = manifest_document(request, config)
    text = encode(document).decode()
    if _fetches_demo(document):
        job = _job(request, user, text, None)
        if "engine" in document:
            job = dataclasses.replace(job, needs_device=False)
        return CheckedJob(job=dataclasses.replace(job, schedule_id=schedule_id), labels=())
    plan = _planned(text, request, config)
    job = _job(request, user, text, plan)
    if "engine" in document:  # its machines have devices of their own
        job = dataclasses.replace(job, needs_device=False)
    return CheckedJob(
        job=dataclasses.replace(job, schedule_id=schedule_id, estimated_duration_s=_expected_s(plan, config)),
        labels=tuple(run.label for run in plan.runs),
        notes=plan.notes,
    )


def _planned(text: str, request: RunRequest, config: ServeConfig) -> Plan:
    try:
        manifest = parse_manifest(text, form="json", name=NAME, folder=config.state_dir)
        plan = plan_runs(manifest, ask_scripts=False)
        require_a_chance(plan)
    except UsageError as error:
        raise refused_by(error, request, config) from None
    return plan


def refused_by(error: UsageError, request: RunRequest, config: ServeConfig) -> RequestRefused:
    """An error of the manifest that was made of a request, in the request's own words."""
    return RequestRefused(_mistakes(error, request, config))


def _mistakes(error: UsageError, request: RunRequest, config: ServeConfig) -> list[Mistake]:
    """Each in the request's own words."""
    lines = error.message.splitlines()
    if len(lines) > 1:
        return [_in_words(line, request, config) for line in lines[1:]]
    return [_in_words(in_one_line(error), request, config)]


def _in_words(line: str, request: RunRequest, config: ServeConfig) -> Mistake:
    line = re.sub(rf"^{NAME}(:\d+)?: ", "", plain(line))
    for name, path in config.data.items():
        line = line.replace(str(path.absolute()), name)
    if config.models_dir is not None:
        line = line.replace(f"{config.models_dir.resolve()}/", "")
    found = _FIELD.match(line)
    if found is None:
        return Mistake("", line)
    if request.manifest is not None:
        return Mistake(f"manifest.{found[1]}", line[found.end() :])
    name = found[1].removeprefix("runs[0]").lstrip(".")
    fields = {"": "", "benchmark": "suite", "model": "config.model"}
    return Mistake(fields.get(name, f"config.params.{name}"), line[found.end() :])


def _job(request: RunRequest, user: str, text: str, plan: Plan | None) -> NewJob:
    suites = [run.spec.benchmark.name for run in plan.runs if run.spec] if plan else [request.suite or NAME]
    models = _models(plan) if plan else ["demo"]
    return NewJob(
        user=user,
        suite=_names(suites),
        model_name=_names(models),
        manifest=text,
        priority=_PRIORITIES[request.priority],
        project_id="" if request.project_id is None else str(request.project_id),
        names=names_of(suites, models),
        needs_device=plan is None or any(run.spec and run.spec.server.kind in _LAUNCHED for run in plan.runs),
    )


def _models(plan: Plan) -> list[str]:
    return [
        (spec.server.model.name if spec.server.model else spec.server.model_name)
        or spec.server.base_url
        or ""
        for run in plan.runs
        if (spec := run.spec) is not None
    ]


def _names(names: Sequence[str]) -> str:
    """All of them, each once; shortened, for a column of a table."""
    text = ", ".join(dict.fromkeys(name for name in names if name))
    return text if len(text) <= _MOST_NAME else f"{text[: _MOST_NAME - 1]}…"


def _expected_s(plan: Plan, config: ServeConfig) -> float | None:
    """Of all runs, one after another; None unless the time of each is known from earlier runs."""
    log = config.results_dir / RUN_LOG_NAME
    history = RunLog(log).runs() if log.exists() else ()
    total = 0.0
    started: set[str] = set()
    for run in plan.runs:
        known = expected(run.spec, history) if run.spec is not None and history else None
        if known is None:
            return None
        total += known.seconds + (0.0 if run.group in started else known.load_s or 0.0)
        started.add(run.group)
    return total


def _fetches_demo(document: dict[str, object]) -> bool:
    """Whether planning would fetch the demo model, which the job does."""
    return cached_path() is None and '"demo"' in encode(document).decode()


def duration_in_words(seconds: float | None) -> str:
    """For people."""
    return "unknown: nothing similar has run here before" if seconds is None else f"about {duration(seconds)}"
