"""Every subprocess is started and ended here: nothing may outlive it, whatever it does."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from processes.bounded_log import LOG_BYTES, LOG_KEPT_BYTES
from processes.process import Exit, start
from results.errors import UsageError

pytestmark = pytest.mark.slow

WITHIN_S = 60.0
PYTHON = (sys.executable, "-I", "-S", "-c")


def until(condition):
    """Soon, on any machine."""
    deadline = time.monotonic() + WITHIN_S
    while not condition():
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.01)


@pytest.mark.parametrize(
    ("script", "expected", "words"),
    [
        ("exit 0", Exit(0, None), "exit code 0"),
        ("exit 3", Exit(3, None), "exit code 3"),
        ("kill -ILL $$", Exit(None, signal.SIGILL), "killed by SIGILL"),
        ("kill -40 $$", Exit(None, 40), "killed by signal 40"),
    ],
)
def test_the_way_a_process_ended_is_told_apart(tmp_path, script, expected, words):
    with start(["sh", "-c", script], output=tmp_path / "log") as process:
        assert process.wait(WITHIN_S) == expected
        assert process.poll() == expected
        assert expected.describe() == words
    assert process.stop() == expected


def test_an_exit_is_seen_at_once_through_select(tmp_path):
    """A runner waits on several things; none of them may need a sleep loop."""
    with start(["sleep", "0.2"], output=tmp_path / "log") as process:
        assert process.poll() is None
        assert process.wait(0.01) is None
        assert select.select([process], [], [], 10)[0] == [process]
        assert process.poll() == Exit(0, None)


def test_stderr_and_stdout_go_to_their_files_byte_by_byte(tmp_path):
    output, stdout = tmp_path / "err", tmp_path / "out"
    output.write_bytes(b"before\n")
    with start(["sh", "-c", r"printf 'a\377\n'; echo b >&2"], output=output, stdout=stdout) as process:
        process.wait(WITHIN_S)
    assert stdout.read_bytes() == b"a\xff\n"
    assert output.read_bytes() == b"before\nb\n"


def test_much_output_that_nobody_reads_does_not_block_it(tmp_path):
    with start(["head", "-c", "20000000", "/dev/zero"], output=tmp_path / "log") as process:
        assert process.wait(20) == Exit(0, None)
    assert (tmp_path / "log").stat().st_size == 20_000_000


def test_it_inherits_nothing_but_its_output(tmp_path):
    """An inherited descriptor keeps ports and pipes open; an ignored signal makes a server unstoppable."""
    code = (
        "import os, _signal as s; print(sorted(os.listdir('/proc/self/fd'))[:-1]); print(os.read(0, 1));"
        "print(os.getsid(0) == os.getpid());"
        "print(open('/proc/self/status').read().split('SigIgn:')[1].split()[0],"
        " open('/proc/self/status').read().split('SigBlk:')[1].split()[0])"
    )
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
    inherited = os.open("/dev/null", os.O_RDONLY)
    os.set_inheritable(inherited, True)
    try:
        with start([*PYTHON, code], output=tmp_path / "log") as process:
            assert process.wait(WITHIN_S) == Exit(0, None)
    finally:
        os.close(inherited)
        signal.signal(signal.SIGINT, before)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    descriptors, stdin, own_session, masks = (tmp_path / "log").read_text().splitlines()
    assert (descriptors, stdin, own_session) == ("['0', '1', '2']", "b''", "True")
    ignored, blocked = (int(mask, 16) for mask in masks.split())
    # Python itself ignores SIGPIPE and SIGXFSZ. 32 and 33 are glibc's own: make's children have them ignored,
    # and no program can change that.
    allowed = (signal.SIGPIPE, signal.SIGXFSZ, 32, 33)
    assert ignored & ~sum(1 << number - 1 for number in allowed) == 0
    assert blocked == 0


def test_environment_and_folder_are_those_given(tmp_path):
    with start(
        ["sh", "-c", 'echo "$A in $PWD, $HOME"'],
        output=tmp_path / "log",
        env={"A": "b=c\nd", "PATH": "/bin:/usr/bin"},
        cwd=tmp_path,
    ) as process:
        process.wait(WITHIN_S)
    assert (tmp_path / "log").read_text() == f"b=c\nd in {tmp_path}, \n"


def test_sigterm_comes_once_and_to_every_process(tmp_path):
    """llama-server takes a second SIGTERM for "at once, without cleaning up"."""
    script = 'trap "echo $1 >> log" TERM; echo up >> log; while :; do sleep 0.02; done'
    body = f"sh -c '{script}' sh child & sh -c '{script}' sh other & wait; exec sleep 9"
    process = start(["bash", "-c", f"trap : TERM; {body}"], output=tmp_path / "out", cwd=tmp_path)
    log = tmp_path / "log"
    until(lambda: log.exists() and log.read_text().count("up") == 2)
    process.stop(grace_s=0.5)
    assert sorted(log.read_text().split()) == ["child", "other", "up", "up"]


def test_sigterm_waits_for_the_leader_before_it_comes_to_those_that_left_its_session(tmp_path):
    """A script's sandbox is one: a judged program that got the signal would die of it."""
    trap = 'trap "echo $1 >> log; exit" TERM; echo up >> log; while :; do sleep 0.02; done'
    leader = 'trap "sleep 0.3; echo leader >> log; exit" TERM; while :; do sleep 0.02; done'
    body = f"setsid sh -c '{trap}' sh away & {leader}"
    process = start(["bash", "-c", body], output=tmp_path / "out", cwd=tmp_path)
    log = tmp_path / "log"
    until(lambda: log.exists() and log.read_text() == "up\n")
    process.stop(grace_s=WITHIN_S)
    assert log.read_text().split() == ["up", "leader", "away"]


