"""What a job asks for and what it does: options of sbatch, and the script that Slurm keeps. Neither has a secret."""

from __future__ import annotations

import math
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from results.durable import explained, replace_file
from results.errors import UsageError
from settings.secrets import without_secrets_in

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from engines.slurm.settings import Settings
    from engines.unit import Needs

# A unit stops cleanly so long before its time limit; Slurm sends the signal up to a minute earlier.
BEFORE_LIMIT_S: Final = 30
OWN_MEMORY_BYTES: Final = 2 << 30  # beside the server: this program, and what executes the answers
_GIB = 1 << 30
NO_GPUS: Final = "none"
JOB_NAME: Final = "bench-"  # and a random number
# Of sbatch: by these we find jobs again, keep secrets out of them, and run nothing twice.
_OURS: Final = (
    *(
        "--array",
        "--export",
        "--requeue",
        "--no-requeue",
        "--output",
        "--error",
        "--job-name",
        "--signal",
        "--wrap",
    ),
    *(
        "--parsable",
        "--test-only",
        "--wait",
        "--comment",
        "--export-file",
        "--get-user-env",
        "--open-mode",
        "--input",
    ),
    *("--nodes", "--ntasks", "--dependency"),
)
_NO_VALUE: Final = "hHIkOQsuvVX"
_OURS_SHORT: Final = ("-a", "-o", "-e", "-J", "-W", "-N", "-n", "-i", "-d")


@dataclass(frozen=True, order=True)
class Resources:
    """What a unit asks Slurm for. gpus: None leaves it to whatever the job sees. memory_gib: 0 if the partition
    decides. without: nodes that have refused it.
    """

    gpus: int | None
    memory_gib: int
    without: tuple[str, ...] = ()

    @classmethod
    def of(cls, needs: Needs, settings: Settings, *, has_gpus: bool) -> Resources:
        asks = settings.gres != NO_GPUS and (bool(settings.gres) or has_gpus)
        gpus = needs.gpus if settings.gpus is None else settings.gpus
        memory = 0
        if not settings.memory and needs.memory_bytes is not None:
            memory = math.ceil((needs.memory_bytes + OWN_MEMORY_BYTES) / _GIB)
        return cls(gpus=gpus if asks else None, memory_gib=memory)


def job_options(settings: Settings, resources: Resources) -> list[str]:
    """For sbatch, without those that tell jobs apart."""
    asked = {
        "partition": settings.partition,
        "account": settings.account,
        "qos": settings.qos,
        "time": settings.time,
        "mem": settings.memory or (f"{resources.memory_gib}G" if resources.memory_gib else ""),
        "cpus-per-task": str(settings.cpus) if settings.cpus else "",
    }
    return [
        "--nodes=1",
        "--ntasks=1",
        "--no-requeue",
        "--export=ALL",  # of an environment that has only what goes along
        "--output=/dev/null",  # the script writes into its attempt's folder
        f"--signal=B:TERM@{BEFORE_LIMIT_S}",
        *(f"--{name}={value}" for name, value in asked.items() if value),
        *((f"--gres={_gres(settings.gres or 'gpu', resources.gpus)}",) if resources.gpus else ()),
        *((f"--exclude={','.join(resources.without)}",) if resources.without else ()),
        *settings.options,
    ]


def _gres(name: str, count: int) -> str:
    """`gpu:a100` becomes `gpu:a100:2`; one with a number stays."""
    return name if name.rpartition(":")[2].isdigit() else f"{name}:{count}"


def require_usable(settings: Settings) -> None:
    """Raises UsageError for options that would break how jobs are found again, and for secrets."""
    for option in settings.options:
        name = option.partition("=")[0].partition(" ")[0]
        if not option.startswith("-"):
            raise UsageError(
                f"engine: options: {option!r} is no option of sbatch",
                hint="write it as `--qos=high`, in one word",
            )
        if _is_ours(name):
            raise UsageError(
                f"engine: options: {name} can't be set, because jobs are found again by it", hint="remove it"
            )
    for line in (*settings.setup, *settings.options):
        if without_secrets_in(line) != line:
            raise UsageError(
                "engine: setup or options have a key or password, which Slurm would keep on its disk",
                hint="let it read a file on the node that only you may read: `. ~/.bench_runner.env`",
            )
        if "\0" in line:
            raise UsageError(
                "engine: setup or options have a character that no script may have", hint="remove it"
            )


def _is_ours(name: str) -> bool:
    """Whether sbatch takes it for an option of ours: by a part of its name, or behind letters that take no value."""
    if name.startswith("--"):
        return any(ours.startswith(name) for ours in _OURS)
    letters = name[1:].lstrip(_NO_VALUE)
    return name == "-" or (letters != "" and f"-{letters[0]}" in _OURS_SHORT)


def write_job(
    folder: Path, name: str, attempts: Sequence[Path], settings: Settings, gpus: int | None
) -> Path:
    """Write the list of attempts and the script beside each other, and return the script. Raises ResultsError, and
    UsageError for a path that is no line.
    """
    if any("\n" in str(path) for path in attempts):
        raise UsageError(
            "a results folder on Slurm can't have a line break in its name",
            hint="choose another --results-dir",
        )
    listed = folder / f"{name}.list"
    script = folder / f"{name}.sh"
    with explained("write to", folder):
        folder.mkdir(exist_ok=True)
        replace_file(listed, "".join(f"{path}\n" for path in attempts).encode())
        replace_file(script, script_text(listed, settings, gpus).encode())
    return script


def script_text(listed: Path, settings: Settings, gpus: int | None) -> str:
    """The index of the array's job picks the attempt from the list. The program takes the shell's place, so that
    signals to the job are signals to it.
    """
    words = [settings.python, "-m", "engines.slurm.job"]
    words += [word for path in settings.models for word in ("--models", path)]
    words += ["--gpus", str(gpus)] if gpus is not None else []
    login = " -l" if settings.login_shell else ""
    lines = [
        f"#!/bin/bash{login}",
        f'folder=$(sed -n "$((SLURM_ARRAY_TASK_ID + 1))p" {shlex.quote(str(listed))}) || exit 72',
        '[ -d "$folder" ] || exit 72  # not the same folder here',
        'exec >>"$folder/unit.log" 2>&1 </dev/null',
        *settings.setup,
        f"cd {shlex.quote(settings.checkout)} || exit 73",
        f'exec {shlex.join(words)} "$folder"',
    ]
    return "\n".join(lines) + "\n"
