"""Unpack gzip without trusting it: a small file can hold more than the memory does."""

from __future__ import annotations

import gzip
import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST_UNPACKED_BYTES = 1 << 30
_PIECE_BYTES = 1 << 20


def unpacked(data: bytes) -> Iterator[bytes]:
    """Its content in pieces. Raises ValueError as soon as that is more than a data set is; OSError, EOFError or
    zlib.error for what is no gzip file, or a part of one.
    """
    size_bytes = 0
    with gzip.GzipFile(fileobj=io.BytesIO(data)) as file:
        while piece := file.read(_PIECE_BYTES):
            size_bytes += len(piece)
            if size_bytes > MOST_UNPACKED_BYTES:
                raise ValueError(f"it unpacks to more than {MOST_UNPACKED_BYTES:,} bytes")
            yield piece
