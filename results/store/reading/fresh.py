"""The index of a results folder for one command, where one is there, up to date, and worth opening."""

from __future__ import annotations

import contextlib
import importlib.util
from typing import TYPE_CHECKING

from results.errors import BenchError
from results.store.sql import INDEX_NAME

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from results.store.run_store import RunStore

_WORTH_BYTES = 2 << 20  # below it, reading the folders takes less time than opening it


@contextlib.contextmanager
def fresh_index(results_dir: Path, worth_bytes: int = _WORTH_BYTES) -> Iterator[RunStore | None]:
    """The index, or None: without SQLAlchemy, without an index, and where folders had to be left out of it or other
    processes are busy with it. Then the folders themselves say the same, only more slowly.
    """
    with contextlib.ExitStack() as stack:
        store: RunStore | None = None
        with contextlib.suppress(BenchError, OSError):
            there = results_dir.absolute() / INDEX_NAME
            if there.stat(follow_symlinks=False).st_size >= worth_bytes and importlib.util.find_spec(
                "sqlalchemy"
            ):
                from results.store.index.opening import up_to_date

                store = stack.enter_context(up_to_date(results_dir.absolute()))
        yield store
