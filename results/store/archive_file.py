"""One file with several runs, for somebody else: a zip file that opens everywhere, and that `merge` takes apart.

    README.txt, report.html, report.md
    runs/RUN_ID/run.json, completions.jsonl, ...
    archive.json        what is in it, with the sha256 of each file

Servers' and scripts' logs stay here: they are long, and may hold what nobody wants to send.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import stat
import zipfile
import zlib
from typing import TYPE_CHECKING

import msgspec

from results.durable import explained, sync_folder
from results.errors import ResultsError
from results.files import open_regular, open_to_read, require_regular
from results.json_text import encode_indented
from results.records import decode_versioned
from results.store.run_id import RUN_ID
from settings.secrets import HIDDEN, is_secret

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from results.store.run_folder import RunFolder

ARCHIVE_VERSION = 1
RUN_FILES = (
    "run.json",
    "completions.jsonl",
    "requests.jsonl",
    "settings.json",
    "telemetry.jsonl",
    "prompts.jsonl",
    "parts.jsonl",
    "evaluations.jsonl",
    "splits.json",
    "prompt.json",
)
PAGES = ("README.txt", "report.html", "report.md")
_MANIFEST = "archive.json"
_MEMBER = re.compile(rf"runs/({RUN_ID.pattern})/({'|'.join(map(re.escape, RUN_FILES))})")
_CHUNK_BYTES = 1 << 20
_MOST_FILES = 100_000
_LARGEST_MANIFEST = 64 << 20
# More than this from so small a file is no archive of runs, whose text shrinks to a tenth or a fiftieth.
_LARGEST_RATIO = 200
_SMALL_BYTES = 64 << 20
SPARE_BYTES = 64 << 20  # of the disk, which are left free
_LEAST_SECRET = 8  # characters; shorter values would hide ordinary words
_TOKENS = re.compile(
    rb"\b(?:hf_[A-Za-z0-9]{30,}|sk-[A-Za-z0-9_-]{20,}|gh[pousr]_[A-Za-z0-9]{30,}|AKIA[A-Z0-9]{16})\b"
)
_MASKED_TOKENS = {"run.json", "settings.json"}  # in answers, what looks like a key is a model's invention
_BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    NotImplementedError,
    RuntimeError,
    UnicodeError,
    ValueError,
)


class ArchivedFile(msgspec.Struct, frozen=True, kw_only=True):
    path: str
    sha256: str
    size_bytes: int


class Archive(msgspec.Struct, frozen=True, kw_only=True):
    """What an archive says of itself."""

    schema_version: int = ARCHIVE_VERSION
    created: str
    harness: str
    runs: tuple[str, ...]
    files: tuple[ArchivedFile, ...]


def write_archive(
    path: Path, runs: Iterable[RunFolder], pages: Mapping[str, str], *, created: str, harness: str
) -> int:
    """Write an archive in place of `path`, and return how many secrets were hidden in it.

    pages: texts by name, of PAGES. The values of the environment's keys and passwords, and what looks like a key in a
    record, are replaced. Raises ResultsError, with the old file untouched.
    """
    temporary = path.with_name(f".{path.name}.tmp")
    with explained("write", path):
        with contextlib.suppress(FileNotFoundError):
            require_regular(path, path.stat())
        temporary.unlink(missing_ok=True)
        descriptor = open_regular(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL)
        try:
            with os.fdopen(descriptor, "w+b") as file:
                hidden = _write(
                    zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED), runs, pages, created, harness
                )
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
            sync_folder(path.absolute().parent)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    return hidden


def unpack(path: Path, into: Path) -> Archive:
    """Check the whole archive and write its runs into `into`, as folders named by their ids.

    Nothing is written outside; the caller makes it durable. Raises ResultsError for a file that is damaged, unsafe,
    newer, or no archive of ours; what was written by then is not to be used.
    """
    with explained("read", path), open_to_read(path) as file:
        size = os.fstat(file.fileno()).st_size
        try:
            with zipfile.ZipFile(file) as packed:
                return _unpack(packed, path, size, into)
        except _BROKEN as error:
            raise ResultsError(
                f"{path} is damaged, or is not an archive of runs: {error}", hint="ask for it again"
            ) from error


def _write(
    packed: zipfile.ZipFile, runs: Iterable[RunFolder], pages: Mapping[str, str], created: str, harness: str
) -> int:
    secrets = _secrets()
    files: list[ArchivedFile] = []
    ids: list[str] = []
    hidden = 0

    def add(name: str, data: bytes) -> None:
        packed.writestr(name, data)
        files.append(ArchivedFile(path=name, sha256=hashlib.sha256(data).hexdigest(), size_bytes=len(data)))

    with packed:
        for name in PAGES:
            text, found = _without_secrets(pages[name].encode(), secrets, tokens=False)
            hidden += found
            add(name, text)
        for run in runs:
            ids.append(run.run_id)
            for name in RUN_FILES:
                with contextlib.suppress(FileNotFoundError), open_to_read(run.path / name) as source:
                    data, found = _without_secrets(source.read(), secrets, tokens=name in _MASKED_TOKENS)
                    hidden += found
                    add(f"runs/{run.run_id}/{name}", data)
        manifest = Archive(created=created, harness=harness, runs=tuple(ids), files=tuple(files))
        packed.writestr(_MANIFEST, encode_indented(manifest))
    return hidden


def _secrets() -> tuple[bytes, ...]:
    """The values of the environment's secrets, as text and as JSON has them."""
    values = {value for name, value in os.environ.items() if is_secret(name) and len(value) >= _LEAST_SECRET}
    values |= {json.dumps(value)[1:-1] for value in values}
    return tuple(os.fsencode(value) for value in sorted(values, key=len, reverse=True))


