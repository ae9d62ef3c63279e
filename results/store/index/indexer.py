"""Bring the index up to date with the run folders: what changed is read, and each run changes in one transaction."""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.exc import DatabaseError

from results.json_text import encode
from results.records import Remarks, RunStatus
from results.store.index import counting, run_reader, schema
from results.store.index.database import index_errors, is_damage
from results.store.index.files import changed, completions_signature, has_grown, signature_of, signatures
from results.store.index.numbers import Numbers
from results.store.index.run_reader import ReadTo
from results.store.index.schema import column_text
from results.store.reading.folder_run_store import progress_of, read_run
from results.store.reading.queries import counts
from results.store.reading.run_row import run_row

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from results.records import RunRecord
    from results.store.index.database import IndexDatabase
    from results.store.reading.run_row import RunRow
    from results.store.run_folder import RunFolder

_COMMIT_S = 1.0  # others see what was read at least so often
_COMMIT_RUNS = 64
_MANY = 20  # runs; from so many on, problems are counted once at the end


@dataclass(frozen=True)
class _Known:
    """What the index has of a run."""

    run: int
    signature: str
    status: str
    benchmark: str
    read_to: ReadTo
    odd: str
    plain: bool
    counted: bool


class Indexer:
    """Writes the index of one results folder. One thread at a time uses it; processes exclude each other."""

    def __init__(self, database: IndexDatabase) -> None:
        self._database = database
        self._version = ""
        self._known: dict[str, _Known] = {}
        self._skipped: dict[str, str] = {}
        self._numbers = Numbers()
        self._bulk = False

    def refresh(
        self, *, within_s: float | None = 0, said: Callable[[int, int], None] = lambda _done, _of: None
    ) -> bool:
        """Read what has changed. False if another process is at it for longer than within_s (None: wait for it).

        said: called with how many runs were read, of how many. A damaged index is made anew. Raises ResultsError.
        """
        with self._database.writing(within_s=within_s) as ours:
            if ours:
                with index_errors():
                    try:
                        self._refresh(said)
                    except DatabaseError as error:
                        if not is_damage(error):
                            raise
                        self._database.make_new()
                        self._refresh(said)
            return ours

    def follow_running(self, *, within_s: float = 0) -> None:
        """Read what has changed of the runs in progress, if there are any and no other process is at it for longer."""
        running = [name for name, known in [*self._known.items()] if known.status == RunStatus.STARTED]
        if not running:
            return
        with self._database.writing(within_s=within_s) as ours:
            if ours:
                with index_errors():
                    self._load()
                    there = {name: signature_of(self._database.results_dir, name) for name in running}
                    self._apply_all([name for name in running if there[name]], there, lambda _done, _of: None)

    def rebuild(self, *, said: Callable[[int, int], None] = lambda _done, _of: None) -> None:
        """Make the index anew from the run folders. Raises ResultsError."""
        with self._database.writing(), index_errors():
            self._database.make_new()
            self._refresh(said)

    def _refresh(self, said: Callable[[int, int], None]) -> None:
        self._load()
        there = signatures(self._database.results_dir)
        gone = [name for name in (*self._known, *self._skipped) if name not in there]
        running = [name for name, known in self._known.items() if known.status == RunStatus.STARTED]
        known = {name: each.signature for name, each in self._known.items()} | self._skipped
        todo = changed(there, known, running)
        if gone:
            try:
                with self._database.engine.begin() as connection:
                    self._begin(connection, bulk=len(gone) >= _MANY)
                    for name in gone:
                        self._forget(connection, name)
            except BaseException:
                self._forget_all()
                raise
        self._apply_all(todo, there, said)
        with self._database.engine.begin() as connection:
            if self._database.meta(connection, "recount"):
                self._recount(connection)
        self._numbers.trim()

    def _forget_all(self) -> None:
        """What this object knows may not be what was committed."""
        self._version, self._numbers = "", Numbers()

    def _load(self) -> None:
        """Read what the index knows, unless this object wrote it last."""
        with self._database.engine.connect() as connection:
            version = self._database.version(connection)
            if version == self._version:
                return
            self._numbers = Numbers()
            columns = schema.runs.c
            found = connection.execute(
                sa.select(
                    columns.run_id, columns.run, columns.signature, columns.status, columns.benchmark,
                    columns.read_to, columns.tail, columns.odd, columns.plain, columns.counted,
                )
            )  # fmt: skip
            self._known = {
                row.run_id: _Known(
                    row.run, row.signature, row.status, row.benchmark, ReadTo(row.read_to, row.tail),
                    row.odd, row.plain, row.counted,
                )
                for row in found
            }  # fmt: skip
            self._skipped = {
                row.name: row.signature
                for row in connection.execute(sa.select(schema.skipped.c.name, schema.skipped.c.signature))
            }
            self._version = version

    def _apply_all(self, todo: list[str], there: Mapping[str, str], said: Callable[[int, int], None]) -> None:
        bulk = len(todo) >= _MANY
        done = 0
        while done < len(todo):
            until = time.monotonic() + _COMMIT_S
            first = done
            try:
                with self._database.engine.begin() as connection:
                    revision = 0
                    while done < len(todo) and done - first < _COMMIT_RUNS and time.monotonic() < until:
                        name = todo[done]
                        if self._differs(name, there[name]):
                            revision = revision or self._begin(connection, bulk=bulk)
                            self._apply(connection, name, there[name], revision)
                        done += 1
            except BaseException:
                self._forget_all()
                raise
            said(done, len(todo))

    def _differs(self, name: str, signature: str) -> bool:
        """Whether the run has changed; one in progress may also have lost its harness."""
        known = self._known.get(name)
        if known is None:
            return self._skipped.get(name) != signature
        if known.signature != signature:
            return True
        if known.status != RunStatus.STARTED:
            return False
        found = read_run(self._database.results_dir, name)
        return isinstance(found, str) or found[0].effective_status(found[1]) is not RunStatus.STARTED

    def _begin(self, connection: sa.Connection, *, bulk: bool = False) -> int:
        """Begin to write; returns the revision that the index will have."""
        connection.execute(  # a write first: from now on nobody else does
            schema.meta.update()
            .where(schema.meta.c.name == "revision")
            .values(value=sa.cast(sa.cast(schema.meta.c.value, sa.BigInteger) + 1, sa.Text))
        )
        if bulk:
            self._database.set_meta(connection, "recount", "1")
        self._bulk = bool(self._database.meta(connection, "recount"))
        self._version = self._database.version(connection)
        return int(self._database.meta(connection, "revision"))

    def _apply(self, connection: sa.Connection, name: str, signature: str, revision: int) -> None:
        """Write one run, or why there is none."""
        found = read_run(self._database.results_dir, name)
        if isinstance(found, str):
            self._forget(connection, name)
            connection.execute(
                schema.skipped.insert().values(name=name, signature=signature, reason=found.replace("\0", ""))
            )
            self._skipped[name] = signature
            return
        if name in self._skipped:
            connection.execute(schema.skipped.delete().where(schema.skipped.c.name == name))
            del self._skipped[name]
        folder, record = found
        row = run_row(record, folder.effective_status(record))
        before = self._known.get(name)
        now = self._read(connection, folder, signature, before, column_text(row.benchmark))
        if row.status is not RunStatus.SUCCEEDED and row.answered is None:
            row = msgspec.structs.replace(row, **self._progress(connection, now, folder))
        will_count = counts(row) and not now.odd
        if before is not None and before.counted and not will_count:
            self._count(connection, now.run, -1)
        sliced = row.status is RunStatus.SUCCEEDED and not now.odd
        fresh = before is None or before.signature.split(" ")[1:2] != signature.split(" ")[1:2]
        if sliced and (fresh or before is None or before.status != RunStatus.SUCCEEDED):
            self._numbers.tag_sets(connection, ())
            counting.slice_run(connection, now.run, self._numbers.tags_of)
        if will_count and not now.counted:
            self._count(connection, now.run, 1)
        self._write(connection, now, row, revision, signature=signature, content=_content(record, signature))
        self._known[name] = _Known(
            now.run,
            signature,
            row.status,
            column_text(row.benchmark),
            now.read_to,
            now.odd,
            now.plain,
            will_count,
        )

    def _read(
        self,
        connection: sa.Connection,
        folder: RunFolder,
        signature: str,
        before: _Known | None,
        benchmark: str,
    ) -> _Known:
        """Read the run's completions. counted of what is returned: whether what is there now is counted."""
        run = before.run if before is not None else self._numbers.new_run(connection)
        same_benchmark = before is not None and before.benchmark == benchmark
        if before is not None and same_benchmark:
            if completions_signature(before.signature) == completions_signature(signature):
                return before
            # A file that has changed but not grown was edited, maybe in its midst.
            grown = not before.odd and has_grown(before.signature, signature)
            goes_on = grown and run_reader.continues(folder, before.read_to)
        else:
            goes_on = False
        start = before.read_to if before is not None and goes_on else ReadTo()
        plain = before.plain if before is not None and goes_on else True
        if before is not None and before.counted:
            self._count(connection, run, -1)
        if before is not None and not goes_on:
            self._clear(connection, run)
        asked_at: dict[str, int] | None = None
        odd, read_to, is_first = "", start, not goes_on
        for chunk in run_reader.chunks(folder, start):
            odd, plain = chunk.odd, plain and chunk.plain
            if odd:
                self._clear(connection, run)
                read_to = ReadTo()
                break
            if chunk.is_last:
                read_to = chunk.read_to
            if not chunk.lines:
                continue
            asked_at = run_reader.prompts_at(folder) if asked_at is None else asked_at
            tasks = self._numbers.tasks(connection, benchmark, dict.fromkeys(key[0] for key in chunk.lines))
            tag_sets = self._numbers.tag_sets(
                connection, (line.tags for _, line in chunk.lines.values() if line.tags)
            )
            rows = [
                run_reader.sample_row(
                    run,
                    tasks[line.task_id],
                    tag_sets[run_reader.tags_text(line)] if line.tags else None,
                    place=place,
                    asked_at=asked_at.get(line.task_id),
                    line=line,
                )
                for place, line in chunk.lines.values()
            ]
            if is_first:
                rows.sort(key=_by_key)
                self._database.insert_samples(connection, rows)
            else:
                self._database.upsert_samples(connection, rows)
            is_first = False
        return _Known(run, signature, "", benchmark, read_to, odd, plain, counted=False)

    def _progress(self, connection: sa.Connection, now: _Known, folder: RunFolder) -> dict[str, Any]:
        """As `progress_of`, from the index."""
        if now.odd:
            return progress_of(folder)
        columns = schema.samples.c
        found = connection.execute(
            sa.select(columns.outcome, sa.func.count())
            .where(columns.run == now.run)
            .group_by(columns.outcome)
        )
        ended = Counter({str(schema.OUTCOMES[outcome]): count for outcome, count in found})
        if not ended and (folder.completions.is_symlink() or not folder.completions.is_file()):
            return {}
        return {"answered": ended.total(), "outcomes": dict(ended)}

    def _count(self, connection: sa.Connection, run: int, sign: int) -> None:
        """Add the run to the counts of the problems, or take it out; not while all are to be counted anew."""
        if not self._bulk:
            counting.count_run(connection, run, sign)

    def _recount(self, connection: sa.Connection) -> None:
        """Count the problems of all runs anew."""
        counting.recount(connection)
        self._database.set_meta(connection, "recount", "")
        self._begin(connection)

    def _clear(self, connection: sa.Connection, run: int) -> None:
        for table in (schema.samples, schema.slices):
            connection.execute(table.delete().where(table.c.run == run))

    def _forget(self, connection: sa.Connection, name: str) -> None:
        """Remove a run, or the note of a folder that is none."""
        if self._skipped.pop(name, None) is not None:
            connection.execute(schema.skipped.delete().where(schema.skipped.c.name == name))
        known = self._known.pop(name, None)
        if known is None:
            return
        if known.counted:
            self._count(connection, known.run, -1)
        self._clear(connection, known.run)
        tests = schema.tests.c
        connection.execute(
            schema.tests.delete().where(sa.or_(tests.first == known.run, tests.second == known.run))
        )
        connection.execute(schema.runs.delete().where(schema.runs.c.run == known.run))

    def _write(
        self,
        connection: sa.Connection,
        now: _Known,
        row: RunRow,
        revision: int,
        *,
        signature: str,
        content: str,
    ) -> None:
        values = {
            "run": now.run,
            "run_id": row.run_id,
            "began": column_text(row.timestamp),
            "status": str(row.status),
            "benchmark": column_text(row.benchmark),
            "model": column_text(row.model),
            "archived": row.archived,
            "samples": row.samples,
            "answered": row.answered,
            "facts": encode(row).decode(),
            "signature": signature,
            "content": content,
            "revision": revision,
            "read_to": now.read_to.place,
            "tail": now.read_to.tail,
            "odd": now.odd.replace("\0", ""),
            "plain": now.plain,
            "counted": counts(row) and not now.odd,
        }
        connection.execute(schema.runs.delete().where(schema.runs.c.run == now.run))
        connection.execute(schema.runs.insert(), [values])


def _content(record: RunRecord, signature: str) -> str:
    """What tests between runs depend on: the record without what a user said of it, and the other files."""
    without = encode(msgspec.structs.replace(record, remarks=Remarks()))
    return hashlib.sha256(without + " ".join(signature.split(" ")[1:]).encode()).hexdigest()[:16]


def _by_key(row: tuple[Any, ...]) -> tuple[int, int]:
    """Of a completion: the order of the table, in which adding is fastest."""
    return row[1], row[2]
