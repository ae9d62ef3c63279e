"""The folder of one watch: its baseline and its looks. The results are in the runs' own records.

    RESULTS/watches/human_eval-Some-1B-Q4_K_M-3f9a01c2/
        watch.json        the baseline and the looks
        watch.lock        held by the process that looks

A watch keeps its folder whatever build it looks at.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path  # noqa: TC003 - a dataclass field
from typing import TYPE_CHECKING

from results.durable import explained, replace_file
from results.errors import ResultsError
from results.files import read_file
from results.json_text import encode_indented
from results.locks import lock
from results.records import decode_versioned
from results.watch import WATCH_VERSION, Watch

if TYPE_CHECKING:
    from collections.abc import Iterator

WATCHES = "watches"


@dataclass(frozen=True)
class WatchFolder:
    """One watch; the folder's name is its id."""

    path: Path

    @classmethod
    def of(cls, results_dir: Path, watch_id: str) -> WatchFolder:
        """The folder of that id, which need not exist. watch_id: safe as a file name."""
        return cls(results_dir.absolute() / WATCHES / watch_id)

    @property
    def watch_id(self) -> str:
        return self.path.name

    @contextlib.contextmanager
    def claim(self) -> Iterator[None]:
        """Be the process that looks; creates the folder. Raises ResultsError if there is another one."""
        path = self.path / "watch.lock"
        with contextlib.ExitStack() as held:
            with explained("write", path):
                self.path.mkdir(parents=True, exist_ok=True)
                if held.enter_context(lock(path, within_s=0.5)) is None:
                    raise ResultsError(
                        f"another process is watching {self.watch_id}", hint="wait until it ends, or stop it"
                    )
            yield

    def read(self) -> Watch | None:
        """None before the first baseline. Raises ResultsError if it is unreadable or newer."""
        path = self.path / "watch.json"
        with explained("read", path):
            try:
                data = read_file(path)
            except FileNotFoundError:
                return None
        return decode_versioned(data, Watch, version=WATCH_VERSION, where=str(path), what="a watch")

    def write(self, watch: Watch) -> None:
        """Replace `watch.json`, atomically and durably. Raises ResultsError."""
        path = self.path / "watch.json"
        with explained("write", path):
            replace_file(path, encode_indented(watch))


def all_watches(results_dir: Path) -> tuple[Watch, ...]:
    """All readable watches with a baseline."""
    found = []
    for path in sorted((results_dir.absolute() / WATCHES).glob("*/watch.json")):
        with contextlib.suppress(ResultsError):
            if (watch := WatchFolder(path.parent).read()) is not None:
                found.append(watch)
    return tuple(found)
