"""The files of a run's folder, for readers that trust nothing in it: no link is followed, no line is too long."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, Any

import msgspec

from results.completion_lines import decode_completion
from results.json_text import NOT_THAT_JSON, number, whole_number
from results.prompts.sent_prompts import PROMPTS_NAME, SentPrompt
from results.records import Completion, Outcome
from results.store.run_folder import RunFolder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from io import BufferedReader
    from pathlib import Path

LONGEST_LINE = 64 << 20  # bytes; a longer one counts as unreadable
_LONGEST_NAME = 255  # bytes
_LONGEST_ID = 500  # bytes
_SHOWN = 60  # characters of an id


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
    def oddity(self) -> str:
        """Why the line can't be counted with others; empty for nearly all."""
        if self.passed != (self.outcome is Outcome.PASSED):
            return f"{self.task_id[:_SHOWN]} says both passed={self.passed} and outcome={self.outcome}"
        if not 0 <= self.index < 1 << 31:
            return f"{self.task_id[:_SHOWN]} has the index {self.index}"
        if len(self.task_id.encode()) > _LONGEST_ID or "\0" in self.task_id:
            return f"the id {self.task_id[:_SHOWN]!r}... is none"
        tags = "".join(f"{name}{value}" for name, value in self.tags.items()) if self.tags else ""
        if len(tags) > _LONGEST_ID or "\0" in tags:
            return f"the tags of {self.task_id[:_SHOWN]} are none"
        return ""

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


def may_be_run(name: str) -> bool:
    """Whether a folder of that name may be a run's: it is Unicode and not hidden."""
    try:
        return name[:1] not in {"", "."} and len(name.encode()) <= _LONGEST_NAME
    except UnicodeEncodeError:
        return False


def folder_of(results_dir: Path, run_id: str) -> RunFolder | None:
    """The folder of the run with that whole id; None unless it is a folder, and no link, with a `run.json`."""
    if not may_be_run(run_id) or run_id[0] == "-" or "/" in run_id or "\0" in run_id:
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
    """Each line from where the file stands: where it begins, where the next one does, and its bytes; None for bytes if
    it is too long. A last line without a newline may not be whole yet, so the next one begins where it does.
    """
    offset = file.tell()
    while line := file.readline(LONGEST_LINE):
        size, last = len(line), line
        while len(last) == LONGEST_LINE and not last.endswith(b"\n"):
            last = file.readline(LONGEST_LINE)
            size += len(last)
        following = offset + size if last.endswith(b"\n") else offset
        yield offset, following, line if size == len(line) else None
        offset += size


def sample_lines(file: BufferedReader) -> Iterator[tuple[int, int, SampleLine | None]]:
    """The same, read; None for a line that can't be."""
    for offset, following, line in lines_of(file):
        try:
            yield offset, following, None if line is None else _decode_line(line)
        except NOT_THAT_JSON:
            yield offset, following, None


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


def prompt_at(folder: RunFolder, offset: int) -> SentPrompt | None:
    """The prompt whose line begins there; None if it can't be read."""
    file = open_own(folder.path / PROMPTS_NAME)
    if file is None:
        return None
    with file:
        file.seek(offset)
        try:
            return msgspec.json.decode(file.readline(LONGEST_LINE), type=SentPrompt)
        except NOT_THAT_JSON:
            return None


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
