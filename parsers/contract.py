"""What a parser is given and what it returns."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Protocol

import msgspec

from results.files import open_to_read

if TYPE_CHECKING:
    from pathlib import Path

    from results.records import Score

# A summary stands at the end; a script that prints gigabytes must not fill our memory.
KEPT_BYTES = 8 << 20


class ScriptOutput(msgspec.Struct, frozen=True):
    """What the script left: the end of its stdout and stderr as text, its folder, its exit code.

    prompt_logprobs: whether the server gives the log-probabilities of a prompt's tokens; None where nobody asked it.
    """

    stdout: str
    stderr: str
    folder: Path
    exit_code: int
    prompt_logprobs: bool | None = None

    @classmethod
    def from_files(
        cls, stdout: Path, stderr: Path, folder: Path, exit_code: int, *, prompt_logprobs: bool | None = None
    ) -> ScriptOutput:
        """Read the last `KEPT_BYTES` of each; what is not UTF-8 becomes U+FFFD; a missing file is empty."""
        return cls(read_end(stdout), read_end(stderr), folder, exit_code, prompt_logprobs)


class Parser(Protocol):
    """Turns a script's output into a score, without side effects."""

    @property
    def name(self) -> str: ...

    def parse(self, output: ScriptOutput) -> Score:
        """Raises ParseError when the output is not what this parser reads."""
        ...


def read_end(path: Path, limit: int = KEPT_BYTES) -> str:
    """The last `limit` bytes of a file as text. Raises OSError, but not for a missing file."""
    try:
        with open_to_read(path) as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - limit))
            return file.read(limit).decode("utf-8", "replace")
    except FileNotFoundError:
        return ""
