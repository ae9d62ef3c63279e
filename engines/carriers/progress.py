"""How far an attempt's packs were read, beside the attempt: a coordinator that comes later goes on there.

Read once more from the first one, the packs would for a while take back the records that are here, and who adopted the
attempt in that while would lose it. The files of an attempt aren't synced to the disk, so the note counts only until
this machine starts anew; after that the packs, which are all still there, are read from the first one.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from typing import TYPE_CHECKING, Final

from engines.node.attempt_files import END
from processes.holder import boot_id
from results.durable import write_at
from results.files import open_regular, read_file

if TYPE_CHECKING:
    from pathlib import Path

PROGRESS: Final = ".packs-read"  # hidden: no machine can write it, and it isn't carried
_MOST_PACKS: Final = 10**12


def begin(attempt: Path, address: str) -> int:
    """The number of the pack to go on with. If that is the first one, the attempt has no end here any more: it has one
    again when all of it is here. Raises OSError.
    """
    with contextlib.suppress(FileNotFoundError, ValueError):
        *where, number = read_file(attempt / PROGRESS).split()
        if where == _words(address, 1).split()[:2] and boot_id() != b"-" and 1 <= int(number) < _MOST_PACKS:
            return int(number)
    (attempt / END).unlink(missing_ok=True)
    return 1


def note(attempt: Path, address: str, number: int) -> None:
    """All packs before that number are in the attempt's folder. Raises OSError."""
    descriptor = open_regular(attempt / PROGRESS, os.O_WRONLY | os.O_CREAT)
    try:
        write_at(descriptor, _words(address, number), 0)  # always as long, so that none is cut or left over
    finally:
        os.close(descriptor)


def _words(address: str, number: int) -> bytes:
    where = hashlib.sha256(address.encode(errors="surrogatepass")).hexdigest()[:16]
    return b"%s %s %012d\n" % (boot_id(), where.encode(), number)
