"""What a report is about: its title, and the machine and builds that its runs share."""

from __future__ import annotations

import datetime as dt
import re
from typing import TYPE_CHECKING

from results.views.sentences.run_names import add_where_shared, unique_names

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from results.compare.leaderboard import Row, Table
    from results.records import RunRecord

_MOST_NAMED = 3
_MAKER = re.compile(
    r"\b(?:NVIDIA|GeForce|AMD|Radeon|Intel|Processor|CPU)\b|\((?:R|TM|C)\)|@.*$", re.IGNORECASE
)
_TRADEMARK = re.compile(r"\((?:R|TM|C)\)", re.IGNORECASE)


def report_title(records: Sequence[RunRecord]) -> str:
    """For example "human_eval on 8 GGUFs, RTX 4090, 25 Nov 2026"."""
    if not records:
        return "No runs"
    benchmarks = [*dict.fromkeys(record.benchmark for record in records)]
    what = _joined(benchmarks) if len(benchmarks) <= _MOST_NAMED else f"{len(benchmarks)} benchmarks"
    machines = [*dict.fromkeys(machine(record) for record in records)]
    where = machines[0] if len(machines) == 1 else f"{len(machines)} machines"
    return ", ".join(filter(None, (f"{what} on {_models(records)}", where, dates(records))))


def dates(records: Iterable[RunRecord]) -> str:
    """For example "25 Nov 2026" or "25 Nov to 2 Dec 2026", in UTC."""
    days = sorted({day for record in records if (day := _day(record)) is not None})
    if not days:
        return ""
    first, last = days[0], days[-1]
    end = f"{last.day} {last:%b %Y}"
    if first == last:
        return end
    begin = str(first.day)
    if (first.year, first.month) != (last.year, last.month):
        begin += f" {first:%b}"
    if first.year != last.year:
        begin += f" {first.year}"
    return f"{begin} to {end}"


def machine(record: RunRecord) -> str:
    """Its GPUs in short, or its processor: "RTX 4090", "2 x A100-SXM4-80GB"."""
    names = [str(gpu.get("name")) for gpu in _gpus(record)]
    counted = dict.fromkeys(names)
    if counted:
        each = [
            f"{names.count(name)} x {_short(name)}" if names.count(name) > 1 else _short(name)
            for name in counted
        ]
        return _joined(each)
    return _short(str(record.host.get("processor") or ""))


def facts(records: Sequence[RunRecord]) -> tuple[tuple[str, str], ...]:
    """What stands below the title: the machine, the server's build, and ours. Values that differ are joined."""
    found = {
        "Machine": [_machine_facts(record) for record in records],
        "Server": [_server(record) for record in records],
        "Driver": [
            ", ".join(sorted({str(gpu.get("driver")) for gpu in _gpus(record)})) for record in records
        ],
        "bench-runner": [_harness(record) for record in records],
    }
    shown = {name: [*dict.fromkeys(filter(None, values))] for name, values in found.items()}
    return tuple(
        (name, "; ".join(values) if len(values) <= _MOST_NAMED else f"{len(values)} different ones")
        for name, values in shown.items()
        if values
    )


def row_names(table: Table) -> dict[str, str]:
    """A short name of each row, unique in the table, by the run's id: with no more than is needed."""
    one_family = len({row.family for row in table.rows}) == 1 and len(table.rows) > 1
    by_quantization = one_family and all(row.quantization for row in table.rows)
    names = {
        row.record.run_id: row.quantization if by_quantization else row.record.model for row in table.rows
    }
    return unique_names(
        add_where_shared(names, {row.record.run_id: _settings_text(row) for row in table.rows})
    )


def _settings_text(row: Row) -> str:
    return " ".join(f"{name}={value}" for name, value in row.settings.items())


def shared_family(table: Table) -> str:
    """The model's name that `row_names` leaves out; empty if it leaves out none."""
    if len(table.rows) < 2 or not all(row.quantization for row in table.rows):
        return ""
    families = {row.family for row in table.rows}
    return families.pop() if len(families) == 1 else ""


def _models(records: Sequence[RunRecord]) -> str:
    names = [*dict.fromkeys(record.model for record in records)]
    if len(names) == 1:
        configurations = len({str(sorted(_configuration(record))) for record in records})
        return names[0] if configurations < 2 else f"{names[0]} in {configurations} configurations"
    kind = "GGUFs" if all(_is_gguf(record) for record in records) else "models"
    return f"{len(names)} {kind}"


def _configuration(record: RunRecord) -> list[tuple[str, str]]:
    return [
        (name, str(value))
        for name, value in record.config.items()
        if name not in {"port", "nonce", "family_style"}
    ]


def _is_gguf(record: RunRecord) -> bool:
    return str(record.config.get("path") or "").lower().endswith(".gguf")


def _day(record: RunRecord) -> dt.date | None:
    try:
        return dt.datetime.fromisoformat(record.timestamp).astimezone(dt.UTC).date()
    except ValueError:
        return None


def _gpus(record: RunRecord) -> list[dict[str, object]]:
    return [gpu for gpu in record.host.get("gpus") or () if isinstance(gpu, dict)]


def _machine_facts(record: RunRecord) -> str:
    host = record.host
    processor = " ".join(_TRADEMARK.sub("", str(host.get("processor") or "")).split())
    cores = f"{processor}, {host['cores']} cores" if processor and host.get("cores") else processor
    gpus = machine(record) if _gpus(record) else ""
    return ", ".join(filter(None, (str(host.get("hostname") or ""), gpus, cores)))


def _server(record: RunRecord) -> str:
    if record.server is None:
        return ""
    effective = record.server.effective
    build = effective.get("build") or effective.get("version")
    return f"{record.server.kind} {build}" if build else record.server.kind


def _harness(record: RunRecord) -> str:
    commit = str(record.harness.get("commit") or "")[:8]
    version = str(record.harness.get("version") or "")
    return f"{version} ({commit})" if version and commit else version


def _short(name: str) -> str:
    return " ".join(_MAKER.sub("", name).split()) or " ".join(name.split())


def _joined(names: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))
