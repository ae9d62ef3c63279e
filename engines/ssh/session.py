"""One run of the ssh engine: connect to the machines, give them units, follow what comes back, and end it all."""

from __future__ import annotations

import contextlib
import functools
import queue
import threading
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from engines.contract import END_S, EndKind, UnitEnd
from engines.node import messages
from engines.node.attempt_files import read_end
from engines.ssh.connection import Came, Connection, Gone, GoneError, Said
from engines.ssh.host import Host
from engines.ssh.placement import Slots
from engines.ssh.starting import NotThereError, start_attempt
from results.durable import explained
from results.errors import BenchError, ServerError, UsageError
from results.plain_text import plain
from runner.host import harness_facts

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from engines.contract import Attempt, Store, Units
    from engines.ssh.settings import Place, Settings
    from engines.unit import Unit
    from runner.display import Display

LOOK_S: Final = 0.1  # how often units are asked for, while there is place
AGAIN_S: Final = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0)  # until a machine that went away is tried again
ALONE_S: Final = 600.0  # how long all machines may be away
MOST_LOST_AT_ONE: Final = 2  # then a unit waits for another machine, if there is one
_STOP_GRACE_S: Final = END_S - 1.0
EARLIER_S: Final = 2 * END_S  # for a machine to end what an earlier coordinator left there
_MOST_WAITING: Final = 1000  # events; of a machine that says more than can be shown, lines are left out


@dataclass(frozen=True)
class _NotStarted:
    """An attempt could not be brought to its machine."""

    attempt: Attempt
    error: Exception


