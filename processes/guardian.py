"""A tiny program between the harness and one subprocess: whichever of them dies, it ends the whole process tree.

`processes.process` starts it as a Python without site packages, in its own session. It imports little, because its
start is part of every subprocess's start.

stdin is the control pipe: first the request (see `read_request`), then lines `stop SECONDS`. Its end means that the
harness died in some way. stdout is the status pipe, with one line per event:

    started BY PID      the guardian BY has started the target's program as PID
    failed ERRNO        it could not be executed; nothing is running
    exited CODE         the leader ended; CODE is negative for a signal
    done                no descendant of the target is left

Why nothing escapes: the guardian is a child subreaper (prctl(2)), so every orphan in the tree, however often it forked
or called setsid, becomes its child. If `waitpid` finds no child, the tree is therefore empty.

Why it may be killed or stopped itself: it is two processes, harness > backup > guardian > target, and both are
subreapers. If the guardian is killed, the kernel kills the leader (PR_SET_PDEATHSIG), and the backup inherits the rest
of the tree and kills it. If the backup is killed, the guardian ends the tree. If the harness dies and the guardian does
nothing, for example after SIGSTOP, the backup kills it with its tree. Stopping them doesn't help: the kernel sends each
of the two SIGCONT when its parent dies. Only if both are killed at the same instant are processes left over, which
`processes.process` finds by their environment.
"""

from __future__ import annotations

# The C module: `signal` builds enums, which costs milliseconds at every start.
import _signal as signal  # type: ignore[import-not-found]
import ctypes
import errno
import os
import select
import sys
from time import monotonic

from processes.bounded_log import Log
from processes.tree import descendants, send_signal

TREE_MARK = "BENCH_PROCESS_TREE"  # environment variable that marks every process of one tree
HARNESS_DEAD_GRACE_S = 0.5
BACKUP_GRACE_S = 1.0  # after which the backup no longer relies on the guardian
STRAGGLER_GRACE_S = 1.0  # for processes that are left when the leader ends by itself
SWEEP_INTERVAL_S = 0.02
SLOW_SWEEP_INTERVAL_S = 0.5  # when SIGKILL hasn't helped for a while, as for a process stuck in a driver
SLOW_SWEEP_AFTER_S = 2.0

LOG_LOOK_MS = 200.0

PR_SET_PDEATHSIG = 1  # linux/prctl.h
PR_SET_CHILD_SUBREAPER = 36


class Request:
    """What to start. stdout_fd: an inherited descriptor, or 2."""

    def __init__(self, stdout_fd: int, argv: list[bytes], env: dict[bytes, bytes]) -> None:
        self.stdout_fd = stdout_fd
        self.argv = argv
        self.env = env


def write_request(request: Request) -> bytes:
    """The bytes that `read_request` reads. Neither argv nor the environment may contain a NUL."""
    env = [name + b"=" + value for name, value in request.env.items()]
    head = [b"%d" % request.stdout_fd, b"%d" % len(request.argv)]
    body = b"\0".join([*head, *request.argv, *env])
    return f"{len(body)}\n".encode() + body


def read_request(fd: int) -> Request | None:
    """The request from the control pipe; None if the harness died before it was complete."""
    data = b""
    while b"\n" not in data:
        chunk = os.read(fd, 65536)
        if not chunk:
            return None
        data += chunk
    size, _, body = data.partition(b"\n")
    while len(body) < int(size):
        chunk = os.read(fd, 65536)
        if not chunk:
            return None
        body += chunk
    stdout_fd, count, *rest = body.split(b"\0")
    argv, env = rest[: int(count)], rest[int(count) :]
    return Request(int(stdout_fd), argv, dict(_pair(entry) for entry in env))


def _pair(entry: bytes) -> tuple[bytes, bytes]:
    name, _, value = entry.partition(b"=")
    return name, value


class Watch:
    """One of the two processes: when its leader or its parent ends, it ends all its descendants."""

    straggler_grace_s = 0.0
    parent_dead_grace_s = BACKUP_GRACE_S

    def __init__(self, libc: ctypes.CDLL, parent: int) -> None:
        self.parent = parent
        self.leader = 0
        self.leader_exited = False
        self.deadline: float | None = None  # when everything is killed; None if no end was requested
        libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        self.wake, wake_write = os.pipe()
        os.set_blocking(self.wake, False)
        os.set_blocking(wake_write, False)
        for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        for number in (signal.SIGCHLD, signal.SIGCONT):
            signal.signal(number, lambda _number, _frame: None)
        signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
        # The control pipe may stay open in a child that the harness forked without exec; this signal comes anyway.
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGCONT, 0, 0, 0)

    def run(self, control_events: int) -> None:
        """Watch until nothing is left."""
        poll = select.poll()
        poll.register(0, control_events)
        poll.register(self.wake, select.POLLIN)
        while self.reap():
            if os.getppid() != self.parent:
                self.end_within(self.parent_dead_grace_s)
            ready = dict(poll.poll(self.step()))
            if self.wake in ready:
                os.read(self.wake, 4096)
            if 0 in ready and not self.obey():
                poll.unregister(0)
                self.end_within(self.parent_dead_grace_s)

    def reap(self) -> bool:
        """Reap all ended processes. True while any descendant is left."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return False
            if pid == 0:
                return True
            if pid == self.leader and not self.leader_exited:
                self.leader_exited = True
                self.on_leader_exit(os.waitstatus_to_exitcode(status))
                self.end_within(self.straggler_grace_s)

    def on_leader_exit(self, code: int) -> None:
        raise NotImplementedError

    def obey(self) -> bool:
        """Follow the control pipe's commands. False at its end."""
        return False

    def end_within(self, grace_s: float) -> None:
        """Request the end; the earliest of several deadlines counts."""
        deadline = monotonic() + grace_s
        self.deadline = deadline if self.deadline is None else min(self.deadline, deadline)

    def step(self) -> float | None:
        """Take one step towards the end. Returns how many ms to wait for events; None means without limit."""
        if self.deadline is None:
            return None
        left_s = self.deadline - monotonic()
        if left_s > 0:
            self.before_deadline()
            return 1000 * left_s
        members = descendants(os.getpid())
        # A signal to a group also reaches what its members fork meanwhile. Each group here is in a session that a
        # descendant created, so it contains only descendants.
        for group in {member.group for member in members} - {os.getpgrp(), 0}:
            try:
                os.killpg(group, signal.SIGKILL)
            except OSError:
                continue
        for member in members:
            send_signal(member, signal.SIGKILL)
        return 1000 * (SWEEP_INTERVAL_S if left_s > -SLOW_SWEEP_AFTER_S else SLOW_SWEEP_INTERVAL_S)

    def before_deadline(self) -> None:
        """Called while the grace period lasts; does nothing by default."""


