"""`python -m engines.node.unit_program FOLDER`: do the unit in an attempt's folder, on this machine.

The folder is a results folder of its own. Its runs are made by the same workers as those of a sweep on one machine.
SIGTERM stops it cleanly: what is unfinished can go on elsewhere. kill -9 leaves no process and nothing half-written.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime as dt
import os
import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from engines.cards import Cards
from engines.contract import EndKind
from engines.lane import Lane
from engines.node.attempt_files import UNIT, NodeEnd, NodeFacts, write_end, write_node
from engines.server_group import ToDo
from engines.unit import planned_here, read_unit
from results.durable import explained
from results.errors import BenchError, Interrupted, ResultsError, UsageError
from results.files import read_file
from results.store.run_folder import RunFolder
from results.store.sweep_folder import SWEEPS, ManifestText, PlanEntry, Sweep, SweepFolder
from runner.display import Lines
from runner.host import harness_facts, host_facts
from telemetry.devices import usable_gpus

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from engines.planned_run import PlannedRun
    from engines.unit import UnitDocument
    from telemetry.contract import DeviceFacts


def main(words: Sequence[str]) -> int:
    """Do the unit. Returns 0 if `end.json` was written, whatever it says."""
    from processes.signals import Interruptions

    parser = argparse.ArgumentParser(prog="python -m engines.node.unit_program", description=__doc__)
    parser.add_argument("folder", type=Path, help="the attempt's folder, with unit.json")
    parser.add_argument(
        "--models", type=Path, action="append", default=[], help="a folder to look for models in"
    )
    parser.add_argument("--lanes", type=int, default=1, help="how many units may run on this machine at once")
    parser.add_argument(
        "--own-processors", action="store_true", help="a scheduler gave it some: wait for nobody's"
    )
    parser.add_argument("--until-eof", action="store_true", help="stop when standard input ends")
    given = parser.parse_args(words)
    folder: Path = given.folder.absolute()
    try:
        with Interruptions() as interruptions:
            if given.until_eof:
                _end_at_eof()
            try:
                gpus = usable_gpus()
                _note_node(folder, gpus)
                unit, planned = _read(folder, given.models)
                if unit.needs.needs_gpus and unit.needs.gpus > len(gpus):
                    raise UsageError(
                        f"it needs {unit.needs.gpus} GPUs, and {len(gpus)} can be used here",
                        hint="see `bench_runner.py doctor` there",
                    )
                cards = Cards(gpus, given.lanes, own_processors=given.own_processors)
                with _sweep_folder(folder, unit, planned) as sweep:
                    Lane(
                        sweep,
                        planned,
                        nonce=unit.nonce,
                        may_reduce=unit.may_reduce,
                        cards=cards,
                        display=Lines(),
                        held=interruptions.held,
                        total=unit.total,
                    ).do(_todo(folder, unit, planned))
                end = NodeEnd(kind=EndKind.DONE)
            except UsageError as error:
                end = NodeEnd(kind=EndKind.REFUSED, why=error.message, hint=error.hint, elsewhere=True)
            except Interrupted as error:
                end = NodeEnd(kind=EndKind.CANCELLED, why=error.message)
            except ResultsError as error:  # its disk, for example, is full
                end = NodeEnd(kind=EndKind.LOST, why=error.message, hint=error.hint)
            write_end(folder, end)
    except BenchError as error:
        Lines().say(f"error: {error.message}" + (f" ({error.hint})" if error.hint else ""))
        return error.exit_code
    return 0


def _read(folder: Path, models: Sequence[Path]) -> tuple[UnitDocument, list[PlannedRun]]:
    with explained("read", folder / UNIT):
        unit = read_unit(read_file(folder / UNIT))
    ours = harness_facts()
    for name in ("version", "commit"):
        if unit.harness.get(name) != ours[name]:
            raise UsageError(
                f"bench_runner here is {name} {ours[name]}, and the sweep's is {unit.harness.get(name)}",
                hint="install the same one on every machine",
            )
    return unit, planned_here(unit, look_in=models)


def _todo(folder: Path, unit: UnitDocument, planned: Sequence[PlannedRun]) -> list[ToDo]:
    """What the coordinator wants done, whatever the copies of earlier runs say: in a race, one that has succeeded goes
    on with more samples.
    """
    return [
        ToDo(
            each,
            each.spec,
            run.reductions,
            run.resume if run.resume and RunFolder(folder / run.resume).run_json.is_file() else None,
        )
        for run, each in zip(unit.runs, planned, strict=True)
    ]


def _note_node(folder: Path, gpus: Sequence[DeviceFacts]) -> None:
    facts = NodeFacts(
        host=host_facts(),
        harness=harness_facts(),
        pid=os.getpid(),
        cards=tuple(gpu.uuid for gpu in gpus),
        at=dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
    )
    write_node(folder, facts)


@contextlib.contextmanager
def _sweep_folder(folder: Path, unit: UnitDocument, planned: Sequence[PlannedRun]) -> Iterator[SweepFolder]:
    """The sweep, as far as this machine has to do with it."""
    path = folder / SWEEPS / unit.sweep_id
    with explained("write to", folder):
        path.mkdir(parents=True, exist_ok=True)
    sweep = SweepFolder(path)
    sweep.write(
        Sweep(
            sweep_id=unit.sweep_id,
            created=dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
            nonce=unit.nonce,
            manifest=ManifestText(text="", form="json", name="unit", folder=str(folder)),
            runs=tuple(
                PlanEntry(
                    label=run.label,
                    benchmark=run.spec.benchmark.name if run.spec else "",
                    model=run.spec.server.model.name if run.spec and run.spec.server.model else "",
                    group=run.group,
                    fingerprint=run.fingerprint,
                )
                for run in planned
            ),
            on_oom="reduce" if unit.may_reduce else "fail",
        )
    )
    for family, style in unit.styles.items():
        sweep.styles.note(family, style)
    with sweep.claim():
        yield sweep


def _end_at_eof() -> None:
    """Stop this program when standard input ends, as by SIGTERM: then whoever asked for it is gone."""

    def wait() -> None:
        with contextlib.suppress(OSError):
            while os.read(0, 4096):
                pass
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, name="until-eof", daemon=True).start()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
