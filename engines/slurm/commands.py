"""Slurm's own programs: submit, list and cancel jobs. Nothing here needs accounting."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from processes.short_program import answer_of
from results.errors import UsageError
from settings.secrets import is_secret

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

PROGRAMS: Final = ("sbatch", "squeue", "scancel", "sinfo")
NO_SLURM: Final = "Slurm's programs aren't on this machine"
NO_SLURM_HINT: Final = "run it on a login node of the cluster, or install its client programs (slurm-client)"
TIMEOUT_S = 120.0  # they wait for a busy controller themselves
_MOST_IDS = 200  # in one command line
# What every program needs; anything else is named in `environment`. SLURM_CONF tells where the cluster is.
_ALWAYS: Final = (
    *("HOME", "PATH", "USER", "LOGNAME", "SHELL", "LANG", "LC_ALL", "TZ"),
    *("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "HF_HOME", "SLURM_CONF", "SLURM_CLUSTERS"),
)
_AWAY = re.compile(
    r"contact slurm controller|slurmctld|socket timed out|connect failure|communication|connection (refused|reset)"
    r"|connection timed|try again|temporarily unavailable|zero bytes|message (send|receive) failure"
    r"|backup controller|standby|munge|authentication",
    re.IGNORECASE,
)
_LIMIT = re.compile(r"limit|temporarily unable|max.*jobs?|too many", re.IGNORECASE)
_NEEDS = re.compile(
    r"requested node configuration|node count|memory specification|cpu count|more processors|invalid generic resource"
    r"|invalid gres|requested nodes are",
    re.IGNORECASE,
)
# Of squeue's long states. Those of jobs that Slurm has, or may have, processes of; any other is an end.
_ALIVE: Final = frozenset(
    (
        *(
            "PENDING",
            "RUNNING",
            "COMPLETING",
            "CONFIGURING",
            "SUSPENDED",
            "STOPPED",
            "STAGE_OUT",
            "SIGNALING",
        ),
        *(
            "RESIZING",
            "REQUEUED",
            "REQUEUE_FED",
            "REQUEUE_HOLD",
            "SPECIAL_EXIT",
            "RESV_DEL_HOLD",
            "POWER_UP_NODE",
        ),
    )
)


class ControllerAwayError(Exception):
    """slurmctld gives no answer, so it isn't known whether it did what it was asked."""


class DeclinedError(Exception):
    """Slurm takes no such job. is_limit: not now. is_needs: no machine of it has what it needs. is_array: not so many
    at once.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.is_needs = _NEEDS.search(message) is not None
        self.is_array = "job array" in message.lower()
        is_never = self.is_needs or "time limit is invalid" in message
        self.is_limit = not is_never and _LIMIT.search(message) is not None


@dataclass(frozen=True, kw_only=True)
class ListedJob:
    """A line of squeue. job: JOB_INDEX. state: in full. used: for how long it ran, `0:00` for less than a second.
    reason: why it waits.
    """

    job: str
    state: str
    node: str
    name: str
    used: str
    reason: str

    @property
    def is_alive(self) -> bool:
        return self.state in _ALIVE

    @property
    def is_waiting(self) -> bool:
        return self.state in ("PENDING", "REQUEUED", "REQUEUE_HOLD", "CONFIGURING", "POWER_UP_NODE")


def missing_programs() -> list[str]:
    return [name for name in PROGRAMS if shutil.which(name) is None]


def job_environment(names: Iterable[str], environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """What goes along with a job, and lies on Slurm's disk: no secret. Raises UsageError for a name of one."""
    for name in names:
        if is_secret(name):
            raise UsageError(
                f"{name} can't go along with a job: Slurm would keep it on its disk",
                hint="let `setup` read it from a file on the node, such as `. ~/.bench_runner.env`",
            )
    return {name: environment[name] for name in (*_ALWAYS, *names) if name in environment}


def submit(script: Path, options: Sequence[str], env: Mapping[str, str]) -> str:
    """Submit a job script. Returns the job's number. Raises ControllerAwayError, DeclinedError."""
    printed = _run("sbatch", "--parsable", *options, str(script), env=env)
    number = printed.strip().splitlines()[-1].partition(";")[0].strip() if printed.strip() else ""
    if not number.isdigit():
        raise ControllerAwayError(f"sbatch printed no job's number: {printed.strip()[:200]!r}")
    return number