def test_what_ignores_sigterm_is_killed_after_the_grace(tmp_path):
    code = "import _signal as s, time; s.signal(15, s.SIG_IGN); print('up', flush=True); time.sleep(60)"
    process = start([*PYTHON, code], output=tmp_path / "log")
    until(lambda: "up" in (tmp_path / "log").read_text())
    began = time.monotonic()
    assert process.stop(grace_s=0.3) == Exit(None, signal.SIGKILL)
    assert time.monotonic() - began >= 0.3


def test_stop_is_idempotent_and_leaves_an_empty_tree(tmp_path):
    process = start(["sleep", "60"], output=tmp_path / "log")
    assert process.tree() == {process.pid}
    first = process.stop()
    assert first == process.stop() == process.poll() == process.wait() == Exit(None, signal.SIGTERM)
    assert process.tree() == frozenset()


DETACHED = "(setsid sh -c 'trap \"\" TERM; echo up >> log; sleep 60 & sleep 61' &) ; sleep 0.01;"


def test_a_daemonised_worker_is_ended_with_its_server(tmp_path):
    """It left the group, the session and the parent; a kill of the group misses it."""
    process = start(["sh", "-c", f"{DETACHED} sleep 62"], output=tmp_path / "log", cwd=tmp_path)
    until(lambda: (tmp_path / "log").read_text() == "up\n")
    until(lambda: len(process.tree()) >= 4)
    pids = process.tree()
    process.stop(grace_s=0.2)
    assert not [pid for pid in pids if psutil.pid_exists(pid)]


def test_when_the_leader_ends_its_workers_are_ended(tmp_path):
    """A dead vLLM leader leaves engine processes that hold the GPU's memory."""
    process = start(["sh", "-c", f"{DETACHED} sleep 0.3; exit 5"], output=tmp_path / "log", cwd=tmp_path)
    assert process.wait(WITHIN_S) == Exit(5, None)
    until(lambda: not process.tree())
    assert process.stop() == Exit(5, None)


def test_a_process_that_forks_itself_forward_is_caught(tmp_path):
    """Each generation lives for a moment only: a signal to a pid that was seen comes too late."""
    code = "import os, _signal as s\ns.signal(15, s.SIG_IGN)\nwhile True:\n    if os.fork(): os._exit(0)"
    process = start([*PYTHON, code], output=tmp_path / "log")
    time.sleep(0.2)
    process.stop(grace_s=0.1)
    assert process.tree() == frozenset()


def test_orphans_are_reaped_while_the_server_runs(tmp_path):
    """Zombies would fill the process table during a long run."""
    with start(["sh", "-c", "(true &) ; (true &) ; sleep 60"], output=tmp_path / "log") as process:
        leader = psutil.Process(process.pid)
        until(lambda: [child.name() for child in leader.children()] == ["sleep"])  # the last one is started
        until(lambda: leader.parent().children() == [leader])
        assert process.tree() == {leader.pid, *(child.pid for child in leader.children())}


def test_an_exception_in_the_block_stops_it(tmp_path):
    with pytest.raises(KeyError), start(["sleep", "60"], output=tmp_path / "log") as process:
        raise KeyError
    assert not psutil.pid_exists(process.pid)


def test_a_dropped_process_is_ended(tmp_path):
    """A signal handler may raise between the start and the assignment of its result."""
    process = start(["sleep", "60"], output=tmp_path / "log")
    pid = process.pid
    keeper = process._keeper
    del process
    keeper.stdin.close()  # what the garbage collector does when nobody refers to it
    assert keeper.wait(WITHIN_S) == 0
    keeper.stdout.close()
    assert not psutil.pid_exists(pid)


