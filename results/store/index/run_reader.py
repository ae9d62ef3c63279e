"""Read one run's completions for the index: all of them, or what was appended since."""

from __future__ import annotations

import hashlib
import math
import os
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from results.json_text import NOT_THAT_JSON, encode
from results.prompts.sent_prompts import PROMPTS_NAME
from results.store.answers import natural
from results.store.index.schema import NUMBER_OF, OUTCOMES, Flag
from results.store.reading.queries import MOST_VALUES
from results.store.reading.run_files import lines_of, open_own, sample_lines

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from io import BufferedReader

    from results.store.reading.run_files import SampleLine
    from results.store.run_folder import RunFolder

CHUNK = 20_000  # completions that are held at once
_TAIL = 64  # bytes
_AGAIN = "again"  # in place of a hash: the last line had no end and may become another one
_ALL = ("", "")  # the slice of all of a run's samples
_MOST_NUMBER = 1 << 62


class ReadTo(NamedTuple):
    """How far a run's completions were read: bytes, and a hash of the last ones."""

    place: int = 0
    tail: str = ""


class Chunk(NamedTuple):
    """Some completions, the last line of each, with where it begins. odd: why the run can't be counted."""

    lines: dict[tuple[str, int], tuple[int, SampleLine]]
    odd: str
    plain: bool
    read_to: ReadTo
    is_last: bool


def chunks(folder: RunFolder, start: ReadTo) -> Iterator[Chunk]:
    """What stands behind `start`, which must be where an earlier one ended. Raises OSError."""
    file = open_own(folder.completions)
    if file is None:
        yield Chunk({}, "", True, ReadTo(), True)
        return
    with file:
        file.seek(start.place)
        lines: dict[tuple[str, int], tuple[int, SampleLine]] = {}
        plain = True
        following, is_whole = start.place, True
        for offset, following, line in sample_lines(file):
            if line is None:
                continue
            is_whole = following > offset
            if odd := line.oddity:
                yield Chunk({}, odd, False, ReadTo(), True)
                return
            lines[line.task_id, line.index] = (offset, line)
            plain = plain and _is_plain(line)
            if len(lines) >= CHUNK:
                yield Chunk(lines, "", plain, ReadTo(), False)
                lines = {}
        tail = _tail(file, following) if is_whole else _AGAIN
        yield Chunk(lines, "", plain, ReadTo(following, tail), True)


def continues(folder: RunFolder, read: ReadTo) -> bool:
    """Whether the file still begins with what was read of it."""
    file = open_own(folder.completions)
    if file is None:
        return read.place == 0
    with file:
        return os.fstat(file.fileno()).st_size >= read.place and _tail(file, read.place) == read.tail


def _tail(file: BufferedReader, place: int) -> str:
    start = max(0, place - _TAIL)
    return hashlib.sha256(os.pread(file.fileno(), place - start, start)).hexdigest()[:16]


def _is_plain(line: SampleLine) -> bool:
    """Whether the columns keep all that a verdict says."""
    if line.metrics is not None or not isinstance(line.cached, bool):
        return False
    return line.cost_usd is None or line.usd is not None


def prompts_at(folder: RunFolder) -> dict[str, int]:
    """Where the prompt of each sample begins in prompts.jsonl."""
    try:
        file = open_own(folder.path / PROMPTS_NAME)
    except OSError:
        return {}
    found = {}
    if file is not None:
        with file:
            for offset, _, line in lines_of(file):
                try:
                    if line is not None:
                        found[_which(line).task_id] = offset
                except NOT_THAT_JSON:
                    continue
    return found


class _Which(msgspec.Struct):
    task_id: str


_which = msgspec.json.Decoder(_Which).decode


def place_in_order(task_id: str) -> tuple[str, int]:
    """As `natural`, in numbers that a database keeps."""
    head, number, _ = natural(task_id)
    return head, min(number, _MOST_NUMBER)


def sample_row(
    run: int, task: int, tag_set: int | None, *, place: int, asked_at: int | None, line: SampleLine
) -> tuple[Any, ...]:
    """In the order of the columns."""
    flags = (Flag.NEAR_TIME_LIMIT if line.near_time_limit else 0) | (
        Flag.CACHED if line.cached is True else 0
    )
    return (
        run, task, line.index, NUMBER_OF[line.outcome], int(flags), tag_set, place, asked_at,
        line.tokens_asked, line.tokens_written, line.seconds, line.usd,
    )  # fmt: skip


def tags_text(line: SampleLine) -> str:
    return encode(line.tags).decode()


class Slice:
    """Sums over some completions of one run."""

    def __init__(self) -> None:
        self.tasks: set[int] = set()
        self.outcomes = [0] * len(OUTCOMES)
        self.seconds: list[float] = []
        self.tokens: int | None = 0
        self.costs: list[float] | None = []

    def add(
        self, task: int, outcome: int, tokens: int | None, seconds: float | None, cost_usd: float | None
    ) -> None:
        self.tasks.add(task)
        self.outcomes[outcome] += 1
        if seconds is not None:
            self.seconds.append(seconds)
        self.tokens = None if tokens is None or self.tokens is None else self.tokens + tokens
        if cost_usd is None:
            self.costs = None
        elif self.costs is not None:
            self.costs.append(cost_usd)


def slice_rows(
    run: int, rows: Iterable[tuple[Any, ...]], tags_of: Mapping[int | None, Mapping[str, str]]
) -> list[dict[str, Any]]:
    """Of all completions of a run, by each value of each tag that is a group. rows: as of `sample_row`."""
    found: dict[tuple[str, str], Slice] = {}
    for _, task, _, outcome, _, tag_set, _, _, _, tokens, seconds, cost_usd in rows:
        groups = [_ALL, *(tags_of.get(tag_set, {}).items())]
        for group in groups:
            if not group[0] and group is not _ALL:
                continue
            if (there := found.get(group)) is None:
                there = found[group] = Slice()
            there.add(task, outcome, tokens, seconds, cost_usd)
    values: dict[str, int] = {}
    for tag, _ in found:
        values[tag] = values.get(tag, 0) + 1
    return [
        {
            "run": run,
            "tag": tag,
            "value": value,
            "samples": len(each.tasks),
            **{str(outcome): count for outcome, count in zip(OUTCOMES, each.outcomes, strict=True)},
            "requests": len(each.seconds),
            "request_s": math.fsum(each.seconds),
            "completion_tokens": each.tokens,
            "cost_usd": None if each.costs is None else math.fsum(each.costs),
        }
        for (tag, value), each in found.items()
        if values[tag] <= MOST_VALUES
    ]
