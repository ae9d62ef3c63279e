"""The manifest's JSON Schema (draft 2020-12), made of the same tables by which manifests are read.

It says what single values may be. What only shows when a run is made of them (a setting that another server has, a
file that is missing) is told by `sweep --dry-run`.
"""

from __future__ import annotations

from typing import Any

from settings.table import Setting, settings
from sweeps.manifest.reader import FIELDS, MODEL_FIELDS

DRAFT = "https://json-schema.org/draft/2020-12/schema"
_VARIABLE = {"type": "string", "pattern": r"\$\{[A-Za-z_][A-Za-z0-9_]*(:-[^{}]*)?\}"}


def schema() -> dict[str, Any]:
    """As JSON says it."""
    known = settings()
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
    }
    return {
        "$schema": DRAFT,
        "title": "bench_runner sweep",
        "description": "Many runs: models x server settings x benchmarks. See docs/manifest.md.",
        **_object({name: {**fields[name], "description": text} for name, text in FIELDS.items()}),
        "anyOf": [{"required": ["matrix"]}, {"required": ["runs"]}],
        "$defs": {
            "settings": _object({name: _ref(name) for name in known}),
            **{f"setting_{name}": _setting(setting) for name, setting in known.items()},
        },
    }


def _setting(setting: Setting) -> dict[str, Any]:
    return {"description": setting.help, "anyOf": [*_kinds(setting), {"type": "null"}]}


def _kinds(setting: Setting) -> list[dict[str, Any]]:
    if setting.kind in {"whole", "number"}:
        number = {
            "type": "integer" if setting.kind == "whole" else "number",
            "minimum": setting.minimum,
            "maximum": setting.maximum,
        }
        return [{name: value for name, value in number.items() if value is not None}, _VARIABLE]
    if setting.kind == "words":
        words = {"type": "array", "items": {"type": ["string", "number"]}}
        return [{"type": "string"}, words]
    if setting.kind == "model":
        fields = {
            "path": {"type": "string"},
            "name": {"type": "string"},
            "overrides": _definition("settings"),
        }
        described = {name: {**fields[name], "description": text} for name, text in MODEL_FIELDS.items()}
        return [{"type": "string"}, {**_object(described), "required": ["path"]}]
    if setting.choices:
        return [{"enum": list(setting.choices)}, _VARIABLE]
    if setting.pattern:
        return [{"type": "string", "pattern": f"^({setting.pattern})$"}, {"type": "number"}, _VARIABLE]
    return [{"type": ["string", "number"] if setting.own else "string"}]


def _pattern(name: str) -> dict[str, Any]:
    """In an exclude a model is named by a glob."""
    return {"type": "string"} if name == "model" else _ref(name)


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "additionalProperties": False}


def _list(definition: str) -> dict[str, Any]:
    return {"type": "array", "items": _definition(definition)}


def _definition(name: str) -> dict[str, Any]:
    return {"$ref": f"#/$defs/{name}"}


def _ref(name: str) -> dict[str, Any]:
    return _definition(f"setting_{name}")
