"""A recorded run, asked for again from nothing but its record."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

from results.errors import UsageError
from runner.request import SAMPLING
from settings.table import settings

if TYPE_CHECKING:
    from results.records import RunRecord

_AS_THEY_ARE = (
    "server",
    "server_binary",
    "server_command",
    "base_url",
    "gpu_layers",
    "ctx_size",
    "parallel",
    "gpu_memory_utilization",
    "tensor_parallel_size",
    "sandbox",
    *SAMPLING,
)


def options_of(record: RunRecord, *, model: str | None = None) -> dict[str, Any]:
    """The keywords of `runner.request.build_spec`, but results_dir and resume.

    What was left to a default is asked for as it came out (slots, context). The port is a free one, patience is that of
    today. model: where its file is now. Raises UsageError for a record that does not say enough.
    """
    config = record.config
    if "script" not in config or record.server is None:
        raise UsageError(
            f"the record of {record.run_id} does not say how it was run", hint="it failed before it began"
        )
    known = settings()
    own = {name: config.get(name) for name, setting in known.items() if setting.own}
    foreign = not str(config["script"]).startswith("scripts.")
    return {
        **{name: setting.default for name, setting in known.items()},
        **{name: config.get(name) for name in _AS_THEY_ARE},
        **own,
        "benchmark": record.benchmark,
        "model": model or config.get("path") or record.model,
        "script": Path(config["script"]) if foreign else None,
        "script_args": shlex.join(config.get("script_args") or ()) or None,
        "parser": config.get("parser"),
        "server_args": tuple(config.get("server_args") or ()),
        "health_path": config.get("health_path") or known["health_path"].default,
        "port": None,
    }
