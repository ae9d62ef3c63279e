"""Submit what can be taken, watch it, and go on until nothing is left: one call of `SlurmEngine.run`.

A job's name is noted before it is submitted, and found again by it. So a coordinator that is killed at any moment, or a
controller that gives no answer, loses no job; and the claims on attempts' folders let none be done twice.
"""

from __future__ import annotations

import dataclasses
import itertools
import secrets
import time
from typing import TYPE_CHECKING, Final

from engines.contract import END_S, EndKind, UnitEnd
from engines.slurm import commands
from engines.slurm.commands import ControllerAwayError, DeclinedError
from engines.slurm.job_script import JOB_NAME, Resources, job_options, write_job
from engines.slurm.nodes import waited_for
from engines.slurm.watch import Handle, Watch
from results.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from engines.contract import Attempt, Store, Units
    from engines.slurm.settings import Settings
    from runner.display import Display

LONGEST_ARRAY: Final = 1000  # what a cluster declines is halved
MOST_REFUSALS: Final = 3  # nodes; if so many can't do a unit, none can
FIRST_WAIT_S: Final = 1.0
MOST_WAIT_S: Final = 60.0
TICK_S: Final = 0.1
_TICK_EACH_S: Final = 0.004  # so that a shared disk is not asked hundreds of times a second
_MOST_TICK_S: Final = 2.0


