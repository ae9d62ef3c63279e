"""One file out of a zip archive, also where Python's own zipfile cannot decompress it."""

from __future__ import annotations

import struct
import zipfile
import zlib
from typing import TYPE_CHECKING

from results.files import open_to_read

if TYPE_CHECKING:
    from pathlib import Path

_ZSTANDARD = 93  # APPNOTE.TXT, 4.4.5
_LOCAL_HEADER = struct.Struct("<4s5H3L2H")  # APPNOTE.TXT, 4.3.7
_LARGEST_BYTES = 256 << 20
# What zipfile raises where bytes are wrong; RuntimeError is an archive with a password.
_DAMAGED = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    KeyError,
    OverflowError,
    RuntimeError,
    ValueError,
)


class UnreadableMember(Exception):
    """It is there, but cannot be decompressed here."""


def read_member(path: Path, name: str) -> bytes | None:
    """The file's content; None where it is not in the archive, or that is no archive or a damaged one.

    Raises UnreadableMember, OSError.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            member = archive.getinfo(name)
            if member.file_size > _LARGEST_BYTES:
                raise UnreadableMember(f"{name} is larger than {_LARGEST_BYTES >> 20} MiB")
            try:
                return archive.read(member)
            except NotImplementedError:  # a RuntimeError too
                if member.compress_type != _ZSTANDARD:
                    raise UnreadableMember(f"{name} is compressed in an unknown way") from None
        return _decompressed(_compressed(path, member), member.file_size)
    except _DAMAGED:
        return None


def _compressed(path: Path, member: zipfile.ZipInfo) -> bytes:
    with open_to_read(path) as file:
        file.seek(member.header_offset)
        header = file.read(_LOCAL_HEADER.size)
        if len(header) < _LOCAL_HEADER.size:
            raise EOFError
        *_, name_bytes, extra_bytes = _LOCAL_HEADER.unpack(header)
        file.seek(name_bytes + extra_bytes, 1)
        return file.read(member.compress_size)


def _decompressed(data: bytes, size_bytes: int) -> bytes | None:
    """None where the data are damaged."""
    import zstandard  # Python 3.14 and newer does without

    try:
        with zstandard.ZstdDecompressor().stream_reader(data, read_across_frames=True) as reader:
            return reader.read(size_bytes)
    except zstandard.ZstdError:
        return None
