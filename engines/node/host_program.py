"""`python -m engines.node.host_program`: what stays on a machine while a coordinator is connected to it, as by ssh.

It speaks frames over its standard input and output: gets attempts' files and models, starts units, and sends what they
write as they grow. When its input ends, or nothing came for a while, the coordinator is gone: it ends everything.
Killed itself, it leaves nothing either: each unit's program runs under a guardian.
"""

from __future__ import annotations

import contextlib
import os
import queue
import shutil
import signal
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from engines.carriers.growing_files import GrowingFiles
from engines.node import messages
from engines.node.attempt_files import LOG
from engines.node.frames import LINE, FrameError, Frames, frame
from engines.node.model_cache import ModelCache
from engines.node.other_attempts import MARK, end_others
from engines.node.own_folder import make_own_folder, require_safe_parents
from processes import process as processes
from results.durable import write_at
from results.errors import BenchError
from results.files import open_to_append, user_path
from runner.host import harness_facts
from runner.script import ROOT
from telemetry.devices import usable_gpus
from telemetry.visibility import showing_only

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import msgspec

    from processes.process import ManagedProcess
    from telemetry.contract import DeviceFacts

LOOK_S: Final = 0.1  # how often it looks for what units have written
BEAT_S: Final = 0.5
WATCH_S: Final = 0.2
GONE_GRACE_S: Final = 0.2  # for units to stop once the coordinator is gone; nobody reads what they write then
LAST_S: Final = 0.3
MOST_AT_ONCE: Final = 64  # messages between two looks at what units have written
KEEP_S: Final = 24 * 3600.0  # what a dead host program left of attempts
HELLO_S: Final = 60.0


@dataclass
class _Unit:
    """A running unit. models: holds the locks of the models that it uses."""

    name: str
    process: ManagedProcess
    files: GrowingFiles
    models: contextlib.ExitStack
    stopping: threading.Thread | None = None


