"""Hashes of large files, cached by path, size, time and inode; and the parts of a split model."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
from typing import TYPE_CHECKING

from results.durable import replace_file
from results.files import open_to_read, read_file
from results.folders import cache_folder
from results.locks import lock

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

SPLIT = re.compile(r"-00001-of-(\d{5})$")  # how llama-gguf-split names the first part
_SHA256 = re.compile(r"[0-9a-f]{64}")
_MOST_KEPT = 4096  # entries in the cache; the oldest are dropped
_LOCK_S = 10.0  # other processes hold the lock for milliseconds each
# The cache's file as it was read last: its signature, and its content.
_read: tuple[object, dict[str, str]] | None = None


def parts_of(path: Path) -> tuple[Path, ...]:
    """The file, or, if it is the first part of a split model, all parts, whether they exist or not."""
    found = SPLIT.search(path.stem)
    if found is None:
        return (path,)
    base, count = path.stem[: found.start()], int(found[1])
    return tuple(path.with_name(f"{base}-{number:05}-of-{count:05}.gguf") for number in range(1, count + 1))


def files_sha256(files: Sequence[Path]) -> str:
    """The sha256 of a file, or of the hashes of several, in this order. Reads them whole once. Raises OSError."""
    known = _read_cache()
    key = "|".join(_fingerprint(file) for file in files)
    if key in known:
        return known[key]
    if len(files) == 1:
        digest = _file_sha256(files[0])
    else:
        digest = hashlib.sha256("".join(_file_sha256(file) for file in files).encode()).hexdigest()
    _keep(key, digest)
    return digest


def _file_sha256(path: Path) -> str:
    with open_to_read(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _fingerprint(path: Path) -> str:
    status = path.stat()
    return f"{os.path.realpath(path)}:{status.st_size}:{status.st_mtime_ns}:{status.st_ino}"


def _cache_path() -> Path:
    return cache_folder() / "sha256.json"


def _read_cache() -> dict[str, str]:
    """The hash cache; {} if it is missing or unreadable, because it only saves time. Reads it if it has changed."""
    global _read  # noqa: PLW0603 - a sweep asks for the hashes of the same models thousands of times
    path = _cache_path()
    try:
        signature = _signature(path)
        if _read is not None and _read[0] == signature:
            return _read[1]
        known = json.loads(read_file(path))
    except (OSError, ValueError, RecursionError):
        return {}
    found = (
        {key: digest for key, digest in known.items() if _is_sha256(digest)}
        if isinstance(known, dict)
        else {}
    )
    _read = (signature, found)
    return found


def _signature(path: Path) -> tuple[str, int, int, int]:
    status = path.stat()
    return str(path), status.st_mtime_ns, status.st_ino, status.st_size


def _is_sha256(digest: object) -> bool:
    return isinstance(digest, str) and _SHA256.fullmatch(digest) is not None


def _keep(key: str, digest: str) -> None:
    """Cache a hash. If that isn't possible, the hash is computed again next time."""
    global _read  # noqa: PLW0603 - so that it isn't read again for each new model
    path = _cache_path()
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with lock(path.with_suffix(".lock"), within_s=_LOCK_S) as ours:
            if ours is not None:
                entries = dict(list({**_read_cache(), key: digest}.items())[-_MOST_KEPT:])
                replace_file(path, json.dumps(entries).encode())
                _read = (_signature(path), entries)
