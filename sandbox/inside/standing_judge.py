"""Runs inside the sandbox, on both sides of a fork: the process of the tests, which judges one program after another.

Standard library only: this source stands before the zygote's own (sandbox/inside/zygote.py).

A judge loads nothing of a program, so nothing of one is left for the next, and a fork for each would cost as much as
the program itself. It does not stay after anything out of the ordinary: a program that broke the channel, its time or
its memory; tests that left a module, a thread, a process or another builtin behind.

Tests and the ends of pipes reach it through a socket that no program has. The zygote still reads no text.
"""

import _signal as signal  # type: ignore[import-not-found]  # as in child.py
import _socket
import builtins
import decimal
import errno
import gc
import os
import resource
import struct
import sys
import time
import typing
from typing import Any

from sandbox.inside.child import hard_limits, take_text
from sandbox.inside.confinement import PAUSE_S, WALL
from sandbox.inside.forks import READY, become, close, fork_unseen, not_ready, wait_ready
from sandbox.inside.judge import judge_calls
from sandbox.inside.watch import clock_of

MOST_CPU_S = 1.0  # of one judge: a thousand programs
MOST_GROWTH_KIB = 8 << 10  # of its memory
REFERENCES_S = 10.0  # for the kernel to forget descriptors that nobody can receive any more
_STAYS = b"+"
_LIMITS = ("cpu_s", "overtime", "memory_bytes", "processes", "file_bytes", "open_files")


class StandingJudge:
    """The zygote's side of it. pid: of its process. result: where its word on each program can be read."""

    def __init__(self, request: dict[str, Any], confine: typing.Callable[[], None]) -> None:
        """Start it, under the limits of a request. Raises OSError, NotReady."""
        self._limits = {name: request[name] for name in _LIMITS}
        self._used_s = 0.0
        # A limit from outside would be one for all its programs together.
        self._most_s = 0.0 if "cpu_s" in hard_limits() else MOST_CPU_S
        self.result, result_write = os.pipe()
        self._control, other = _socket.socketpair()
        ready, ready_write = os.pipe()
        self.pid = fork_unseen()
        if self.pid == 0:
            try:
                close(self.result, ready)
                self._control.close()
                texts, null = os.dup(0), os.open("/dev/null", os.O_WRONLY)
                own = {**request, "folder": "/", "cpu_s": request["cpu_s"] + MOST_CPU_S, "seal": ""}
                become(own, "", (null, os.dup(null)), ready_write, confine)
                judge_programs(other, texts, result_write)
            finally:  # whatever is raised, it never comes back into the zygote's own work
                os._exit(1)
        self._cpu_s = clock_of(self.pid)
        close(result_write, ready_write)
        other.close()
        wait_ready(ready, not_ready)

    def suits(self, request: dict[str, Any]) -> bool:
        """Whether its process lives, under the limits of this request."""
        return os.waitpid(self.pid, os.WNOHANG | WALL)[0] == 0 and all(
            request[name] == value for name, value in self._limits.items()
        )

    def hand(self, text_bytes: int, reading: int, writing: int, turn: int) -> None:
        """Let it judge a program, whose tests are the next text on fd 0. Raises OSError.

        turn: is told once they are read. Where its process dies, the zygote ends: the program is judged in another one.
        """
        os.kill(self.pid, signal.SIGCONT)  # the last program may have stopped it after its word
        self._used_s = self._cpu_s()
        rights = [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, struct.pack("3i", reading, writing, turn))]
        deadline = time.monotonic() + REFERENCES_S
        while True:
            try:
                self._control.sendmsg([struct.pack(">I", text_bytes)], rights)
            except (BrokenPipeError, ConnectionResetError) as error:  # or ended it
                raise SystemExit("the process of the tests was killed") from error
            except OSError as error:
                # A program left as many descriptors on their way through sockets as its user may have.
                if error.errno != errno.ETOOMANYREFS or time.monotonic() > deadline:
                    raise
                collect_descriptors()
            else:
                return

    def clock(self) -> typing.Callable[[], float]:
        """Seconds of processor time for this program."""
        before = self._used_s
        return lambda: self._cpu_s() - before

    def stays(self) -> bool:
        """Whether it may judge another program. To be asked once `spoken` can be read: then its word is complete."""
        try:
            said = self._control.recv(1, _socket.MSG_DONTWAIT)
        except OSError:
            return False
        return said == _STAYS and self._cpu_s() < self._most_s

    @property
    def spoken(self) -> int:
        """Can be read when it has said its word on a program."""
        number: int = self._control.fileno()
        return number

    def close(self) -> None:
        """Give up the ends of its pipes: where they must not be, or it has ended."""
        self._control.close()
        os.close(self.result)


def judge_programs(control: Any, texts: int, result: int) -> typing.NoReturn:
    """In the process of the tests: judge what is handed over until nobody is there, or something is left behind."""
    import random  # here: whatever is forked after it was imported would seed it

    # Of a long word, what does not fit is only shown; the verdict stands first.
    os.set_blocking(result, False)
    channel = os.dup(control.fileno()), os.dup(control.fileno())  # as many as that of a program will be
    own = _traces()
    close(*channel)
    most_kib = _peak_memory_kib() + MOST_GROWTH_KIB
    while True:
        size, rights, _flags, _sender = control.recvmsg(4, _socket.CMSG_SPACE(3 * 4))
        if len(size) < 4:
            os._exit(0)
        reading, writing, turn = struct.unpack("3i", rights[0][2])
        tests = take_text(texts, struct.unpack(">I", size)[0])
        os.write(turn, READY)
        os.close(turn)
        random.seed()  # as in a fork of its own
        word = judge_calls(tests, reading, writing, result)
        signal.signal(signal.SIGUSR1, signal.SIG_DFL)  # what it would say is over
        stays = _peak_memory_kib() < most_kib and _traces() == own
        os.write(result, word)
        control.send(_STAYS if stays else b"-")
        close(reading, writing)  # last: a program that sees its end may end before all is said
        if not stays:
            os._exit(0)


def collect_descriptors() -> None:
    """Wait a little for the kernel to close descriptors on their way through sockets that are on their way themselves.

    By itself it may do so 10 s later; the end of any Unix socket makes it look at once.
    """
    for end in _socket.socketpair():
        end.close()
    time.sleep(PAUSE_S)


def _peak_memory_kib() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _traces() -> tuple[Any, ...]:
    """What tests may leave behind for those of the next program."""
    try:
        os.waitpid(-1, os.WNOHANG)
        children = True
    except ChildProcessError:
        children = False
    lowest = os.dup(0)  # all below it are open
    os.close(lowest)
    context = decimal.getcontext()
    return (
        children,
        lowest,
        signal.getitimer(signal.ITIMER_REAL),
        signal.getsignal(signal.SIGALRM),
        gc.isenabled(),
        context.prec,
        context.rounding,
        id(sys.stdout),
        len(sys._current_frames()),  # noqa: SLF001 - threads; `threading` itself may have to be imported
        len(sys.modules),
        sys.getrecursionlimit(),
        [*map(id, vars(builtins).values())],
        os.getcwd(),
    )
