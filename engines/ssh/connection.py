"""A connection to a machine by the system's `ssh`: frames to and from the host program there, and attempts' files.

Host keys, agents and keys are ssh's business: nothing is asked for here, so a machine that needs a password is
unreachable. The variables that go along travel inside the connection; no command line has them.
"""

from __future__ import annotations

import contextlib
import os
import queue
import re
import shlex
import subprocess
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from engines.carriers.received_files import ReceivedFiles, RefusedFileError
from engines.node import messages
from engines.node.attempt_files import LOG
from engines.node.frames import FrameError, Frames, frame
from processes.readable import readable
from results.plain_text import plain

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import IO

    import msgspec

    from engines.ssh.settings import Place, Settings

HOST_PROGRAM: Final = "engines.node.host_program"
BEAT_S: Final = 0.5
CONNECT_S: Final = 15
BEGIN_S: Final = 60.0  # from the start of ssh to the host program's first word
_BUSY_S: Final = 0.5
_KEPT_STDERR: Final = 4096
_MOST_LINE: Final = 2000
_MOST_ANSWERS: Final = 4  # about a model, that nobody has looked at yet; more are not waited for
_OPTIONS: Final = (
    "-T",
    "-o", "BatchMode=yes",
    "-o", f"ConnectTimeout={CONNECT_S}",
    "-o", "ServerAliveInterval=2",
    "-o", "ServerAliveCountMax=3",
)  # fmt: skip


@dataclass(frozen=True)
class Came:
    """A message from a machine."""

    message: messages.FromHost


@dataclass(frozen=True)
class Said:
    """A line of a unit's program."""

    line: str


@dataclass(frozen=True)
class Gone:
    """The connection has ended. why: without a full stop. error: this machine's own disk, and not the other's fault.
    is_forbidden: the other one sent what no host program sends, so it may have been taken over.
    """

    why: str
    error: OSError | None = None
    is_forbidden: bool = False


class _TroubleError(Exception):
    """The host program said that it can't go on."""


class GoneError(Exception):
    """Nothing can be sent any more."""


