"""The text on which predictions are compared: one's own file, or the one that comes with the program."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from results.errors import UsageError
from results.files import read_file

DEFAULT_TEXT = Path(__file__).with_name(
    "text.txt"
)  # of this project: prose, code in several languages, tables
_MOST_BYTES = 64 << 20  # what a server still tokenises in one request


@dataclass(frozen=True, kw_only=True)
class MeasuredText:
    """sha256: of the file's bytes."""

    content: str
    sha256: str


def read_text(path: Path | None) -> MeasuredText:
    """The text of that file, or the default one. Raises UsageError."""
    path = path or DEFAULT_TEXT
    try:
        data = read_file(path)
    except OSError as error:
        raise UsageError(
            f"--kld-text {path}: {error.strerror or error}", hint="give a text file", settings=("kld_text",)
        ) from error
    if len(data) > _MOST_BYTES:
        raise UsageError(
            f"--kld-text {path} has {len(data) >> 20} MiB, more than {_MOST_BYTES >> 20}",
            hint="cut it; some hundred kilobytes give narrow intervals",
            settings=("kld_text",),
        )
    try:
        return MeasuredText(content=data.decode(), sha256=hashlib.sha256(data).hexdigest())
    except UnicodeDecodeError:
        raise UsageError(
            f"--kld-text {path} is not UTF-8", hint="convert it: iconv -t UTF-8", settings=("kld_text",)
        ) from None
