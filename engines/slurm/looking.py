"""Look at a cluster's nodes: one of each kind, by a short job on it."""

from __future__ import annotations

import re
import shlex
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import msgspec

from engines.node_looks import MODULE, NodeLook, look_of
from engines.slurm import commands
from engines.slurm.commands import ControllerAwayError
from engines.slurm.job_script import NO_GPUS
from processes.short_program import answer_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from engines.node_looks import NodeQuestion
    from engines.slurm.settings import Settings

MOST_KINDS: Final = 8
WITHIN_S: Final = 20  # for a place to be free
TIMEOUT_S: Final = 60.0
_FREE: Final = ("idle", "mixed", "completing", "planned")  # or so soon, best first
_GPUS = re.compile(r"\bgpu:(?:[^,:()]+:)?(\d+)")


@dataclass(frozen=True)
class Kind:
    """Nodes that are alike. first: the one to look at, one with a free place if there is any."""

    names: tuple[str, ...]
    first: str
    is_free: bool
    state: str
    gpus: int

    @property
    def place(self) -> str:
        """For people."""
        more = len(self.names) - 1
        return self.first + (f" (and {more} like it)" if more else "")


def kinds_of(rows: Iterable[Sequence[str]]) -> list[Kind]:
    """rows: name, state, features, processors, memory and gres, as sinfo has them; a node in two partitions twice."""
    nodes: dict[tuple[str, ...], dict[str, str]] = {}
    for name, state, *kind in rows:
        nodes.setdefault(tuple(kind), {})[name] = state.rstrip("*~#!%$@^-+")
    found = []
    for what, states in nodes.items():
        free = sorted((_FREE.index(state), name) for name, state in states.items() if state in _FREE)
        first = free[0][1] if free else next(iter(states))
        gpus = sum(int(number) for number in _GPUS.findall(what[-1]))
        found.append(
            Kind(names=tuple(states), first=first, is_free=bool(free), state=states[first], gpus=gpus)
        )
    return found


def looks(settings: Settings, question: NodeQuestion) -> list[NodeLook]:
    """See `engines.node_looks.LooksAtNodes`."""
    if missing := commands.missing_programs():
        return [
            NodeLook(place="slurm", why=f"{commands.NO_SLURM}: no {missing[0]}", hint=commands.NO_SLURM_HINT)
        ]
    try:
        kinds = kinds_of(commands.listed_nodes(settings.partition))
    except ControllerAwayError as error:
        return [NodeLook(place="slurm", why=f"Slurm gives no answer: {error}", hint="see `scontrol ping`")]
    if not kinds:
        return [
            NodeLook(place="slurm", why=f"it has no partition {settings.partition!r}", hint="see `sinfo`")
        ]
    with ThreadPoolExecutor(MOST_KINDS) as threads:
        return list(threads.map(lambda kind: _look(settings, question, kind), kinds[:MOST_KINDS]))


def _look(settings: Settings, question: NodeQuestion, kind: Kind) -> NodeLook:
    if not kind.is_free:
        return NodeLook(
            place=kind.place, why=f"none of them has a free place now ({kind.state})", hint="see `sinfo -R`"
        )
    options = {
        "partition": settings.partition,
        "account": settings.account,
        "qos": settings.qos,
        "nodelist": kind.first,
        "gres": f"{settings.gres.partition(':')[0] or 'gpu'}:1"
        if kind.gpus and settings.gres != NO_GPUS
        else "",
    }
    words = question.words(model_folders=settings.models)
    lines = [
        "{",
        *(settings.setup or (":",)),
        "} >&2",
        f"cd {shlex.quote(settings.checkout)} || exit 73",
        f"exec {shlex.join([settings.python, '-m', MODULE, *words])}",
    ]
    command = [
        *(
            "srun",
            "--nodes=1",
            "--ntasks=1",
            "--time=2",
            "--mpi=none",
            "--quiet",
            "--export=ALL",
            "--chdir=/",
        ),
        *(f"--immediate={WITHIN_S}", "--job-name=bench-check", "--input=none"),
        *(f"--{name}={value}" for name, value in options.items() if value),
        *("bash", *(("-l",) if settings.login_shell else ()), "-c", "\n".join(lines)),
    ]
    asked = time.time()
    try:
        answer = answer_of(command, timeout_s=TIMEOUT_S, env=commands.job_environment(settings.environment))
    except (OSError, subprocess.TimeoutExpired) as error:
        why = (
            "it gave no answer" if isinstance(error, subprocess.TimeoutExpired) else f"srun: {error.strerror}"
        )
        return NodeLook(place=kind.place, why=why, hint="see `sinfo` and `squeue --me`")
    if answer.returncode != 0:
        lines = answer.stderr.decode(errors="replace").strip().splitlines()
        said = [line for line in lines if "Exited with exit code" not in line]
        return NodeLook(
            place=kind.place,
            why=f"bench_runner can't be started there: {said[-1][:300] if said else answer.returncode}",
            hint="do the nodes see bench_runner's folder and python at that path? see docs/engines.md",
        )
    look = look_of(kind.place, answer.stdout, asked=asked, answered=time.time())
    if look.check is None:
        return look
    # What Slurm would give a job, however many this one saw.
    gpus = max(look.check.usable_gpus, kind.gpus if look.check.usable_gpus else 0)
    asked_for = kind.gpus and settings.gres != NO_GPUS
    note = (
        f"Slurm has {kind.gpus} GPUs there, and a job can use none of them; `gres: {NO_GPUS}` asks for none"
    )
    return NodeLook(
        place=look.place,
        check=msgspec.structs.replace(look.check, usable_gpus=gpus),
        clock_s=look.clock_s,
        uncertain_s=look.uncertain_s,
        note=note if asked_for and not gpus else "",
    )
