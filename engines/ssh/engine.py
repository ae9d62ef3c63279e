"""The ssh engine: units on a few machines without a scheduler, see `docs/engines.md`."""

from __future__ import annotations

import os
import queue
import shlex
import shutil
import signal
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

from engines.contract import Capabilities, Finding
from engines.node import messages
from engines.node_looks import MODULE, NodeLook, findings, look_of, question_for
from engines.ssh.connection import BEGIN_S, Came, Connection, Gone, GoneError, in_checkout, ssh_words
from engines.ssh.session import Session
from engines.ssh.settings import FIELDS, Settings, read_places
from processes.bounded_answer import bounded_answer
from results.errors import UsageError
from results.plain_text import plain

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from engines.contract import Attempt, Store, UnitEnd, Units
    from engines.node_looks import NodeQuestion
    from engines.ssh.settings import Place
    from engines.unit import Unit
    from runner.display import Display

__all__ = ["FIELDS", "Settings", "SshEngine", "make"]

_LOOKS_AT_ONCE: Final = 16
_OF_SSH_ITSELF: Final = 255
_MOST_LOOK_BYTES: Final = 1 << 20


def make(settings: Settings, display: Display) -> SshEngine:
    """See `engines.registry`. Raises UsageError without `ssh`, and for every mistake in the file of hosts."""
    places = read_places(settings)
    program = shlex.split(settings.ssh)[:1]
    if not program or shutil.which(program[0]) is None:
        raise UsageError(
            f"there is no program {settings.ssh!r}, by which the machines would be reached",
            hint="install OpenSSH's client: apt-get install openssh-client",
        )
    return SshEngine(settings, places, display)


class SshEngine:
    """An `Engine`. Its attempts end with the coordinator."""

    name: Final = "ssh"
    capabilities: Final = Capabilities()

    def __init__(self, settings: Settings, places: Sequence[Place], display: Display) -> None:
        self._settings = settings
        self._places = places
        self._display = display

    def check(self, units: Sequence[Unit]) -> Sequence[Finding]:
        named = dict.fromkeys(name for place in self._places for name in place.environment)
        missing = [name for name in named if name not in os.environ]
        return [
            *(
                Finding(
                    message=f"the variable {name} is not set here, so the machines don't get it",
                    is_error=False,
                )
                for name in missing
            ),
            *findings(self.looks(question_for(units)), units),
        ]

    def looks(self, question: NodeQuestion) -> Sequence[NodeLook]:
        """See `engines.node_looks`."""
        with ThreadPoolExecutor(min(_LOOKS_AT_ONCE, len(self._places))) as threads:
            return list(threads.map(lambda place: self._look(place, question), self._places))

    def run(self, units: Units, store: Store) -> Iterator[UnitEnd]:
        return Session(self._places, self._settings, units, store, self._display).run()

    def cancel(self, attempts: Sequence[Attempt], grace_s: float) -> None:
        by_address: dict[str, list[str]] = {}
        for attempt in attempts:
            address, _, name = attempt.handle.partition(" ")
            by_address.setdefault(address, []).append(name)
        places = [place for place in self._places if place.address in by_address]
        if places:
            with ThreadPoolExecutor(len(places)) as threads:
                ended = threads.map(
                    lambda place: self._end_others(place, by_address[place.address], grace_s), places
                )
                for place, why in zip(places, ended, strict=True):
                    if why:
                        self._display.say(
                            f"note: {place.address}: {why}; what runs there ends by itself "
                            f"{self._settings.silence_s:g} s after its coordinator"
                        )

    def deploy(self) -> str:
        raise UsageError(
            "there is nothing to deploy for ssh",
            hint="install the same bench_runner on every machine; models are copied when they are needed",
        )

    def _end_others(self, place: Place, names: Sequence[str], grace_s: float) -> str:
        """End what is left of attempts on a machine. Returns why it couldn't, or ""."""
        events: queue.SimpleQueue[object] = queue.SimpleQueue()
        connection = Connection(place, self._settings, lambda _, event: events.put(event))
        try:
            while True:
                match events.get(timeout=BEGIN_S + grace_s):
                    case Came(messages.Ready()):
                        connection.send(messages.EndOthers(attempts=tuple(names), grace_s=grace_s))
                    case Came(messages.OthersEnded()):
                        return ""
                    case Gone() as gone:
                        return gone.why
        except (queue.Empty, GoneError):
            return "it doesn't answer"
        finally:
            connection.close()
            connection.wait(2.0)

    def _look(self, place: Place, question: NodeQuestion) -> NodeLook:
        words = question.words(workdir=place.workdir, model_folders=place.models, variables=place.environment)
        command = in_checkout(place, f"-m {MODULE} {shlex.join(words)}")
        asked = time.time()
        try:
            done = bounded_answer(
                ssh_words(place, self._settings, command), timeout_s=BEGIN_S, most_bytes=_MOST_LOOK_BYTES
            )
        except subprocess.TimeoutExpired:
            return NodeLook(place=place.address, why=f"it gave no answer in {BEGIN_S:g} s")
        if done.returncode == -signal.SIGKILL:
            return NodeLook(place=place.address, why=f"it said more than {_MOST_LOOK_BYTES} bytes")
        if done.returncode != 0:
            said = done.stderr.decode(errors="replace").strip().splitlines() or ["ssh failed without a word"]
            hint = (
                f"see that `ssh {place.address} true` works without a question"
                if done.returncode == _OF_SSH_ITSELF
                else "see `python` and `checkout` of that machine: docs/engines.md"
            )
            return NodeLook(place=place.address, why=plain(said[-1])[:300], hint=hint)
        return look_of(place.address, done.stdout, asked=asked, answered=time.time())
