"""The manifest's JSON Schema (draft 2020-12), built from the tables that manifests are read with.

It describes single values. Errors that only show in a whole run (a setting of another server, a missing file) are
reported by `sweep --dry-run`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from settings.table import TABLE
from sweeps.manifest.config_schema import config_fields, either_form
from sweeps.manifest.engine_schema import engine_definitions
from sweeps.manifest.reader import FIELDS, MODEL_FIELDS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from settings.setting import Setting

DRAFT = "https://json-schema.org/draft/2020-12/schema"
_VARIABLE = {"type": "string", "pattern": r"\$\{[A-Za-z_][A-Za-z0-9_]*(:-[^{}]*)?\}"}


def schema(known: Mapping[str, Setting] = TABLE) -> dict[str, Any]:
    """The schema as plain JSON values."""
    known = {name: setting for name, setting in known.items() if not setting.hidden}
    axes = {
        name: {"anyOf": [_ref(name), {"type": "array", "minItems": 1, "items": _ref(name)}]} for name in known
    }
    patterns = {
        name: {"anyOf": [_pattern(name), {"type": "array", "minItems": 1, "items": _pattern(name)}]}
        for name in known
    }
    include = {"include": _list("settings"), "exclude": {"type": "array", "items": _object(patterns)}}
    fields = {
        "$schema": {"type": "string"},
        "seed": _ref("seed"),
        "test_mode": {"anyOf": [{"type": "boolean"}, {"enum": ["true", "false"]}, _VARIABLE]},
        "defaults": _definition("settings"),
        "matrix": _object({**axes, **include}),
        "runs": _list("settings"),
        "engine": _definition("engine"),
    }
    return {
        "$schema": DRAFT,
        "title": "bench_runner sweep",
        "description": "Many runs: models x server settings x benchmarks. See docs/manifest.md.",
        **_object(
            {name: {**fields[name], "description": text} for name, text in FIELDS.items()}
            | config_fields(known)
        ),
        "anyOf": either_form(),
        "$defs": {
            **engine_definitions(),
            "settings": _object({name: _ref(name) for name in known}),
            **{f"setting_{name}": _setting(setting) for name, setting in known.items()},
        },
    }


def _setting(setting: Setting) -> dict[str, Any]:
    return {"description": setting.help, "anyOf": [*_kinds(setting), {"type": "null"}]}


def _kinds(setting: Setting) -> list[dict[str, Any]]:
    if setting.is_numeric or setting.kind == "size":
        number = {
            "type": "number" if setting.kind == "number" else "integer",
            "minimum": setting.minimum,
            "exclusiveMinimum": setting.above,
            "maximum": setting.maximum,
        }
        written = {"type": "string"} if setting.kind == "size" else _VARIABLE
        return [{name: value for name, value in number.items() if value is not None}, written]
    if setting.kind == "flag":
        return [{"type": "boolean"}, {"enum": ["true", "false"]}, _VARIABLE]
    if setting.kind == "json":
        return [{"type": "object"}, {"type": "string"}]
    if setting.kind == "weights":
        return [
            {"type": "object", "additionalProperties": {"type": "number", "minimum": 0}},
            {"type": "string"},
        ]
    if setting.kind == "words":
        words = {"type": "array", "items": {"type": ["string", "number"]}}
        return [{"type": "string"}, words]
    if setting.kind == "adapters":
        return [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]
    if setting.kind == "model":
        fields = {
            "path": {"type": "string"},
            "name": {"type": "string"},
            "overrides": _definition("settings"),
        }
        described = {name: {**fields[name], "description": text} for name, text in MODEL_FIELDS.items()}
        return [{"type": "string"}, {**_object(described), "required": ["path"]}]
    if setting.choices:
        others = [{"type": "string", "pattern": f"^({setting.also})$"}] if setting.also else []
        return [{"enum": list(setting.every_choice)}, *others, _VARIABLE]
    if setting.pattern:
        numbers = [{"type": "number"}] if setting.is_own else []
        return [{"type": "string", "pattern": f"^({setting.pattern})$"}, *numbers, _VARIABLE]
    return [{"type": ["string", "number"] if setting.is_own else "string"}]


def _pattern(name: str) -> dict[str, Any]:
    """The schema of a value in `exclude`, where a model is a glob."""
    return {"type": "string"} if name == "model" else _ref(name)


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "additionalProperties": False}


def _list(definition: str) -> dict[str, Any]:
    return {"type": "array", "items": _definition(definition)}


def _definition(name: str) -> dict[str, Any]:
    return {"$ref": f"#/$defs/{name}"}


def _ref(name: str) -> dict[str, Any]:
    return _definition(f"setting_{name}")
