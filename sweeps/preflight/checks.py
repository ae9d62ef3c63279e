"""Before anything starts: what a plan needs, whether this machine has it, and how long it may take.

Errors are things that can't work now: a missing or broken model, a port in use, a full disk. Warnings are things that
may go wrong, because memory is estimated and other programs come and go.
"""

from __future__ import annotations

import dataclasses
import socket
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from results.errors import UsageError
from runner.machine import Machine, this_machine
from servers.capacity.memory_estimate import ALL_LAYERS, MemoryEstimate, estimate_server, fewest_cards
from servers.vllm import card_count, trained_length
from settings.base_url import parse_base_url
from sweeps.preflight.baselines import baseline_warnings
from sweeps.preflight.families import template_warnings
from sweeps.preflight.run_time import Expected, expected

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from pathlib import Path

    from engines.planned_run import PlannedRun
    from results.records import RunRecord
    from runner.spec import RunSpec
    from sweeps.plan import Plan

VLLM_SHARE = 0.9  # vLLM's default for --gpu-memory-utilization
# Disk space of a run: telemetry and logs per second, answers per completion. Measured, rounded up.
RUN_BYTES = 1 << 20
COMPLETION_BYTES = 32 << 10
SECOND_BYTES = 40 << 10
LEAST_DISK_BYTES = 64 << 20


@dataclass(frozen=True, kw_only=True)
class Finding:
    """An error or a warning. index: of the run that it concerns; None means all runs."""

    level: Literal["error", "warning"]
    index: int | None
    text: str


@dataclass(frozen=True, kw_only=True)
class Need:
    """What one run needs; None means not known. gpu_bytes: on all its cards together. cards: how many it spans.

    fits: "untrained" if it fits, with a longer context than the model was trained for.
    expected_s: includes the server's start if this run is the first on it. done: the run has already succeeded.
    reused: the id of the finished run that stands for it, or "".
    """

    index: int
    label: str
    group: str
    model: str = ""
    host_bytes: int | None = None
    gpu_bytes: int | None = None
    cards: int | None = None
    memory: MemoryEstimate | None = None
    fits: Literal["yes", "no", "untrained", "unknown"] = "unknown"
    expected_s: float | None = None
    expected_because: str = ""
    done: bool = False
    reused: str = ""


@dataclass(frozen=True, kw_only=True)
class Preflight:
    """needs: in the plan's order. expected_s: the sum of the known times; unknown: how many runs have none."""

    needs: tuple[Need, ...]
    findings: tuple[Finding, ...]
    notes: tuple[str, ...]
    machine: Machine
    servers: int
    disk_bytes: int
    expected_s: float | None
    unknown: int

    @property
    def ok(self) -> bool:
        """Whether nothing is certain to fail."""
        return all(finding.level != "error" for finding in self.findings)


def preflight(
    plan: Plan,
    *,
    results_dir: Path,
    done: Collection[str] = (),
    reused: Mapping[int, str] | None = None,
    elsewhere: bool = False,
) -> Preflight:
    """Check a plan against this machine and the results folder's run log. done: fingerprints of successful runs.
    reused: ids of the finished runs that stand for planned ones, by index. elsewhere: an engine brings them to other
    machines, so this one's memory, cards and ports don't matter.
    """
    from results.store.run_log import RUN_LOG_NAME, RunLog

    log = results_dir / RUN_LOG_NAME
    history = RunLog(log).runs() if log.exists() else ()
    machine = this_machine(results_dir)
    found = inspect(plan, machine=machine, history=history, done=done, reused=reused, elsewhere=elsewhere)
    missing = [
        Finding(level="warning", index=None, text=text) for text in baseline_warnings(plan.runs, results_dir)
    ]
    return dataclasses.replace(found, findings=(*found.findings, *missing))


