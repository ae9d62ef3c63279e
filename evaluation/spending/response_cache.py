"""The answers of earlier requests, given again without asking: by what was asked, of whom, and for which completion.

A problem with the file never ends a run: it is said once, and requests are sent as without a cache.
"""

from __future__ import annotations

import asyncio
import hashlib
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import msgspec

from evaluation.models.parameters import REFUSING
from results.errors import ResultsError
from results.response_store import ResponseStore

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

_VERSION = b"1"  # of what a key is made of
_OF_ITS_OWN = {
    "messages",
    "prompt",
    "system",
    "tools",
    "seed",
    "stop",
    "stop_sequences",
}  # what parameters are not


class ResponseCache:
    """Answers of one model at one place. One event loop; close it when done.

    where: what is asked: the provider's root URL, or, of a server on this machine, the content of its model and its
    effective settings. by_name: whether the model's name in a request says which one it is; not so where `where`
    says it, since each run of ours gives its server's model another name. warn: told in a sentence what is wrong
    with the file.
    """

    def __init__(
        self, path: Path, *, where: str, limit_bytes: int, warn: Callable[[str], None], by_name: bool = True
    ) -> None:
        self._path = path
        self._where = where
        self._by_name = by_name
        self._limit_bytes = limit_bytes
        self._warn = warn
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="answers")  # the store has one user at a time
        self._store: ResponseStore | None = None
        self._is_broken = self._is_unwritable = False
        self._to_keep: dict[bytes, bytes] = {}
        self._keeping: asyncio.Future[None] | None = None

    def key(self, path: str, body: Mapping[str, Any], index: int) -> bytes:
        """Of one request. index: which completion of the sample it is for."""
        data = msgspec.json.encode(self._without_name(body))
        return _sha256(b"answer", self._where.encode(), path.encode(), str(index).encode(), data)

    def refusal_key(self, path: str, body: Mapping[str, Any]) -> bytes:
        """Of the parameters of a request, whatever its prompt."""
        fields = {name: value for name, value in self._without_name(body).items() if name not in _OF_ITS_OWN}
        names = sorted(body)
        return _sha256(b"refusal", self._where.encode(), path.encode(), msgspec.json.encode([names, fields]))

    def _without_name(self, body: Mapping[str, Any]) -> Mapping[str, Any]:
        return body if self._by_name else {**body, "model": ""}

    async def get(self, key: bytes) -> tuple[int, bytes] | None:
        """The status and the body of the answer; None if it isn't kept."""
        if self._is_broken:
            return None
        if (waiting := self._to_keep.get(key)) is not None:
            return _unpacked(waiting)
        found = await self._in_thread(self._get, key)
        return None if found is None else _unpacked(found)

    def keep(self, answers: Mapping[bytes, tuple[int, bytes]]) -> None:
        """Keep answers by their keys, soon; `close` waits for it."""
        if self._is_broken or self._is_unwritable:
            return
        self._to_keep |= {key: str(status).encode() + b"\n" + raw for key, (status, raw) in answers.items()}
        if self._keeping is None:
            self._keeping = asyncio.ensure_future(self._keep())

    async def close(self) -> None:
        """Can be called repeatedly."""
        if self._keeping is not None:
            await self._keeping
        await asyncio.get_running_loop().run_in_executor(self._thread, self._close)
        self._thread.shutdown()

    async def _keep(self) -> None:
        """What comes while a transaction is written goes into the next one."""
        try:
            while self._to_keep and not self._is_unwritable:
                batch = dict(self._to_keep)
                await self._in_thread(self._put, batch)
                for key in batch:
                    self._to_keep.pop(key, None)
        finally:
            self._keeping = None

    async def _in_thread(self, call: Callable[[Any], bytes | None], argument: Any) -> bytes | None:
        return await asyncio.get_running_loop().run_in_executor(self._thread, call, argument)

    def _get(self, key: bytes) -> bytes | None:
        if self._is_broken:  # others were on their way
            return None
        try:
            return self._opened().get(key)
        except ResultsError as error:
            self._say(error, "without the kept answers")
            self._is_broken = True
            return None

    def _put(self, batch: Mapping[bytes, bytes]) -> None:
        if self._is_broken:
            return
        try:
            self._opened().put([*batch.items()])
        except ResultsError as error:
            self._say(error, "without keeping new answers")
            self._is_unwritable = True

    def _opened(self) -> ResponseStore:
        if self._store is None:
            self._store = ResponseStore(self._path, limit_bytes=self._limit_bytes)
        return self._store

    def _close(self) -> None:
        if self._store is not None:
            self._store.close()
            self._store = None

    def _say(self, error: ResultsError, how: str) -> None:
        self._warn(f"{error.message}; the run goes on {how} ({error.hint})")


def _unpacked(value: bytes) -> tuple[int, bytes] | None:
    status, newline, raw = value.partition(b"\n")
    return (int(status), raw) if newline and status.isdigit() and int(status) in {200, *REFUSING} else None


def _sha256(*parts: bytes) -> bytes:
    """Each part with its length, so that none can pass for another."""
    digest = hashlib.sha256(_VERSION)
    for part in parts:
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.digest()
