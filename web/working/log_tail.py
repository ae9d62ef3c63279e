"""What a job's sweep has printed, for a page and for a stream of events.

The text comes from models, servers and files' names. Control characters are written out, as everywhere; escaping it for
HTML is the page's part.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from results.files import open_to_read
from results.plain_text import plain_lines, uncoloured
from web.working.job_folder import AttemptFolder

if TYPE_CHECKING:
    from pathlib import Path

    from web.config import ServeConfig

MOST_BYTES = 1 << 18
LONGEST_LINE = 2000  # characters


@dataclass(frozen=True, kw_only=True)
class JobLog:
    """text: the log's end, safe to show in a terminal. is_cut: whether there is more before it. size_bytes: of the
    whole log, from which `log_from` goes on. attempt: whose it is; 0 if there is none yet.
    """

    text: str = ""
    is_cut: bool = False
    size_bytes: int = 0
    attempt: int = 0


def job_log(config: ServeConfig, job_id: str, *, most_bytes: int = MOST_BYTES) -> JobLog:
    """The end of the newest attempt's log on this host; an empty one if there is none."""
    folder = _newest(config, job_id)
    if folder is None:
        return JobLog()
    size = _size(folder.log)
    begin = max(0, size - most_bytes)
    data = _read(folder.log, begin, size - begin)
    if begin:
        data = data[data.find(b"\n") + 1 :]  # begins with a whole line, if there are lines
    return JobLog(text=_safe(data), is_cut=begin > 0, size_bytes=size, attempt=folder.attempt)


def log_from(config: ServeConfig, job_id: str, offset: int, *, most_bytes: int = 1 << 16) -> tuple[str, int]:
    """The whole lines that were added to the newest attempt's log since `offset`, and where the next call goes on.

    A log that has become shorter, or another attempt's, is read from its beginning.
    """
    folder = _newest(config, job_id)
    if folder is None:
        return "", 0
    size = _size(folder.log)
    offset = offset if 0 <= offset <= size else 0
    data = _read(folder.log, offset, min(size - offset, most_bytes))
    end = data.rfind(b"\n") + 1
    if not end and len(data) >= most_bytes:  # a line without an end
        end = len(data)
    return _safe(data[:end]), offset + end


def _newest(config: ServeConfig, job_id: str) -> AttemptFolder | None:
    return next(reversed(AttemptFolder.all_of(config.jobs_dir, job_id)), None)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _read(path: Path, begin: int, count: int) -> bytes:
    try:
        with open_to_read(path) as file:
            file.seek(begin, os.SEEK_SET)
            return file.read(count)
    except OSError:
        return b""


def _safe(data: bytes) -> str:
    lines = plain_lines(uncoloured(data.decode(errors="replace"))).split("\n")
    return "\n".join(line if len(line) <= LONGEST_LINE else f"{line[:LONGEST_LINE]}..." for line in lines)