def inspect(
    plan: Plan,
    *,
    machine: Machine,
    history: Sequence[RunRecord] = (),
    done: Collection[str] = (),
    reused: Mapping[int, str] | None = None,
    elsewhere: bool = False,
) -> Preflight:
    """Check a plan against a machine and earlier runs. done, reused, elsewhere: as in `preflight`. Takes no port and
    starts nothing.
    """
    instead = reused or {}
    findings: list[Finding] = []
    needs = []
    started: set[str] = set()
    disk = 0
    for run in plan.runs:
        is_done = run.index in instead or (bool(done) and not _names(run).isdisjoint(done))
        need, found = _need(run, None if elsewhere else machine)
        time = None if run.spec is None else expected(run.spec, history)
        if not is_done:
            findings += found
            disk += _disk_bytes(run.spec, time)
        need = _with_time(need, time, first=run.group not in started, done=is_done)
        need = dataclasses.replace(need, reused=instead.get(run.index, ""))
        needs.append(need)
        if not is_done and (run.spec is None or run.spec.server.perplexity is None):
            started.add(run.group)
    to_do = [run for run, need in zip(plan.runs, needs, strict=True) if not need.done]
    findings += [] if elsewhere else _ports(to_do)
    findings += [
        Finding(level="warning", index=None, text=text) for text in template_warnings(plan.runs) if to_do
    ]
    if machine.disk_free_bytes < LEAST_DISK_BYTES:
        findings.append(Finding(level="error", index=None, text="the disk of the results is full"))
    elif machine.disk_free_bytes < disk:
        text = f"the results may need {disk >> 20} MiB, but only {machine.disk_free_bytes >> 20} MiB are free"
        findings.append(Finding(level="warning", index=None, text=text))
    times = [need.expected_s for need in needs if not need.done]
    known = [seconds for seconds in times if seconds is not None]
    return Preflight(
        needs=tuple(needs),
        findings=tuple(findings),
        notes=(*plan.notes, *_of_shared_memory(machine)),
        machine=machine,
        servers=len(started),
        disk_bytes=disk,
        expected_s=sum(known) if known else None,
        unknown=len(times) - len(known),
    )


def _names(run: PlannedRun) -> set[str]:
    """The fingerprints of runs that make it superfluous."""
    return {run.fingerprint, *([run.whole.fingerprint] if run.whole is not None else [])}


def _of_shared_memory(machine: Machine) -> list[str]:
    return [
        f"{gpu.name} reports no memory of its own; it is assumed to share the host's"
        for gpu in machine.gpus
        if gpu.shares_host
    ]


def _need(run: PlannedRun, machine: Machine | None) -> tuple[Need, list[Finding]]:
    """machine: None for one that isn't known yet."""

    def finding(level: Literal["error", "warning"], text: str) -> Finding:
        return Finding(level=level, index=run.index, text=text)

    model = run.spec.server.model if run.spec else None
    bare = Need(index=run.index, label=run.label, group=run.group, model=model.name if model else "")
    if run.spec is None:
        return dataclasses.replace(bare, fits="no"), [
            finding("error", run.error.message if run.error else "can't work")
        ]
    kind = run.spec.server.kind
    if kind == "provider":
        return bare, []
    if kind == "attach":
        if machine is None:
            return bare, []
        trouble = _out_of_reach(run.spec.server.base_url or "")
        return bare, [finding("error", trouble)] if trouble else []
    try:
        if machine is None:
            need, texts = _anywhere(bare, run, run.spec)
        elif kind == "vllm":
            need, texts = _vllm(bare, run, run.spec, machine)
        elif kind == "llama.cpp":
            need, texts = _llama(bare, run, run.spec, machine)
        else:
            need, texts = bare, []
    except (UsageError, OSError) as error:
        return dataclasses.replace(bare, fits="no"), [finding("error", str(error))]
    return need, [finding("warning", text) for text in texts]


def _anywhere(bare: Need, run: PlannedRun, spec: RunSpec) -> tuple[Need, list[str]]:
    """By estimate; whether it fits depends on where it will run."""
    if spec.server.model is None:
        return bare, []
    header = spec.server.model.header
    trained = header.context_length if header else trained_length(spec.server.model.path)
    memory = estimate_server(spec.server, run.needs)
    texts = _beyond_training(run.needs, trained)
    if memory is None:
        return bare, texts
    cards = card_count(spec.server, run.needs) if spec.server.kind == "vllm" else None
    return (
        dataclasses.replace(
            bare, memory=memory, host_bytes=memory.host_bytes, gpu_bytes=memory.gpu_bytes, cards=cards
        ),
        texts,
    )


def _llama(bare: Need, run: PlannedRun, spec: RunSpec, machine: Machine) -> tuple[Need, list[str]]:
    from servers.llama_cpp import find_binary

    server = spec.server
    if server.model is None:
        return bare, []
    texts = []
    asked = run.needs.get("gpu_layers")
    gpus = machine.gpus if find_binary(server.server_binary) is not None else ()
    if asked and not gpus:
        texts.append(
            f"asks for {'all' if asked == ALL_LAYERS else asked} layers on a GPU, but no usable GPU was found"
        )
    memory = estimate_server(server, run.needs, on_gpu=bool(gpus))
    if memory is None:
        return bare, texts
    rooms = [gpu.room_bytes for gpu in gpus]
    cards = fewest_cards(memory.gpu_bytes, rooms) if memory.gpu_bytes else 0
    if cards is None and asked is None:
        texts.append("not all layers fit on the GPU: llama.cpp will choose how many")
    elif cards is None:
        texts.append(f"needs about {_gib(memory.gpu_bytes)} on the GPU, but {_gib(sum(rooms))} are free")
    elif cards > 1:
        texts.append(f"needs about {_gib(memory.gpu_bytes)}: it spans {cards} cards")
    shared = bool(gpus) and all(gpu.shares_host for gpu in gpus)
    host_bytes = memory.host_bytes + (memory.gpu_bytes if shared else 0)
    if host_bytes > machine.memory_available_bytes:
        available = _gib(machine.memory_available_bytes)
        both = ", which the GPU shares" if shared else ""
        texts.append(f"needs about {_gib(host_bytes)} of memory, but {available} are available{both}")
    trained = server.model.header.context_length if server.model.header else None
    fits = (cards is not None or asked is None) and host_bytes <= machine.memory_available_bytes
    beyond = _beyond_training(run.needs, trained)
    return (
        dataclasses.replace(
            bare,
            memory=memory,
            host_bytes=memory.host_bytes,
            gpu_bytes=memory.gpu_bytes,
            cards=cards,
            fits="no" if not fits else "untrained" if beyond else "yes",
        ),
        [*texts, *beyond],
    )


