"""The workers of a sweep: one in this process, or several in processes of their own, `python -m runner.sweep_lanes`."""

from __future__ import annotations

import contextlib
import math
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from results.errors import BenchError, ResultsError
from results.sweep_folder import SweepFolder
from runner.display import Lines
from runner.lane import Cards, Lane
from runner.leases import PROCESSORS
from runner.script import ROOT
from servers import process as processes

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager

    from results.sweep_folder import Sweep
    from runner.display import Display
    from runner.matrix import Plan, PlannedRun
    from servers.process import ManagedProcess
    from telemetry.contract import DeviceFacts

LANE_GRACE_S = 60.0  # an orderly end: script, server, record
LOOK_S = 0.2


def usable_gpus() -> tuple[DeviceFacts, ...]:
    """Those that a server here may compute on, as far as CUDA_VISIBLE_DEVICES lets it see them: a card in MIG instances
    is none, each instance is one.
    """
    from telemetry.attribution import visible_gpus
    from telemetry.devices import gpu_facts

    facts = gpu_facts()
    divided = {each.parent_uuid for each in facts}
    whole = tuple(each for each in facts if each.uuid not in divided)
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is None:
        return whole
    seen = visible_gpus(facts, visible)
    return tuple(each for each in whole if each.uuid in seen)


def one_lane(
    folder: SweepFolder,
    sweep: Sweep,
    plan: Plan,
    *,
    gpus: Sequence[DeviceFacts],
    lanes: int,
    display: Display,
    held: Callable[[], AbstractContextManager[None]],
) -> Lane:
    """One of `lanes` workers. The only one gives every run all cards, as `run` does."""
    least_bytes = min((gpu.memory_total_bytes or 0 for gpu in gpus), default=0)

    def needed(run: PlannedRun) -> int:
        return max(len(gpus), 1) if lanes == 1 else cards_needed(run, least_bytes)

    names = tuple(gpu.uuid for gpu in gpus) or (PROCESSORS,)
    cards = Cards(names=names, needed=needed, are_gpus=bool(gpus))
    return Lane(folder, sweep, plan.runs, cards=cards, display=display, held=held)


def cards_needed(run: PlannedRun, card_bytes: int) -> int:
    """Cards of that memory for the run's server: as many as it was told, else as the model's size asks for."""
    server = run.spec.server if run.spec else None
    if server is None:
        return 1
    if server.tensor_parallel_size is not None:
        return server.tensor_parallel_size
    model_bytes = sum(path.stat().st_size for path in server.model.files()) if server.model else 0
    return max(1, math.ceil(model_bytes * 1.2 / card_bytes)) if card_bytes else 1


class _Said:
    """The lines that a lane adds to its log."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset_bytes = path.stat().st_size if path.exists() else 0

    def lines(self) -> list[str]:
        """Whole ones, since the last call."""
        with self._path.open("rb") as file:
            file.seek(self._offset_bytes)
            whole, end, _ = file.read().rpartition(b"\n")
        self._offset_bytes += len(whole) + len(end)
        return whole.decode(errors="replace").split("\n") if end else []


def in_processes(folder: SweepFolder, lanes: int, display: Display) -> None:
    """Run them to their ends, saying what they say. Raises ResultsError when one can't go on; the others end too."""
    with contextlib.ExitStack() as stack:
        running: list[tuple[int, ManagedProcess, _Said]] = []
        for number in range(1, lanes + 1):
            log = folder.path / f"lane-{number}.log"
            said = _Said(log)
            process = processes.start(
                (sys.executable, "-m", "runner.sweep_lanes", str(folder.path), str(lanes)),
                output=log,
                cwd=ROOT,
            )
            stack.callback(process.stop, LANE_GRACE_S)
            running.append((number, process, said))
        while running:
            for each in tuple(running):
                number, process, said = each
                ended = process.poll()
                for line in said.lines():
                    display.say(f"({number}) {line}" if line else "")
                if ended is None:
                    continue
                running.remove(each)
                if ended.code != 0:
                    raise ResultsError(
                        f"worker {number} of the sweep stopped: {ended.describe()}",
                        hint=f"see {said}; `sweep --resume {folder.sweep_id}` goes on",
                    )
            time.sleep(LOOK_S)


def main(path: str, lanes: str) -> int:
    """One lane of a sweep that is in progress; gives the exit code."""
    from runner.signals import Interruptions
    from runner.sweep import planned_again

    folder = SweepFolder(Path(path))
    display = Lines()
    try:
        with Interruptions() as interruptions:
            sweep = folder.read()
            _, plan = planned_again(sweep, results_dir=folder.results_dir)
            gpus = usable_gpus()
            one_lane(
                folder, sweep, plan, gpus=gpus, lanes=int(lanes), display=display, held=interruptions.held
            ).work()
    except BenchError as error:
        display.say(f"error: {error.message}" + (f" ({error.hint})" if error.hint else ""))
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
