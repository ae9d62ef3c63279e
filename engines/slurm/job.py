"""`python -m engines.slurm.job FOLDER`: what a job does on a node. It claims the attempt, shows programs the GPUs that
Slurm gave it and no others, and runs the unit program.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from engines.contract import EndKind
from engines.node import unit_program
from engines.node.attempt_files import NodeEnd, write_end
from engines.slurm.claim import claim, is_asked_to_stop
from results.errors import BenchError, UsageError
from runner.display import Lines
from telemetry.devices import gpu_facts
from telemetry.visibility import showing_only, usable_gpus

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from telemetry.contract import DeviceFacts

LOOK_S: Final = 1.0  # between looks for the coordinator's note, one question to the shared disk each


def main(words: Sequence[str]) -> int:
    """Returns 0 if the attempt is another job's, or if `end.json` was written."""
    parser = argparse.ArgumentParser(prog="python -m engines.slurm.job", description=__doc__)
    parser.add_argument("folder", type=Path, help="the attempt's folder, on a disk that all nodes share")
    parser.add_argument("--models", action="append", default=[], help="as of engines.node.unit_program")
    parser.add_argument(
        "--gpus", type=int, help="how many were asked for; if not given, use what can be seen"
    )
    given = parser.parse_args(words)
    folder: Path = given.folder.absolute()
    job = job_name(os.environ)
    restarts = os.environ.get("SLURM_RESTART_COUNT", "")
    try:
        other = claim(
            folder,
            job,
            node=os.environ.get("SLURMD_NODENAME", ""),
            restarts=int(restarts) if restarts.isdigit() else 0,
        )
        if other is not None:
            Lines().say(f"job {job}: this attempt is that of {other.job or 'no job any more'}")
            return 0
        _stop_when_asked(folder)
        if given.gpus is not None:
            try:
                os.environ.update(only_given(gpu_facts(), given.gpus, os.environ))
            except UsageError as error:
                write_end(
                    folder,
                    NodeEnd(kind=EndKind.REFUSED, why=error.message, hint=error.hint, elsewhere=True),
                )
                return 0
    except BenchError as error:
        Lines().say(f"error: {error.message}" + (f" ({error.hint})" if error.hint else ""))
        return error.exit_code
    models = [word for path in given.models for word in ("--models", path)]
    return unit_program.main((str(folder), *models, "--own-processors"))


def job_name(environment: Mapping[str, str]) -> str:
    """JOB_INDEX, as squeue has it."""
    job = environment.get("SLURM_ARRAY_JOB_ID", "?")
    return f"{job}_{environment.get('SLURM_ARRAY_TASK_ID', '?')}"


def only_given(gpus: Sequence[DeviceFacts], asked: int, environment: Mapping[str, str]) -> dict[str, str]:
    """The variables that show programs the job's GPUs and no others. asked: how many the job was to get.

    SLURM_JOB_GPUS has their numbers on the machine. Where Slurm hides the others from a job, they don't count on it,
    and what can be seen is the job's. Raises UsageError if the numbers don't match.
    """
    numbers = [part for part in environment.get("SLURM_JOB_GPUS", "").split(",") if part]
    usable = usable_gpus(gpus, environment)
    if len(numbers) != asked:
        raise UsageError(
            f"the job asked Slurm for {asked} GPUs and got {len(numbers)}",
            hint="see `scontrol show job` and the partition's gres; `gres: none` in the engine's part asks for none",
        )
    if len(usable) == asked:
        return {}
    cards = {str(facts.index): facts for facts in gpus}
    if len(usable) < asked or not all(number in cards for number in numbers):
        raise UsageError(
            f"Slurm gave the job the GPUs {','.join(numbers)}, and {len(usable)} of {len(gpus)} can be used here",
            hint="see gres.conf, and `bench_runner.py doctor` on that node",
        )
    shown = showing_only([cards[number] for number in numbers], usable, environment)
    return {name: text for name, text in shown.items() if text is not None}


def _stop_when_asked(folder: Path) -> None:
    """End this program as by SIGTERM once the coordinator has left a note, even if Slurm can't reach this node."""

    def wait() -> None:
        while True:
            time.sleep(LOOK_S)
            with contextlib.suppress(OSError):
                if is_asked_to_stop(folder):
                    os.kill(os.getpid(), signal.SIGTERM)
                    return

    threading.Thread(target=wait, name="asked to stop", daemon=True).start()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
