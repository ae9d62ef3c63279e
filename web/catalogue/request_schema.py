"""What OpenAPI says of a request, so that its readers see which settings there are and which values they take."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from settings.benchmarks import BENCHMARKS
from settings.suites import shipped_suites
from web.catalogue.offered import OFFERED, Offer, offer_of, offered_choices

if TYPE_CHECKING:
    from settings.setting import Setting

SUITES = (*BENCHMARKS, *shipped_suites())
_TYPES = {"whole": "integer", "size": "integer", "number": "number", "flag": "boolean", "json": "object"}


def either(schema: dict[str, Any]) -> None:
    """A request has a suite or a manifest, and a manifest says all by itself."""
    nothing, something = {"type": "null"}, {"not": {"type": "null"}}
    schema["oneOf"] = [
        {"required": ["suite"], "properties": {"suite": something, "manifest": nothing}},
        {
            "required": ["manifest"],
            "properties": {"manifest": something, "suite": nothing, "config": nothing},
        },
    ]


def params_schema() -> dict[str, Any]:
    """The settings of a request, by name."""
    return {
        "properties": {name: _setting(setting) for name, setting in OFFERED.items()},
        "additionalProperties": False,
    }


def _setting(setting: Setting) -> dict[str, Any]:
    value: dict[str, Any] = {"type": _TYPES.get(setting.kind, "string")}
    if offer_of(setting) is Offer.VALUE:
        bounds = {"minimum": setting.minimum, "exclusiveMinimum": setting.above, "maximum": setting.maximum}
        value |= {name: bound for name, bound in bounds.items() if bound is not None}
        if setting.choices:
            value["enum"] = list(offered_choices(setting))
        elif setting.pattern:
            value["pattern"] = f"^({setting.pattern})$"
    else:
        value["description"] = "a name of the catalogue"
    return {"description": setting.help, "anyOf": [value, {"type": "null"}]}
