"""Which job does an attempt: the first one that claims its folder, whatever was submitted or requeued twice.

A coordinator that gives an attempt up claims it too, so that a job which is still somewhere does nothing. If a job has
it already, the coordinator leaves a note, and the job stops once it can see it.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import errno
import os
import re
import uuid
from typing import TYPE_CHECKING, Final

import msgspec

from engines.node.attempt_files import MOST_BYTES
from engines.run_copies import read_bounded
from results.durable import explained, replace_file
from results.json_text import NOT_THAT_JSON, encode

if TYPE_CHECKING:
    from pathlib import Path

CLAIM: Final = "slurm.json"
STOP: Final = "slurm.stop"
_LOST: Final = b"lost\n"  # in the note to stop, whose content is nothing else
UNKNOWN: Final = "?"  # of a claim that can't be read
_JOB: Final = re.compile(r"(?:[0-9]{1,20}(?:_[0-9]{1,20})?)?")
_NODE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,254}")
_NO_LINKS: Final = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """`slurm.json`. job: JOB_INDEX, "" if the coordinator gave the attempt up, or UNKNOWN. restarts: how often Slurm
    had started the job before. at: ISO 8601.
    """

    job: str
    node: str = ""
    restarts: int = 0
    at: str = ""


def claim(folder: Path, job: str, *, node: str = "", restarts: int = 0) -> Claim | None:
    """Claim the attempt. Returns None if it is ours now, or who has it. Raises ResultsError.

    Nobody ever sees half a claim, also on NFS: a link is made as a whole or not at all, or exists already.
    """
    ours = Claim(
        job=job, node=node, restarts=restarts, at=dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
    )
    draft = folder / f".{CLAIM}.{uuid.uuid4().hex}"
    with explained("write to", folder):
        try:
            replace_file(draft, encode(ours))
            try:
                os.link(draft, folder / CLAIM)
            except FileExistsError:
                pass
            except OSError as error:
                if error.errno not in _NO_LINKS:
                    raise
                return _claim_without_link(folder, draft)
            # An answer that got lost on the network says "exists" of a link that we made.
            is_ours = draft.stat().st_nlink == 2
        finally:
            draft.unlink(missing_ok=True)
    return None if is_ours else _holder(folder)


def _claim_without_link(folder: Path, draft: Path) -> Claim | None:
    """On a disk without links: the file is made by one only, and has its content an instant later."""
    try:
        (folder / CLAIM).touch(exist_ok=False)
    except FileExistsError:
        return _holder(folder)
    draft.replace(folder / CLAIM)
    return None


def _holder(folder: Path) -> Claim:
    return read_claim(folder) or Claim(job=UNKNOWN)


def read_claim(folder: Path) -> Claim | None:
    """None until somebody has claimed it, or if it can't be read. A node wrote it, so only names are taken from it that
    can be words of Slurm's commands: no options, lists or files.
    """
    try:
        found = msgspec.json.decode(read_bounded(folder / CLAIM, MOST_BYTES), type=Claim)
    except (OSError, *NOT_THAT_JSON):
        return None
    return Claim(
        job=found.job if _JOB.fullmatch(found.job) else UNKNOWN,
        node=found.node if _NODE.fullmatch(found.node) else "",
        restarts=found.restarts,
        at=found.at,
    )


def ask_to_stop(folder: Path, *, lost: bool = False) -> None:
    """Let the attempt's job stop as by SIGTERM, wherever it is. lost: nobody cancels it, but Slurm has it no more.

    Raises ResultsError.
    """
    if lost and is_asked_to_stop(folder):
        return
    with explained("write to", folder):
        replace_file(folder / STOP, _LOST if lost else b"")


def is_asked_to_stop(folder: Path) -> bool:
    return (folder / STOP).exists()


def is_cancelled(folder: Path) -> bool:
    """Whether it is asked to stop, and was not lost."""
    try:
        return read_bounded(folder / STOP, MOST_BYTES) != _LOST
    except FileNotFoundError:
        return False
    except OSError:
        return True


def seen_anew(folder: Path) -> None:
    """Let a network's file system look again: opening a folder asks its server what is in it."""
    with contextlib.suppress(OSError):
        os.listdir(folder)  # noqa: PTH208
