"""Keys of the API: who may ask, and for what.

A key is 256 random bits, so its SHA-256 is all that is stored: nobody can guess the key from the hash, and a slow hash
like those for passwords would only let strangers keep this machine busy. The secret names its row, so that one row is
read; then the whole hash is compared, in the same time wherever it differs.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import insert, select, update

from results.errors import UsageError
from web.access.role import Role
from web.database.tables import KEYS
from web.database.trouble import DatabaseUnavailable
from web.jobs.audit import note
from web.jobs.key_holders import cancel_waiting, has_run_key
from web.jobs.refusals import NoSuchJob

if TYPE_CHECKING:
    from sqlalchemy.engine import Row

    from web.database.database import Database

_USER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}", re.ASCII)
_SECRET = re.compile(r"bench_([0-9a-f]{12})_([A-Za-z0-9_-]{43})", re.ASCII)
_USED_EVERY_S = 60.0  # how exactly it is known when a key was used last: each note is a write
_NO_HASH = "0" * 64


@dataclass(frozen=True, kw_only=True)
class Key:
    """One key, without its secret. Times are seconds since the epoch; last_used_at is exact to a minute."""

    key_id: str
    user: str
    role: Role
    created_at: float
    last_used_at: float | None
    revoked_at: float | None


@dataclass(frozen=True, kw_only=True)
class User:
    """A name that has keys. role: the highest of those that aren't revoked; None if all are."""

    user: str
    role: Role | None
    keys: int
    last_used_at: float | None


class Keys:
    """The keys of one database. Every method raises ResultsError if the database fails."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, user: str, role: Role, *, by: str = "operator") -> tuple[Key, str]:
        """A new key and its secret, which is shown once and never stored. Raises UsageError for a name like `a b`."""
        if not _USER.fullmatch(user):
            raise UsageError(
                "a user's name is 1 to 64 letters, digits and . _ @ -, and begins with a letter or digit",
                hint="for example: ada, or ci@lab-3",
            )
        key_id = secrets.token_hex(6)
        secret = f"bench_{key_id}_{base64.urlsafe_b64encode(secrets.token_bytes(32)).decode().rstrip('=')}"
        with self._database.decide() as connection:
            row = connection.execute(
                insert(KEYS)
                .values(
                    key_id=key_id,
                    user=user,
                    role=role.value,
                    hash=_hash(secret),
                    created_at=self._database.now(connection),
                )
                .returning(KEYS)
            ).one()
            note(self._database, connection, by, f"key added for {user} ({role})", key_id)
        return _key_of(row), secret

    def find(self, secret: str) -> Key | None:
        """Whose key it is, or None: it is none, or was revoked. Takes the same time for each."""
        named = _SECRET.fullmatch(secret)
        with self._database.read() as connection:
            now = self._database.now(connection)
            key_id = named[1] if named else ""
            row = connection.execute(select(KEYS).where(KEYS.c.key_id == key_id)).first()
        # Also where there is no row, so that its absence isn't heard.
        same = hmac.compare_digest(row.hash if row else _NO_HASH, _hash(secret))
        if row is None or not same or row.revoked_at is not None:
            return None
        if row.last_used_at is None or now - row.last_used_at > _USED_EVERY_S:
            self._used(row.key_id, now)
        return _key_of(row)

    def get(self, key_id: str) -> Key | None:
        """The key with that id, for one that was found before; None if it was revoked since."""
        with self._database.read() as connection:
            row = connection.execute(select(KEYS).where(KEYS.c.key_id == _asked_id(key_id))).first()
        return _key_of(row) if row is not None and row.revoked_at is None else None

    def list(self) -> tuple[Key, ...]:
        """All of them, also those that were revoked, the oldest first."""
        with self._database.read() as connection:
            rows = connection.execute(select(KEYS).order_by(KEYS.c.created_at, KEYS.c.key_id))
            return tuple(map(_key_of, rows))

    def users(self) -> tuple[User, ...]:
        """Who has or had keys, by name."""
        found: dict[str, list[Key]] = {}
        for key in self.list():
            found.setdefault(key.user, []).append(key)
        return tuple(_user_of(name, found[name]) for name in sorted(found))

    def revoke(self, key_id: str, *, by: str = "operator") -> Key:
        """It opens nothing from now on. With the last of a user's keys that add jobs, the user's jobs that wait are
        cancelled. Again: no change. Raises NoSuchJob if there is none with that id.
        """
        with self._database.decide() as connection:
            row = connection.execute(select(KEYS).where(KEYS.c.key_id == _asked_id(key_id))).first()
            if row is None:
                raise NoSuchJob("there is no key with that id", hint="look at `keys list`")
            if row.revoked_at is None:
                row = connection.execute(
                    update(KEYS)
                    .where(KEYS.c.key_id == row.key_id)
                    .values(revoked_at=self._database.now(connection))
                    .returning(KEYS)
                ).one()
                note(self._database, connection, by, f"key of {row.user} revoked", row.key_id)
                if Role(row.role).includes(Role.RUN) and not has_run_key(connection, row.user):
                    cancel_waiting(self._database, connection, row.user, by)
            return _key_of(row)

    def _used(self, key_id: str, now: float) -> None:
        try:
            with self._database.decide() as connection:
                connection.execute(update(KEYS).where(KEYS.c.key_id == key_id).values(last_used_at=now))
        except DatabaseUnavailable:  # a full disk keeps nobody from looking
            return


def _asked_id(text: str) -> str:
    """What can't be an id is none."""
    return text if text.isascii() and text.isalnum() else ""


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()


def _key_of(row: Row[Any]) -> Key:
    return Key(
        key_id=row.key_id,
        user=row.user,
        role=Role(row.role),
        created_at=row.created_at,
        last_used_at=row.last_used_at,
        revoked_at=row.revoked_at,
    )


def _user_of(name: str, keys: list[Key]) -> User:
    return User(
        user=name,
        role=max((key.role for key in keys if key.revoked_at is None), key=[*Role].index, default=None),
        keys=sum(key.revoked_at is None for key in keys),
        last_used_at=max((key.last_used_at for key in keys if key.last_used_at is not None), default=None),
    )
