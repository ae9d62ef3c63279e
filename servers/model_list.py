"""Read a server's list of models, /v1/models."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from servers.http_probe import Answer

_SHOWN = 20  # names in a message, because providers have hundreds
_LONGEST = 200  # characters of a name in a message


def entries(answer: Answer) -> list[dict[str, Any]]:
    """The entries that have a name in printable characters; [] if there is no such list."""
    body = answer.json()
    data = body.get("data") if isinstance(body, dict) else None
    found = [entry for entry in data if isinstance(entry, dict)] if isinstance(data, list) else []
    return [entry for entry in found if _is_name(entry.get("id"))]


def names(answer: Answer) -> list[str]:
    """All ids and aliases, each once."""
    found: list[str] = []
    for entry in entries(answer):
        aliases = entry.get("aliases")
        others = aliases if isinstance(aliases, list) else []
        found += [entry["id"], *(alias for alias in others if _is_name(alias))]
    return list(dict.fromkeys(found))


def _is_name(value: object) -> bool:
    return isinstance(value, str) and value.isprintable() and value != ""


def listed(found: Sequence[str]) -> str:
    """The names in one line, for messages."""
    shown = ", ".join(name[:_LONGEST] for name in found[:_SHOWN])
    return shown if len(found) <= _SHOWN else f"{shown} and {len(found) - _SHOWN} more"
