"""Who did what: keys, cancels, adds and refusals. The oldest rows go when there are too many."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import delete, insert, select

from web.database.tables import AUDIT
from web.jobs.stored_text import storable

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from web.database.database import Database

MOST_ROWS = 100_000
_MOST_CHARACTERS = 300
_SWEEP_EVERY = 1000  # rows; so many more than MOST_ROWS may be there
_SAME_AGAIN_S = 60.0


@dataclass(frozen=True, kw_only=True)
class AuditRow:
    """at: seconds since the epoch. who: a user, or a part of this program. on: an id, or a name."""

    number: int
    at: float
    who: str
    what: str
    on: str


class Audit:
    """The log of one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def note(self, who: str, what: str, on: str = "") -> None:
        """Write a row. The same again within a minute is one row: a flood of refusals drives nothing else out."""
        with self._database.decide() as connection:
            note(self._database, connection, who, what, on)

    def rows(
        self, *, who: str | None = None, before: int | None = None, limit: int = 100
    ) -> tuple[AuditRow, ...]:
        """The newest first; before: only rows with a smaller number, for the next page."""
        asked = select(AUDIT).order_by(AUDIT.c.number.desc()).limit(limit)
        if who is not None:
            asked = asked.where(AUDIT.c.who == (who if storable(who) else ""))
        if before is not None:
            asked = asked.where(AUDIT.c.number < before)
        with self._database.read() as connection:
            return tuple(AuditRow(**row) for row in connection.execute(asked).mappings())


def note(database: Database, connection: Connection, who: str, what: str, on: str = "") -> None:
    """Write a row in a transaction of `decide`, together with what it is about."""
    row = {name: _stored(text) for name, text in (("who", who), ("what", what), ("on", on))}
    now = database.now(connection)
    newest = connection.execute(
        select(AUDIT).where(AUDIT.c.who == row["who"]).order_by(AUDIT.c.number.desc()).limit(1)
    ).first()
    if newest and (newest.what, newest.on) == (row["what"], row["on"]) and now - newest.at < _SAME_AGAIN_S:
        return
    made = connection.execute(insert(AUDIT).values(at=now, **row).returning(AUDIT.c.number)).scalar_one()
    if made % _SWEEP_EVERY == 0:
        connection.execute(delete(AUDIT).where(AUDIT.c.number <= made - MOST_ROWS))


def _stored(text: str) -> str:
    return text.replace("\x00", "?").encode("utf-8", "replace").decode()[:_MOST_CHARACTERS]
