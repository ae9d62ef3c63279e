"""The files of a run's folder, for readers that trust nothing in it: no link is followed, no line is too long."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, Any

import msgspec

from results.completion_lines import decode_completion
from results.json_text import NOT_THAT_JSON, number, whole_number
from results.records import Completion, Outcome
from results.sent_prompts import PROMPTS_NAME, SentPrompt
from results.store.run_folder import RunFolder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from io import BufferedReader
    from pathlib import Path

LONGEST_LINE = 64 << 20  # bytes; a longer one counts as unreadable
_MOST_JSON = 64 << 20  # bytes of a run.json


class SampleLine(msgspec.Struct, frozen=True, gc=False):
    """The verdict and figures in one line of `completions.jsonl`; a script of somebody else's may have anything in the
    fields of type Any.
    """

    task_id: str
    outcome: Outcome
    index: int = 0
    passed: bool = False
    near_time_limit: bool = False
    tags: dict[str, str] = {}
    metrics: Any = None
    cost_usd: Any = None
    cached: Any = False
    prompt_tokens: Any = None
    completion_tokens: Any = None
    request_s: Any = None

    @property
    def contradicts(self) -> bool:
        """Whether it says both that it passed and that it did not."""
        return self.passed != (self.outcome is Outcome.PASSED)

    @property
    def tokens_asked(self) -> int | None:
        return whole_number(self.prompt_tokens)

    @property
    def tokens_written(self) -> int | None:
        return whole_number(self.completion_tokens)

    @property
    def seconds(self) -> float | None:
        return number(self.request_s)

    @property
    def usd(self) -> float | None:
        return number(self.cost_usd)


_decode_line = msgspec.json.Decoder(SampleLine).decode


def folder_of(results_dir: Path, run_id: str) -> RunFolder | None:
    """The folder of the run with that whole id; None unless it is a folder, and no link, with a `run.json`."""
    if not run_id or run_id[0] in ".-" or "/" in run_id or "\0" in run_id or len(os.fsencode(run_id)) > 255:
        return None
    folder = RunFolder(results_dir / run_id)
    try:
        if stat.S_ISDIR(folder.path.lstat().st_mode) and stat.S_ISREG(folder.run_json.lstat().st_mode):
            return folder
    except OSError:
        pass
    return None


def open_own(path: Path) -> BufferedReader | None:
    """Open a regular file that is no link; None if there is none. Raises OSError for any other reason."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    except OSError:
        if path.is_file() and not path.is_symlink():
            raise
        return None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        return None
    return os.fdopen(descriptor, "rb")


def lines_of(file: BufferedReader) -> Iterator[tuple[int, int, bytes | None]]:
    """Each whole line from where the file stands, with its offset and size; None for one that is too long. What stands
    behind the last newline is the beginning of a line that isn't written yet, and is left out.
    """
    offset = file.tell()
    while line := file.readline(LONGEST_LINE):
        size = len(line)
        if not line.endswith(b"\n"):
            if size < LONGEST_LINE:
                return
            while (more := file.readline(LONGEST_LINE)) and not more.endswith(b"\n"):
                size += len(more)
            if not more:
                return
            size += len(more)
            yield offset, size, None
        else:
            yield offset, size, line
        offset += size


def sample_lines(file: BufferedReader) -> Iterator[tuple[int, int, SampleLine | None]]:
    """The same, read; None for a line that can't be."""
    for offset, size, line in lines_of(file):
        try:
            yield offset, size, None if line is None else _decode_line(line)
        except NOT_THAT_JSON:
            if line is not None and line.strip():
                yield offset, size, None


def completion_at(folder: RunFolder, offset: int) -> Completion | None:
    """The completion whose line begins there; None if it can't be read."""
    return next(completions_at(folder, [offset]))


def completions_at(folder: RunFolder, offsets: list[int]) -> Iterator[Completion | None]:
    """One for each offset."""
    file = open_own(folder.completions)
    if file is None:
        yield from (None for _ in offsets)
        return
    with file:
        for offset in offsets:
            file.seek(offset)
            try:
                yield decode_completion(file.readline(LONGEST_LINE))
            except NOT_THAT_JSON:
                yield None


def prompt_in(folder: RunFolder, task_id: str) -> SentPrompt | None:
    """What the run asked for that sample; None where it was not kept."""
    file = open_own(folder.path / PROMPTS_NAME)
    found = None
    if file is not None:
        with file:
            for _, _, line in lines_of(file):
                try:
                    if line is not None and msgspec.json.decode(line, type=_Which).task_id == task_id:
                        found = msgspec.json.decode(line, type=SentPrompt)
                except NOT_THAT_JSON:
                    continue
    return found


class _Which(msgspec.Struct):
    task_id: str
