"""The engine modal: each attempt at a unit is a call of the deployed function, which goes on without this machine.

What a later coordinator needs is the call's id, which is the attempt's handle, and the attempt's name, which is its
address in the Volume. A coordinator that was killed between starting a call and noting its id finds the id in the
Volume, where the call leaves it.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

from engines.carriers.object_store import object_store
from engines.carriers.packs import WrongPack
from engines.contract import Attempt, Capabilities, EndKind, Finding, UnitEnd
from engines.modal.app_file import WRITTEN_BY_US, app_text, checked_app, deployment_id
from engines.modal.models import missing_models
from engines.modal.places import NOBODY, STARTING, Handle, Places
from engines.modal.service import DEPLOY_HINT, Service, require_modal, require_token
from engines.modal.settings import FIELDS, KNOWN_GPUS, Settings
from engines.modal.watched import Watched, beginning
from engines.node.attempt_files import read_end, read_node
from results.durable import explained, replace_file
from results.errors import BenchError, ResultsError, UsageError
from results.files import read_file, user_path
from results.plain_text import plain
from runner.script import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from engines.contract import Store, Units
    from engines.unit import Needs, Unit
    from runner.display import Display

__all__ = ["FIELDS", "Settings", "make"]
NAME: Final = "modal"
LOOK_S: Final = 1.0
ASK_S: Final = 5.0  # without news from a machine, after which to ask Modal whether its call has ended
SETTLE_S: Final = 5.0  # for what a machine has written to be seen here, and the other way round
SILENCE_S: Final = 300.0  # of a machine that had begun; after it, its call is cancelled and counts as lost
CATCH_UP: Final = 20  # fetches of one attempt in a look, after this machine was away
MOST_LAST: Final = 1000  # looks at what an ended call has left
STOP_S: Final = 10.0  # for a call to end, its records to be committed, and them to be brought here
FIRST_WAIT_S, MOST_WAIT_S = 0.5, 60.0  # between tries to start a call
LOST_BY: Final = {
    "success": "its machine was taken away meanwhile, or its program failed; `modal app logs` says why",
    "failure": "its program failed; `modal app logs` says why",
    "timeout": "it ran longer than timeout_s",
    "terminated": "its call was cancelled at Modal",
    "init_failure": "its machine could not start the function; `modal app logs` says why",
}


def make(settings: Settings, display: Display) -> ModalEngine:
    """Raises UsageError without Modal's client, and for settings that it refuses; it doesn't connect."""
    require_modal()
    if settings.models_volume == settings.volume:
        raise UsageError(
            f"volume and models_volume are both {settings.volume}, and Modal mounts a Volume once",
            hint="give one of them another name in the manifest's engine: part",
        )
    if settings.results_store is not None:
        object_store(settings.results_store)
    checked_app(settings)
    return ModalEngine(settings, display, Service(settings))


class ModalEngine:
    """The `Engine` of that name."""

    name: Final = NAME
    capabilities: Final = Capabilities(outlives_coordinator=True, deploys=True)

    def __init__(self, settings: Settings, display: Display, service: Service) -> None:
        self._settings = settings
        self._display = display
        self._service = service
        self._places = Places(settings, service)
        self._carrier = self._places.carrier(self._places.here)

    def check(self, units: Sequence[Unit]) -> Sequence[Finding]:
        found = [
            Finding(message=f"{unit.label}: {self._too_few(unit)}", hint=GPU_HINT)
            for unit in units
            if not self._fits(unit.needs)
        ]
        kind = (self._settings.gpu or "").partition(":")[0].rstrip("!")
        if kind and kind.upper() not in KNOWN_GPUS:
            message = f"{kind} is not among the GPUs that Modal is known to have: {', '.join(KNOWN_GPUS)}"
            found.append(Finding(message=message, hint="a new one works if Modal has it", is_error=False))
        try:
            require_token()
            self._service.check()
            if self._settings.results_store is not None and (stored := self._carrier.check()) is not None:
                found.append(stored)
            found += missing_models(units, self._settings.models_volume, self._service)
        except BenchError as error:
            found.append(Finding(message=error.message, hint=error.hint))
        return found

    def run(self, units: Units, store: Store) -> Iterator[UnitEnd]:
        require_token()
        watched: dict[str, Watched] = {}
        try:
            for attempt in store.running():
                self._watch(attempt, watched)
            while True:
                yield from self._start(units, store, watched)
                leaves = units.leaves and not units.holds_back and not beginning(watched)
                if leaves or (units.is_done and not watched):
                    return
                ended = self._never_begun(watched, store) + self._look(watched)
                for end in ended:
                    del watched[end.attempt.name]
                    yield end
                    self._tidy(end.attempt)
                if not ended:
                    time.sleep(LOOK_S)
        except BaseException:
            self._stop([each.attempt for each in watched.values()], STOP_S)
            raise

    def cancel(self, attempts: Sequence[Attempt], grace_s: float) -> None:
        require_token()
        self._stop(attempts, grace_s)

    def deploy(self) -> str:
        require_token()
        path = user_path(self._settings.app_file).absolute()
        if not (ROOT / "requirements.lock").is_file():
            raise UsageError(
                f"{ROOT} is no checkout of bench_runner, so there is nothing to bring to Modal",
                hint="deploy from a checkout that was set up by `make setup`",
            )
        with explained("write", path):
            if path.exists() and not read_file(path).startswith(WRITTEN_BY_US.encode()):
                raise UsageError(
                    f"{path} is a file of your own, so it is not overwritten",
                    hint="set app_file to another name",
                )
            replace_file(path, app_text(self._settings).encode())
        self._display.say(f"wrote {path}; Modal builds its image now, which takes minutes the first time")
        done = subprocess.run(
            [sys.executable, "-m", "modal", "deploy", str(path)],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            check=False,
        )
        if done.returncode != 0:
            raise UsageError(
                f"`modal deploy` failed with exit code {done.returncode}",
                hint=f"its output is above; the app is {path}",
            )
        volume = self._settings.volume
        return f"the app {self._settings.app} is deployed at Modal; results will land in the Volume {volume}"

    def _fits(self, needs: Needs) -> bool:
        return not needs.needs_gpus or needs.gpus <= self._settings.gpus

    def _too_few(self, unit: Unit) -> str:
        return f"it needs {unit.needs.gpus} GPUs, and the engine's machines have {self._settings.gpus}"

    def _start(self, units: Units, store: Store, watched: dict[str, Watched]) -> Iterator[UnitEnd]:
        """Start what there is place for; everything, if this process leaves, because Modal has a queue too. While
        something can't be started, nothing is added to it.
        """
        for each in beginning(watched):
            self._begin(each, store)
        while not beginning(watched) and (units.leaves or len(watched) < self._settings.at_once):
            unit = units.take()
            if unit is None:
                return
            attempt = store.partial(unit)
            if not self._fits(unit.needs):
                attempt = self._started(store, attempt, STARTING)
                yield UnitEnd(
                    attempt=attempt,
                    kind=EndKind.REFUSED,
                    why=self._too_few(unit),
                    hint=GPU_HINT,
                    place=self._place,
                )
                continue
            attempt = self._started(store, attempt, STARTING)
            each = self._watch(attempt, watched)
            each.begin_at = time.monotonic()
            self._begin(each, store)

    def _begin(self, each: Watched, store: Store) -> None:
        """Start its call, or set the time to try again: a short outage must not cost one of its attempts."""
        attempt = each.attempt
        if each.begin_at is None or time.monotonic() < each.begin_at:
            return
        try:
            # A request that failed may have started a call all the same.
            call = self._places.claim(attempt) if each.tries else None
            if call in {None, NOBODY}:
                put = self._carrier.put(attempt.folder, attempt.name)
                there = self._places.address_there(attempt)
                call = self._service.spawn(there, deployment_id(self._settings), self._carrier.checksum(put))
        except ResultsError as error:
            each.tries += 1
            each.begin_at = time.monotonic() + min(MOST_WAIT_S, FIRST_WAIT_S * 2**each.tries)
            self._trouble(each, error)
            return
        each.begin_at, each.failing = None, False
        each.attempt = self._started(store, attempt, str(call))

    def _started(self, store: Store, attempt: Attempt, call: str) -> Attempt:
        """Note its call, and where it lies; it stays where it is."""
        place = self._places.handle(attempt).place
        return store.started(attempt, handle=Handle(call, place).text, place=self._place)

    def _call(self, attempt: Attempt) -> str:
        return self._places.handle(attempt).call

    def _never_begun(self, watched: dict[str, Watched], store: Store) -> list[UnitEnd]:
        """Find the calls that an earlier coordinator started and couldn't note. Returns attempts that have none."""
        found = []
        for each in watched.values():
            attempt, now = each.attempt, time.monotonic()
            if each.other_call:
                each.attempt, each.other_call = self._started(store, attempt, each.other_call), ""
            if each.begin_at is not None or self._call(each.attempt) != STARTING:
                continue
            if each.failing and now - each.asked_at < ASK_S:
                continue
            each.asked_at = now
            try:
                claim = self._places.claim(attempt)
                if claim is None:  # whatever call there is must not begin any more: another attempt will
                    self._places.forbid(attempt)
                    claim = NOBODY
            except ResultsError as error:
                self._trouble(each, error)
                continue
            if claim == NOBODY:
                # A call that claimed it in the same instant has done so by then, and its claim is seen.
                each.forbidden_at = each.forbidden_at or now
                if now - each.forbidden_at < SETTLE_S:
                    continue
                found.append(self._lost(attempt, "the sweep ended before the call was known"))
            else:
                each.attempt = self._started(store, attempt, str(claim))
        return found

    def _watch(self, attempt: Attempt, watched: dict[str, Watched]) -> Watched:
        now = time.monotonic()
        each = watched[attempt.name] = Watched(attempt, asked_at=now, heard_at=now)
        return each

    def _look(self, watched: dict[str, Watched]) -> list[UnitEnd]:
        """Bring what grew, of all at the same time, and find out which have ended."""
        if not watched:
            return []
        with ThreadPoolExecutor(min(16, len(watched))) as threads:
            return [end for end in threads.map(self._look_at, list(watched.values())) if end is not None]

    def _look_at(self, each: Watched) -> UnitEnd | None:
        attempt, now = each.attempt, time.monotonic()
        if self._call(attempt) == STARTING:
            return None
        try:
            for _ in range(CATCH_UP):
                if not self._places.fetch(attempt):
                    break
                each.heard_at, each.claimed = now, True
            if not self._places.has_all(attempt):
                return None
            if (end := self._end(attempt)) is not None:
                return end
            if each.claimed and now - each.heard_at > SILENCE_S:
                self._service.cancel(self._call(attempt), kill=True)
                return self._lost(attempt, f"nothing has come from its machine for {SILENCE_S:.0f} s")
            if now - max(each.asked_at, each.heard_at) < ASK_S:
                return None
            each.asked_at = now
            ended = self._service.ended(self._call(attempt))
            each.failing = False
            if ended is None:
                return None
            if not self._fetch_the_rest(attempt):
                return None
            claim = self._places.claim(attempt) if self._end(attempt) is None else None
            if claim not in {None, NOBODY, self._call(attempt)}:
                each.other_call = str(claim)  # it was started too, by a request that failed, and came first
                return None
        except WrongPack as error:
            self._cancel(attempt, kill=True)
            return self._lost(attempt, error.message)
        except ResultsError as error:
            self._trouble(each, error)
            return None
        return self._end(attempt) or self._lost(
            attempt, LOST_BY.get(ended, f"its call ended at Modal: {ended}")
        )

    def _fetch_the_rest(self, attempt: Attempt) -> bool:
        """Returns whether all is here. Raises ResultsError."""
        for _ in range(MOST_LAST):
            if not self._places.fetch(attempt):
                break
        return self._places.has_all(attempt)

    def _trouble(self, each: Watched, error: ResultsError) -> None:
        """Modal can't be reached: the calls go on, so nothing is given up."""
        if not each.failing:
            self._display.say(f"note: {each.attempt.unit.label}: {error.message}; the engine keeps trying")
        each.failing = True

    def _end(self, attempt: Attempt) -> UnitEnd | None:
        """As its machine says. Another machine would refuse too: all are alike."""
        said = read_end(attempt.folder)
        if said is None:
            return None
        hint = said.hint
        if said.kind is EndKind.REFUSED:
            hint = f"{said.hint}; {DEPLOY_HINT}" if said.hint and said.hint != DEPLOY_HINT else DEPLOY_HINT
        return UnitEnd(
            attempt=attempt,
            kind=said.kind,
            why=plain(said.why[:_MOST_TEXT]),
            hint=plain(hint[:_MOST_TEXT]),
            place=self._place_of(attempt),
        )

    def _lost(self, attempt: Attempt, why: str) -> UnitEnd:
        return UnitEnd(attempt=attempt, kind=EndKind.LOST, why=why, place=self._place_of(attempt))

    @property
    def _place(self) -> str:
        return f"Modal {self._settings.gpu or 'without GPU'}"

    def _place_of(self, attempt: Attempt) -> str:
        node = read_node(attempt.folder)
        host = node.host.get("hostname") if node is not None else None
        return plain(f"{self._place} ({host[:100]})") if isinstance(host, str) else self._place

    def _tidy(self, attempt: Attempt) -> None:
        """What was needed to bring it here; its run folders stay in the Volume."""
        try:
            self._places.remove(attempt)
        except ResultsError as error:
            self._display.say(f"note: {error.message}")

    def _stop(self, attempts: Sequence[Attempt], grace_s: float) -> None:
        """Cancel these, so that they write their records; kill what is left; and bring here what they have."""
        if not attempts:
            return
        left = {attempt.name: attempt for attempt in attempts}
        with ThreadPoolExecutor(min(16, len(attempts))) as threads:
            list(threads.map(lambda attempt: self._cancel(attempt, kill=False), attempts))
        give_up = time.monotonic() + grace_s
        while left and time.monotonic() < give_up:
            for name, attempt in list(left.items()):
                with contextlib.suppress(BenchError):
                    self._places.fetch(attempt)
                if self._places.has_all(attempt) and read_end(attempt.folder) is not None:
                    del left[name]
            time.sleep(min(LOOK_S, 0.2) if left else 0)
        for attempt in left.values():
            self._cancel(attempt, kill=True)
            with contextlib.suppress(BenchError):
                self._fetch_the_rest(attempt)

    def _cancel(self, attempt: Attempt, *, kill: bool) -> None:
        """Also a call that does it although another one is known. One that may begin yet finds that it must not."""
        known = self._call(attempt)
        try:
            if known != STARTING:
                self._service.cancel(known, kill=kill)
            claim = self._places.claim(attempt)
            if claim is None:
                self._places.forbid(attempt)
            elif claim not in {NOBODY, known}:
                self._service.cancel(claim, kill=kill)
        except BenchError as error:
            self._display.say(f"note: {attempt.unit.label} could not be cancelled at Modal: {error.message}")


_MOST_TEXT: Final = 500  # of what a machine says
GPU_HINT: Final = "set gpu in the manifest's engine: part, such as gpu: H100:2, and deploy again"
