"""What is remembered of each fetched data set: its commit and the hashes of its files, in the user's configuration."""

from __future__ import annotations

import contextlib
import hashlib
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from results.data_pin import DATA_PIN_VERSION, DataPin, PinnedFile
from results.durable import explained, replace_file
from results.errors import ScriptError
from results.files import open_to_read, read_file
from results.json_text import encode_indented
from results.locks import lock
from results.records import decode_versioned

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evaluation.data.hub_data import HubData


def pins_folder() -> Path:
    """$XDG_CONFIG_HOME/bench_runner/data_pins: not in the cache, which may be emptied without a change of scores."""
    base = os.environ.get("XDG_CONFIG_HOME")
    return (Path(base) if base else Path.home() / ".config") / "bench_runner" / "data_pins"


def pin_path(asked: HubData) -> Path:
    """The file of this data set, split and revision."""
    asked_for = "\n".join((asked.repository, asked.config, asked.split, asked.revision_asked, *asked.files))
    words = "--".join(part for part in (asked.repository, asked.config, asked.split) if part)
    safe = "".join(letter if letter.isalnum() or letter in "-_." else "-" for letter in words)[:120]
    return pins_folder() / f"{safe}--{hashlib.sha256(asked_for.encode()).hexdigest()[:12]}.json"


def read_pin(asked: HubData) -> DataPin | None:
    """None: never fetched. Raises ResultsError for a damaged or newer pin."""
    path = pin_path(asked)
    with explained("read", path):
        try:
            text = read_file(path)
        except (FileNotFoundError, NotADirectoryError):
            return None
    return decode_versioned(text, DataPin, version=DATA_PIN_VERSION, where=str(path), what="a data set's pin")


def new_pin(asked: HubData, commit: str, files: Sequence[tuple[str, Path]]) -> DataPin:
    """What these files (name and place) are. Raises ResultsError."""
    return DataPin(
        repository=asked.repository,
        config=asked.config,
        split=asked.split,
        revision=asked.revision_asked,
        commit=commit,
        files=tuple(
            PinnedFile(name=name, size_bytes=path.stat().st_size, sha256=_sha256(path))
            for name, path in files
        ),
        timestamp=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def keep_pin(asked: HubData, pin: DataPin) -> None:
    """Remember it, if nothing is remembered yet. Where that can't be written, a warning says so."""
    path = pin_path(asked)
    if path.exists():
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with lock(path.parent / ".lock"):
            if not path.exists():  # another process may have been first
                replace_file(path, encode_indented(pin) + b"\n")
    except OSError as error:
        why = error.strerror or error
        print(f"warning: {asked} is not pinned: cannot write {path}: {why}", file=sys.stderr)


def forget_pin(asked: HubData) -> None:
    """The next use fetches what is newest, and pins that. Raises ResultsError."""
    path = pin_path(asked)
    with explained("remove", path), contextlib.suppress(FileNotFoundError):
        path.unlink()


def verify(pin: DataPin, paths: Sequence[Path]) -> None:
    """Raises ScriptError if a file is not the one that was pinned."""
    for file, path in zip(pin.files, paths, strict=True):
        found = _sha256(path)
        if found != file.sha256:
            raise ScriptError(
                f"{path} has changed since {pin.repository} was first used: its sha256 is {found[:12]}..., "
                f"that of {pin.timestamp[:10]} was {file.sha256[:12]}...",
                hint="scores on it would not compare with earlier ones. Delete that file to fetch the pinned one "
                "again; to take the new one from now on, run: bench_runner.py data fetch NAME --renew",
            )


def _sha256(path: Path) -> str:
    with explained("read", path), open_to_read(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
