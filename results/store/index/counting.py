"""Sums in the index: over a run by tag, and over runs by problem."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from results.store.index import run_reader, schema

if TYPE_CHECKING:
    from collections.abc import Mapping


def slice_run(connection: sa.Connection, run: int, tags_of: Mapping[int | None, Mapping[str, str]]) -> None:
    """Write the sums over a run's completions, of all and by tag. tags_of: by the number of a set."""
    connection.execute(schema.slices.delete().where(schema.slices.c.run == run))
    found = connection.execute(sa.select(schema.samples).where(schema.samples.c.run == run))
    rows = run_reader.slice_rows(run, map(tuple, found), tags_of)
    if rows:
        connection.execute(schema.slices.insert(), rows)


def count_run(connection: sa.Connection, run: int, sign: int) -> None:
    """Add the run to the counts of the problems, or take it out."""
    columns, tasks = schema.samples.c, schema.tasks
    each = sa.select(columns.task, *_counts()).where(columns.run == run).group_by(columns.task).subquery()
    connection.execute(
        tasks.update()
        .where(tasks.c.task == each.c.task)
        .values(
            passed=tasks.c.passed + sign * each.c.passed,
            judged=tasks.c.judged + sign * each.c.judged,
            runs=tasks.c.runs + sign * each.c.runs,
        )
    )


def recount(connection: sa.Connection) -> None:
    """Count the problems of all runs that count."""
    columns, tasks, runs = schema.samples.c, schema.tasks, schema.runs.c
    each = (
        sa.select(columns.task, *_counts())
        .join(schema.runs, runs.run == columns.run)
        .where(runs.counted)
        .group_by(columns.task)
        .subquery()
    )
    connection.execute(tasks.update().values(passed=0, judged=0, runs=0))
    connection.execute(
        tasks.update()
        .where(tasks.c.task == each.c.task)
        .values(passed=each.c.passed, judged=each.c.judged, runs=each.c.runs)
    )


def _counts() -> tuple[sa.ColumnElement[int], ...]:
    """Of one problem: passed and judged completions, and runs with a judged one."""
    columns = schema.samples.c
    judged = columns.outcome != schema.LOST
    return (
        sa.func.count().filter(columns.outcome == schema.PASSED).label("passed"),
        sa.func.count().filter(judged).label("judged"),
        sa.func.count(sa.distinct(sa.case((judged, columns.run)))).label("runs"),
    )
