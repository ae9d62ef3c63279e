"""Runs inside the sandbox, usually as its init process: forks warm children for each program, judges how they ended.

Standard library only; started as sandbox/zygote_program.py says, with a `ZygoteSetup` as JSON where it is not the usual
one, a PID namespace of its own. Requests come on fd 0, answers go to fd 1, both as a length (4 bytes, big endian) and
JSON. Where the answer about a program does not say that nothing of it is left ("clean"), another one does so later.
Texts follow as they are: those of a request are read by the child that they are for, those of an answer are what the
program said and printed.

What holds this together:
- As process 1 of its PID namespace it can't be signalled by what it starts, and all orphans become its own; after
  each program everything else in the namespace is killed, and /tmp and /dev/shm are emptied. Without a namespace,
  sandbox/inside/confinement.py says what stands for it; there what children lay on themselves does not bind the zygote.
- It is not dumpable, and there is no /proc, so no child can read or change it or its siblings. What could be done
  to it by number (its limits, priority and processors) the seccomp filter refuses.
- A program and its tests are two processes (candidate.py, judge.py). Only that of the tests has the
  pipe in which a verdict is written.
- No text of a program, of tests or of what was printed is ever in the zygote's memory that is forked: what is forked
  can't find it there.
"""

import collections  # noqa: F401 - imported for the children: each program starts warm
import contextlib
import copy  # noqa: F401
import ctypes
import datetime  # noqa: F401
import functools  # noqa: F401
import gc
import heapq  # noqa: F401
import itertools  # noqa: F401
import json
import os
import re  # noqa: F401
import resource
import signal
import string  # noqa: F401
import struct
import sys
import time
import types
import typing
from typing import Any

from sandbox.inside.candidate import answer_calls, run_script, warm_up
from sandbox.inside.channel import encoded, read_exactly, write_each
from sandbox.inside.child import WORD_BYTES, from_json, hard_limits, take_text
from sandbox.inside.confinement import PAUSE_S, WALL, Confinement, empty, end_children, keep, set_aside
from sandbox.inside.ending import verdict
from sandbox.inside.forks import NotReady, become, close, leave, not_ready, wait_ready
from sandbox.inside.standing_judge import StandingJudge, collect_descriptors
from sandbox.inside.watch import MOST_FILES, Kept, Watch, ask_for_call, clock_of, files_in, hold_too_much

PR_SET_DUMPABLE = 4
KEPT_OUTPUT_BYTES = 16384
GONE_S = 2.0  # for the other process to end, once that of the program or that of the tests has
FREED_S = 10.0  # for the kernel to forget files that were removed
NICE = 5  # the model's server comes first
MOST_ASIDE = 8  # folders to be removed, each with what one program left


class ZygoteSetup(typing.NamedTuple):
    """Where the zygote is. writable: the folders that it empties; programs start in the first one.

    folder_bytes: how much may lie in them; 0 where they are bounded by themselves.
    aside: where what a program left in them waits to be removed, if that is not done at once.
    own_namespace: it is process 1 of a PID namespace. other_tasks: processes and threads that its user has beside
    programs and their tests, at most, itself among them. confinement: see `Confinement`.
    """

    writable: typing.Sequence[str] = ("/tmp", "/dev/shm")  # noqa: S108 - the sandbox's own
    folder_bytes: int = 0
    aside: str = ""
    own_namespace: bool = True
    other_tasks: int = 1
    confinement: typing.Mapping[str, int] = types.MappingProxyType({})


_HARD_LIMITS = hard_limits()  # nobody changes them
SETUP = ZygoteSetup(**json.loads(sys.argv[1])) if __name__ == "__main__" and sys.argv[1:] else ZygoteSetup()


