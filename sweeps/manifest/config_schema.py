"""The JSON Schema of the forms with models, execution and scoring, and with tasks: their fields, and that they exclude
a manifest's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sweeps.manifest.config_form import CONFIG_FIELDS, EXECUTION_KEYS, SCORING_KEYS
from sweeps.manifest.tasks_form import TASKS

if TYPE_CHECKING:
    from collections.abc import Collection

_VARIABLE = {"type": "string", "pattern": r"^\s*\$\{[A-Za-z_][A-Za-z0-9_]*\}\s*$"}
_AMOUNT = {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1_000_000}
_TEXT = {"type": "string", "pattern": r"\S"}


def config_fields(settings: Collection[str]) -> dict[str, Any]:
    """The fields that a manifest has not. settings: those with a definition `setting_NAME`."""

    def of_run(*without: str) -> dict[str, Any]:
        return {name: _setting(name) for name in settings if name not in {"model", *without}}

    benchmark = _setting("benchmark")
    model = {
        **_object(
            {
                **of_run(),
                "name": {**_TEXT, "description": "The model as its provider calls it, a file, or a name."},
                "path": {**_TEXT, "description": "Its file, if the name is not it."},
                "api_key": {**_VARIABLE, "description": "The variable that has the key; never a key itself."},
                "endpoint": {**_setting("base_url"), "description": "Where it is served; as base_url."},
            }
        ),
        "anyOf": [{"required": ["name"]}, {"required": ["path"]}],
    }
    execution = {
        **of_run("benchmark", *EXECUTION_KEYS),
        "timeout": {**_AMOUNT, "description": "Seconds of processor time on each core."},
        "memory_limit": _setting("memory_limit"),
        "cpu_limit": {**_AMOUNT, "description": "How many cores a program may use for its timeout."},
    }
    fields: dict[str, dict[str, Any]] = {
        "models": {"type": "array", "minItems": 1, "items": model},
        "benchmark": {"anyOf": [benchmark, {"type": "array", "minItems": 1, "items": benchmark}]},
        "execution": _object(execution),
        "scoring": _object({name: _setting(name) for name in SCORING_KEYS if name in settings}),
    }
    described = {name: {**fields[name], "description": text} for name, text in CONFIG_FIELDS.items()}
    return {**described, TASKS: _tasks(settings)}


def _tasks(settings: Collection[str]) -> dict[str, Any]:
    of_run = {name: _setting(name) for name in settings}
    task = {
        **of_run,
        "dataset": {**_setting("benchmark"), "description": "The benchmark."},
        "model_parameters": {**_object(of_run), "description": "Settings of the model, such as temperature."},
        "test_mode": {"type": "boolean", "description": "Whether to take only a few samples."},
    }
    items = {"type": "array", "minItems": 1, "items": _object(task)}
    return {
        **items,
        "description": "Instead of a matrix or runs: each task is a run, mostly a search for a prompt.",
    }


def either_form() -> list[dict[str, Any]]:
    """A manifest, or another form: never fields of several."""
    manifest, config = ("matrix", "runs", "defaults"), tuple(CONFIG_FIELDS)
    return [
        {"required": ["matrix"], "properties": dict.fromkeys((*config, TASKS), False)},
        {"required": ["runs"], "properties": dict.fromkeys((*config, TASKS), False)},
        {"required": ["models"], "properties": dict.fromkeys((*manifest, TASKS), False)},
        {"required": [TASKS], "properties": dict.fromkeys((*manifest, *config), False)},
    ]


def _setting(name: str) -> dict[str, Any]:
    return {"$ref": f"#/$defs/setting_{name}"}


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "additionalProperties": False}
