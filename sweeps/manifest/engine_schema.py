"""The JSON Schema of the manifest's `engine:` part, from the types of the engines' settings."""

from __future__ import annotations

from typing import Any

import msgspec

from engines.registry import ENGINES, NAMES, settings_help, settings_type
from results.errors import UsageError


def engine_definitions() -> dict[str, Any]:
    """`engine`, and what it refers to, for the schema's `$defs`."""
    found: dict[str, Any] = {}
    kinds: list[dict[str, Any]] = [{"enum": list(NAMES)}]
    for name in ENGINES:
        try:
            kind, texts = settings_type(name), settings_help(name)
        except UsageError:
            continue
        prefix = f"engine_{name}_"
        _, parts = msgspec.json.schema_components([kind], ref_template=f"#/$defs/{prefix}{{name}}")
        for part, described in parts.items():
            if part == kind.__name__:
                kinds.append(_settings(name, described, texts))
            else:
                found[prefix + part] = described
    # A default may be a tuple, which JSON has as an array.
    plain: dict[str, Any] = msgspec.json.decode(msgspec.json.encode({"engine": {"anyOf": kinds}, **found}))
    return plain


def _settings(name: str, described: dict[str, Any], texts: Any) -> dict[str, Any]:
    fields = {
        # Not the defaults: some are paths of this machine.
        field: {
            **{name: value for name, value in each.items() if name != "default"},
            **({"description": texts[field]} if field in texts else {}),
        }
        for field, each in described.get("properties", {}).items()
    }
    return {
        "type": "object",
        "properties": {"name": {"const": name}, **fields},
        "required": ["name", *described.get("required", ())],
        "additionalProperties": False,
    }