def main() -> None:
    os.environ.pop("LD_BIND_NOW", None)  # for this process: so no fork of it looks up a function of a library
    for name in [name for name in sys.modules if name.startswith("sandbox.")]:
        del sys.modules[name]  # a program may call its own modules so
    if SETUP.own_namespace:
        serve(lambda: None)
        return
    keep(empty_all, SETUP.aside)
    try:
        serve(Confinement(**SETUP.confinement).lay_on)
    finally:
        end_children()


def serve(confine: typing.Callable[[], None]) -> None:
    """Judge one program after the other until the harness is gone. confine: called in each child."""
    ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
    # The first process of a namespace gets only those signals from inside that it handles: none, then.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    with contextlib.suppress(OSError):
        os.nice(NICE)
    warm_up()
    streams: tuple[Any, ...] = (sys.stdin, sys.stdout, sys.stderr)
    for stream in streams:  # the children's: unused here, and soon on other files
        stream.reconfigure(encoding="utf-8", errors="replace")
    gc.collect()
    gc.freeze()  # children then share these pages instead of copying them
    _files_when_empty.update((folder, files_in(folder)) for folder in SETUP.writable)
    answer({"ready": True, "version": sys.version.split()[0], "hard_limits": _HARD_LIMITS})
    while True:
        request = read_frame()
        if request is None:
            return
        if "stop" not in request:  # else it came too late: that program has ended already
            judge(request, confine)


def read_frame() -> Any:
    header = read_exactly(0, 4)
    if len(header) < 4:
        return None
    return from_json(read_exactly(0, struct.unpack(">I", header)[0]).decode())[0]


def read_word() -> Any:
    word = read_frame()
    if word is None:
        raise SystemExit  # the harness is gone; all here ends with its first process
    return word


def answer(value: dict[str, Any], texts: typing.Sequence[Kept] = ()) -> None:
    value["texts"] = [text.length for text in texts]
    data = encoded(value)
    head = memoryview(struct.pack(">I", len(data)) + data)
    write_each(1, [head, *(text.view() for text in texts)])
    for text in texts:
        text.forget()


class Children(typing.NamedTuple):
    """Those of one program. judge: None for a script, which says itself how it ended. result: what is said of that."""

    candidate: int
    judge: typing.Optional[StandingJudge]
    result: int
    output: int
    stdout: int


def fork_children(request: dict[str, Any], confine: typing.Callable[[], None]) -> Children:
    """Start what a program needs, and wait until all have read their texts and are ready. Raises OSError, NotReady.

    The tests come first: a program may leave no process for them. Of pipes, the program has its own ends alone.
    """
    judge = None
    if request["script"]:
        if _standing:
            end_all()  # a script is alone
        result, result_write = os.pipe()
    else:
        judge = judge_for(request, confine)
        result, result_write = judge.result, -1
        asked, ask = os.pipe()
        answered, reply = os.pipe()
        turn, turn_write = os.pipe()
        judge.hand(request["judge_bytes"], answered, ask, turn_write)
        close(ask, answered, turn_write)
    done, done_write = os.pipe()
    output, output_write = os.pipe()
    stdout, stdout_write = os.pipe() if request["script"] else (output, os.dup(output_write))
    candidate = os.fork()
    if candidate == 0:
        try:
            close(*{done, output, stdout})
            for standing in _standing:
                close(standing.spoken, standing.result)
            if judge is None:
                close(result)
            else:
                wait_ready(turn, lambda word: leave(done_write, word))
            text = take_text(0, request["candidate_bytes"])
            become(request, text["stdin"], (stdout_write, output_write), done_write, confine)
            if judge is None:
                leave(result_write, run_script(text["code"], text["as_main"]))
            answer_calls(text["code"], text["as_main"], text["entry_point"], asked, reply)
            os._exit(0)
        finally:  # whatever is raised, it never comes back into the zygote's own work
            os._exit(1)
    close(output_write, stdout_write, done_write, *((asked, reply, turn) if judge else (result_write,)))
    wait_ready(done, not_ready)
    return Children(candidate, judge, result, output, stdout)


