"""Whether a command may continue a run: only if everything that determines its results is the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from results.errors import ResumeMismatch
from results.json_text import as_json_keeps
from settings.setting import Determines
from settings.table import TABLE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from results.records import ModelIdentity, RunRecord
    from settings.setting import Setting

# Changes the speed, and the answers only slightly; the user may want more or less load on the machine.
_MAY_CHANGE = {"parallel"}
_MAY_GROW = {"limit", "n_samples"}
_SEEN_ELSEWHERE = {"benchmark", "model", "parser"}


def require_same(
    before: RunRecord,
    now: RunRecord,
    table: Mapping[str, Setting] = TABLE,
) -> None:
    """Raise ResumeMismatch, naming the setting with its old and new value, if a setting differs.

    Our own scripts check the settings that they get themselves, by file contents and effective defaults.
    """
    _require("benchmark", before.benchmark, now.benchmark, before.run_id)
    _require("model", before.model, now.model, before.run_id)
    if now.model_identity is not None and not _is_same_of_sweep(before, now):
        _require_same_model(before, now.model_identity)
    _require(
        "lora (content)", before.config.get("lora_content"), now.config.get("lora_content"), before.run_id
    )
    _require(
        "draft model (sha256)",
        before.config.get("draft_sha256"),
        now.config.get("draft_sha256"),
        before.run_id,
    )
    ours = str(now.config.get("script", "")).startswith("scripts.")
    for name, setting in table.items():
        if setting.determines is Determines.NOTHING or name in _MAY_CHANGE | _SEEN_ELSEWHERE:
            continue
        if ours and setting.to_script:
            continue
        was, is_now = before.config.get(name), now.config.get(name)
        if name in _MAY_GROW and _grows(was, is_now):
            continue
        _require(name, was, is_now, before.run_id)


def _is_same_of_sweep(before: RunRecord, now: RunRecord) -> bool:
    """Whether both are one run of a sweep, whose fingerprint has the model's content: on another machine it may have
    another path, and a run that was killed has no hash of it.
    """
    ours, theirs = before.sweep, now.sweep
    return ours is not None and theirs is not None and ours.fingerprint == theirs.fingerprint != ""


def _require_same_model(before: RunRecord, model: ModelIdentity) -> None:
    """Compare the models' hashes. A run killed before its model was hashed is compared by path, size and time."""
    kept = before.model_identity
    if kept is None:
        raise ResumeMismatch(
            f"cannot resume {before.run_id}: it is not known whether its model is the same as this one",
            hint="start a new run without --resume",
        )
    if kept.sha256 is not None:
        _require("model file (sha256)", kept.sha256, model.sha256, before.run_id)
        return
    _require("model file (size in bytes)", kept.size_bytes, model.size_bytes, before.run_id)
    _require("model file", kept.path, model.path, before.run_id)
    _require("model file (time of change)", kept.modified_ns, model.modified_ns, before.run_id)


def _grows(was: Any, now: Any) -> bool:
    """Whether a limit stays or grows; None means all samples."""
    return now is None or (was is not None and now >= was)


def _require(name: str, before: Any, now: Any, run_id: str) -> None:
    if before != as_json_keeps(now):  # `before` comes from a file
        raise ResumeMismatch(
            f"cannot resume {run_id}: {name} was {before!r} and is {now!r}",
            hint="give the same settings as before, or start a new run without --resume",
        )
