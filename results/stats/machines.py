"""On which kind of machine a run was made: its speed says something only beside runs of the same kind."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any

    from results.records import RunRecord


def machine_of(record: RunRecord) -> tuple[str, ...]:
    """What decides speed on a machine: its processor and its GPUs."""
    return kind_of(record.host)


def kind_of(host: Mapping[str, Any]) -> tuple[str, ...]:
    """The same, from a record's `host`."""
    cards = host.get("gpus")
    names = (
        [str(card.get("name")) for card in cards if isinstance(card, dict)] if isinstance(cards, list) else []
    )
    return (str(host.get("processor")), *names)


def machine_text(kind: tuple[str, ...]) -> str:
    """For people, such as `2 x NVIDIA L4, Intel(R) Xeon(R)`."""
    processor, *cards = kind
    counted = [
        f"{cards.count(name)} x {name}" if cards.count(name) > 1 else name for name in dict.fromkeys(cards)
    ]
    return ", ".join([*counted, processor if processor != "None" else "unknown processor"])


def kinds_of(records: Iterable[RunRecord]) -> list[tuple[str, ...]]:
    """The kinds of machine of these runs, those of the most runs first."""
    counts: dict[tuple[str, ...], int] = {}
    for record in records:
        kind = machine_of(record)
        counts[kind] = counts.get(kind, 0) + 1
    return sorted(counts, key=lambda kind: (-counts[kind], kind))


def with_host(hosts: tuple[str, ...], before: Mapping[str, Any], now: Mapping[str, Any]) -> tuple[str, ...]:
    """The earlier machines of a run that is continued. hosts: those so far. before, now: `host` of the record until
    now, and of this machine.
    """
    was = before.get("hostname")
    if (was, kind_of(before)) == (now.get("hostname"), kind_of(now)):
        return hosts
    return tuple(dict.fromkeys((*hosts, str(was))))


def moved_text(record: RunRecord) -> str:
    """Why neither speed nor energy of a run that moved can be compared; "" if it did not."""
    if not record.earlier_hosts:
        return ""
    hosts = dict.fromkeys((*record.earlier_hosts, str(record.host.get("hostname"))))
    return f"it moved between machines: {', '.join(hosts)}"


def shards_text(hosts: Sequence[str]) -> str:
    """Why the speed of a run can't be compared that was merged of shards. hosts: of each shard."""
    machines = len(set(hosts))
    where = f" on {machines} machines" if machines > 1 else ""
    return f"it was asked in {len(hosts)} shards{where}: seconds are sums over them, tokens/s those of one server"


def speed_doubts(record: RunRecord) -> tuple[str, ...]:
    """Why its speed should not be compared with that of other runs; () if it can be."""
    measured = record.telemetry.not_comparable if record.telemetry is not None else ()
    if record.telemetry is None and record.shards:
        measured = (shards_text([shard.host for shard in record.shards]),)
    moved = moved_text(record)
    return (*measured, moved) if moved else measured


def energy_doubts(record: RunRecord) -> tuple[str, ...]:
    """Why its energy may not be that of this run alone, or not of one machine; () if nothing is known."""
    if record.telemetry is None:
        return ()
    moved = moved_text(record) if record.telemetry.energy_j is not None else ""
    return (*record.telemetry.energy_doubts, moved) if moved else record.telemetry.energy_doubts
