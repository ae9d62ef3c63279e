"""What tests between two runs found, kept in the index until one of the runs changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from results.store.index import schema

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from results.store.index.database import IndexDatabase
    from results.store.index.run_entries import Entries


class KeptTests:
    """Safe to use from several threads. Every method raises SQLAlchemy's DatabaseError."""

    def __init__(self, database: IndexDatabase, entries: Entries) -> None:
        self._database = database
        self._entries = entries

    def get(self, first: str, others: Sequence[str], what: str) -> dict[str, bytes]:
        """By the other run."""
        entries = self._entries.synced()[1]
        if (one := entries.get(first)) is None:
            return {}
        columns = schema.tests.c
        asked = sa.select(columns.second, columns.content, columns.found).where(
            columns.first == one.run, columns.what == _key(what)
        )
        with self._database.engine.connect() as connection:
            there = {row.second: (row.content, row.found) for row in connection.execute(asked)}
        found = {}
        for other in others:
            if (entry := entries.get(other)) is not None and entry.run in there:
                content, text = there[entry.run]
                if content == f"{one.content} {entry.content}":
                    found[other] = text.encode()
        return found

    def put(self, first: str, what: str, found: Mapping[str, bytes]) -> None:
        """found: by the other run."""
        entries = self._entries.synced()[1]
        if (one := entries.get(first)) is None:
            return
        new = [
            {
                "first": one.run,
                "second": entry.run,
                "what": _key(what),
                "content": f"{one.content} {entry.content}",
                "found": text.decode(),
            }
            for other, text in found.items()
            if (entry := entries.get(other)) is not None
        ]
        if new:
            with self._database.engine.begin() as connection:
                connection.execute(self._database.upsert(schema.tests), new)


def _key(what: str) -> str:
    """As a column that is part of a key takes it."""
    return what.replace("\0", "")[:300]