class Submission:
    """The work of one coordinator. cancel: as of `Engine`."""

    def __init__(
        self,
        settings: Settings,
        display: Display,
        units: Units,
        store: Store,
        cancel: Callable[[Sequence[Attempt], float], None],
    ) -> None:
        self._settings = settings
        self._display = display
        self._units = units
        self._store = store
        self._cancel = cancel
        self._watch = Watch(settings, display)
        self._waiting: list[Attempt] = []  # with a handle, if it isn't known whether Slurm has it
        self._has_gpus: bool | None = None
        self._longest = LONGEST_ARRAY
        self._again_s = 0.0
        self._wait_s = FIRST_WAIT_S
        self._waits = ""  # what keeps jobs from being submitted
        self._refusal: UsageError | None = None
        self._refused: dict[str, dict[str, UnitEnd]] = {}  # by unit and node

    def work(self) -> Iterator[UnitEnd]:
        """See `Engine.run`."""
        leaves = False
        try:
            yield from self._earlier()
            while True:
                has_all = self._take()
                yield from self._submit()
                if self._units.leaves and has_all and not self._waiting and not self._units.holds_back:
                    leaves = True
                    return
                for end in self._watch.look():
                    yield self._unless_refused_everywhere(end)
                self._note_places()
                self._store.waits_for(self._waits if self._waiting and self._waits else self._watch.waits)
                if not self._watch.jobs and (self._refusal is not None or not self._waiting):
                    if self._refusal is not None:
                        raise self._refusal
                    if self._units.is_done:
                        return
                time.sleep(min(_MOST_TICK_S, TICK_S + _TICK_EACH_S * len(self._watch.jobs)))
        finally:
            if not leaves:
                self._stop()

    def _earlier(self) -> Iterator[UnitEnd]:
        """What earlier coordinators started goes on."""
        for attempt in self._store.running():
            handle = Handle.read(attempt.handle)
            if handle is None:
                yield UnitEnd(attempt=attempt, kind=EndKind.LOST, why="another engine had started it")
            else:
                self._watch.add(attempt, handle)

    def _take(self) -> bool:
        """Take as many units as may be in Slurm at a time. Returns whether those were all that can be taken now."""
        while self._refusal is None and len(self._watch.jobs) + len(self._waiting) < self._settings.jobs:
            unit = self._units.take()
            if unit is None:
                return True
            self._waiting.append(self._store.partial(unit))
        return False

    def _submit(self) -> Iterator[UnitEnd]:
        """Submit what waits: an array for each kind of job."""
        if not self._waiting or self._refusal is not None or time.monotonic() < self._again_s:
            return
        self._waits = ""
        try:
            if self._has_gpus is None and not self._settings.gres:
                self._has_gpus = commands.has_gpus(self._settings.partition)
            self._find_unsure()
            kinds = sorted(
                ((self._resources(each), each) for each in self._waiting), key=lambda pair: str(pair[0])
            )
            for resources, some in itertools.groupby(kinds, key=lambda pair: pair[0]):
                for chunk in _chunks([attempt for _, attempt in some], self._longest):
                    yield from self._submit_array(resources, chunk)
            if not self._waits:
                self._wait_s = FIRST_WAIT_S
        except ControllerAwayError as error:
            self._wait(f"Slurm gives no answer: {error}; it is asked again")

    def _submit_array(self, resources: Resources, attempts: Sequence[Attempt]) -> Iterator[UnitEnd]:
        name = f"{JOB_NAME}{secrets.token_hex(8)}"
        there = [
            self._started(attempt, Handle(name, index), place="") for index, attempt in enumerate(attempts)
        ]
        script = write_job(
            _job_folder(there[0]),
            name,
            [attempt.folder.absolute() for attempt in there],
            self._settings,
            resources.gpus,
        )
        label = there[0].unit.label + (f" and {len(there) - 1} more units" if len(there) > 1 else "")
        options = [
            *job_options(self._settings, resources),
            f"--array=0-{len(there) - 1}",
            f"--job-name={name}",
            f"--comment=bench_runner {there[0].unit.sweep_id}: {_words(label)}",
            f"--chdir={script.parent}",
        ]
        try:
            number = commands.submit(script, options, commands.job_environment(self._settings.environment))
        except DeclinedError as error:
            yield from self._declined(error, there)
            return
        for index, attempt in enumerate(there):
            handle = Handle(name, index, number)
            self._watch.add(self._started(attempt, handle, place=""), handle)
            self._no_longer_waits(attempt)

    def _started(self, attempt: Attempt, handle: Handle, *, place: str) -> Attempt:
        now = self._store.started(attempt, handle=str(handle), place=place)
        self._waiting = [now if each.name == now.name else each for each in self._waiting]
        return now

    def _no_longer_waits(self, attempt: Attempt) -> None:
        self._waiting = [each for each in self._waiting if each.name != attempt.name]

    def _declined(self, error: DeclinedError, attempts: Sequence[Attempt]) -> Iterator[UnitEnd]:
        if error.is_needs and (nodes := self._nodes_waited_for(attempts)):
            self._wait(f"Slurm has no node up for {attempts[0].unit.label}: it waits for {nodes}")
        elif error.is_needs:
            for attempt in attempts:
                self._no_longer_waits(attempt)
                earlier = list(self._refused.get(attempt.unit.unit_id, {}).values())
                yield UnitEnd(
                    attempt=attempt,
                    kind=EndKind.REFUSED,
                    why=earlier[-1].why if earlier else str(error),
                    hint=(earlier[-1].hint if earlier else "")
                    or "see `sinfo` for what its machines have, and the engine's settings in docs/engines.md",
                    place=earlier[-1].place if earlier else "",
                )
        elif len(attempts) > 1 and (error.is_limit or error.is_array):
            self._longest = (len(attempts) + 1) // 2
        elif error.is_limit and self._watch.jobs:
            self._wait(f"Slurm takes no more jobs for now: {error}; it is asked again")
        else:
            self._refusal = UsageError(
                f"Slurm takes no job of this sweep: {error}",
                hint="see the engine's settings in docs/engines.md, and `sinfo`; then go on with sweep --resume",
            )

    def _nodes_waited_for(self, attempts: Sequence[Attempt]) -> str:
        """With options of the user's own, only sbatch knows whether any node can ever do it: it counts those too."""
        return "" if self._settings.options else waited_for(self._settings, self._resources(attempts[0]))

    def _find_unsure(self) -> None:
        """Look for what was submitted without an answer. A job that comes even later finds its attempt claimed."""
        unsure = [each for each in self._waiting if each.handle]
        if not unsure:
            return
        listed = {(each.name, each.job.rpartition("_")[2]): each for each in commands.listed_jobs()}
        for attempt in unsure:
            handle = Handle.read(attempt.handle)
            found = listed.get((handle.name, str(handle.index))) if handle else None
            if handle and found:
                handle = Handle(handle.name, handle.index, found.job.partition("_")[0])
                self._watch.add(self._started(attempt, handle, place=found.node), handle)
                self._no_longer_waits(attempt)

    def _note_places(self) -> None:
        for watched in self._watch.jobs.values():
            if watched.node and watched.attempt.place != watched.node:
                watched.attempt = self._store.started(
                    watched.attempt, handle=watched.attempt.handle, place=watched.node
                )

    def _resources(self, attempt: Attempt) -> Resources:
        wanted = Resources.of(attempt.unit.needs, self._settings, has_gpus=bool(self._has_gpus))
        nodes = sorted(self._refused.get(attempt.unit.unit_id, ()))
        return dataclasses.replace(wanted, without=tuple(nodes))

    def _unless_refused_everywhere(self, end: UnitEnd) -> UnitEnd:
        """The end. A unit that a node refused goes to others, but not to any number of them."""
        if end.kind is not EndKind.REFUSED or not end.elsewhere:
            return end
        refused = self._refused.setdefault(end.attempt.unit.unit_id, {})
        known = end.place not in ("", *refused)
        refused[end.place] = end
        return end if known and len(refused) < MOST_REFUSALS else dataclasses.replace(end, elsewhere=False)

    def _wait(self, why: str) -> None:
        """Submit later what is left."""
        if self._wait_s == FIRST_WAIT_S and not self._waits:
            self._display.say(why)
        self._waits = why
        self._again_s = time.monotonic() + self._wait_s
        self._wait_s = min(self._wait_s * 2, MOST_WAIT_S)

    def _stop(self) -> None:
        """End what this call started, or may have started."""
        ours = [each.attempt for each in self._watch.jobs.values()]
        ours += [attempt for attempt in self._waiting if attempt.handle]
        if ours:
            self._cancel(ours, END_S)


def _job_folder(attempt: Attempt) -> Path:
    """Where lists and scripts of a sweep's jobs are kept, beside its attempts."""
    return attempt.folder.absolute().parents[2] / "slurm"


def _chunks(attempts: Sequence[Attempt], size: int) -> Iterator[Sequence[Attempt]]:
    for start in range(0, len(attempts), size):
        yield attempts[start : start + size]


def _words(text: str) -> str:
    """A label for a comment that squeue and scontrol print."""
    return "".join(letter if letter.isalnum() or letter in " .,:_-+" else "_" for letter in text)[:200]
