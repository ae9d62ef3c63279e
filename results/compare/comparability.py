"""Which settings differ between two runs, and whether their scores may still be compared.

Whatever determines samples, prompts, sampling and judging must be the same. The model and its server are what is being
compared: they may differ, and the differences are named. Two runs of one model may also be compared by what a user adds
to the benchmark's own prompts, if nothing else forbids it.
"""

from __future__ import annotations

import functools
import hashlib
from typing import TYPE_CHECKING, Any

import msgspec

from results.durable import explained
from results.errors import ResultsError
from results.files import read_file
from results.json_text import NOT_THAT_JSON
from results.prompts.prompt_file import PROMPT_SHA256
from results.store.reading.prompt_cache import cache_ram_of
from settings.metric_texts import OWN_METRICS
from settings.parsers import PARSERS
from settings.setting import Determines
from settings.table import TABLE
from settings.verdict_rules import FIRST

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from collections.abc import Set as AbstractSet

    from results.records import RunRecord
    from results.store.run_folder import RunFolder

# Fields of settings.json that say nothing about comparability. (Which samples a run has is known from its verdicts.)
_MAY_DIFFER = {"schema_version", "model", "style_choice", "sent_as", "own_prompts_sha256", OWN_METRICS}
# What a user adds to a benchmark's prompts, and what follows from it.
_OF_PROMPT = {"system_prompt", PROMPT_SHA256, "prompts_sha256"}
_MOST_SHOWN = 40  # characters of a system prompt
# Fields of the record's config that are not settings but facts about the run.
_NOTED = {"path", "prompt", "nonce", "family_style", "lora_content", "draft_sha256", "suite"}
_SCRIPT = ("script", "script_args")
_SINCE = {"memory_limit_bytes": 2 << 30, **FIRST._asdict()}  # in force in versions that didn't record it


class Difference(msgspec.Struct, frozen=True):
    """A setting that differs between two runs. None means not set or not known."""

    name: str
    first: Any
    second: Any

    def __str__(self) -> str:
        return f"{self.name} {_shown(self.first)} and {_shown(self.second)}"


class _Settings(msgspec.Struct, frozen=True):
    benchmark: str


def read_run_settings(folder: RunFolder) -> dict[str, Any] | None:
    """The settings that the run's script recorded; None if the script records none. Raises ResultsError."""
    path = folder.path / "settings.json"
    with explained("read", path):
        try:
            data = read_file(path)
        except FileNotFoundError:
            return None
    try:
        msgspec.json.decode(data, type=_Settings)
        settings: dict[str, Any] = _SINCE | msgspec.json.decode(data)
    except NOT_THAT_JSON as error:
        raise ResultsError(
            f"{path} can't be read: {error}", hint="it is damaged; without it the run can't be compared"
        ) from error
    return settings


def forbidding(
    first: RunRecord,
    second: RunRecord,
    first_settings: Mapping[str, Any] | None,
    second_settings: Mapping[str, Any] | None,
) -> tuple[Difference, ...]:
    """Why the scores of two runs can't be compared; () if they can.

    Our own scripts record everything that determines a completion, including hashes of data and prompts. For other
    scripts only the command line is known.
    """
    ours, theirs = _asked(first), _asked(second)
    if first_settings is not None and second_settings is not None:
        ours = {name: ours.get(name) for name in _SCRIPT} | _flat(first_settings)
        theirs = {name: theirs.get(name) for name in _SCRIPT} | _flat(second_settings)
    one, other = ours | {"benchmark": first.benchmark}, theirs | {"benchmark": second.benchmark}
    if (ways := _decided_by(first, one)) is not None and (others := _decided_by(second, other)) is not None:
        one, other = one | {"answers_by": ways}, other | {"answers_by": others}
        one.pop("answer_by", None), other.pop("answer_by", None)  # asked for; this is what came of it
    if (metrics := _scored_by(first)) is not None and (others := _scored_by(second)) is not None:
        one, other = one | {"metrics": metrics}, other | {"metrics": others}
    if one.get("parser") != other.get("parser"):  # one parser may have two names
        one, other = one | {"parser": _parser(one)}, other | {"parser": _parser(other)}
    return _differences(one, other, without=_what_may_differ() | _MAY_DIFFER | _NOTED)


def prompts_apart(
    reasons: Iterable[Difference],
    first: RunRecord,
    second: RunRecord,
    first_settings: Mapping[str, Any] | None,
    second_settings: Mapping[str, Any] | None,
) -> tuple[str, str] | None:
    """What is added to the prompts of each, in words, if that alone forbids comparing them (`forbidding`); else None.

    The benchmark's own prompts must be known to be the same. Whether the models are is left to the caller.
    """
    names = {reason.name for reason in reasons}
    if not names or first_settings is None or second_settings is None or not names <= _OF_PROMPT:
        return None
    if "prompts_sha256" in names:
        own = _own_prompts(first_settings)
        if own is None or own != _own_prompts(second_settings):
            return None
    return _added(first), _added(second)


def _own_prompts(settings: Mapping[str, Any]) -> Any:
    """A hash of the benchmark's own prompts; None: not known, as from versions that didn't record it."""
    return settings.get("own_prompts_sha256" if _flat(settings).get(PROMPT_SHA256) else "prompts_sha256")


