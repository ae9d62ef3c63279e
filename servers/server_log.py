"""Read what a server has printed since a point in its log file, whatever the bytes are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from results.files import open_to_read
from results.plain_text import tail
from settings.secrets import HIDDEN

if TYPE_CHECKING:
    from pathlib import Path

READ_LIMIT_BYTES = 256 * 1024  # from the beginning and from the end, because a server may print gigabytes
LINE_LIMIT = 2000  # searching for patterns in one endless line would take minutes


class ServerLog(msgspec.Struct, frozen=True):
    """The log from `offset` on. Restarts append to the same file, and each start reads only its own part.

    secrets: texts of the server's command line that must not appear in messages and records.
    """

    path: Path
    offset: int = 0
    secrets: tuple[str, ...] = ()

    @staticmethod
    def at_end(path: Path, secrets: tuple[str, ...] = ()) -> ServerLog:
        """The log from the file's current end on. The file need not exist."""
        try:
            return ServerLog(path, path.stat().st_size, secrets)
        except OSError:
            return ServerLog(path, 0, secrets)

    def text(self) -> str:
        """The beginning and end of the log, at most READ_LIMIT_BYTES each and LINE_LIMIT characters per line.

        Bytes that are not UTF-8 become U+FFFD.
        """
        try:
            with open_to_read(self.path) as file:
                size = file.seek(0, 2) - self.offset
                file.seek(self.offset)
                data = file.read(min(size, READ_LIMIT_BYTES))
                if size > 2 * READ_LIMIT_BYTES:
                    file.seek(-READ_LIMIT_BYTES, 2)
                    data += b"\n...\n"
                data += file.read(READ_LIMIT_BYTES)
        except OSError:
            return ""
        text = "\n".join(line[:LINE_LIMIT] for line in data.decode(errors="replace").split("\n"))
        for secret in self.secrets:
            text = text.replace(secret, HIDDEN)
        return text

    def tail(self, lines: int = 20) -> str:
        """The last lines, like `results.plain_text.tail`."""
        return tail(self.text(), lines=lines)