_files_when_empty: dict[str, int] = {}
_standing: list[StandingJudge] = []  # the one that may judge the next program, or none


def judge_for(request: dict[str, Any], confine: typing.Callable[[], None]) -> StandingJudge:
    """One under the limits of this request. Raises OSError, NotReady."""
    if _standing and not _standing[0].suits(request):
        end_all()
    if not _standing:
        _standing.append(StandingJudge(request, confine))
    return _standing[0]


def judge(request: dict[str, Any], confine: typing.Callable[[], None]) -> None:
    """Run one program to its end or limit, then leave nothing of it, and answer."""
    request["folder"] = SETUP.writable[0]
    request["processes"] += SETUP.other_tasks + 1  # the one of the tests
    request["hard_limits"] = _HARD_LIMITS
    request["cpu_s"] = min(request["cpu_s"], _HARD_LIMITS.get("cpu_s", request["cpu_s"]))
    began = time.monotonic()
    try:
        children = fork_children(request, confine)
    except (OSError, NotReady) as error:  # its user has no process or memory left: no verdict on the program
        end_all()
        why = f"no process can be started: {error.strerror}" if isinstance(error, OSError) else str(error)
        answer({"kind": "sandbox_error", "detail": why})
        raise SystemExit from error  # a text may be left unread
    output = Kept(children.output, KEPT_OUTPUT_BYTES)
    stdout = Kept(children.stdout, request["output_bytes"]) if request["script"] else None
    word = Kept(children.result, WORD_BYTES)
    watch = Watch([output] if stdout is None else [output, stdout], request["output_bytes"])
    judging = children.judge
    clocks = {children.candidate: clock_of(children.candidate)}
    if judging is not None:
        clocks[judging.pid] = judging.clock()
    spoken = None if judging is None else judging.spoken
    deadline, most_cpu_s = began + request["wall_s"], request["overtime"] * request["cpu_s"]
    ending, what = watch.until_end(clocks, spoken, deadline, most_cpu_s, overfull, read_word)
    if judging is not None and ending in {"cpu", "wall", "stopped"}:
        ask_for_call(judging.pid)
    with contextlib.suppress(BlockingIOError):
        word.take()
    if ending == "cpu":
        what = what != children.candidate
    left = judged = False
    # It may be on its way, or the program left its tests.
    if ending == "exit" and not word.length and judging is not None:
        soon = time.monotonic() + GONE_S
        ours = {judging.pid: clocks[judging.pid]}
        judged = watch.until_end(ours, spoken, soon, sys.maxsize, None, read_word)[0] == "exit"
        theirs = {children.candidate: clocks[children.candidate]}
        left = watch.until_end(theirs, None, soon, sys.maxsize, None, read_word)[0] != "exit"
        with contextlib.suppress(BlockingIOError):
            word.take()
    own_cpu_s = clocks[children.candidate]()
    # One that was asked for its call may still be about to answer.
    stays = ending == "exit" and judging is not None and word.length > 0 and judging.stays()
    ended = end_all(children.candidate if stays else 0)
    if children.candidate not in ended:
        raise SystemExit("a process of the program is lost")
    seconds = time.monotonic() - began
    watch.take_all()
    close(*{children.output, children.stdout}, *(() if judging else (children.result,)))
    status, usage = ended[children.candidate]
    cpu_s = max(own_cpu_s, usage.ru_utime + usage.ru_stime)  # its own exactly; with those that it waited for
    if ending == "exit" and watch.flooded:
        ending = "output"
    elif left and not word.length:
        ending = "left"
    time_share = None
    if ending == "exit":
        time_share = max(own_cpu_s / request["cpu_s"], cpu_s / request["family_cpu_s"])
        if time_share > 1:
            ending, what = "cpu", False
    judged_by = (
        ended[judging.pid][0] if judged and judging and judging.pid in ended else 0
    )  # or it is we who ended it
    kind, detail, by_signal = verdict(
        ending,
        what,
        status,
        judged_by,
        said=word.length > 0,
        cpu_s=cpu_s,
        request=request,
        folder_bytes=SETUP.folder_bytes,
    )
    clean = left_nothing()
    answer(
        {
            "kind": kind,  # None: the first text says it
            "detail": detail,
            "seconds": seconds,
            "cpu_s": cpu_s,
            "time_share": time_share,  # of a program that ended by itself: of what it may take
            "wall_timeout": ending == "wall",
            "peak_memory_bytes": usage.ru_maxrss * 1024,
            "exit_code": os.WEXITSTATUS(status) if os.WIFEXITED(status) else None,
            "signal": by_signal,
            "clean": clean,
        },
        [word, output] if stdout is None else [word, output, stdout],
    )
    if not clean:
        wipe()
        answer({"clean": True})