class Session:
    """See `Engine.run`."""

    def __init__(
        self, places: Sequence[Place], settings: Settings, units: Units, store: Store, display: Display
    ) -> None:
        self._hosts = [Host(place) for place in places]
        self._settings = settings
        self._units = units
        self._store = store
        self._display = display
        self._events: queue.SimpleQueue[tuple[Host, Connection, Came | Gone | Said | _NotStarted]] = (
            queue.SimpleQueue()
        )
        self._held: list[Unit] = []  # taken, but refused where there is place
        self._refused: dict[str, dict[str, str]] = {}  # unit -> machine -> why
        self._lost: dict[str, Counter[str]] = {}  # unit -> machines that lost it, how often
        self._ours = harness_facts()
        self._able_at = time.monotonic()
        self._was_able = False

    def run(self) -> Iterator[UnitEnd]:
        """Until nothing is left. Raises UsageError if no machine can be used, ServerError if all went away."""
        earlier = tuple(self._store.running())
        for host in self._hosts:
            handles = (each.handle.partition(" ") for each in earlier)
            host.earlier = tuple(name for address, _, name in handles if address == host.address)
        for attempt in earlier:
            yield UnitEnd(
                attempt=attempt, kind=EndKind.LOST, why="its coordinator was gone", place=attempt.place
            )
        try:
            while not self._units.is_done:
                self._connect()
                placed = self._give_out()
                yield from self._unplaceable(placed=placed)
                yield from self._follow()
        finally:
            self._stop()

    def _connect(self) -> None:
        """To each machine that isn't, where it is time to try."""
        now = time.monotonic()
        for host in self._hosts:
            if host.ready is not None and now > host.ends_until:
                self._begin_at(host)
            if host.connection is None and not host.useless and now >= host.next_try:
                host.connection = Connection(host.place, self._settings, functools.partial(self._tell, host))
        if any(host.is_able for host in self._hosts):
            self._able_at = now
            return
        if not all(host.is_settled for host in self._hosts):
            return
        why = "; ".join(f"{host.address}: {host.useless or host.why}" for host in self._hosts)
        if not self._was_able or all(host.useless for host in self._hosts):
            hint = (
                "see that `ssh ADDRESS true` works without a question, then `bench_runner.py engines check`"
            )
            raise UsageError(f"no machine can be used: {why}", hint=hint)
        if now - self._able_at > ALONE_S:
            raise ServerError(
                f"no machine was reachable for {ALONE_S / 60:.0f} minutes: {why}",
                hint="`sweep --resume last` goes on, once one is there again",
            )

    def _tell(self, host: Host, connection: Connection, event: Came | Gone | Said) -> None:
        if not isinstance(event, Said) or self._events.qsize() < _MOST_WAITING:
            self._events.put((host, connection, event))

    # Giving out

    def _give_out(self) -> bool:
        """One unit a machine in turn, until none fits. Returns whether there was any."""
        placed = any_more = False
        while True:
            any_more = False
            for host in self._hosts:
                unit = self._next_for(host) if host.is_able and host.connection is not None else None
                if unit is not None:
                    self._begin(host, unit)
                    placed = any_more = True
            if not any_more:
                return placed

    def _next_for(self, host: Host) -> Unit | None:
        slots = host.slots
        if slots is None:
            return None
        for unit in self._held:
            if self._may(unit, host) and slots.free(unit.needs) is not None:
                self._held.remove(unit)
                return unit
        while (taken := self._units.take(lambda needs: slots.free(needs) is not None)) is not None:
            if self._may(taken, host):
                return taken
            self._held.append(taken)
        return None

    def _may(self, unit: Unit, host: Host) -> bool:
        """Whether this machine hasn't refused the unit, nor lost it while another one is free; nor lost it again and
        again while there is another one at all.
        """
        refused, lost = self._refused.get(unit.unit_id, {}), self._lost.get(unit.unit_id, Counter())
        if host.address in refused:
            return False
        better = [
            other.slots
            for other in self._hosts
            if other.is_able and other.address not in refused and lost[other.address] < lost[host.address]
            if other.slots is not None and other.slots.could(unit.needs)
        ]
        if lost[host.address] >= MOST_LOST_AT_ONE:
            return not better
        return not any(slots.free(unit.needs) is not None for slots in better)

    def _begin(self, host: Host, unit: Unit) -> None:
        connection, slots = host.connection, host.slots
        if connection is None or slots is None:
            raise TypeError("a machine is connected before it gets a unit")
        cards = slots.free(unit.needs) or ()
        attempt = self._store.partial(unit)
        attempt = self._store.started(attempt, handle=f"{host.address} {attempt.name}", place=host.address)
        slots.take(attempt.name, cards)
        host.attempts[attempt.name] = attempt

        def start() -> None:
            try:
                start_attempt(connection, attempt, cards)
            except GoneError:
                return  # Gone is told
            except (BenchError, NotThereError, OSError) as error:
                self._events.put((host, connection, _NotStarted(attempt, error)))

        threading.Thread(target=start, name=f"{host.address} start", daemon=True).start()

    def _unplaceable(self, *, placed: bool) -> Iterator[UnitEnd]:
        """Units that no machine can do, once that is known."""
        if placed or not all(host.is_settled for host in self._hosts):
            return
        idle = not any(host.attempts for host in self._hosts)
        if idle and not self._held and (unit := self._units.take()) is not None:
            self._held.append(unit)
        for unit in tuple(self._held):
            able = [host for host in self._hosts if not host.useless]
            refused = self._refused.get(unit.unit_id, {})
            if any(
                host.address not in refused and (host.slots is None or host.slots.could(unit.needs))
                for host in able
            ):
                continue
            self._held.remove(unit)
            why = "; ".join(f"{address}: {said}" for address, said in refused.items())
            why = why or f"no machine has what it needs: {unit.needs.gpus} GPUs"
            attempt = self._store.partial(unit)
            attempt = self._store.started(attempt, handle=f"- {attempt.name}", place="")
            yield UnitEnd(
                attempt=attempt, kind=EndKind.REFUSED, why=why, hint="see `bench_runner.py engines check`"
            )

    # Following

    def _follow(self) -> Iterator[UnitEnd]:
        """What has happened; waits LOOK_S for the first."""
        timeout_s = LOOK_S
        with contextlib.suppress(queue.Empty):
            for _ in range(_MOST_WAITING):
                host, connection, event = self._events.get(timeout=timeout_s)
                timeout_s = 0.0
                yield from self._happened(host, connection, event)

    def _happened(self, host: Host, connection: Connection, event: object) -> Iterator[UnitEnd]:
        if connection is not host.connection:
            return  # of an earlier connection
        match event:
            case Came(messages.Ready() as ready):
                self._greeted(host, ready)
            case Came(messages.OthersEnded()):
                self._begin_at(host)
            case Came(messages.Ended() as ended):
                attempt = host.attempts.get(ended.attempt)
                if attempt is not None:
                    yield self._ended(host, attempt, ended)
            case _NotStarted(attempt, error):
                if attempt.name in host.attempts:
                    yield self._not_started(host, attempt, error)
            case Said(line):
                self._display.say(f"({host.address}) {line}" if line else "")
            case Gone() as gone:
                yield from self._gone(host, gone)

    def _greeted(self, host: Host, ready: messages.Ready) -> None:
        for name in ("version", "commit"):
            if ready.harness.get(name) != self._ours[name]:
                there = plain(str(ready.harness.get(name)))[:80]
                host.useless = f"bench_runner there is {name} {there}, and here {self._ours[name]}"
                self._display.say(f"note: {host.address} is left out: {host.useless}")
                if host.connection is not None:
                    host.connection.close()
                return
        host.ready = ready
        host.ends_until = time.monotonic() + EARLIER_S
        if not host.earlier or host.connection is None:
            self._begin_at(host)
            return
        with contextlib.suppress(GoneError):
            host.connection.send(messages.EndOthers(attempts=host.earlier, grace_s=_STOP_GRACE_S))

    def _begin_at(self, host: Host) -> None:
        """It may get units: what an earlier coordinator left there has ended."""
        if host.ready is None:
            return
        host.slots = Slots(host.ready.cards)
        host.ready, host.earlier = None, ()
        self._was_able = True
        if host.why:
            self._display.say(f"{host.address} is there again")
        host.why = ""

    def _ended(self, host: Host, attempt: Attempt, ended: messages.Ended) -> UnitEnd:
        self._let_go(host, attempt)
        end = read_end(attempt.folder) if ended.started else None
        unit_id = attempt.unit.unit_id
        if end is None or end.kind in {EndKind.LOST, EndKind.CANCELLED}:
            self._lost.setdefault(unit_id, Counter())[host.address] += 1
            why = (
                plain(ended.why or (end.why if end is not None else "")) or "its program ended without a word"
            )
            return UnitEnd(attempt=attempt, kind=EndKind.LOST, why=why[:500], place=host.address)
        if end.kind is EndKind.REFUSED:
            return self._refusal(host, attempt, plain(end.why)[:500], plain(end.hint)[:500])
        self._lost.pop(unit_id, None)
        host.failed = 0
        return UnitEnd(attempt=attempt, kind=EndKind.DONE, place=host.address)

    def _not_started(self, host: Host, attempt: Attempt, error: Exception) -> UnitEnd:
        self._let_go(host, attempt)
        match error:
            case NotThereError():
                return self._refusal(host, attempt, plain(error.why), error.hint)
            case OSError():
                with explained("read", attempt.folder):
                    raise error
            case BenchError():
                return UnitEnd(
                    attempt=attempt,
                    kind=EndKind.REFUSED,
                    why=error.message,
                    hint=error.hint,
                    place=host.address,
                )
        raise error

    def _refusal(self, host: Host, attempt: Attempt, why: str, hint: str) -> UnitEnd:
        refused = self._refused.setdefault(attempt.unit.unit_id, {})
        refused[host.address] = why
        elsewhere = any(
            other.address not in refused
            and not other.useless
            and (other.slots is None or other.slots.could(attempt.unit.needs))
            for other in self._hosts
        )
        return UnitEnd(
            attempt=attempt, kind=EndKind.REFUSED, why=why, hint=hint, place=host.address, elsewhere=elsewhere
        )

    def _let_go(self, host: Host, attempt: Attempt) -> None:
        host.attempts.pop(attempt.name, None)
        if host.slots is not None:
            host.slots.give_back(attempt.name)
        if host.connection is not None:
            host.connection.forget(attempt.name)
            with contextlib.suppress(GoneError):
                host.connection.send(messages.Remove(attempt=attempt.name))

    def _gone(self, host: Host, gone: Gone) -> Iterator[UnitEnd]:
        if gone.error is not None:
            with explained("write", Path(str(gone.error.filename or "an attempt's folder"))):
                raise gone.error
        host.connection = None
        host.slots = host.ready = None
        if gone.is_forbidden and not host.useless:
            host.useless = gone.why
            self._display.say(f"note: {host.address} is left out: {host.useless}")
        why = host.why or gone.why
        host.next_try = time.monotonic() + AGAIN_S[min(host.failed, len(AGAIN_S) - 1)]
        host.failed += 1
        if not host.useless and why != host.why:  # told once, not at each try
            self._display.say(f"{host.address}: {why}")
        host.why = why
        for attempt in tuple(host.attempts.values()):
            del host.attempts[attempt.name]
            self._lost.setdefault(attempt.unit.unit_id, Counter())[host.address] += 1
            yield UnitEnd(attempt=attempt, kind=EndKind.LOST, why=why, place=host.address)

    # The end

    def _stop(self) -> None:
        """Stop what runs, take what comes within END_S, and close all connections."""
        running = {name: host for host in self._hosts for name in host.attempts}
        for name, host in running.items():
            if host.connection is not None:
                threading.Thread(target=_ask_to_stop, args=(host.connection, name), daemon=True).start()
        deadline = time.monotonic() + END_S + 1.0
        while running and (left_s := deadline - time.monotonic()) > 0:
            with contextlib.suppress(queue.Empty):
                host, _, event = self._events.get(timeout=left_s)
                match event:
                    case Came(messages.Ended() as ended):
                        running.pop(ended.attempt, None)
                    case Gone():
                        running = {name: there for name, there in running.items() if there is not host}
        open_ones = [host.connection for host in self._hosts if host.connection is not None]
        for connection in open_ones:
            connection.close()
        for connection in open_ones:
            connection.wait(END_S)


def _ask_to_stop(connection: Connection, attempt: str) -> None:
    with contextlib.suppress(GoneError):
        connection.send(messages.Stop(attempt=attempt, grace_s=_STOP_GRACE_S))
