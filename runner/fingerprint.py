"""A run's identity: a hash of every setting that determines its result.

The table of settings says which do (`Determines`). In it, of those that were given:

- of the model and of every file its content (sha256), wherever it lies and whatever it is called; of a model that the
  server fetches itself, and of a server that is already running, the name;
- the slots too: they change the speed, which is a result, and greedy answers a little.

Not in it: what determines nothing (the port, folders, timeouts, restarts, names); the sandbox's level, by which
verdicts don't change (tests hold it to that); the versions of the server's build and of this program, which records
have: a new sweep runs everything anew.

A setting that is left out, and the same one given with a default that the script or the server chooses, are two.
"""

from __future__ import annotations

import functools
import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from results.errors import UsageError
from results.files import open_to_read
from servers.models import content_sha256
from settings.setting import Determines

if TYPE_CHECKING:
    from runner.spec import RunSpec
    from servers.models import Model

VERSION = 1  # raised when the same run gets another fingerprint
_DIGITS = 32


def fingerprint(spec: RunSpec) -> str:
    """Hexadecimal digits. Reads the model's files the first time (their hash is kept by path, size, time and inode).

    Raises UsageError when a file can't be read.
    """
    return digest({"version": VERSION, **determining(spec, model=_known_by(spec.server.model))})


def determining(spec: RunSpec, *, model: str | None) -> dict[str, Any]:
    """What a run's result depends on, by setting; what was not asked for is left out. model: what it is known by."""
    found = {
        name: _content(value) if spec.asked.table[name].kind == "path" else value
        for name, value in spec.asked.given.items()
        if spec.asked.table[name].determines is not Determines.NOTHING
        if value != spec.asked.table[name].default
    }
    followed = {
        "benchmark": spec.benchmark.name,
        "model": model if spec.server.model else spec.server.model_name,
        "server": spec.server.kind,
        "parser": spec.parser,
    }
    return {name: value for name, value in {**found, **followed}.items() if value not in {None, ()}}


def digest(facts: dict[str, Any]) -> str:
    """Of anything that JSON can say; the order of keys doesn't matter."""
    text = json.dumps(facts, sort_keys=True, ensure_ascii=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:_DIGITS]


def _known_by(model: Model | None) -> str | None:
    """The sha256 where there are files, else the name."""
    return (content_sha256(model) or model.name) if model else None


def _content(name: str) -> str:
    """Of a folder its path: data sets can be large ones."""
    path = Path(name)
    try:
        if path.is_dir():
            return str(path.resolve())
        status = path.stat()
        return _hashed(path, (status.st_size, status.st_mtime_ns, status.st_ino))
    except OSError as error:
        raise UsageError(f"{path} can't be read: {error.strerror or error}") from error


@functools.lru_cache(maxsize=256)
def _hashed(path: Path, _signature: tuple[int, int, int]) -> str:
    with open_to_read(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
