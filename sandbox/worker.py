"""One sandbox process with its zygote: programs go in, verdicts come out."""

from __future__ import annotations

import functools
import json
import os
import select
import signal
import struct
import threading
import time
from typing import IO, TYPE_CHECKING, Any, NamedTuple, Protocol

import msgspec

from results.json_text import decode
from sandbox.contract import NEAR, Limits, Program, SandboxError, UnitTests, Verdict, VerdictKind
from sandbox.failed_check import failed_check, read_word
from sandbox.hard_limits import suspects
from sandbox.process_tree_usage import ProcessTreeUsage
from sandbox.seccomp import seal_program

if TYPE_CHECKING:
    from collections.abc import Callable

READY_S = 20.0
ANSWER_BYTES = 1 << 20  # an answer is a few KiB and the output of a script; more is no answer of ours
SLACK_S = 10.0  # beyond the wall limit, which the zygote keeps itself
CLEAN_S = 60.0  # for what a program left to be removed
STOP_S = 5.0  # for the zygote to end a program that it is told to stop
LOOK_S = 0.1  # how often a program that takes longer is looked at
ENDS_OF_SCRIPTS = {"passed", "exception", "killed", "memory_limit", "syntax_error", "wrong_answer"}
# By the kernel when memory runs out, or by whoever ends a program.
SENT_BY_OTHERS = {signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP}
FAMILY_CPU = 2.0  # see `Limits.cpu_s`; or else a fork bomb computes until the wall limit


class JudgedProgram(NamedTuple):
    """doubtful: the machine may be at fault."""

    verdict: Verdict
    doubtful: bool


class Stream(Protocol):
    """An unbuffered file; `read` gives None where nothing is there yet although its descriptor is readable."""

    def fileno(self) -> int: ...

    def read(self, size: int, /) -> bytes | None: ...

    def close(self) -> None: ...


class Process(Protocol):
    """Of `subprocess.Popen` what a worker uses.

    pid: the parent of the zygote, None where it can't be seen from here; its program is then not watched.
    """

    @property
    def pid(self) -> int | None: ...

    @property
    def stdin(self) -> Stream | None: ...

    @property
    def stdout(self) -> Stream | None: ...

    def kill(self) -> None: ...

    def wait(self) -> object: ...


