"""A tiny stand-alone program between the harness and one subprocess: whatever dies, the whole tree is ended.

Started by `processes.process` as `python -I -S guardian.py`, in a session of its own. It imports the standard
library only, and little of it, because its start is part of every subprocess's start.

stdin is the control pipe. It carries first the request (see `read_request`), then lines `stop SECONDS`. Its
end means that the harness died, in whatever way. stdout is the status pipe; it gets one line an event:

    started PID         the target's program runs
    failed ERRNO        it could not be executed; nothing runs
    exited CODE         the leader ended; CODE is negative for a signal
    done                nothing that descends from the target is left

Why nothing escapes: the guardian is a child subreaper (prctl(2)), so every orphan in the tree, however often
it forked or called setsid, becomes its child. `waitpid` saying "no child" is therefore proof that the tree is
empty. If the guardian itself is killed, the kernel kills the leader (PR_SET_PDEATHSIG), and `processes.process`
the rest.
"""

from __future__ import annotations

# The C module: `signal` itself builds enums, which costs milliseconds of every start.
import _signal as signal  # type: ignore[import-not-found]
import ctypes
import errno
import os
import select
from time import monotonic

TREE_MARK = "BENCH_PROCESS_TREE"  # environment variable that marks every process of one tree
HARNESS_DEAD_GRACE_S = 0.5
STRAGGLER_GRACE_S = 1.0  # for what the leader left behind when it ended by itself
SWEEP_INTERVAL_S = 0.02
SLOW_SWEEP_INTERVAL_S = 0.5  # once KILL has not helped for a while: a process that hangs in a driver
SLOW_SWEEP_AFTER_S = 2.0

LOG_BYTES = 64 << 20  # of a log that one start may add; beyond it the beginning and the end are kept
LOG_KEPT_BYTES = 16 << 20  # of each
LOG_LOOK_MS = 200.0
LOG_CHUNK_BYTES = 1 << 20

PR_SET_PDEATHSIG = 1  # linux/prctl.h
PR_SET_CHILD_SUBREAPER = 36


class Member:
    """One living process: pid and start time together are never used twice while the machine is up."""

    __slots__ = ("group", "parent", "pid", "start")

    def __init__(self, pid: int, parent: int, group: int, start: int) -> None:
        self.pid = pid
        self.parent = parent
        self.group = group
        self.start = start


