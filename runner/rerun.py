"""Get a recorded run's settings back from its record alone."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from results.errors import UsageError
from results.prompts.prompt_file import PROMPT_SHA256, read_prompt_file
from runner.asked_style import FAMILY_STYLE, decided_alone
from settings.asked import Asked
from settings.benchmarks import asked_name
from settings.secrets import HIDDEN
from settings.setting import Determines
from settings.table import TABLE
from settings.values import read_value

if TYPE_CHECKING:
    from collections.abc import Mapping

    from results.records import RunRecord
    from settings.setting import Setting

# They determine nothing, but without them the run might lose answers, or not work at all.
_ASKED_AGAIN = {
    *("sandbox", "health_path", "request_timeout", "rate_limit_patience"),
    *("scoring", "weights", "speed_baseline", "speed_target_s", "scorer"),
}


def asked_again(
    record: RunRecord,
    *,
    model: str | None = None,
    sandbox: str | None = None,
    table: Mapping[str, Setting] = TABLE,
) -> Asked:
    """The run's settings, with today's variables.

    Values that were left to a default (slots, context) are requested as they were used then. The port is a free one,
    timeouts are today's, except for one answer. model: the file's current path. sandbox: a different one. Raises
    UsageError if the record doesn't have enough information.
    """
    config = record.config
    if record.is_shard:
        raise UsageError(
            f"{record.run_id} is the shard {config['shard']} of a run", hint="rerun the whole run; see `list`"
        )
    if "script" not in config or record.server is None:
        raise UsageError(
            f"the record of {record.run_id} does not say how to run it",
            hint="it failed before it started: run it anew",
        )
    for name, setting in table.items():
        if setting.may_hold_secret and HIDDEN in str(config.get(name)):
            raise UsageError(
                f"the record of {record.run_id} does not hold the key that {setting.option} had",
                hint="ask for it with `run`; in a manifest keys are written as ${NAME}, and kept so",
            )
    given = {
        name: recorded_value(setting, config[name])
        for name, setting in table.items()
        if config.get(name) is not None
        and (setting.determines is not Determines.NOTHING or name in _ASKED_AGAIN)
    }
    if str(config["script"]).startswith("scripts."):
        given.pop("script", None)
    given |= {
        "benchmark": asked_name(record.benchmark, config),
        "model": model or config.get("path") or record.model,
    }
    if not decided_alone(record):  # alone it might be asked in the other style
        given["prompt_style"] = config[FAMILY_STYLE].get("style")
    if sandbox is not None:
        given["sandbox"] = sandbox
    _require_same_prompt(record, given.get("prompt"))
    return Asked(given, table)


def _require_same_prompt(record: RunRecord, prompt: str | None) -> None:
    """Raises UsageError if its prompt file adds something else today, or isn't there."""
    was = record.config.get(PROMPT_SHA256)
    if prompt is None or was is None:
        return
    if read_prompt_file(Path(prompt)).prompt.sha256 != was:
        raise UsageError(
            f"the prompt file {prompt} has changed since {record.run_id}",
            hint=f"put the former one there ({PROMPT_SHA256} {str(was)[:8]}...), or use `run` for a new run",
            settings=("prompt",),
        )


def recorded_value(setting: Setting, recorded: Any) -> Any:
    """What a record's config says of a setting, with today's variables. Raises UsageError.

    Only settings that may hold a secret have variables by name; paths are complete.
    """
    if setting.kind == "path":
        return read_value(setting, recorded, variables=not Path(str(recorded)).exists())
    if isinstance(recorded, str) and setting.is_numeric:
        return recorded
    return read_value(setting, recorded, variables=setting.may_hold_secret)