class Backup(Watch):
    """The outer process. Its leader is the guardian."""

    def on_leader_exit(self, code: int) -> None:
        if code:  # the guardian was killed, and the target's leader with it
            report(f"exited {-signal.SIGKILL}")


class Guardian(Watch):
    """The inner process. Its leader is the target."""

    straggler_grace_s = STRAGGLER_GRACE_S
    parent_dead_grace_s = HARNESS_DEAD_GRACE_S

    def __init__(self, libc: ctypes.CDLL, parent: int) -> None:
        super().__init__(libc, parent)
        self.log = Log(2)
        self.terminated: set[tuple[int, int]] = set()  # (pid, start) of processes that got their SIGTERM
        self.control = b""

    def start(self, request: Request, libc: ctypes.CDLL) -> bool:
        """Start the target as the leader of a new session. False if it can't be executed."""
        guardian = os.getpid()
        error_read, error_write = os.pipe()
        pid = os.fork()
        if pid == 0:
            try:
                execute(request, libc, guardian)
            except OSError as error:
                os.write(error_write, str(error.errno or errno.EIO).encode())
            finally:
                os._exit(127)
        os.close(error_write)
        failure = os.read(error_read, 64)  # empty: exec closed the pipe
        os.close(error_read)
        if failure:
            os.waitpid(pid, 0)
            report(f"failed {failure.decode()}")
            return False
        self.leader = pid
        report(f"started {guardian} {pid}")
        return True

    def on_leader_exit(self, code: int) -> None:
        self.log.bound()
        report(f"exited {code}")

    def obey(self) -> bool:
        data = os.read(0, 4096)
        *lines, self.control = (self.control + data).split(b"\n")
        for line in lines:
            verb, _, seconds = line.partition(b" ")
            if verb == b"stop":
                self.end_within(float(seconds))
        return bool(data)

    def step(self) -> float:
        self.log.bound()
        wait_ms = super().step()
        return LOG_LOOK_MS if wait_ms is None else min(wait_ms, LOG_LOOK_MS)

    def before_deadline(self) -> None:
        """Send SIGTERM to the leader's session. What left it (a sandbox, a run of a sweep) has an owner there that ends
        it.

        A program in a sandbox would die of the signal, and that would count as its verdict.
        """
        # Exactly one SIGTERM each: llama-server, like many programs, exits uncleanly at the second one.
        for member in descendants(os.getpid()):
            asked = self.leader_exited or member.session == self.leader
            if asked and (member.pid, member.start) not in self.terminated:
                self.terminated.add((member.pid, member.start))
                send_signal(member, signal.SIGTERM)


def execute(request: Request, libc: ctypes.CDLL, guardian: int) -> None:
    """Become the target, in the forked child. Raises OSError if it can't be executed."""
    os.setsid()
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != guardian:
        os._exit(127)  # the guardian died before the line above
    # Ignored signals and the signal mask would be inherited from the harness (nohup) and the guardian.
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM, signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    null = os.open("/dev/null", os.O_RDONLY)
    os.dup2(null, 0)
    os.dup2(request.stdout_fd, 1)  # every other descriptor is closed by exec
    os.execvpe(os.fsdecode(request.argv[0]), request.argv, request.env)  # noqa: S606 - no shell is the point


def report(line: str) -> None:
    """Report to the harness, which may be dead."""
    try:
        os.write(1, line.encode() + b"\n")
    except OSError:
        return


def main() -> None:
    """argv: the harness's pid, which must stay our parent."""
    libc = ctypes.CDLL(None)
    backup = Backup(libc, int(sys.argv[1]))
    own_pid = os.getpid()
    backup.leader = os.fork()
    if backup.leader:
        backup.run(0)  # POLLHUP is reported anyway
        report("done")
        os._exit(0)
    guardian = Guardian(libc, own_pid)
    request = read_request(0)
    if request is None:
        os._exit(0)
    if request.stdout_fd != 2:
        os.set_inheritable(request.stdout_fd, False)
    if guardian.start(request, libc):
        guardian.run(select.POLLIN)
        guardian.log.bound()
        report("done")
    os._exit(0)