def read_member(pid: int) -> Member | None:
    """The process from /proc/PID/stat; None when it is gone or a zombie."""
    try:
        fd = os.open(f"/proc/{pid}/stat", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        stat = os.read(fd, 4096)
    except OSError:
        return None
    finally:
        os.close(fd)
    # The name in parentheses may hold anything, parentheses too; fields 3, 4, 5 and 22 are counted after it.
    fields = stat[stat.rfind(b")") + 2 :].split()
    if len(fields) < 20 or fields[0] in {b"Z", b"X"}:
        return None
    return Member(pid, int(fields[1]), int(fields[2]), int(fields[19]))


def descendants(root: int) -> list[Member]:
    """Every living process that descends from root, without root, parents before children."""
    children: dict[int, list[Member]] = {}
    for name in os.listdir("/proc"):  # noqa: PTH208 - pathlib costs the guardian 10 ms of start
        member = read_member(int(name)) if name.isdigit() else None
        if member is not None:
            children.setdefault(member.parent, []).append(member)
    found: list[Member] = []
    seen = {root}
    frontier = [root]
    while frontier:
        for member in children.get(frontier.pop(), ()):
            if member.pid not in seen:  # a pid used again during the scan could close a circle
                seen.add(member.pid)
                found.append(member)
                frontier.append(member.pid)
    return found


def send_signal(member: Member, number: int) -> None:
    """Signal that very process, never another one that got its pid since."""
    try:
        fd = os.pidfd_open(member.pid)
    except ProcessLookupError:
        return
    except OSError:  # no pidfd on this kernel: the window is as small as it can be
        fd = -1
    try:
        now = read_member(member.pid)
        if now is None or now.start != member.start:
            return
        if fd >= 0:
            signal.pidfd_send_signal(fd, number)
        else:
            os.kill(member.pid, number)
    except OSError:  # gone, or became another user's (setuid): nothing that we can do
        return
    finally:
        if fd >= 0:
            os.close(fd)


class Request:
    """What to start. harness: pid that must stay our parent; stdout_fd: inherited descriptor, or 2."""

    def __init__(self, harness: int, stdout_fd: int, argv: list[bytes], env: dict[bytes, bytes]) -> None:
        self.harness = harness
        self.stdout_fd = stdout_fd
        self.argv = argv
        self.env = env


def write_request(request: Request) -> bytes:
    """The bytes that `read_request` reads. Neither argv nor the environment can hold a NUL."""
    env = [name + b"=" + value for name, value in request.env.items()]
    head = [request.harness, request.stdout_fd, len(request.argv)]
    body = b"\0".join([*(str(number).encode() for number in head), *request.argv, *env])
    return f"{len(body)}\n".encode() + body


def read_request(fd: int) -> Request | None:
    """The request from the control pipe; None when the harness died before it was whole."""
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
    harness, stdout_fd, count, *rest = body.split(b"\0")
    argv, env = rest[: int(count)], rest[int(count) :]
    return Request(int(harness), int(stdout_fd), argv, dict(_pair(entry) for entry in env))


def _pair(entry: bytes) -> tuple[bytes, bytes]:
    name, _, value = entry.partition(b"=")
    return name, value


class Log:
    """The file to which the tree prints, kept below LOG_BYTES whatever it prints.

    All writers append, so that what is behind the beginning can be taken out under their hands: the end is copied
    forward and the rest cut off. What is printed between the last look at the end and the cut is lost too; a writer
    that has ended loses nothing of its last words.
    """

    def __init__(self, fd: int) -> None:
        self.fd = -1
        self.dropped = 0
        self.marker = b""
        try:
            status = os.fstat(fd)
            self.began = status.st_size
            if status.st_mode & 0o170000 == 0o100000:  # a regular file
                self.fd = os.open(f"/proc/self/fd/{fd}", os.O_RDWR | os.O_CLOEXEC)
        except OSError:  # no /proc, or not ours to read: it grows
            return

    def bound(self) -> None:
        """Take the middle out when there is too much, with a line that says so. A full disk, too, can't stop it."""
        try:
            if self.fd >= 0 and os.fstat(self.fd).st_size - self.began > LOG_BYTES:
                self.cut()
        except OSError:
            return

    def cut(self) -> None:
        there = self.began + LOG_KEPT_BYTES
        source = os.fstat(self.fd).st_size - LOG_KEPT_BYTES
        source += (
            os.pread(self.fd, LOG_CHUNK_BYTES, source).find(b"\n") + 1
        )  # whole lines, where there are lines
        self.dropped += source - there - len(self.marker)
        self.marker = b"\n--- more than %d bytes are left out here ---\n" % self.dropped
        target = there + os.pwrite(self.fd, self.marker, there)
        for _ in range(LOG_BYTES // LOG_CHUNK_BYTES):  # to the end, which moves on meanwhile
            chunk = os.pread(self.fd, LOG_CHUNK_BYTES, source)
            if not chunk:
                break
            target += os.pwrite(self.fd, chunk, target)
            source += len(chunk)
        os.ftruncate(self.fd, target)


class Guardian:
    """Watches one target until its tree is empty."""

    def __init__(self, request: Request) -> None:
        self.request = request
        self.log = Log(2)
        self.leader = 0
        self.leader_exited = False
        self.deadline: float | None = None  # when TERM becomes KILL; None: nobody asked for an end
        self.terminated: set[tuple[int, int]] = set()  # (pid, start) that got their one SIGTERM
        self.control = b""

    def run(self) -> None:
        libc = ctypes.CDLL(None)
        libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        wake_read, wake_write = os.pipe()
        os.set_blocking(wake_read, False)
        os.set_blocking(wake_write, False)
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
        signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)

        if not self.start(libc):
            return
        poll = select.poll()
        poll.register(0, select.POLLIN)
        poll.register(wake_read, select.POLLIN)
        # A copy of the control pipe may live on in a child that the harness forked without exec; the pidfd
        # tells of the harness's death all the same.
        harness_fd = self.watch_harness()
        if harness_fd >= 0:
            poll.register(harness_fd, select.POLLIN)
        while self.reap():
            self.log.bound()
            wait_ms = self.sweep()
            ready = dict(poll.poll(LOG_LOOK_MS if wait_ms is None else min(wait_ms, LOG_LOOK_MS)))
            if wake_read in ready:
                os.read(wake_read, 4096)
            if harness_fd in ready:
                poll.unregister(harness_fd)
                self.end_within(HARNESS_DEAD_GRACE_S)
            if 0 in ready and not self.obey():
                poll.unregister(0)
                self.end_within(HARNESS_DEAD_GRACE_S)
        self.log.bound()
        report("done")

    def watch_harness(self) -> int:
        """A pidfd of the harness, -1 where the kernel has none; asks for the end when it is dead already."""
        try:
            fd = os.pidfd_open(self.request.harness)
        except ProcessLookupError:
            fd = -1
        except OSError:
            return -1
        if os.getppid() != self.request.harness:
            self.end_within(HARNESS_DEAD_GRACE_S)
        return fd

    def start(self, libc: ctypes.CDLL) -> bool:
        """Start the target as the leader of a new session. False when it can't be executed."""
        guardian = os.getpid()
        error_read, error_write = os.pipe()
        pid = os.fork()
        if pid == 0:
            try:
                execute(self.request, libc, guardian)
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
        report(f"started {pid}")
        return True

    def reap(self) -> bool:
        """Reap all that ended; True while anything that descends from the target is left."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return False
            if pid == 0:
                return True
            if pid == self.leader and not self.leader_exited:
                self.leader_exited = True
                self.log.bound()
                report(f"exited {os.waitstatus_to_exitcode(status)}")
                self.end_within(STRAGGLER_GRACE_S)

    def obey(self) -> bool:
        """Read the control pipe; False at its end."""
        data = os.read(0, 4096)
        *lines, self.control = (self.control + data).split(b"\n")
        for line in lines:
            verb, _, seconds = line.partition(b" ")
            if verb == b"stop":
                self.end_within(float(seconds))
        return bool(data)

    def end_within(self, grace_s: float) -> None:
        """Ask for the end; of several requests the most urgent counts."""
        deadline = monotonic() + grace_s
        self.deadline = deadline if self.deadline is None else min(self.deadline, deadline)

    def sweep(self) -> float | None:
        """One step towards an empty tree. Returns how long to wait for news, in ms; None: without limit."""
        if self.deadline is None:
            return None
        left_s = self.deadline - monotonic()
        members = descendants(os.getpid())
        if left_s > 0:
            # Exactly one SIGTERM each: llama-server, like many, takes a second one for "at once, uncleanly".
            for member in members:
                if (member.pid, member.start) not in self.terminated:
                    self.terminated.add((member.pid, member.start))
                    send_signal(member, signal.SIGTERM)
            return 1000 * left_s
        # A group's signal reaches also what its members fork meanwhile. Each group here lies in a session
        # that a descendant founded, so only descendants are in it.
        for group in {member.group for member in members} - {os.getpgrp(), 0}:
            try:
                os.killpg(group, signal.SIGKILL)
            except OSError:
                continue
        for member in members:
            send_signal(member, signal.SIGKILL)
        return 1000 * (SWEEP_INTERVAL_S if left_s > -SLOW_SWEEP_AFTER_S else SLOW_SWEEP_INTERVAL_S)


def execute(request: Request, libc: ctypes.CDLL, guardian: int) -> None:
    """In the forked child: become the target. Raises OSError when it can't be executed."""
    os.setsid()
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != guardian:
        os._exit(127)  # it died before the line above
    # Ignored signals and the mask would be inherited, from the harness (nohup) as from here.
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM, signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    null = os.open("/dev/null", os.O_RDONLY)
    os.dup2(null, 0)
    os.dup2(request.stdout_fd, 1)  # every other descriptor is closed by exec
    os.execvpe(os.fsdecode(request.argv[0]), request.argv, request.env)  # noqa: S606 - no shell is the point


def report(line: str) -> None:
    """Tell the harness; it may be dead."""
    try:
        os.write(1, line.encode() + b"\n")
    except OSError:
        return


def main() -> None:
    request = read_request(0)
    if request is None:
        return
    if request.stdout_fd != 2:
        os.set_inheritable(request.stdout_fd, False)
    Guardian(request).run()


if __name__ == "__main__":
    main()