def test_a_forked_copy_of_the_harness_does_not_keep_it_alive(tmp_path):
    """multiprocessing's fork copies the control pipe; the harness's death is seen all the same."""
    code = (
        "import os, sys, time\nfrom pathlib import Path\nfrom processes.process import start\n"
        "process = start(['sleep', '60'], output=Path(sys.argv[1]))\nprint(process.pid, flush=True)\n"
        "child = os.fork()\nif not child:\n    os.close(1); time.sleep(600); os._exit(0)\n"
        "print(child, flush=True)\nos.kill(os.getpid(), 9)"
    )
    harness = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "log"], stdout=subprocess.PIPE, text=True, check=False
    )
    server, copy = (int(line) for line in harness.stdout.split())
    try:
        until(lambda: not psutil.pid_exists(server))
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(copy, signal.SIGKILL)


def bad_commands(tmp_path):
    script = tmp_path / "no_interpreter"
    script.write_text("#!/no/such/interpreter\n")
    script.chmod(0o755)
    garbage = tmp_path / "garbage"
    garbage.write_bytes(b"\x7fELF" + bytes(100))
    garbage.chmod(0o755)
    plain = tmp_path / "plain"
    plain.write_text("x")
    return {
        "no such program": ["/no/such/program"],
        "no such program: no-such-program": ["no-such-program"],
        "interpreter or loader": [str(script)],
        "not a program for this machine": [str(garbage)],
        "is not executable": [str(plain)],
        "is a folder": [str(tmp_path)],
        "no command": [],
        "NUL": ["echo", "a\0b"],
    }


def test_what_cannot_be_executed_is_a_clear_error(tmp_path):
    for words, argv in bad_commands(tmp_path).items():
        with pytest.raises(UsageError, match=words):
            start(argv, output=tmp_path / "log")


def test_a_folder_or_a_log_that_is_not_there_is_a_clear_error(tmp_path):
    with pytest.raises(UsageError, match="cannot start in"):
        start(["true"], output=tmp_path / "log", cwd=tmp_path / "missing")
    with pytest.raises(UsageError, match="cannot write"):
        start(["true"], output=tmp_path / "missing" / "log")


# Prints LINES lines of 100 bytes, with their numbers, as fast as it can, then says that it is done.
FLOOD = """
import sys
for start in range(0, {lines}, 10000):
    sys.stdout.write("".join("%099d\\n" % n for n in range(start, start + 10000)))
    sys.stdout.flush()
    {pause}
print("the last words", flush=True)
"""
# Waits while the log is above its limit, so nothing is printed during a cut.
PAUSE = "import os, time\n    while os.fstat(1).st_size > {limit}: time.sleep(0.01)"
LINES = 1_500_000


def flooded_log(log, pause):
    """The lines of a log after a flood: first, head, dropped, tail, last."""
    log.write_bytes(b"of an earlier start\n")
    with start([*PYTHON, FLOOD.format(lines=LINES, pause=pause)], output=log) as process:
        assert process.wait(100) == Exit(0, None)
        assert log.stat().st_size <= LOG_BYTES + 4096  # what is read at its exit is bounded already
    first, *numbers, last = log.read_text().splitlines()
    (dropped,) = [line for line in numbers if "left out" in line]
    where = numbers.index(dropped)
    return first, numbers[: where - 1], dropped, numbers[where + 1 :], last  # the line before it may be cut


def test_a_log_that_grows_too_long_keeps_its_beginning_and_its_end(tmp_path):
    """A server that prints for days filled the disk on which the results are."""
    log = tmp_path / "log"
    first, head, dropped, tail, last = flooded_log(
        log, PAUSE.format(limit=len("of an earlier start\n") + LOG_BYTES)
    )
    assert (first, last) == ("of an earlier start", "the last words")
    assert [int(line) for line in head] == list(range(len(head)))
    assert [int(line) for line in tail] == list(range(LINES - len(tail), LINES))
    assert len(tail) > LOG_KEPT_BYTES // 100 - 1000
    assert len(head) > LOG_KEPT_BYTES // 100 - 10
    assert int(dropped.split()[3]) > 50_000_000


def test_a_log_that_is_printed_into_while_it_is_cut_stays_bounded_and_in_order(tmp_path):
    """What is printed during a cut may be lost, never the last words nor the order."""
    first, head, _, tail, last = flooded_log(tmp_path / "log", "pass")
    assert (first, last) == ("of an earlier start", "the last words")
    assert [int(line) for line in head] == list(range(len(head)))
    assert len(tail) > LOG_KEPT_BYTES // 100 - 1000
    whole = [int(line) for line in tail if len(line) == 99]  # where text was lost, a line may be cut
    assert whole == sorted(set(whole))


def test_a_log_that_is_no_regular_file_is_refused():
    with pytest.raises(UsageError, match="it is not a regular file but a device"):
        start([*PYTHON, "print('x')"], output=Path("/dev/null"))
