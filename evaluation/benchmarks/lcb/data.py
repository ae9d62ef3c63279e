"""LiveCodeBench's data: JSON lines as the project publishes them (`livecodebench/code_generation_lite`).

The tests of a release are gigabytes. So only what is needed to ask stays in memory; the tests of a problem are read
again from its line in the file whenever an answer to it is judged.
"""

from __future__ import annotations

import base64
import hashlib
import json
import zlib
from datetime import date, datetime
from typing import TYPE_CHECKING, Literal, NamedTuple, NoReturn

import msgspec

from evaluation.data.data_set import DataSet
from evaluation.protocols import Sample
from results.errors import UsageError
from results.files import open_to_read
from results.json_text import NOT_THAT_JSON

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

_TESTS_BYTES = 1 << 30  # of one problem, unpacked; the largest that is published has a tenth of it
_PICKLED_TEXT = {"SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8", "UNICODE"}
_AROUND_IT = {"PROTO", "FRAME", "MEMOIZE", "PUT", "BINPUT", "LONG_BINPUT", "STOP"}


class Test(msgspec.Struct, frozen=True):
    """One test as it is published. input and output: of a functional one JSON, an argument a line."""

    __test__ = False  # for pytest, which collects what is called so

    input: str
    output: str
    testtype: Literal["stdin", "functional"]


class ContestProblem(msgspec.Struct, frozen=True, kw_only=True):
    """One line without its private tests. function: the name to be called; None: a program that reads stdin."""

    question_title: str
    question_content: str
    platform: str
    question_id: str
    contest_id: str
    contest_date: str
    starter_code: str
    difficulty: str
    metadata: str

    @property
    def day(self) -> date:
        """Of its contest. Raises ValueError."""
        return datetime.fromisoformat(self.contest_date).date()

    @property
    def function(self) -> str | None:
        """Raises msgspec.MsgspecError."""
        return msgspec.json.decode(self.metadata, type=_Metadata).func_name


class LinePlace(NamedTuple):
    """Where a problem's line is. number: of the line, from 1."""

    path: Path
    number: int
    offset: int
    length: int

    def __str__(self) -> str:
        return f"{self.path}, line {self.number}"


def load_data(paths: Sequence[Path], *, start: date | None = None, end: date | None = None) -> DataSet:
    """The problems of those days, first and last included, in the order of their ids, as the official runner has them.

    data of a sample: a problem, its day and function, and its place. Raises UsageError naming file, line and field.
    """
    digest = hashlib.sha256()
    found: dict[str, Sample] = {}
    days: set[date] = set()
    for path in paths:
        for place, line in _lines(path):
            digest.update(line)
            if line.isspace():
                continue
            sample = _sample(line, place)
            day = sample.data["day"]
            days.add(day)
            if sample.task_id in found:
                _refuse(place, f"question_id {sample.task_id!r} is given twice")
            if (start is None or start <= day) and (end is None or day <= end):
                found[sample.task_id] = sample
    if not days:
        raise UsageError(f"{', '.join(map(str, paths))} has no problems", hint="JSON lines, one per problem")
    if not found:
        raise UsageError(
            f"no problem is from the days {start or 'the first'} to {end or 'the last'}",
            hint=f"the data covers {min(days)} to {max(days)}",
        )
    return DataSet(tuple(sorted(found.values(), key=lambda sample: sample.task_id)), digest.hexdigest())


def read_tests(place: LinePlace) -> list[Test]:
    """The public tests of the problem there, then the private ones. Raises UsageError."""
    try:
        with open_to_read(place.path) as file:
            file.seek(place.offset)
            line = file.read(place.length)
    except OSError as error:
        _refuse(place, f"can't be read any more: {error.strerror}")
    try:
        packed = msgspec.json.decode(line, type=_Tests)
        tests = _tests(packed.public_test_cases) + _tests(unpacked(packed.private_test_cases))
    except (*NOT_THAT_JSON, ValueError) as error:
        _refuse(place, f"its tests can't be read: {error}")
    if not tests:
        _refuse(place, "it has no tests")
    return tests


def unpacked(text: str) -> str:
    """Private tests as JSON, from JSON or from base64(zlib(pickle(JSON))). Raises ValueError.

    Nothing is unpickled: the one text of a pickle is read, and a pickle of anything else is refused.
    """
    if text.lstrip().startswith("["):
        return text
    try:
        unpacking = zlib.decompressobj()
        data = unpacking.decompress(base64.b64decode(text, validate=True), _TESTS_BYTES)
        if unpacking.unconsumed_tail:
            raise ValueError(f"the private tests are more than {_TESTS_BYTES >> 20} MiB")
        return _pickled_text(data)
    except (ValueError, zlib.error) as error:
        raise ValueError(
            f"private_test_cases is neither JSON nor base64 of compressed, pickled JSON ({error})"
        ) from error


def _pickled_text(data: bytes) -> str:
    import pickletools

    texts = []
    for opcode, argument, _ in pickletools.genops(data):
        if opcode.name in _PICKLED_TEXT:
            texts.append(argument)
        elif opcode.name not in _AROUND_IT:
            raise ValueError(f"the pickle holds more than a text: {opcode.name}")
    if len(texts) != 1:
        raise ValueError(f"the pickle holds {len(texts)} texts")
    return str(texts[0])


class _Tests(msgspec.Struct):
    public_test_cases: str
    private_test_cases: str


class _Metadata(msgspec.Struct):
    func_name: str | None = None


def _lines(path: Path) -> Iterator[tuple[LinePlace, bytes]]:
    try:
        with open_to_read(path) as file:
            offset = 0
            for number, line in enumerate(file, 1):
                yield LinePlace(path, number, offset, len(line)), line
                offset += len(line)
    except OSError as error:
        raise UsageError(
            f"{path} can't be read: {error.strerror}", hint="--dataset needs a file of JSON lines"
        ) from error


def _sample(line: bytes, place: LinePlace) -> Sample:
    try:
        problem = msgspec.json.decode(line, type=ContestProblem)
    except NOT_THAT_JSON as error:
        _refuse(place, str(error))
    try:
        day = problem.day
    except ValueError:
        _refuse(place, f"contest_date {problem.contest_date!r} is not a date such as 2024-08-31T00:00:00")
    try:
        function = problem.function
    except NOT_THAT_JSON as error:
        _refuse(place, f"metadata: {error}")
    return Sample(
        task_id=problem.question_id,
        data={"problem": problem, "day": day, "function": function, "place": place},
        tags={
            "difficulty": problem.difficulty,
            "platform": problem.platform,
            "month": f"{day:%Y-%m}",
        },
    )


def _tests(text: str) -> list[Test]:
    return [] if not text else msgspec.convert(json.loads(text), list[Test])


def _refuse(place: LinePlace, what: str) -> NoReturn:
    raise UsageError(
        f"{place}: {what}",
        hint="--dataset needs JSON lines as published in livecodebench/code_generation_lite",
    )
