"""Read a data set's rows: JSON Lines, Parquet or CSV."""

from __future__ import annotations

import csv
import hashlib
import io
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import msgspec

from results.errors import ScriptError, UsageError
from results.extras import has_parquet, install_command
from results.files import open_to_read, read_file
from results.json_text import NOT_THAT_JSON

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path


T = TypeVar("T")


class Row(NamedTuple):
    """One row, unchecked. where: file and line (of Parquet: row), for messages."""

    where: str
    data: Any


def read_rows(path: Path, *, columns: Sequence[str] = (), header: bool = False) -> list[Row]:
    """All rows of a file; its suffix says of which kind it is.

    columns: names of a CSV file's, which has no header. header: a CSV file's first line names them. Neither: the data
    set has no CSV form. Raises UsageError naming the file and line, ScriptError where Parquet can't be read for want of
    its reader.
    """
    known = [".jsonl", ".parquet", *([".csv"] if columns or header else [])]
    if path.suffix not in known:
        what = "is a folder, not a data set" if path.is_dir() else "is not a data set"
        raise UsageError(f"{path} {what}", hint=f"give a file whose name ends in {' or '.join(known)}")
    try:
        if path.suffix == ".jsonl":
            rows = _jsonl(path)
        else:
            rows = _csv(path, columns) if path.suffix == ".csv" else _parquet(path)
    except OSError as error:
        raise UsageError(
            f"cannot read {path}: {error.strerror or error}", hint="give a regular file that you may read"
        ) from error
    except UnicodeDecodeError as error:
        raise UsageError(
            f"{path} is not UTF-8: {error}", hint=f"convert it: iconv -t UTF-8 {path}"
        ) from error
    if not rows:
        raise UsageError(
            f"{path} has no rows", hint="give a file with one object per line; was it fetched whole?"
        )
    return rows


def read_json_lines(path: Path) -> list[Row]:
    """All rows of a file of JSON Lines, whatever it is called. Raises UsageError naming the file and line."""
    try:
        rows = _jsonl(path)
    except OSError as error:
        raise UsageError(
            f"cannot read {path}: {error.strerror or error}", hint="give a regular file that you may read"
        ) from error
    if not rows:
        raise UsageError(f"{path} has no rows", hint="give a file with one object per line")
    return rows


def checked(row: Row, kind: type[T]) -> T:
    """A row as a type; fields that the type lacks are left out. Raises UsageError naming line and field."""
    try:
        return msgspec.convert(row.data, kind)
    except msgspec.ValidationError as error:
        raise UsageError(f"{row.where}: {error}", hint=f"its fields are {_fields(kind)}") from error


def files_sha256(paths: Iterable[Path]) -> str:
    """Of the content of files, in their order; of one file, the same as sha256sum's."""
    digest = hashlib.sha256()
    for path in paths:
        digest.update(read_file(path))
    return digest.hexdigest()


def _jsonl(path: Path) -> list[Row]:
    rows = []
    with open_to_read(path) as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                rows.append(Row(f"{path}:{number}", msgspec.json.decode(line)))
            except NOT_THAT_JSON as error:
                raise UsageError(
                    f"{path}:{number}: not a JSON object: {error}",
                    hint="write one JSON object per line, as JSON Lines",
                ) from error
    return rows


def _csv(path: Path, columns: Sequence[str]) -> list[Row]:
    rows = []
    with io.TextIOWrapper(open_to_read(path), encoding="utf-8-sig", newline="") as lines:
        reader = csv.reader(lines, strict=True)
        try:
            columns = columns or next(reader, [])
            for values in reader:
                where = f"{path}:{reader.line_num}"
                if len(values) != len(columns):
                    raise UsageError(
                        f"{where}: {len(values)} columns instead of {len(columns)}",
                        hint=f"they are {', '.join(columns)}",
                    )
                rows.append(Row(where, dict(zip(columns, values, strict=True))))
        except csv.Error as error:
            raise UsageError(
                f"{path}:{reader.line_num}: {error}",
                hint="correct that line: values with commas stand in quotes",
            ) from error
    return rows


def _parquet(path: Path) -> list[Row]:
    if not has_parquet():
        raise ScriptError(
            f"{path} is Parquet, but pyarrow is not installed",
            hint=install_command("parquet") + "; or give a .jsonl file",
        )
    import pyarrow as pa
    import pyarrow.parquet

    try:
        with open_to_read(path) as file:
            # In this thread: with its pools, now and then the interpreter's end meets one that just starts, and aborts.
            found = pa.parquet.read_table(file, use_threads=False, pre_buffer=False).to_pylist()
    except pa.ArrowException as error:
        raise UsageError(
            f"{path} can't be read as Parquet: {error}",
            hint="fetch the file again, or give the data as .jsonl",
        ) from error
    return [Row(f"{path}, row {number}", row) for number, row in enumerate(found)]


def _fields(kind: type[Any]) -> str:
    return ", ".join(field.encode_name for field in msgspec.structs.fields(kind))
