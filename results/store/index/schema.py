"""The tables of the index, and the views over them for one's own SQL.

Numbers stand for what repeats (runs, samples of a benchmark, sets of tags), so that a completion takes some thirty
bytes. Texts of models stay in the run's files: `place` is where the completion's line begins in completions.jsonl,
`asked_at` where that of its prompt does in prompts.jsonl.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

import sqlalchemy as sa

from results.records import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator

VERSION = "3"  # counted up with every change of the tables, or of what is written into them
SCHEMA = "run_index"  # in PostgreSQL; in SQLite the file has nothing else
OUTCOMES = (*Outcome,)  # by the number that stands for it
NUMBER_OF = {outcome: number for number, outcome in enumerate(OUTCOMES)}
PASSED, LOST = NUMBER_OF[Outcome.PASSED], NUMBER_OF[Outcome.INFRASTRUCTURE_ERROR]

metadata = sa.MetaData()
# Sorted by the numbers of their letters, as Python does.
_TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


class Flag(enum.IntFlag):
    """Of a completion."""

    NEAR_TIME_LIMIT = 1
    CACHED = 2


meta = sa.Table(
    "meta", metadata, sa.Column("name", _TEXT, primary_key=True), sa.Column("value", _TEXT, nullable=False)
)

# facts: a RunRow as JSON. signature: when its files changed. content: a hash of what tests depend on. revision: the one
# of the index in which it changed last. read_to: bytes of completions.jsonl that were read. tail: a hash of the last
# ones. odd: why its completions are not here; plain: whether its verdicts are all that its lines say of the answers.
# counted: whether `tasks` has its completions.
runs = sa.Table(
    "runs",
    metadata,
    sa.Column("run", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("run_id", _TEXT, nullable=False, unique=True),
    sa.Column("began", _TEXT, nullable=False),
    sa.Column("status", _TEXT, nullable=False),
    sa.Column("benchmark", _TEXT, nullable=False),
    sa.Column("model", _TEXT, nullable=False),
    sa.Column("archived", sa.Boolean, nullable=False),
    sa.Column("samples", sa.BigInteger),
    sa.Column("answered", sa.BigInteger),
    sa.Column("facts", sa.Text, nullable=False),
    sa.Column("signature", _TEXT, nullable=False),
    sa.Column("content", _TEXT, nullable=False),
    sa.Column("revision", sa.BigInteger, nullable=False),
    sa.Column("read_to", sa.BigInteger, nullable=False),
    sa.Column("tail", _TEXT, nullable=False),
    sa.Column("odd", sa.Text, nullable=False),
    sa.Column("plain", sa.Boolean, nullable=False),
    sa.Column("counted", sa.Boolean, nullable=False),
)

skipped = sa.Table(
    "skipped",
    metadata,
    sa.Column("name", _TEXT, primary_key=True),
    sa.Column("signature", _TEXT, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
)

# head, number: its place in the order of the samples. runs, passed, judged: of all runs that count.
tasks = sa.Table(
    "tasks",
    metadata,
    sa.Column("task", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("benchmark", _TEXT, nullable=False),
    sa.Column("task_id", _TEXT, nullable=False),
    sa.Column("head", _TEXT, nullable=False),
    sa.Column("number", sa.BigInteger, nullable=False),
    sa.Column("runs", sa.Integer, nullable=False, default=0),
    sa.Column("passed", sa.BigInteger, nullable=False, default=0),
    sa.Column("judged", sa.BigInteger, nullable=False, default=0),
    sa.UniqueConstraint("benchmark", "task_id"),
)

# tags: a JSON object.
tag_sets = sa.Table(
    "tag_sets",
    metadata,
    sa.Column("tag_set", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("tags", _TEXT, nullable=False, unique=True),
)

samples = sa.Table(
    "samples",
    metadata,
    sa.Column("run", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("task", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("idx", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("outcome", sa.SmallInteger, nullable=False),
    sa.Column("flags", sa.SmallInteger, nullable=False),
    sa.Column("tag_set", sa.Integer),
    sa.Column("place", sa.BigInteger, nullable=False),
    sa.Column("asked_at", sa.BigInteger),
    sa.Column("prompt_tokens", sa.BigInteger),
    sa.Column("completion_tokens", sa.BigInteger),
    sa.Column("request_s", sa.Double),
    sa.Column("cost_usd", sa.Double),
    sqlite_with_rowid=False,
)

# A succeeded run by each value of each tag; tag and value are empty for all of its samples. requests: how many have a
# time, whose sum is request_s. completion_tokens, cost_usd: None unless known for each.
slices = sa.Table(
    "slices",
    metadata,
    sa.Column("run", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("tag", _TEXT, primary_key=True),
    sa.Column("value", _TEXT, primary_key=True),
    sa.Column("samples", sa.BigInteger, nullable=False),
    *(sa.Column(str(outcome), sa.BigInteger, nullable=False) for outcome in OUTCOMES),
    sa.Column("requests", sa.BigInteger, nullable=False),
    sa.Column("request_s", sa.Double, nullable=False),
    sa.Column("completion_tokens", sa.BigInteger),
    sa.Column("cost_usd", sa.Double),
)

# What tests between two runs found; content: of both, when it was computed.
tests = sa.Table(
    "tests",
    metadata,
    sa.Column("first", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("second", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("what", _TEXT, primary_key=True),
    sa.Column("content", _TEXT, nullable=False),
    sa.Column("found", sa.Text, nullable=False),
)


def views(*, postgresql: bool) -> Iterator[tuple[str, str]]:
    """The name of each view and its SELECT. Prompt and code are given as the file, below the results folder, and the
    byte at which the line of the completion begins; the prompt is the line of that sample.
    """
    real = "double precision" if postgresql else "real"
    at = f"{SCHEMA}." if postgresql else ""
    text = "CASE s.outcome " + " ".join(f"WHEN {n} THEN '{each}'" for n, each in enumerate(OUTCOMES)) + " END"
    build = "json_build_object" if postgresql else "json_object"
    difficulty = "(g.tags::json ->> 'difficulty')" if postgresql else "json_extract(g.tags, '$.difficulty')"
    sums = " + ".join(f"c.{each}" for each in OUTCOMES)
    yield (
        "benchmark_runs",
        f"""SELECT run_id AS id, began AS timestamp, samples AS total_tasks, answered AS completed_tasks,
            benchmark, model AS model_name, status, archived FROM {at}runs""",  # noqa: S608 - constants
    )
    yield (
        "model_results",
        f"""SELECT r.run_id || ':' || t.task_id || ':' || s.idx AS id, r.run_id, r.model AS model_name, t.task_id,
            {difficulty} AS difficulty, r.run_id || '/prompts.jsonl' AS prompt,
            r.run_id || '/completions.jsonl' AS generated_code,
            {build}('outcome', {text}, 'near_time_limit', s.flags & 1) AS execution_result,
            {build}('passed', CASE WHEN s.outcome = {PASSED} THEN 1 ELSE 0 END) AS score,
            s.request_s AS response_time, s.completion_tokens AS tokens_used, s.cost_usd AS cost,
            r.began AS timestamp, s.asked_at AS prompt_offset, s.place AS generated_code_offset,
            s.idx AS sample_index, r.benchmark
            FROM {at}samples s JOIN {at}runs r ON r.run = s.run JOIN {at}tasks t ON t.task = s.task
            LEFT JOIN {at}tag_sets g ON g.tag_set = s.tag_set""",  # noqa: S608 - constants
    )
    yield (
        "rankings",
        f"""SELECT r.model AS model_name, CASE c.tag WHEN '' THEN 'all' ELSE c.value END AS difficulty,
            100 * CAST(sum(c.passed) AS {real}) / sum({sums}) AS avg_score,
            sum({sums}) AS tasks_completed, sum(c.cost_usd) AS total_cost,
            sum(c.request_s) / nullif(sum(c.requests), 0) AS avg_response_time, r.benchmark, count(*) AS runs
            FROM {at}slices c JOIN {at}runs r ON r.run = c.run
            WHERE r.counted AND c.tag IN ('', 'difficulty')
            GROUP BY r.model, r.benchmark, c.tag, c.value""",  # noqa: S608 - constants
    )


def column_text(text: str) -> str:
    """For a column of text: PostgreSQL takes no zero bytes, and no index takes long texts."""
    return text.replace("\0", "")[:500]