def would_take(script: Path, options: Sequence[str], env: Mapping[str, str]) -> None:
    """Ask whether Slurm takes such a job. Raises ControllerAwayError, DeclinedError."""
    _run("sbatch", "--test-only", *options, str(script), env=env)


def listed_jobs() -> list[ListedJob]:
    """All of the user's jobs that Slurm knows, ended ones too: one question for any number. Raises
    ControllerAwayError.
    """
    printed = _run("squeue", "--me", "--states=all", "--array", "--noheader", "--format=%i|%T|%N|%j|%M|%r")
    rows = (line.strip().split("|", 5) for line in printed.splitlines())
    return [
        ListedJob(job=row[0], state=row[1], node=row[2], name=row[3], used=row[4], reason=row[5])
        for row in rows
        if len(row) == 6
    ]


def has_gpus(partition: str) -> bool:
    """Whether any node there has GPUs that Slurm hands out. Raises ControllerAwayError."""
    where = (f"--partition={partition}",) if partition else ()
    return "gpu" in _run("sinfo", "--noheader", "--format=%G", *where)


def default_partition() -> str:
    """Where jobs go that name no partition; "" if there is none. Raises ControllerAwayError."""
    names = _run("sinfo", "--noheader", "--format=%P").split()
    return next((name.rstrip("*") for name in names if name.endswith("*")), "")


def listed_nodes(partition: str) -> list[tuple[str, ...]]:
    """Of each node there: name, state, features, processors, memory and gres. Raises ControllerAwayError."""
    where = (f"--partition={partition}",) if partition else ()
    printed = _run("sinfo", "--Node", "--noheader", "--format=%N|%T|%f|%c|%m|%G", *where)
    rows = (tuple(line.strip().split("|")) for line in printed.splitlines())
    return [row for row in rows if len(row) == 6]


def cancel(jobs: Sequence[str], *options: str) -> None:
    """Run scancel. Jobs that have ended are no error. Raises ControllerAwayError."""
    for some in _parts(jobs):
        try:
            _run("scancel", "--quiet", *options, *some)
        except DeclinedError:
            continue  # they have just ended, or haven't begun


def _parts(jobs: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(jobs), _MOST_IDS):
        yield jobs[start : start + _MOST_IDS]


def _run(program: str, *words: str, env: Mapping[str, str] | None = None) -> str:
    # Within a job, variables of that one would count as options.
    ours = {
        name: value
        for name, value in (os.environ if env is None else env).items()
        if not name.startswith("SLURM_") or name in _ALWAYS
    }
    try:
        answer = answer_of((program, *words), timeout_s=TIMEOUT_S, env=ours | {"LC_MESSAGES": "C"})
    except FileNotFoundError:
        raise UsageError(f"{NO_SLURM}: no {program}", hint=NO_SLURM_HINT) from None
    except OSError as error:
        raise UsageError(f"{program} can't be started: {error.strerror}", hint=NO_SLURM_HINT) from error
    except subprocess.TimeoutExpired:
        raise ControllerAwayError(f"{program} gave no answer for {TIMEOUT_S:g} s") from None
    if answer.returncode == 0:
        return answer.stdout.decode(errors="replace")
    said = [line for line in answer.stderr.decode(errors="replace").splitlines() if line.strip()]
    message = _sentence(program, said, answer.returncode)
    if program != "sbatch" or _AWAY.search(message):
        if program == "scancel" and not _AWAY.search(message):
            raise DeclinedError(message)
        raise ControllerAwayError(message)
    raise DeclinedError(message)


def _sentence(program: str, said: Sequence[str], status: int) -> str:
    """What it complains about, without its name and repetitions."""
    parts = []
    for line in said:
        text = re.sub(
            rf"^({program}|slurm_\w+|allocation failure)( error| failure)?: (error: |fatal: )?",
            "",
            line.strip(),
        )
        if text and text not in parts and not text.startswith("Try "):
            parts.append(text.removeprefix("Batch job submission failed: ").rstrip("."))
    return "; ".join(parts)[:500] or f"{program} ended with status {status}"