def _added(record: RunRecord) -> str:
    added = []
    if sha256 := record.config.get(PROMPT_SHA256):
        name = str(record.config.get("prompt")).rpartition("/")[2]
        added.append(f"{name} ({str(sha256)[:8]})")
    if system := record.config.get("system_prompt"):
        text = " ".join(str(system).split())
        if len(text) > _MOST_SHOWN:
            text = f"{text[:_MOST_SHOWN]}... ({hashlib.sha256(str(system).encode()).hexdigest()[:8]})"
        added.append(f'system prompt "{text}"')
    return " and ".join(added) or "none"


def is_same_model(first: RunRecord, second: RunRecord) -> bool:
    """Whether both were asked of the same model, by its content where that is known."""
    one, other = (run.model_identity for run in (first, second))
    if one is not None and other is not None and one.sha256 and other.sha256:
        same = one.sha256 == other.sha256
    else:
        same = first.model == second.model and _where(first) == _where(second)
    return same and first.config.get("lora_content") == second.config.get("lora_content")


def _where(record: RunRecord) -> str:
    """Where a model without a hash lies; of a server that was up before, where that is."""
    return str(record.config.get("path") or (record.server.url if record.server is not None else ""))


def _scored_by(record: RunRecord) -> str | None:
    """What its score is made of; None without a score."""
    if record.score is None or record.score.score is None:
        return None
    scoring = record.score.scoring
    tasks = scoring.tasks if scoring is not None else {}
    each = [
        f"{name}: {' '.join(task.metrics)}{f' of {task.positive}' if task.positive else ''}"
        for name, task in tasks.items()
    ]
    return (
        "; ".join([*each, *(["by samples"] if scoring is not None and scoring.by_samples else [])])
        or "pass@1"
    )


def _decided_by(record: RunRecord, settings: Mapping[str, Any]) -> str | None:
    """In which way choices were made: all by log-probabilities, all by letter, or which in which way; None: not known,
    or there are no choices.
    """
    details = record.score.details if record.score is not None else {}
    counts = details.get("answers_by")
    if not isinstance(counts, dict) or not counts:
        return "letter" if settings.get("answer_by") == "letter" else None
    if len(counts) == 1:
        return "letter" if "generation" in counts else "log-probabilities"
    return f"log-probabilities for {counts.get('logprobs')} and letter for {counts.get('generation')} " + str(
        details.get("answers_by_sha256", record.run_id)
    )


@functools.cache
def _what_may_differ() -> frozenset[str]:
    """Settings that may differ between comparable runs. One that the table doesn't have may not."""
    return frozenset(name for name, setting in TABLE.items() if setting.determines is not Determines.RESULT)


def _parser(config: Mapping[str, Any]) -> Any:
    name = config.get("parser")
    return PARSERS.get(str(name), name)


def what_differs(first: RunRecord, second: RunRecord) -> tuple[Difference, ...]:
    """Differences in model, server, machine and program: what is being compared, and what may explain a speed."""
    return _differences(_facts(first), _facts(second), without=frozenset())


def _asked(record: RunRecord) -> dict[str, Any]:
    return _flat(record.config)


def _facts(record: RunRecord) -> dict[str, Any]:
    model, server, score = record.model_identity, record.server, record.score
    draft = record.draft_identity
    asked = {
        name: record.config.get(name)
        for name, setting in TABLE.items()
        if setting.determines is Determines.SERVER and name not in {"model", "server"}
    }
    box = score.details.get("sandbox") if score is not None else None
    gpus = [gpu.get("name") for gpu in record.host.get("gpus") or () if isinstance(gpu, dict)]
    drivers = sorted(
        {str(gpu.get("driver")) for gpu in record.host.get("gpus") or () if isinstance(gpu, dict)}
    )
    return {
        "model": record.model,
        **({} if model is None else {f"model's {name}": value for name, value in _identity(model).items()}),
        "draft's sha256": draft.sha256 if draft is not None else None,
        "draft's quantization": draft.quantization if draft is not None else None,
        "server": server.kind if server is not None else record.config.get("server"),
        **asked,
        "cache_ram": cache_ram_of(record),
        **({} if server is None else server.effective),
        "sandbox": box.get("level") if isinstance(box, dict) else None,
        "host": record.host.get("hostname"),
        "processor": record.host.get("processor"),
        "gpus": gpus or None,
        "driver": drivers or None,
        "bench_runner": record.harness.get("version"),
        "commit": record.harness.get("commit"),
    }


def _identity(model: msgspec.Struct) -> dict[str, Any]:
    left_out = {"name", "path", "size_bytes", "modified_ns", "chat_template_sha256"}
    return {name: value for name, value in msgspec.structs.asdict(model).items() if name not in left_out}


def _flat(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings, with the benchmark's own options on the same level."""
    own = settings.get("options")
    flat = {name: value for name, value in settings.items() if name != "options"}
    return {**flat, **own} if isinstance(own, dict) else flat


def _differences(
    first: Mapping[str, Any], second: Mapping[str, Any], *, without: AbstractSet[str]
) -> tuple[Difference, ...]:
    names = [name for name in {**first, **second} if name not in without]
    pairs = ((name, first.get(name), second.get(name)) for name in names)
    return tuple(Difference(name, one, other) for name, one, other in pairs if one != other)


def _shown(value: object) -> str:
    if value is None:
        return "not set"
    if isinstance(value, list):
        return " ".join(map(str, value))
    text = str(value)
    hexadecimal = len(text) >= 40 and all(letter in "0123456789abcdef" for letter in text)
    return f"{text[:8]}..." if hexadecimal else text
