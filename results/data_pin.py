"""The type of what is kept on disk about a fetched data set: which commit it is, and the hashes of its files.

Part of the schema of `results/records.py`.
"""

from __future__ import annotations

import msgspec

DATA_PIN_VERSION = 1


class PinnedFile(msgspec.Struct, frozen=True, kw_only=True):
    """name: in the repository, or in the folder for files that were put there by hand."""

    name: str
    size_bytes: int
    sha256: str


class DataPin(msgspec.Struct, frozen=True, kw_only=True):
    """What was fetched the first time. revision: as asked for. commit: of the repository; "" if a user put the files
    there. timestamp: UTC.
    """

    schema_version: int = DATA_PIN_VERSION
    repository: str
    config: str = ""
    split: str = ""
    revision: str
    commit: str
    files: tuple[PinnedFile, ...]
    timestamp: str
