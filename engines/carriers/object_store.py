"""Blobs in an object store, through fsspec: S3 and what speaks its protocol, and others whose package is installed.

Keys come from the environment of each machine, as the store's own tools take them (AWS_PROFILE, AWS_ACCESS_KEY_ID and
so on, AWS_ENDPOINT_URL for a server of one's own), never from an address.
"""

from __future__ import annotations

import contextlib
import functools
import re
from typing import TYPE_CHECKING, Any

from engines.carriers.blobs import BlobCarrier
from results.errors import UsageError
from results.extras import install_command
from results.plain_text import plain

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_URL = re.compile(r"[a-z][a-z0-9+]*://[^\s?#]+")


def object_store(url: str) -> BlobCarrier:
    """A `Carrier` through the store at that URL, such as s3://bucket/prefix. Raises UsageError for one that isn't, or a
    kind of store whose package is missing. Doesn't connect.
    """
    if not _URL.fullmatch(url) or "@" in url:
        raise UsageError(
            f"{_without_secrets(url)} is no address of an object store",
            hint="write it as s3://BUCKET/PREFIX; keys come from the environment, such as AWS_PROFILE",
        )
    file_system(url)
    return BlobCarrier(
        url,
        ObjectBlobs,
        hint="look at the store's name, at the keys in the environment ($AWS_PROFILE, $AWS_ACCESS_KEY_ID, ...) and "
        "for a server of your own at $AWS_ENDPOINT_URL",
    )


class ObjectBlobs:
    """`Blobs` below a URL. Raises UsageError."""

    def __init__(self, url: str) -> None:
        self._fs = file_system(url)
        self._path = self._fs._strip_protocol(url)  # noqa: SLF001 - every implementation of fsspec has it

    def put(self, name: str, data: bytes) -> None:
        with _as_os_error():
            self._fs.pipe_file(f"{self._path}/{name}", data)

    def put_file(self, name: str, path: Path) -> None:
        with _as_os_error():
            self._fs.put_file(str(path), f"{self._path}/{name}")

    def get(self, name: str, most: int) -> bytes | None:
        try:
            with _as_os_error():
                found: bytes = self._fs.cat_file(f"{self._path}/{name}", start=0, end=most)
        except FileNotFoundError:
            return None
        return found

    def remove(self, folder: str) -> None:
        path = f"{self._path}/{folder}"
        with contextlib.suppress(FileNotFoundError), _as_os_error():
            self._fs.rm(path, recursive=True)


@functools.lru_cache(maxsize=8)
def file_system(url: str) -> Any:
    """That of fsspec for URLs like this one. Raises UsageError."""
    kind = url.partition("://")[0]
    if kind in {"file", "local", "memory", "data", "http", "https"}:
        raise UsageError(
            f"{kind}:// is no object store",
            hint="write it as s3://BUCKET/PREFIX; a folder that all machines see needs no store at all",
        )
    try:
        import fsspec

        # Else a listing would hide what others have put since.
        return fsspec.filesystem(kind, use_listings_cache=False)
    except ImportError as error:
        package = "bench-runner[s3]" if kind in {"s3", "s3a"} else "its package for fsspec"
        raise UsageError(
            f"{package} is missing for {kind}:// stores: {error}",
            hint=install_command("s3") if kind in {"s3", "s3a"} else f"install it: {error}",
        ) from error
    except ValueError as error:
        raise UsageError(
            f"{kind}:// is no kind of store that is known here: {error}",
            hint="write it as s3://BUCKET/PREFIX",
        ) from error


@contextlib.contextmanager
def _as_os_error() -> Iterator[None]:
    """What a store's package raises, which may be anything, as OSError, which its own mistakes are too."""
    try:
        yield
    except OSError:
        raise
    except Exception as error:
        raise OSError(plain(str(error)) or type(error).__name__) from error


def _without_secrets(url: str) -> str:
    """For a message: a URL may have keys before its @, or in its question."""
    return plain(re.sub(r"//[^/@]*@", "//...@", url.partition("?")[0]))
