"""What the machines of an engine have, as a table and as JSON. What a machine says of itself may be anything."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from results.views.terminal import print_table, size_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engines.node.node_check import NodeCheck
    from engines.node_looks import NodeLook

HEADER = ("machine", "bench_runner", "servers", "GPUs", "models", "free disk", "clock")
_SHORT_COMMIT = 9


def print_looks(looks: Sequence[NodeLook]) -> None:
    """A line a machine."""
    print_table(HEADER, [_line(look) for look in looks])


def looks_json(looks: Sequence[NodeLook]) -> list[dict[str, Any]]:
    """For other programs: all that the machines said."""
    import msgspec

    return [
        {
            "place": look.place,
            "why": look.why,
            "clock_s": look.clock_s,
            "uncertain_s": look.uncertain_s,
            "check": msgspec.to_builtins(look.check) if look.check is not None else None,
        }
        for look in looks
    ]


def _line(look: NodeLook) -> tuple[str, ...]:
    check = look.check
    if check is None:
        return (look.place, "not reached", *[""] * (len(HEADER) - 2))
    commit = str(check.harness.get("commit") or "")
    version = " ".join(filter(None, (str(check.harness.get("version") or "?"), commit[:_SHORT_COMMIT])))
    version += " (changed)" if commit.endswith("-dirty") else ""
    servers = [f"{server.name} {server.version}".strip() for server in check.servers if server.ok]
    disk = "?" if check.disk_free_bytes is None else size_text(check.disk_free_bytes)
    return (
        look.place,
        version,
        ", ".join(servers) or "none",
        _gpus(check),
        _models(check),
        disk,
        _clock(look),
    )


def _gpus(check: NodeCheck) -> str:
    cards = check.host.get("gpus")
    names = (
        [str(card.get("name") or "?") for card in cards if isinstance(card, dict)]
        if isinstance(cards, list)
        else []
    )
    kinds = [f"{names.count(name)} x {name}" for name in dict.fromkeys(names)]
    if not kinds:
        return "none"
    hidden = f" ({check.usable_gpus} can be used)" if check.usable_gpus != len(names) else ""
    return ", ".join(kinds) + hidden


def _models(check: NodeCheck) -> str:
    parts = []
    if check.models:
        there = sum(size is not None for size in check.models.values())
        parts.append(f"{there} of {len(check.models)} at their path")
    parts += [f"{'no' if count is None else count} in {folder}" for folder, count in check.folders.items()]
    return ", ".join(parts) or "-"


def _clock(look: NodeLook) -> str:
    if abs(look.clock_s) < 1:
        return "right"
    return f"{abs(look.clock_s):.0f} s {'ahead' if look.clock_s > 0 else 'behind'}"
