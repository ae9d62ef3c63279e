"""Where a running `serve` is, for other commands on this machine; and that there is one at most a state folder."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from results.durable import explained, replace_file
from results.errors import UsageError
from results.locks import is_locked, lock

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_ADDRESS = "address"
_LOCK = "serve.lock"
GONE_S = 2.0  # for one that was just killed to be gone


@contextlib.contextmanager
def only_server(state_dir: Path) -> Iterator[None]:
    """Be the only `serve` of a state folder within the block. Raises UsageError if there is another one."""
    with explained("write", state_dir):
        state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        with lock(state_dir / _LOCK, within_s=GONE_S) as held:
            if held is None:
                where = running_address(state_dir)
                raise UsageError(
                    f"serve already runs on {state_dir}" + (f", at {where}" if where else ""),
                    hint="`keys link` prints a link to it; another --state-dir starts a second one",
                )
            try:
                yield
            finally:
                (state_dir / _ADDRESS).unlink(missing_ok=True)


def note_address(state_dir: Path, url: str) -> None:
    """Write down where it is."""
    replace_file(state_dir / _ADDRESS, url.encode())


def running_address(state_dir: Path) -> str | None:
    """The address of the `serve` that runs on that folder; None if there is none."""
    if not is_locked(state_dir / _LOCK):
        return None
    try:
        return (state_dir / _ADDRESS).read_text()
    except OSError:
        return None