class HostProgram:
    """What a connection does on this machine. `work` is the main thread's; others only read, beat, stop and hash."""

    def __init__(self, source: int, sink: int) -> None:
        self._source = source
        self._sink = sink
        self._writing = threading.Lock()
        self._came: queue.SimpleQueue[tuple[messages.FromCoordinator, bytes] | None] = queue.SimpleQueue()
        self._heard = time.monotonic()
        self._silence_s = HELLO_S
        self._is_over = False
        self._units: dict[str, _Unit] = {}
        self._hello: messages.Hello | None = None
        self._workdir: Path = ROOT
        self._usable: tuple[DeviceFacts, ...] = ()  # cards, of which `_gpus` are used
        self._gpus: tuple[DeviceFacts, ...] = ()
        self._wanted: dict[str, messages.WantModel] = {}
        self._hashing = ThreadPoolExecutor(8, thread_name_prefix="models")
        self._cache = ModelCache(ROOT, 0)

    def work(self) -> None:
        """Until the coordinator is gone; then ends everything, and this process."""
        with self._writing:
            _write(self._sink, LINE)
        for task in (self._read, self._beat):
            threading.Thread(target=task, name=task.__name__, daemon=True).start()
        try:
            while not self._is_over:
                for message, data in self._messages():
                    self._do(message, data)
                for unit in tuple(self._units.values()):
                    self._look(unit)
        except OSError as error:  # its disk, or the pipe
            self._say(messages.Trouble(why=f"the host program can't go on: {error.strerror or error}"))
        except BenchError as error:
            self._say(messages.Trouble(why=f"{error.message}: {error.hint}"[:2000]))
        self.end()

    def end(self) -> None:
        """End all units and this process. Any thread may call it."""
        units = tuple(self._units.values())
        if units:
            with ThreadPoolExecutor(len(units)) as threads:
                list(threads.map(lambda unit: unit.process.stop(GONE_GRACE_S), units))
        os._exit(0)

    # What other threads do

    def _read(self) -> None:
        frames: Frames[messages.FromCoordinator] = Frames(messages.FromCoordinator, after_line=False)
        with contextlib.suppress(OSError, FrameError):
            while data := os.read(self._source, 1 << 18):
                self._heard = time.monotonic()
                for each in frames.feed(data):
                    if not isinstance(each[0], messages.Beat):
                        self._came.put(each)
        self._came.put(None)
        time.sleep(LAST_S)  # for what was sent before; the main thread may be stuck in writing
        self.end()

    def _beat(self) -> None:
        beat = frame(messages.Beat())
        late, beaten = 0, time.monotonic()
        while True:
            time.sleep(WATCH_S)
            now = time.monotonic()
            # Only several looks in a row count: this process may have been stopped itself for a while.
            late = late + 1 if now - self._heard > self._silence_s else 0
            if late > 1:
                self.end()
            if now - beaten < BEAT_S or not self._writing.acquire(timeout=0):
                continue
            try:
                _write(self._sink, beat)
                beaten = now
            except OSError:
                self.end()
            finally:
                self._writing.release()

    # What the main thread does

    def _messages(self) -> list[tuple[messages.FromCoordinator, bytes]]:
        """What has come; waits LOOK_S for the first."""
        found: list[tuple[messages.FromCoordinator, bytes]] = []
        timeout_s = LOOK_S if self._units else None
        with contextlib.suppress(queue.Empty):
            while len(found) < MOST_AT_ONCE:
                each = self._came.get(timeout=timeout_s)
                if each is None:
                    self._is_over = True
                    break
                found.append(each)
                timeout_s = 0.0
        return found

    def _do(self, message: messages.FromCoordinator, data: bytes) -> None:
        match message:
            case messages.Hello():
                self._greet(message)
            case messages.Put():
                self._put(message, data)
            case messages.Start():
                self._start(message)
            case messages.Stop():
                self._stop(message)
            case messages.Remove():
                shutil.rmtree(self._folder(message.attempt), ignore_errors=True)
            case messages.WantModel():
                self._wanted[message.sha256] = message
                self._hashing.submit(self._find_model, message)
            case messages.ModelPart():
                self._keep_part(message, data)
            case messages.ModelWhole():
                if message.sha256 in self._wanted:
                    self._hashing.submit(self._finish_model, self._wanted[message.sha256])
            case messages.EndOthers():
                end_others(message.attempts, message.grace_s)
                self._say(messages.OthersEnded())

    def _greet(self, hello: messages.Hello) -> None:
        self._hello = hello
        # Of a home that several machines share, each has its own part: no lock holds between machines.
        self._workdir = user_path(hello.workdir).absolute() / os.uname().nodename
        require_safe_parents(self._workdir.parent)
        for folder in (self._workdir, self._workdir / "attempts", self._workdir / "models"):
            make_own_folder(folder)
        self._cache = ModelCache(self._workdir / "models", hello.cache_bytes)
        os.environ.update(hello.environment)
        self._usable = usable_gpus()
        self._gpus = self._usable[: hello.gpus]
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        self._say(
            messages.Ready(
                harness=harness_facts(),
                hostname=os.uname().nodename,
                cards=tuple(
                    messages.Card(
                        uuid=gpu.uuid, kind=gpu.kind, name=gpu.name or "", memory_bytes=gpu.memory_total_bytes
                    )
                    for gpu in self._gpus
                ),
                disk_free_bytes=shutil.disk_usage(self._workdir).free,
                memory_bytes=memory,
                clock_s=time.time(),
                pid=os.getpid(),
            )
        )
        self._silence_s = hello.silence_s
        self._hashing.submit(_remove_old, self._workdir / "attempts")

    def _put(self, message: messages.Put, data: bytes) -> None:
        path = self._folder(message.attempt) / message.path
        path.parent.mkdir(parents=True, exist_ok=True)
        if message.offset == 0:
            path.unlink(missing_ok=True)
        with open_to_append(path) as file:
            write_at(file.fileno(), data, message.offset)

    def _start(self, message: messages.Start) -> None:
        folder = self._folder(message.attempt)
        files = GrowingFiles(folder)
        files.known_already()
        held = contextlib.ExitStack()
        chosen = [gpu for gpu in self._gpus if gpu.uuid in message.cards]
        environment = {**os.environ, MARK: message.attempt}
        for name, value in showing_only(chosen, self._usable, os.environ).items():
            environment.pop(name, None)
            if value is not None:
                environment[name] = value
        words = [sys.executable, "-m", "engines.node.unit_program", str(folder)]
        for place in self._model_folders(message):
            words += ["--models", str(place)]
        try:
            for folder_in_use in message.models:
                held.enter_context(self._cache.in_use(user_path(folder_in_use)))
            process = processes.start(words, output=folder / LOG, env=environment, cwd=ROOT)
        except BenchError as error:
            held.close()
            self._say(messages.Ended(attempt=message.attempt, why=error.message[:2000], started=False))
            return
        self._units[message.attempt] = _Unit(message.attempt, process, files, held)

    def _stop(self, message: messages.Stop) -> None:
        unit = self._units.get(message.attempt)
        if unit is None:
            self._say(messages.Ended(attempt=message.attempt, why="it was not running", started=False))
        elif unit.stopping is None:
            unit.stopping = threading.Thread(target=unit.process.stop, args=(message.grace_s,), daemon=True)
            unit.stopping.start()

    def _look(self, unit: _Unit) -> None:
        """Send what the unit has written; if its program has ended, all of it and how it ended."""
        ended = unit.process.poll()
        if ended is not None:
            unit.process.stop(GONE_GRACE_S)  # what it left, if it was killed
        for piece in unit.files.pieces():
            kind = messages.Replaced if piece.replaces else messages.Grew
            last = {"last": piece.last} if piece.replaces else {}
            self._say(kind(attempt=unit.name, path=piece.path, offset=piece.offset, **last), piece.data)
        if ended is not None:
            del self._units[unit.name]
            unit.models.close()
            self._say(messages.Ended(attempt=unit.name, why="" if ended.code == 0 else ended.describe()))

    # Models

    def _model_folders(self, message: messages.Start) -> list[Path]:
        given = self._hello.models if self._hello is not None else ()
        return [user_path(place) for place in (*message.models, *given)]

    def _find_model(self, wanted: messages.WantModel) -> None:
        look_in = [user_path(place) for place in (self._hello.models if self._hello is not None else ())]
        try:
            have = None
            folder = self._cache.find(wanted, look_in)
            if folder is None:
                have = self._cache.begin(wanted)
                folder = self._cache.folder / wanted.sha256
            self._say(messages.ModelState(sha256=wanted.sha256, folder=str(folder), have=have))
        except (OSError, BenchError) as error:
            self._say_no_model(wanted.sha256, error)

    def _keep_part(self, message: messages.ModelPart, data: bytes) -> None:
        wanted = self._wanted.get(message.sha256)
        if wanted is None:
            return
        try:
            self._cache.write(wanted, message.file, message.offset, data)
        except (OSError, BenchError) as error:
            del self._wanted[message.sha256]  # what is still on its way is left out
            self._cache.leave(message.sha256)
            self._say_no_model(message.sha256, error)

    def _finish_model(self, wanted: messages.WantModel) -> None:
        try:
            folder = self._cache.finish(wanted)
            self._say(messages.ModelState(sha256=wanted.sha256, folder=str(folder)))
        except (OSError, BenchError) as error:
            self._say_no_model(wanted.sha256, error)

    def _say_no_model(self, sha256: str, error: OSError | BenchError) -> None:
        why = error.message if isinstance(error, BenchError) else error.strerror or str(error)
        self._say(messages.ModelState(sha256=sha256, why=why[:2000] or "unknown"))

    # Both

    def _folder(self, attempt: str) -> Path:
        parts = attempt.split("/")
        if any(part in {"", ".", ".."} for part in parts):
            raise BenchError(f"{attempt!r} is no attempt", hint="update bench_runner")
        return self._workdir.joinpath("attempts", *parts)

    def _say(self, message: msgspec.Struct, data: bytes = b"") -> None:
        with self._writing:
            _write(self._sink, frame(message, data))


def _write(descriptor: int, data: bytes) -> None:
    """Write all of it to a pipe."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def _remove_old(attempts: Path) -> None:
    """What host programs that died left of attempts, and empty folders."""
    for unit in attempts.glob("*/*/*"):
        with contextlib.suppress(OSError):
            newest = max(path.stat().st_mtime for path in (unit, *unit.rglob("*")))
            if time.time() - newest > KEEP_S:
                shutil.rmtree(unit)
    for folder in (*attempts.glob("*/*"), *attempts.glob("*")):
        with contextlib.suppress(OSError):
            folder.rmdir()


def main(_words: Sequence[str]) -> int:
    """Until standard input ends."""
    # Its own output is for frames; what anything else prints must not come between.
    sink = os.dup(1)
    os.dup2(2, 1)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    program = HostProgram(0, sink)
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, lambda *_: threading.Thread(target=program.end).start())
    program.work()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
