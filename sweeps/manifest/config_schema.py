"""The JSON Schema of the form with models, execution and scoring: its fields, and that they exclude a manifest's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sweeps.manifest.config_form import CONFIG_FIELDS, EXECUTION_KEYS, SCORING_KEYS

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
    return {name: {**fields[name], "description": text} for name, text in CONFIG_FIELDS.items()}


def either_form() -> list[dict[str, Any]]:
    """A manifest, or the other form: never fields of both."""
    manifest, config = ("matrix", "runs", "defaults"), tuple(CONFIG_FIELDS)
    return [
        {"required": ["matrix"], "properties": dict.fromkeys(config, False)},
        {"required": ["runs"], "properties": dict.fromkeys(config, False)},
        {"required": ["models"], "properties": dict.fromkeys(manifest, False)},
    ]


def _setting(name: str) -> dict[str, Any]:
    return {"$ref": f"#/$defs/setting_{name}"}


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "additionalProperties": False}
