"""A process that may open no more files: the limit is told, and not where it happened to be met."""

from __future__ import annotations

import errno
import resource

from results.errors import UsageError


def too_many(error: BaseException) -> UsageError | None:
    """The error that names the limit, for one that comes of too many open files; None for any other."""
    if not isinstance(error, OSError) or error.errno not in {errno.EMFILE, errno.ENFILE}:
        return None
    if error.errno == errno.ENFILE:
        return UsageError(
            "this machine can open no more files", hint="end other programs, or raise fs.file-max"
        )
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    where = (
        ""
        if hard > soft
        else "; it is a hard limit, of the shell or batch system that this one was started in"
    )
    return UsageError(
        f"too many open files: this program may have {soft} at a time (ulimit -n)",
        hint=f"raise the limit, such as with `ulimit -n 1024`{where}",
    )