class Connection:
    """From `open` until Gone is told to `tell`, in a thread; messages are told there too, but beats and files, which go
    into the folders of `receive`. Any thread may send.
    """

    def __init__(
        self, place: Place, settings: Settings, tell: Callable[[Connection, Came | Gone | Said], None]
    ) -> None:
        self.place = place
        self.ready: messages.Ready | None = None
        self._settings = settings
        self._tell = tell
        self._sending = threading.Lock()
        self._receiving: dict[str, ReceivedFiles] = {}
        self._answers: dict[str, queue.SimpleQueue[messages.ModelState | None]] = {}
        self._bringing: dict[str, threading.Lock] = {}
        self._ended = threading.Event()  # nothing more can be sent
        self._over = threading.Event()
        self._awaited: set[str] = set()  # attempts whose end wasn't told yet
        self._others_asked = 0
        self._logs: dict[str, bytes] = {}  # of each attempt, the line that isn't whole yet
        self._stderr = b""
        self._process = self._start()
        for task in (self._read, self._beat):
            threading.Thread(target=task, name=f"{place.address} {task.__name__}", daemon=True).start()

    def receive(self, attempt: str, folder: Path) -> None:
        """From now on, take files of that attempt."""
        self._awaited.add(attempt)
        self._receiving[attempt] = ReceivedFiles(folder)

    def forget(self, attempt: str) -> None:
        """Take no more files of that attempt."""
        self._receiving.pop(attempt, None)
        self._awaited.discard(attempt)
        self._logs.pop(attempt, None)

    def send(self, message: msgspec.Struct, data: bytes = b"") -> None:
        """Blocks while the line is busy. Raises GoneError."""
        whole = frame(message, data)
        with self._sending:
            if isinstance(message, messages.EndOthers):
                self._others_asked += 1
            if self._ended.is_set() or self._process.stdin is None:
                raise GoneError
            try:
                self._process.stdin.write(whole)
                self._process.stdin.flush()
            except (OSError, ValueError) as error:
                raise GoneError from error

    def say(self, line: str) -> None:
        """Tell people something of this machine."""
        self._tell(self, Said(line))

    def ask_model(self, message: messages.WantModel | messages.ModelWhole) -> messages.ModelState:
        """Send it, and wait for the answer. One thread at a time for a model. Raises GoneError."""
        answers = self._answers.setdefault(message.sha256, queue.SimpleQueue())
        self.send(message)
        answer = answers.get()
        if answer is None:
            raise GoneError
        return answer

    def bringing(self, sha256: str) -> threading.Lock:
        """To be held while a model is asked for and copied."""
        return self._bringing.setdefault(sha256, threading.Lock())

    def model_trouble(self, sha256: str) -> messages.ModelState | None:
        """What was said of a model meanwhile, without being asked."""
        with contextlib.suppress(queue.Empty):
            return self._answers[sha256].get_nowait()
        return None

    def close(self) -> None:
        """Let the host program end everything there, once it has read what was sent. Gone is told. Is idempotent."""
        if not self._sending.acquire(timeout=_BUSY_S):
            self._process.terminate()
            return
        try:
            if self._process.stdin is not None:
                with contextlib.suppress(OSError):
                    self._process.stdin.close()
        finally:
            self._sending.release()

    def wait(self, timeout_s: float) -> None:
        """Until nothing of it is left here; after timeout_s, ssh is killed."""
        if not self._over.wait(timeout_s):
            self._process.kill()
            self._over.wait(timeout_s)

    # Threads

    def _start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            ssh_words(self.place, self._settings, in_checkout(self.place, f"-m {HOST_PROGRAM}")),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            start_new_session=True,  # a Ctrl-C is ours: what can be had is brought back first
        )

    def _beat(self) -> None:
        beat = messages.Beat()
        with contextlib.suppress(GoneError):
            self.send(self._hello())
            while not self._ended.wait(BEAT_S):
                self.send(beat)

    def _hello(self) -> messages.Hello:
        given = {name: os.environ[name] for name in self.place.environment if name in os.environ}
        return messages.Hello(
            workdir=self.place.workdir,
            gpus=self.place.gpus,
            models=self.place.models,
            cache_bytes=int(self._settings.cache_gb * 1e9),
            silence_s=self._settings.silence_s,
            environment=given,
        )

    def _read(self) -> None:
        why, error, is_forbidden = "", None, False
        try:
            why = self._until_gone()
        except (FrameError, _TroubleError) as strange:
            why = str(strange)
        except RefusedFileError as refused:
            why, is_forbidden = f"it sent {refused}, and is not trusted any more", True
        except OSError as own:
            why, error = f"cannot write what it sent: {own.strerror or own}", own
        except Exception as unexpected:  # noqa: BLE001 - whoever waits for this machine must hear of its end
            why = f"what it sent can't be read: {type(unexpected).__name__}: {plain(str(unexpected))[:300]}"
        self._ended.set()
        self._process.kill()
        self._process.wait()
        with self._sending:
            for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
                if stream is not None:
                    with contextlib.suppress(OSError):
                        stream.close()
        for answers in tuple(self._answers.values()):
            answers.put(None)
        self._over.set()
        self._tell(self, Gone(why, error, is_forbidden))

    def _until_gone(self) -> str:
        """Why it is gone. Raises FrameError, RefusedFileError, OSError."""
        frames: Frames[messages.FromHost] = Frames(messages.FromHost, after_line=True)
        out, err = _descriptor(self._process.stdout), _descriptor(self._process.stderr)
        watched = [out, err]
        heard = time.monotonic()
        late = 0
        while True:
            silence_s = self._settings.silence_s if self.ready is not None else BEGIN_S
            ready = readable(watched, min(0.25, silence_s / 4))
            if err in ready:
                said = os.read(err, 4096)
                self._stderr = (self._stderr + said)[-_KEPT_STDERR:]
                if not said:
                    watched.remove(err)
            if out in ready:
                data = os.read(out, 1 << 18)
                if not data:
                    return self._said()
                heard, late = time.monotonic(), 0
                for message, content in frames.feed(data):
                    self._take(message, content)
                continue
            late = late + 1 if time.monotonic() - heard > silence_s else 0
            if late > 1:  # this process itself may have been stopped for a while
                return f"nothing was heard of it for {silence_s:g} s"

    def _take(self, message: messages.FromHost, data: bytes) -> None:
        match message:
            case messages.Beat():
                return
            case messages.Grew():
                self._files(message.attempt).grew(message.path, message.offset, data)
                if message.path == LOG:
                    self._say_lines(message.attempt, data)
            case messages.Replaced():
                self._files(message.attempt).replaced(message.path, message.offset, data, last=message.last)
            case messages.ModelState():
                answers = self._answers.get(message.sha256)
                if answers is not None and answers.qsize() < _MOST_ANSWERS:
                    answers.put(message)
            case messages.Ready():
                if self.ready is None:
                    self.ready = message
                    self._tell(self, Came(message))
            case messages.Ended():
                if message.attempt in self._awaited:
                    self._awaited.discard(message.attempt)
                    self._tell(self, Came(message))
            case messages.OthersEnded():
                if self._others_asked:
                    self._others_asked -= 1
                    self._tell(self, Came(message))
            case messages.Trouble():
                raise _TroubleError(plain(message.why)[:500])

    def _say_lines(self, attempt: str, data: bytes) -> None:
        *lines, rest = (self._logs.get(attempt, b"") + data).split(b"\n")
        self._logs[attempt] = rest[:_MOST_LINE]
        for line in lines:
            self._tell(self, Said(line[:_MOST_LINE].decode(errors="replace")))

    def _files(self, attempt: str) -> ReceivedFiles:
        found = self._receiving.get(attempt)
        if found is None:
            raise RefusedFileError("files of an attempt that it was not given")
        return found

    def _said(self) -> str:
        """The last line of what ssh, or the shell there, has said."""
        with contextlib.suppress(OSError, ValueError):
            stream = _descriptor(self._process.stderr)
            while readable([stream], 0.1) and (more := os.read(stream, 4096)):
                self._stderr = (self._stderr + more)[-_KEPT_STDERR:]
        lines = [line for line in self._stderr.decode(errors="replace").splitlines() if line.strip()]
        ended = "the connection was closed" if self.ready is not None else "ssh ended"
        return f"{ended}: {plain(lines[-1])[:300]}" if lines else ended


def ssh_words(place: Place, settings: Settings, command: str) -> list[str]:
    """The command line here for a command there."""
    return [*shlex.split(settings.ssh), *_OPTIONS, "--", place.address, command]


def in_checkout(place: Place, words: str) -> str:
    """What the shell there is given, to run its Python. It has no secrets. words: quoted for a shell."""
    return f"cd {_quoted(place.checkout)} && exec {_quoted(place.python)} {words}"


def _quoted(path: str) -> str:
    """For a shell, with ~ left for it to fill in."""
    home = re.match(r"~[\w.-]*(/|$)", path)
    return home[0] + shlex.quote(path[home.end() :]) if home and home.end() < len(path) else shlex.quote(path)


def _descriptor(stream: IO[bytes] | None) -> int:
    if stream is None:
        raise TypeError("ssh has pipes")
    return stream.fileno()
