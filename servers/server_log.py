"""What a server printed since a point in its log file, whatever the bytes are."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path  # noqa: TC003 - a field's type

from results.files import open_to_read
from results.plain_text import tail
from settings.secrets import HIDDEN

READ_LIMIT_BYTES = 256 * 1024  # each from the beginning and the end: a server may print gigabytes
LINE_LIMIT = 2000  # patterns are looked for in it: a search in one endless line would take minutes


@dataclass(frozen=True)
class ServerLog:
    """The log from `offset` on: restarts append to the same file, and each start reads only its own part.

    secrets: what a server prints of its own command line that nobody shall read in messages and records.
    """

    path: Path
    offset: int = 0
    secrets: tuple[str, ...] = ()

    @staticmethod
    def at_end(path: Path, secrets: tuple[str, ...] = ()) -> ServerLog:
        """From the file's present end on; the file need not exist."""
        try:
            return ServerLog(path, path.stat().st_size, secrets)
        except OSError:
            return ServerLog(path, 0, secrets)

    def text(self) -> str:
        """Beginning and end of it, at most READ_LIMIT_BYTES each and LINE_LIMIT characters a line.

        What is not UTF-8 shows as U+FFFD.
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
        """As `results.plain_text.tail`."""
        return tail(self.text(), lines=lines)
