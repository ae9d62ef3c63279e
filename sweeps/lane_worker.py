"""`python -m sweeps.lane_worker FOLDER LANES`: one worker of a running sweep."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from engines.cards import Cards
from engines.lane import Lane
from results.errors import Interrupted, Reported
from results.store.sweep_folder import SweepFolder
from runner.display import Lines
from sweeps.planned_again import planned_again
from telemetry.devices import usable_gpus

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(words: Sequence[str]) -> int:
    """Run one lane of a running sweep. Returns the exit code."""
    from processes.signals import Interruptions

    folder, lanes = SweepFolder(Path(words[0])), int(words[1])
    display = Lines()
    try:
        with Interruptions() as interruptions:
            sweep = folder.read()
            _, plan = planned_again(sweep)
            cards = Cards(usable_gpus(), lanes)
            Lane(
                folder,
                plan.runs,
                nonce=sweep.nonce,
                may_reduce=sweep.may_reduce,
                cards=cards,
                display=display,
                held=interruptions.held,
            ).work()
    except Reported as error:
        label = "interrupted" if isinstance(error, Interrupted) else "error"
        display.say(f"{label}: {error.message}" + (f" ({error.hint})" if error.hint else ""))
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