def _without_secrets(data: bytes, secrets: Iterable[bytes], *, tokens: bool) -> tuple[bytes, int]:
    hidden = 0
    for secret in secrets:
        if found := data.count(secret):
            data, hidden = data.replace(secret, HIDDEN.encode()), hidden + found
    if tokens:
        data, found = _TOKENS.subn(HIDDEN.encode(), data)
        hidden += found
    return data, hidden


def _unpack(packed: zipfile.ZipFile, path: Path, size: int, into: Path) -> Archive:
    members = [member for member in packed.infolist() if not (member.is_dir() and not member.file_size)]
    by_name = {member.filename: member for member in members}
    _require_harmless(path, members, by_name, size, into)
    if _MANIFEST not in by_name:
        raise ResultsError(f"{path} is not an archive of runs: it has no {_MANIFEST}", hint=_MADE_BY)
    if by_name[_MANIFEST].file_size > _LARGEST_MANIFEST:
        raise ResultsError(f"{path}: {_MANIFEST} is absurdly large", hint=_MADE_BY)
    where = f"{_MANIFEST} in {path}"
    archive = decode_versioned(
        packed.read(_MANIFEST),
        Archive,
        version=ARCHIVE_VERSION,
        where=where,
        what="the contents of an archive",
    )
    listed = {file.path: file for file in archive.files}
    if len(listed) != len(archive.files) or {*listed} != {*by_name} - {_MANIFEST}:
        odd = sorted({*listed} ^ ({*by_name} - {_MANIFEST}))[:1]
        raise ResultsError(
            f"{path} is damaged: its files are not those that it lists{f', such as {odd[0]}' if odd else ''}",
            hint="ask for it again",
        )
    for name, file in listed.items():
        found = _MEMBER.fullmatch(name)
        if found is None and name not in PAGES:
            raise ResultsError(f"{path} has a file that no archive has: {name}", hint=_MADE_BY)
        target = into / found[1] / found[2] if found else None
        _unpack_member(packed, by_name[name], file, path, target)
    return archive


_MADE_BY = "archives are made by `bench_runner.py export RUN... --archive FILE`"


def _require_harmless(
    path: Path, members: list[zipfile.ZipInfo], by_name: Mapping[str, zipfile.ZipInfo], size: int, into: Path
) -> None:
    if len(members) > _MOST_FILES:
        raise ResultsError(f"{path} has {len(members)} files: too many for an archive of runs", hint=_MADE_BY)
    if len(by_name) != len(members):
        raise ResultsError(f"{path} has two files of one name", hint=_MADE_BY)
    for member in members:
        name, mode = member.filename, member.external_attr >> 16
        if name.startswith("/") or "\\" in name or ".." in name.split("/"):
            raise ResultsError(
                f"{path} is unsafe: it has a file that would be written elsewhere, {name}", hint=_MADE_BY
            )
        if mode and stat.S_IFMT(mode) not in {0, stat.S_IFREG}:
            raise ResultsError(f"{path} is unsafe: {name} is a link or no regular file", hint=_MADE_BY)
    total = sum(member.file_size for member in members)
    if total > _SMALL_BYTES and total > _LARGEST_RATIO * size:
        raise ResultsError(
            f"{path} is unsafe: its {size:,} bytes would become {total:,}",
            hint="an archive of runs shrinks far less",
        )
    if total + SPARE_BYTES > shutil.disk_usage(into).free:
        raise ResultsError(
            f"{path} would become {total:,} bytes, more than there is room for in {into}",
            hint="free some space there, or choose another folder with --results-dir",
        )


def _unpack_member(
    packed: zipfile.ZipFile, member: zipfile.ZipInfo, listed: ArchivedFile, path: Path, target: Path | None
) -> None:
    """Write a member to `target`, or only check it. Reads no more than its stated size."""
    digest, length = hashlib.sha256(), 0
    with contextlib.ExitStack() as opened:
        made = None
        if target is not None:
            target.parent.mkdir(exist_ok=True)
            made = opened.enter_context(target.open("xb"))
        for chunk in _chunks(packed, member):
            length += len(chunk)
            if length > listed.size_bytes:
                break
            digest.update(chunk)
            if made is not None:
                made.write(chunk)
    if length != listed.size_bytes or digest.hexdigest() != listed.sha256:
        raise ResultsError(
            f"{path} is damaged: {member.filename} is not as it was packed", hint="ask for it again"
        )


def _chunks(packed: zipfile.ZipFile, member: zipfile.ZipInfo) -> Iterator[bytes]:
    with packed.open(member) as source:
        while chunk := source.read(_CHUNK_BYTES):
            yield chunk