def _beyond_training(asked: Mapping[str, Any], trained: int | None) -> list[str]:
    ctx_size = asked.get("ctx_size")
    if ctx_size is None or trained is None or ctx_size <= trained:
        return []
    return [f"asks for {ctx_size:,} tokens of context, but the model was trained on {trained:,}"]


def _vllm(bare: Need, run: PlannedRun, spec: RunSpec, machine: Machine) -> tuple[Need, list[str]]:
    """The needs of vLLM, which takes its share of each card for any model and doesn't start if less is free."""
    server = spec.server
    cards = card_count(server, run.needs)
    share = run.needs.get("gpu_memory_utilization", VLLM_SHARE)
    memory = estimate_server(server, run.needs)
    weights = memory.gpu_bytes if memory else 0
    beyond = _beyond_training(run.needs, trained_length(server.model.path) if server.model else None)
    if not machine.gpus:
        return dataclasses.replace(bare, host_bytes=weights or None), beyond
    chosen = machine.gpus[:cards]
    taken = sum(round(share * gpu.total_bytes) for gpu in chosen)
    texts = []
    if cards > len(chosen):
        texts.append(f"asks for {cards} cards, but there are {len(chosen)}")
    for gpu in chosen:
        if gpu.room_bytes < share * gpu.total_bytes:
            wanted = _gib(share * gpu.total_bytes)
            texts.append(f"vLLM will need {wanted} of {gpu.name}, but {_gib(gpu.room_bytes)} are free")
    if weights > taken:
        texts.append(
            f"the weights alone need {_gib(weights)}, but vLLM's share of the cards is {_gib(taken)}"
        )
    need = dataclasses.replace(
        bare, gpu_bytes=taken, cards=cards, fits="no" if texts else "untrained" if beyond else "yes"
    )
    return need, [*texts, *beyond]


def _with_time(need: Need, time: Expected | None, *, first: bool, done: bool) -> Need:
    if done:
        return dataclasses.replace(need, done=True, expected_s=0.0, expected_because="already done")
    if time is None:
        return need
    load_s = (time.load_s or 0.0) if first else 0.0
    return dataclasses.replace(need, expected_s=time.seconds + load_s, expected_because=time.because)


def _disk_bytes(spec: RunSpec | None, time: Expected | None) -> int:
    if spec is None:
        return 0
    seconds = time.seconds if time else 0.0
    completions = time.completions if time else (spec.asked["limit"] or 0) * (spec.asked["n_samples"] or 1)
    return RUN_BYTES + completions * COMPLETION_BYTES + round(seconds * SECOND_BYTES)


def _ports(runs: Sequence[PlannedRun]) -> list[Finding]:
    from servers.ports import require_free_port

    asked: dict[int, dict[str, list[int]]] = defaultdict(dict)
    for run in runs:
        if run.spec is not None and run.spec.server.port is not None:
            asked[run.spec.server.port].setdefault(run.group, []).append(run.index)
    found = []
    for port, groups in asked.items():
        first = min(index for indexes in groups.values() for index in indexes)
        try:
            require_free_port(port)
        except UsageError as error:
            found.append(Finding(level="error", index=first, text=error.message))
        if len(groups) > 1:
            text = f"port {port} is requested by {len(groups)} servers, so they can't run at the same time"
            found.append(Finding(level="warning", index=first, text=text))
    return found


def _out_of_reach(base_url: str) -> str:
    """Why no server can be reached there; empty if something listens."""
    try:
        where = parse_base_url(base_url)
        with socket.create_connection((where.host, where.port), timeout=2):
            return ""
    except UsageError as error:
        return error.message
    except OSError:
        return f"nothing answers at {base_url}"


def _gib(size_bytes: float) -> str:
    return f"{size_bytes / (1 << 30):.1f} GiB"
