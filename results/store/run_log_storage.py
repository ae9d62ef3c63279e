"""The run log as a storage of TinyDB."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tinydb.storages import Storage

from results.durable import explained, replace_file
from results.errors import ResultsError
from results.files import read_file
from results.store.run_log_format import BrokenLog, encode_document, parse, render

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractContextManager
    from pathlib import Path

    from results.records import RunRecord


class RunLogStorage(Storage):
    """Maps `{"runs": [record, ...]}` to TinyDB's `{"runs": {"1": record, ...}}` and back.

    TinyDB reads, changes and writes the whole document without a lock. So `write` refuses if the log has changed since
    `read`; a run added in between is never lost. It also refuses anything that is not a record.
    """

    def __init__(
        self,
        path: Path,
        *,
        lines: Callable[[], Mapping[bytes, RunRecord]],
        locked: Callable[[], AbstractContextManager[None]],
    ) -> None:
        """lines, locked: the log's own methods."""
        self._path = path
        self._lines = lines
        self._locked = locked
        self._read: list[bytes] = []

    def read(self) -> dict[str, dict[str, Any]] | None:
        self._read = [*self._lines()]
        if not self._read:
            return None
        return {"runs": {str(number): json.loads(line) for number, line in enumerate(self._read, 1)}}

    def write(self, data: dict[str, dict[str, Any]]) -> None:
        path = self._path
        if data.keys() - {"runs"}:
            raise ResultsError(f"{path} has only one table, runs", hint="use RunLog.table()")
        try:
            new = render([encode_document(document) for document in data.get("runs", {}).values()])
            parse(new, where="the new content")
        except (BrokenLog, TypeError, ValueError) as error:
            raise ResultsError(f"{path} only accepts records of runs: {error}") from error
        with explained("write", path), self._locked():
            try:
                current = [*parse(read_file(path), where=str(path))]
            except (FileNotFoundError, BrokenLog):
                current = []
            if current != self._read:
                raise ResultsError(f"{path} changed meanwhile", hint="repeat the update")
            replace_file(path, new)
