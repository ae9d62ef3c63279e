"""May this command go on with that run? Only when everything that determines its results is the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from results.errors import ResumeMismatch

if TYPE_CHECKING:
    from results.records import ModelIdentity, RunRecord

# What determines results on the server's side; the script checks its own settings (sampling, prompts, data).
DETERMINING = (
    "server",
    "server_binary",
    "gpu_layers",
    "ctx_size",
    "server_args",
    "script",
    "script_args",
)


def require_same(before: RunRecord, now: RunRecord, model: ModelIdentity | None) -> None:
    """Raises ResumeMismatch naming the setting, its old and its new value."""
    _require("benchmark", before.benchmark, now.benchmark, before.run_id)
    _require("model", before.model, now.model, before.run_id)
    if before.model_identity is not None and model is not None:
        _require("model file (sha256)", before.model_identity.sha256, model.sha256, before.run_id)
    for name in DETERMINING:
        _require(name, before.config.get(name), now.config.get(name), before.run_id)


def _require(name: str, before: Any, now: Any, run_id: str) -> None:
    if _plain(before) != _plain(now):
        raise ResumeMismatch(
            f"cannot resume {run_id}: {name} was {before!r} and is {now!r}",
            hint="give the same settings as before, or start a new run without --resume",
        )


def _plain(value: Any) -> Any:
    """As JSON gives it back."""
    return list(value) if isinstance(value, tuple) else value
