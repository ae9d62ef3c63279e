"""A recorded run, asked for again from nothing but its record."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from results.errors import UsageError
from settings.asked import Asked
from settings.secrets import HIDDEN
from settings.setting import Determines
from settings.table import TABLE
from settings.values import read_value

if TYPE_CHECKING:
    from collections.abc import Mapping

    from results.records import RunRecord
    from settings.setting import Setting


def asked_again(
    record: RunRecord,
    *,
    model: str | None = None,
    sandbox: str | None = None,
    table: Mapping[str, Setting] = TABLE,
) -> Asked:
    """What was asked for, with today's variables.

    What was left to a default is asked for as it came out (slots, context). The port is a free one, patience is that of
    today. model: where its file is now. sandbox: another one. Raises UsageError for a record that does not say enough.
    """
    config = record.config
    if "script" not in config or record.server is None:
        raise UsageError(
            f"the record of {record.run_id} does not say how to run it", hint="it failed before it started"
        )
    for name, setting in table.items():
        if setting.may_hold_secret and HIDDEN in str(config.get(name)):
            raise UsageError(
                f"the record of {record.run_id} does not hold the key that {setting.option} had",
                hint="ask for it with `run`; in a manifest keys are written as ${NAME}, and kept so",
            )
    given = {
        name: _value(setting, config[name])
        for name, setting in table.items()
        if config.get(name) is not None
        and (setting.determines is not Determines.NOTHING or name in {"sandbox", "health_path"})
    }
    if str(config["script"]).startswith("scripts."):
        given.pop("script", None)
    given |= {"benchmark": record.benchmark, "model": model or config.get("path") or record.model}
    if sandbox is not None:
        given["sandbox"] = sandbox
    return Asked(given, table)


def _value(setting: Setting, recorded: Any) -> Any:
    """A record has variables by their names only where there may be a secret; a path stands there whole."""
    if setting.kind == "path":
        return read_value(setting, recorded, variables=not Path(str(recorded)).exists())
    if isinstance(recorded, str) and setting.is_numeric:
        return recorded
    return read_value(setting, recorded, variables=setting.may_hold_secret)
