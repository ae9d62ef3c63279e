"""What an earlier look at the answers still shows: only pairs that were compared by what the answers of today contain.

What is shown at a look is about a model file, a server, and a mixture of benchmarks. Under other ones it says nothing.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from typing import TYPE_CHECKING

from results.compare.comparability import read_run_settings
from results.store.choices import Evidence
from runner.fingerprint import digest
from runner.program_age import program_changed_s
from settings.setting import Determines
from settings.table import TABLE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from results.records import RunRecord
    from results.store.choices import Look
    from results.store.run_folder import RunFolder

_HOST = ("hostname", "processor", "gpus")
# How many samples there are (draws of any number are the first ones of one order), and what says nothing of answers.
_LEFT_OUT = {"limit", "shuffle", "schema_version", "model", "style_choice", "sent_as"}
_UNKNOWN = "unknown"  # in the name of a build that was compiled outside of its repository
_SAME_SHARE = 0.02  # a benchmark's share of the samples may be so much more or less


def evidence_of(key: str, folder: RunFolder, record: RunRecord, samples: int) -> Evidence:
    """What a finished run is evidence of. key: of the candidate. What isn't known of it, such as the build, may
    be another one in any other run. Raises ResultsError.
    """
    server, model, draft = record.server, record.model_identity, record.draft_identity
    in_config = [
        "lora_content",
        "script",
        *(name for name, each in TABLE.items() if each.determines in {Determines.RESULT, Determines.SERVER}),
    ]
    of_script = read_run_settings(folder) or {}
    settings = {
        "model": (model.sha256 if model is not None else None) or record.run_id,
        "draft": draft.sha256 or record.run_id if draft is not None else None,
        "given": {name: record.config.get(name) for name in in_config if name not in _LEFT_OUT},
        "of_script": {name: value for name, value in of_script.items() if name not in _LEFT_OUT},
    }
    program = {
        "build": _build(record),
        "program": server.command[:1] if server is not None else (),
        "harness": record.harness,
        "host": {name: record.host.get(name) for name in _HOST},
    }
    return Evidence(
        key=key,
        benchmark=record.benchmark,
        settings=digest(settings),
        program=digest(program),
        samples=samples,
    )


def _build(record: RunRecord) -> str:
    """The name of the server's build; otherwise when its program changed last, if that was before the run."""
    server = record.server
    if server is None:
        return record.run_id
    build = str(server.effective.get("build") or _UNKNOWN)
    if _UNKNOWN not in build:
        return build
    if server.program_changed_s is not None:
        return f"{build} {server.program_changed_s}"
    changed = program_changed_s(server.kind, server.command)  # an older record says only when it began
    began = dt.datetime.fromisoformat(record.timestamp).timestamp()
    return f"{build} {changed}" if changed is not None and changed < began else record.run_id


def carried(
    looks: Sequence[Look], evidence: Sequence[Evidence], tolerance_points: float
) -> set[tuple[str, str]]:
    """The settled pairs of keys that hold for this evidence too, of looks with at most that tolerance.

    The answers of both must contain those of then, and the benchmarks must have the same shares: a loss that doesn't
    show in one benchmark may show in another.
    """
    return {
        pair
        for look in looks
        if look.tolerance_points <= tolerance_points
        for pair in look.settled
        if all(_contains(_of(key, evidence), _of(key, look.evidence)) for key in pair)
    }


def _of(key: str, evidence: Sequence[Evidence]) -> list[Evidence]:
    return [each for each in evidence if each.key == key]


def _contains(now: Sequence[Evidence], then: Sequence[Evidence]) -> bool:
    before = {(each.benchmark, each.settings, each.program): each.samples for each in then}
    today = {(each.benchmark, each.settings, each.program): each.samples for each in now}
    if not before or before.keys() != today.keys():
        return False
    was, now_is = _shares(then), _shares(now)
    return all(
        today[key] >= before[key] and abs(now_is[key[0]] - was[key[0]]) <= _SAME_SHARE for key in before
    )


def _shares(evidence: Sequence[Evidence]) -> dict[str, float]:
    """Of all samples, by benchmark."""
    counts: Counter[str] = Counter()
    for each in evidence:
        counts[each.benchmark] += each.samples
    total = max(counts.total(), 1)
    return {name: count / total for name, count in counts.items()}
