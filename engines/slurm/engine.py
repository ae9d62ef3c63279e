"""Units as jobs of Slurm: an array for those that can be taken at a moment. Jobs go on without this process."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from engines.contract import Capabilities, Finding
from engines.slurm import commands
from engines.slurm.cancelling import Cancelling
from engines.slurm.commands import ControllerAwayError, DeclinedError
from engines.slurm.job_script import Resources, job_options, require_usable, script_text
from engines.slurm.looking import looks
from engines.slurm.nodes import waited_for
from engines.slurm.settings import FIELDS, Settings
from engines.slurm.submission import Submission
from results.durable import replace_file
from results.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from engines.contract import Attempt, Store, UnitEnd, Units
    from engines.node_looks import NodeLook, NodeQuestion
    from engines.unit import Unit
    from runner.display import Display

__all__ = ["FIELDS", "Settings", "SlurmEngine", "make"]

NAME: Final = "slurm"
_DIFFERENT: Final = 5  # kinds of jobs that `check` asks about


def make(settings: Settings, display: Display) -> SlurmEngine:
    """The engine. Raises UsageError if a setting can't be used."""
    require_usable(settings)
    commands.job_environment(settings.environment)
    return SlurmEngine(settings, display)


class SlurmEngine:
    """See `engines.contract.Engine`."""

    name = NAME
    capabilities = Capabilities(outlives_coordinator=True)

    def __init__(self, settings: Settings, display: Display) -> None:
        self._settings = settings
        self._display = display

    def check(self, units: Sequence[Unit]) -> Sequence[Finding]:
        """Whether Slurm is there and would take such jobs."""
        missing = commands.missing_programs()
        if missing:
            return [Finding(message=f"{commands.NO_SLURM}: no {missing[0]}", hint=commands.NO_SLURM_HINT)]
        try:
            has_gpus = commands.has_gpus(self._settings.partition)
            kinds = {Resources.of(unit.needs, self._settings, has_gpus=has_gpus): unit for unit in units}
            return [
                found
                for resources, unit in sorted(kinds.items(), key=lambda item: str(item[0]))[:_DIFFERENT]
                if (found := self._asked(resources, unit)) is not None
            ]
        except ControllerAwayError as error:
            return [
                Finding(message=f"Slurm gives no answer: {error}", hint="see `scontrol ping` and `sinfo`")
            ]

    def looks(self, question: NodeQuestion) -> Sequence[NodeLook]:
        """See `engines.node_looks.LooksAtNodes`: one node of each kind, by a job that takes seconds."""
        return looks(self._settings, question)

    def run(self, units: Units, store: Store) -> Iterator[UnitEnd]:
        """See `Engine`. Raises UsageError if Slurm takes no job of this user or with these settings."""
        return Submission(self._settings, self._display, units, store, self.cancel).work()

    def cancel(self, attempts: Sequence[Attempt], grace_s: float) -> None:
        """Let the unit programs end cleanly, and end what is left after `grace_s`. Returns once Slurm has none of the
        jobs, or says that Slurm gives no answer: then they stop by a note in their folders.
        """
        Cancelling(attempts, self._display).work(grace_s)

    def deploy(self) -> str:
        raise UsageError("slurm needs nothing deployed", hint="leave out --deploy-engine")

    def _asked(self, resources: Resources, unit: Unit) -> Finding | None:
        with tempfile.TemporaryDirectory() as folder:
            script = Path(folder) / "job.sh"
            text = script_text(Path(folder) / "list", self._settings, resources.gpus)
            replace_file(script, text.encode())
            try:
                commands.would_take(
                    script,
                    [*job_options(self._settings, resources), "--array=0"],
                    commands.job_environment(self._settings.environment),
                )
            except DeclinedError as error:
                if error.is_needs and (nodes := waited_for(self._settings, resources)):
                    return Finding(
                        message=f"Slurm has no node up for {unit.label}: it waits for {nodes}",
                        hint="see `sinfo -R` for why they can't be used",
                        is_error=False,
                    )
                return Finding(
                    message=f"Slurm would not take {unit.label}: {error}",
                    hint="see `sinfo`, and the engine's settings in docs/engines.md",
                    is_error=not error.is_limit,
                )
        return None
