"""Requests that may be sent again: by an Idempotency-Key, the same answer for a week."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import delete, insert, select

from web.database.tables import IDEMPOTENCY_KEYS
from web.jobs.refusals import KeyReused

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

KEPT_S = 7 * 86400.0  # how long a key is remembered


def made_before(connection: Connection, user: str, key: str, fingerprint: str) -> str | None:
    """The id of what the user's key made before. fingerprint: of what is asked for. Raises KeyReused if that is not
    what came with the key then.
    """
    asked = select(IDEMPOTENCY_KEYS).where(IDEMPOTENCY_KEYS.c.user == user, IDEMPOTENCY_KEYS.c.key == key)
    found = connection.execute(asked).first()
    if found is None:
        return None
    if found.fingerprint != fingerprint:
        raise KeyReused(
            "this Idempotency-Key was used for another request", hint="send a new key with each new request"
        )
    return str(found.job_id)


def remember(
    connection: Connection, user: str, key: str, fingerprint: str, *, made: str, created_at: float
) -> None:
    """Note what the user's key made, in the transaction that makes it, and forget what is too old. made: its id."""
    connection.execute(delete(IDEMPOTENCY_KEYS).where(IDEMPOTENCY_KEYS.c.created_at < created_at - KEPT_S))
    connection.execute(
        insert(IDEMPOTENCY_KEYS).values(
            user=user, key=key, fingerprint=fingerprint, job_id=made, created_at=created_at
        )
    )
