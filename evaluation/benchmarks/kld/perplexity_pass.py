"""Run llama-perplexity once over a text, and read each chunk's log-probabilities while it writes them.

It writes into a pipe of ours (its option wants a file's name, and /proc/self/fd/N is one), so that nothing but what is
kept needs room on a disk, a full disk is noticed (llama.cpp doesn't look), and sizes are known before the first chunk.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, Self

from evaluation.benchmarks.kld.logits_file import BadLogitsError, LogitsReader
from results.errors import ScriptError, UsageError
from results.files import open_to_append, open_to_read
from results.plain_text import tail

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from pathlib import Path

STOP_GRACE_S = 5.0
_PIPE_BYTES = 1 << 20
_BUFFER_BYTES = 1 << 20
_TAIL_BYTES = 64 << 10
# llama.cpp's log: "0.00.123.456 E function: what"; options are refused with "error: what", older builds have no times.
_ERROR_LINE = re.compile(
    r"^(?:[\d.]+ E (?:cmn +)?(?:\w+: )?|error: |(?=error while handling argument)|\w+: (?=error loading model: ))"
    r"(?:error loading model: )?(.+)$",
    re.MULTILINE,
)
_FINAL = re.compile(r"Final estimate: PPL = (\d+(?:\.\d+)?)")
_MEMORY = re.compile(
    r"out of memory|failed to allocate|unable to allocate|cudaMalloc failed|bad_alloc|ErrorOutOfDeviceMemory"
    r"|Cannot allocate memory",
    re.IGNORECASE,
)
_HINTS = (
    (_MEMORY, "lower --gpu-layers or --kld-window, or give the model a smaller batch: -- -b 512"),
    (re.compile(r"unknown model architecture"), "llama-perplexity is older than the model: update llama.cpp"),
    (
        re.compile(r"(?:invalid|unknown) argument|error while handling argument"),
        "see `llama-perplexity --help`; options after `--` are passed to it",
    ),
    (re.compile(r"you need at least \d+ tokens"), "give a longer --kld-text, or a smaller --kld-window"),
    (re.compile(r"failed to load model|error loading model|unable to load model"), "check the model's file"),
)


@dataclass(frozen=True, kw_only=True)
class PassRequest:
    """One pass. words: the program, its model and its settings. window: tokens in a chunk. limit: the most chunks;
    None: all of the text. log: its output is appended to it. model: what it is, for errors.
    """

    words: tuple[str, ...]
    text: Path
    window: int
    limit: int | None
    log: Path
    model: str

    def command(self, written_to: str) -> tuple[str, ...]:
        """The exact command line."""
        limit = () if self.limit is None else ("--chunks", str(self.limit))
        own = ("-f", str(self.text), "-c", str(self.window), *limit, "--kl-divergence-base", written_to)
        return (*self.words, *own)


class PerplexityPass:
    """A pass that is running. As a context manager, it ends the program at the end, whatever happens."""

    def __init__(self, request: PassRequest) -> None:
        self.command: tuple[str, ...] = ()
        self._request = request
        self._log_at = request.log.stat().st_size if request.log.exists() else 0
        self._process: Process | None = None
        self._pipe: BinaryIO | None = None
        self._reader: LogitsReader | None = None

    async def __aenter__(self) -> Self:
        read, written = os.pipe()
        self._pipe = os.fdopen(read, "rb", buffering=_BUFFER_BYTES)
        with contextlib.suppress(OSError):  # the user's limit
            fcntl.fcntl(written, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
        self.command = self._request.command(f"/proc/self/fd/{written}")
        try:
            with open_to_append(self._request.log) as log:
                self._process = await asyncio.create_subprocess_exec(
                    *self.command,
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    pass_fds=(written,),
                )
        except OSError as error:
            self._pipe.close()
            raise UsageError(
                f"{self.command[0]} can't be started: {error.strerror}",
                hint="give llama.cpp's program with --perplexity-binary",
                settings=("perplexity_binary",),
            ) from error
        finally:
            os.close(written)
        return self

    async def __aexit__(self, *_exception: object) -> None:
        process = self._process
        if process is not None and process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
            try:
                await asyncio.wait_for(process.wait(), STOP_GRACE_S)
            except TimeoutError:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
        if self._pipe is not None:
            self._pipe.close()

    @property
    def pid(self) -> int | None:
        return None if self._process is None else self._process.pid

    async def reader(self) -> LogitsReader:
        """What it writes, from when its model is loaded and the text is read. Raises ScriptError."""
        if self._pipe is None:
            raise RuntimeError("it was not started")
        name = f"the output of llama-perplexity for {self._request.model}"
        try:
            self._reader = await asyncio.to_thread(LogitsReader, self._pipe, name)
        except BadLogitsError as error:
            raise await self._failure(error) from error
        header = self._reader.header
        if header.n_ctx != self._request.window or header.n_chunks > (self._request.limit or header.n_chunks):
            raise ScriptError(
                f"llama-perplexity did not take the sizes asked for: {header.n_chunks} chunks of {header.n_ctx} tokens",
                hint="try a newer llama.cpp",
                command=self.command,
            )
        return self._reader

    async def chunk(self) -> bytes:
        """The rows of the next chunk. Raises ScriptError."""
        if self._reader is None:
            raise RuntimeError("the header is read first")
        try:
            return await asyncio.to_thread(self._reader.chunk)
        except BadLogitsError as error:
            raise await self._failure(error) from error

    async def finish(self) -> float | None:
        """Wait for its end, after the last chunk. Returns the perplexity that it printed, None where it printed none.

        Raises ScriptError.
        """
        process = self._process
        if process is None or self._reader is None:
            raise RuntimeError("it has not begun")
        if await asyncio.to_thread(self._reader.has_more):
            raise ScriptError(
                "llama-perplexity wrote more than it announced", hint="try another build of llama.cpp"
            )
        if await process.wait():
            raise await self._failure(None)
        found = _FINAL.findall(self._said())
        return float(found[-1]) if found else None

    async def _failure(self, error: BadLogitsError | None) -> ScriptError:
        """Why it ended too early, in its own words; `error`'s where it runs on."""
        process = self._process
        if process is None:
            raise RuntimeError("it was not started")
        with contextlib.suppress(TimeoutError):  # it may have closed the pipe and go on
            await asyncio.wait_for(process.wait(), STOP_GRACE_S)
        code = process.returncode
        said = self._said()
        told = _ERROR_LINE.findall(said)
        how = "" if not code else f" (killed by signal {-code})" if code < 0 else f" (exit code {code})"
        why = told[0] if told else error.message if error is not None else ""
        hints = (hint for pattern, hint in _HINTS if pattern.search(said))
        killed = "probably the kernel killed it because memory ran out" if code == -9 else ""
        return ScriptError(
            f"llama-perplexity failed on {self._request.model}{how}" + (f": {why}" if why else ""),
            hint=next(hints, killed or f"see {self._request.log}"),
            log_tail=tail(said),
            command=self.command,
        )

    def _said(self) -> str:
        with open_to_read(self._request.log) as log:
            size = log.seek(0, os.SEEK_END)
            log.seek(max(self._log_at, size - _TAIL_BYTES))
            return log.read(_TAIL_BYTES).decode("utf-8", "replace")
