"""Sessions of browsers: the printed link becomes a cookie. Both are signed texts, so nothing of them is kept until
they are used up or ended: that is noted in a file, which holds after a restart.

They are signed with a secret in the state folder. Who may read that folder may make links, which is what
`keys link` does; a new secret ends all sessions and links.
"""

from __future__ import annotations

import base64
import contextlib
import hmac
import os
import secrets
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import msgspec

from results.durable import explained, replace_file
from results.errors import ResultsError
from web.access.spent import SPENT_FILE, Spent

if TYPE_CHECKING:
    from pathlib import Path

SECRET_FILE = "session.key"  # noqa: S105 - a name, in the state folder
LINK_S = 3600.0  # how long a printed link can be used, once
SESSION_S = 7 * 24 * 3600.0
_SECRET_BYTES = 32
_SIGNATURE_BYTES = 18


class _Signed(msgspec.Struct, frozen=True, array_like=True):  # short, as a link has it
    kind: Literal["link", "session"]
    user: str
    key_id: str
    expires_at: int
    nonce: str


@dataclass(frozen=True)
class Session:
    """Whose it is. key_id: of the key that it began with, "link" for a printed link."""

    user: str
    key_id: str


class Sessions:
    """Makes and reads links and cookies. secret_file: made if it isn't there; read again when it changes."""

    def __init__(self, secret_file: Path) -> None:
        self._file = secret_file
        self._stamp: tuple[int, int] | None = None
        self._secret = b""
        self._spent = Spent(secret_file.with_name(SPENT_FILE))

    def require_usable(self) -> None:
        """Make the secret if there is none. Raises ResultsError if it, or what was ended, can't be read."""
        self._current_secret()
        self._spent.has("")

    def link_token(self, user: str) -> str:
        """What a link carries: it begins a session of that user with every right, once."""
        return self._sign(_Signed("link", user, "link", int(time.time() + LINK_S), secrets.token_urlsafe(9)))

    def use_link(self, token: str) -> Session | None:
        """The session that the link begins; None if it isn't ours, is too old or was used before. Writes a file."""
        found = self._read(token, "link")
        if found is None or not self._spent.add(found.nonce, found.expires_at):
            return None
        return Session(found.user, found.key_id)

    def cookie(self, session: Session) -> str:
        """The value of the session's cookie."""
        return self._sign(
            _Signed(
                "session",
                session.user,
                session.key_id,
                int(time.time() + SESSION_S),
                secrets.token_urlsafe(9),
            )
        )

    def read_cookie(self, value: str) -> Session | None:
        """The session of a cookie; None if it isn't ours or has ended. Whether its key still holds, the caller asks."""
        found = self._read(value, "session")
        if found is None or self._spent.has(found.nonce):
            return None
        return Session(found.user, found.key_id)

    def end(self, value: str) -> None:
        """End the session of a cookie, wherever it was copied to. Writes a file."""
        found = self._read(value, "session")
        if found is not None:
            self._spent.add(found.nonce, found.expires_at)

    def end_all(self) -> None:
        """End all sessions and links, by a new secret. Raises ResultsError."""
        with explained("write", self._file):
            if not self._file.exists():
                self._make()
            else:
                replace_file(self._file, secrets.token_hex(_SECRET_BYTES).encode())

    def _sign(self, what: _Signed) -> str:
        body = _text(msgspec.msgpack.encode(what))
        return f"{body}.{self._signature(body)}"

    def _read(self, text: str, kind: str) -> _Signed | None:
        if len(text) > 1000 or not text.isascii():
            return None
        body, _, signature = text.partition(".")
        if not hmac.compare_digest(self._signature(body), signature):
            return None
        try:
            found = msgspec.msgpack.decode(
                base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)), type=_Signed
            )
        except (ValueError, msgspec.MsgspecError):
            return None
        return found if found.kind == kind and found.expires_at > time.time() else None

    def _signature(self, body: str) -> str:
        return _text(hmac.digest(self._current_secret(), body.encode(), "sha256")[:_SIGNATURE_BYTES])

    def _current_secret(self) -> bytes:
        with explained("read", self._file):
            try:
                status = self._file.stat()
            except FileNotFoundError:
                self._make()
                status = self._file.stat()
            stamp = (status.st_ino, status.st_mtime_ns)
            if stamp != self._stamp:
                secret = self._file.read_bytes().strip()
                if len(secret) < _SECRET_BYTES:  # anybody could sign with what is guessed
                    raise ResultsError(
                        f"{self._file} holds no secret: it has fewer than {_SECRET_BYTES} bytes",
                        hint="`bench_runner.py keys revoke links` makes a new one, and ends all sessions",
                    )
                self._secret, self._stamp = secret, stamp
        return self._secret

    def _make(self) -> None:
        """Another process may make it at the same time: the first one wins."""
        self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        temporary = self._file.with_name(f".{self._file.name}.{os.getpid()}.{secrets.token_hex(4)}")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(secrets.token_hex(_SECRET_BYTES).encode())
                file.flush()
                os.fsync(file.fileno())
            with contextlib.suppress(FileExistsError):
                os.link(temporary, self._file)
        finally:
            temporary.unlink()


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def link_url(address: str, token: str) -> str:
    """The link of a token. address: such as `http://127.0.0.1:8765`."""
    return f"{address}/enter?token={token}"