def end_all(program: int = 0) -> dict[int, tuple[int, resource.struct_rusage]]:
    """Kill and wait for every process that a program left; status and usage of each by its number.

    program: its process, where the one of its tests is to stay, and stays if nothing else is left.
    """
    found: dict[int, tuple[int, resource.struct_rusage]] = {}
    if program:
        os.kill(program, signal.SIGKILL)
        pid, status, usage = os.wait4(program, 0)
        while pid:  # 0: something else is left; no child: nothing is
            found.setdefault(pid, (status, usage))
            try:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                return found
    while _standing:
        _standing.pop().close()
    if not SETUP.own_namespace:
        return {**end_children(), **found}
    with contextlib.suppress(ProcessLookupError):
        os.kill(-1, signal.SIGKILL)  # everything in the namespace but this process
    while True:
        try:
            pid, status, usage = os.wait4(-1, WALL)
        except ChildProcessError:
            return found
        found.setdefault(pid, (status, usage))


def overfull() -> bool:
    """Whether a running program has filled its folders, or hides there."""
    if SETUP.folder_bytes:
        return hold_too_much(SETUP.writable, SETUP.folder_bytes)
    return any(count > MOST_FILES for count in map(files_in, SETUP.writable))


def left_nothing() -> bool:
    """Whether there is nothing to `wipe`: seen in no time, however much there is."""
    try:
        for folder in SETUP.writable:
            restore(folder)
            if files_remain(folder):
                return False
            if SETUP.folder_bytes or not _files_when_empty[folder]:  # no file system that counts
                with os.scandir(folder) as entries:
                    if next(entries, None) is not None:
                        return False
    except OSError:  # which is then met again, once the verdict is known
        return False
    return True


def restore(folder: str) -> None:
    """Its permissions."""
    with contextlib.suppress(PermissionError):  # root's, as in a container: then no program changed it
        os.chmod(folder, 0o1777 if SETUP.own_namespace else 0o700)


def files_remain(folder: str) -> bool:
    """Whether its file system, where that is its own, still holds what was removed."""
    return not SETUP.folder_bytes and files_in(folder) > _files_when_empty[folder]


def wipe() -> None:
    """Make the folders empty; what lies on a disk is only set aside, since a disk may take its time to forget it."""
    for folder in SETUP.writable:
        restore(folder)
        if not SETUP.aside:
            empty(folder)
            wait_freed(folder)
        elif set_aside(folder, SETUP.aside):
            while len(os.listdir(SETUP.aside)) > MOST_ASIDE:  # or they would fill the disk
                time.sleep(PAUSE_S)


def wait_freed(folder: str) -> None:
    """Until what was removed is gone. Raises SystemExit where something holds on to it.

    A descriptor that was on its way through a socket may do so, and the next program would find a full folder.
    """
    deadline = time.monotonic() + FREED_S
    while files_remain(folder):
        if time.monotonic() > deadline:
            raise SystemExit("what a program left is still there")
        collect_descriptors()


def empty_all() -> None:
    for folder in (*SETUP.writable, SETUP.aside):
        empty(folder)


if __name__ == "__main__":
    main()