class Worker:
    """A running sandbox process. suspected: not to be used again. hard_limits: of the zygote, once it is ready.

    diagnosis: what it says beside answers. explain: what it means when it said that instead of being ready.
    One thread at a time runs programs or waits; `end` may come from another one at any time.
    """

    def __init__(
        self, process: Process, diagnosis: IO[bytes], explain: Callable[[str], SandboxError]
    ) -> None:
        self.suspected = False
        self.hard_limits: dict[str, int] = {}
        self._explain = explain
        self._process = process
        self._diagnosis = diagnosis
        self._ended = False
        self._clean = True
        self._read_already = bytearray()
        self._in_use = threading.Lock()
        if process.stdin is None or process.stdout is None:
            raise TypeError("a worker needs pipes")
        self._stdin, self._stdout = process.stdin, process.stdout

    def wait_ready(self) -> str:
        """The version of the Python inside. Raises SandboxError with what was said instead."""
        with self._in_use:
            self.suspected = True
            self._refuse_if_ended()
            hello = self._read(time.monotonic() + READY_S)
            self._refuse_if_ended()
            if hello is not None and "version" in hello:
                self.suspected = False
                self.hard_limits = hello["hard_limits"]
                return str(hello["version"])
            self._diagnosis.seek(0)
            said = self._diagnosis.read(2000).decode("utf-8", "replace").strip()
        self.end()
        raise self._explain(said or "no answer from inside")

    def run(self, program: Program, limits: Limits) -> JudgedProgram:
        """Execute one program. Raises SandboxError."""
        with self._in_use:
            self.suspected = True  # until a whole answer is there
            self._refuse_if_ended()
            return self._run(program, limits)

    def _run(self, program: Program, limits: Limits) -> JudgedProgram:
        began = time.monotonic()
        try:
            if not self._clean and self._read(began + CLEAN_S) is None:
                raise BrokenPipeError
            began, self._clean = time.monotonic(), False
            candidate, judge = _texts(program)
            self._send(
                {
                    "candidate_bytes": len(candidate),
                    "judge_bytes": len(judge),
                    "script": program.script,
                    "cpu_s": limits.cpu_s,
                    "family_cpu_s": FAMILY_CPU * limits.cpu_s,
                    "overtime": limits.overtime,
                    "wall_s": limits.wall_limit_s,
                    "memory_bytes": limits.memory_bytes,
                    "processes": limits.processes,
                    "file_bytes": 0 if limits.sealed else limits.file_bytes,
                    "seal": _seal().hex() if limits.sealed else "",
                    "open_files": limits.open_files,
                    "output_bytes": limits.output_bytes,
                },
                judge + candidate,
            )
            usage = ProcessTreeUsage(self._process.pid, began) if self._process.pid is not None else None
            answer = self._read(began + limits.wall_limit_s + SLACK_S, usage, limits)
            self._clean = answer is not None and answer.get("clean") is True
        except OSError:  # it has ended before or while the program was sent
            answer = None
        self._refuse_if_ended()
        if answer is None:
            seconds = time.monotonic() - began
            verdict = Verdict(kind=VerdictKind.KILLED, detail="ended with its sandbox", seconds=seconds)
            return JudgedProgram(verdict, doubtful=True)
        if answer.get("kind") == "sandbox_error":
            raise SandboxError(
                f"the sandbox could not start a program: {answer.get('detail')}", hint=suspects(limits)
            )
        try:
            kind, detail = answer["kind"], answer["detail"]
            word, output, *stdout = answer["texts"]
            said, said_detail, known = read_word(word)
            if kind is None:
                kind, detail = said, said_detail
                if program.script and kind not in ENDS_OF_SCRIPTS:  # its own process says it
                    kind, detail = VerdictKind.KILLED, "did not say how it ended"
                elif kind == "sandbox_error":
                    raise SandboxError(f"the sandbox could not judge a program: {detail}")
            share = answer["time_share"]
            verdict = Verdict(
                kind=VerdictKind(kind),
                detail=str(detail),
                seconds=float(answer["seconds"]),
                cpu_s=float(answer["cpu_s"]),
                near_time_limit=share is not None and 1 / NEAR < share <= NEAR,
                peak_memory_bytes=int(answer["peak_memory_bytes"]),
                exit_code=answer["exit_code"],
                signal=answer["signal"],
                output=output.decode("utf-8", "replace"),
                stdout=b"".join(stdout),
                failed_check=failed_check(known, script=program.script) if kind != "passed" else None,
            )
        except (KeyError, ValueError, TypeError) as error:
            raise SandboxError(f"the sandbox gave no verdict: {error!r}") from error
        self.suspected = False
        out_of_time = verdict.kind is VerdictKind.TIMEOUT and verdict.near_time_limit
        by_signal = verdict.kind is VerdictKind.KILLED and verdict.signal in SENT_BY_OTHERS
        return JudgedProgram(verdict, bool(answer["wall_timeout"]) or out_of_time or by_signal)

    def _refuse_if_ended(self) -> None:
        if self._ended:
            raise SandboxError("the sandbox is closed")

    def _send(self, message: dict[str, Any], texts: bytes = b"") -> None:
        data = _as_json(message)
        view = memoryview(struct.pack(">I", len(data)) + data + texts)
        while view:
            view = view[os.write(self._stdin.fileno(), view) :]

    def _read(
        self, deadline: float, usage: ProcessTreeUsage | None = None, limits: Limits | None = None
    ) -> dict[str, Any] | None:
        """One answer; None when there is none: the end of the sandbox, the deadline, nonsense.

        usage: of its program, which is stopped when it uses more than it may.
        """
        data = self._read_already
        most_bytes = ANSWER_BYTES + (2 * limits.output_bytes if limits is not None else 0)

        def read_until(size: int) -> bool:
            nonlocal usage, deadline
            while size <= most_bytes and len(data) < size:
                left_s = deadline - time.monotonic()
                if left_s <= 0:
                    return False
                if not select.select([self._stdout], [], [], min(left_s, LOOK_S))[0]:
                    stop = _too_much(usage, limits) if usage is not None and limits is not None else None
                    if stop is not None:
                        self._send({"stop": stop[0], "detail": stop[1]})
                        usage, deadline = None, min(deadline, time.monotonic() + STOP_S)
                    continue
                part = self._stdout.read(65536)
                if part == b"":
                    return False
                data.extend(part or b"")
            return len(data) >= size

        if not read_until(4):
            return None
        head = 4 + struct.unpack(">I", data[:4])[0]
        if not read_until(head):
            return None
        try:
            value = decode(data[4:head])
            texts = []
            for size in value["texts"]:
                if not read_until(head + size):
                    return None
                texts.append(bytes(data[head : head + size]))
                head += size
        except (KeyError, TypeError, ValueError):
            return None
        del data[:head]
        return {**value, "texts": texts}

    def end(self) -> None:
        """Kill it, and with it everything in it. Is idempotent."""
        self._ended = True
        self._process.kill()
        self._process.wait()
        with self._in_use:  # its pipes are at their end: whoever reads them leaves now
            self._stdin.close()
            self._stdout.close()
            self._diagnosis.close()


def _texts(program: Program) -> tuple[bytes, bytes]:
    """For the process of the program, and for that of its tests: neither gets the other's."""
    candidate: dict[str, Any] = {"code": program.code, "stdin": program.stdin, "as_main": program.as_main}
    if program.script:
        return _as_json(candidate), b""
    candidate["entry_point"] = program.tests.entry_point
    return _as_json(candidate), _as_json(program.tests)


def _as_json(value: dict[str, Any] | UnitTests) -> bytes:
    try:
        return msgspec.json.encode(value)
    except UnicodeEncodeError:  # half of a pair, which only `json` has a way to write
        return json.dumps(msgspec.to_builtins(value)).encode()


@functools.cache
def _seal() -> bytes:
    """Raises SandboxError."""
    program = seal_program()
    if program is None:
        raise SandboxError(
            "programs can't be measured on this processor: no table of its system calls is known",
            hint="measure on a machine with an x86_64 or aarch64 processor",
        )
    return program


def _too_much(usage: ProcessTreeUsage, limits: Limits) -> tuple[VerdictKind, str] | None:
    """Why the program is to be stopped: kind and detail."""
    use = usage.look(time.monotonic())
    if (
        use.tasks > limits.processes + 1
    ):  # with that of its tests; the kernel counts them by user, where a program has a user of its own
        return VerdictKind.KILLED, f"had {use.tasks} processes and threads at once"
    if use.memory_bytes > limits.memory_bytes:
        return VerdictKind.MEMORY_LIMIT, f"its processes hold {use.memory_bytes >> 20} MiB together"
    if use.idle_s > limits.idle_limit_s:
        return VerdictKind.TIMEOUT, f"did nothing for {limits.idle_limit_s:g} s"
    if use.cpu_s > FAMILY_CPU * limits.cpu_s * limits.overtime:
        return VerdictKind.TIMEOUT, f"its processes used {use.cpu_s:.1f} s of processor time together"
    return None
