"""The runs of one model over time, each tested against the comparable one before it: when did the score change?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from results.compare.comparability import forbidding, read_run_settings
from results.compare.versus_best import PairedTest, Rank, decode_test, rank_of, test_of_pair
from results.errors import BenchError
from results.stats.paired import holm

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from results.store.reading.run_row import RunRow
    from results.store.run_store import RunStore

_TEST = "history 1"  # of one pair; counted up when its arithmetic changes
_LOOK_BACK = 6  # runs, for a comparable one


@dataclass(frozen=True)
class Step:
    """One run. before: the run that it is tested against; None for the first, and where none is comparable. difference:
    its score minus that one's, as a fraction, with its 95 % interval. adjusted_p: for all steps (Holm). rank: WORSE,
    BETTER or SAME; UNTESTED with `why` in words; None without a run before. changed: what differs from that run.
    """

    row: RunRow
    before: RunRow | None = None
    rank: Rank | None = None
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    adjusted_p: float | None = None
    why: str = ""
    changed: tuple[str, ...] = ()


def run_history(rows: Sequence[RunRow], store: RunStore) -> tuple[Step, ...]:
    """rows: of one model and benchmark, oldest first. Raises ResultsError if the results can't be read."""
    pairs: list[tuple[RunRow, RunRow | None, PairedTest | str]] = []
    for number, row in enumerate(rows):
        before, test = _before(rows[max(0, number - _LOOK_BACK) : number], row, store)
        pairs.append((row, before, test))
    tests = [test for _, _, test in pairs if isinstance(test, PairedTest)]
    adjusted = iter(holm([test.p_value for test in tests]) if tests else [])
    return tuple(_step(row, before, test, adjusted) for row, before, test in pairs)


def _step(row: RunRow, before: RunRow | None, test: PairedTest | str, adjusted: Iterator[float]) -> Step:
    changed = _changed(before, row) if before is not None else ()
    if isinstance(test, str):
        return Step(row, before, Rank.UNTESTED if test else None, why=test, changed=changed)
    p_value = next(adjusted)
    return Step(
        row,
        before,
        rank_of(test.difference, p_value),
        test.difference,
        test.low,
        test.high,
        p_value,
        changed=changed,
    )


def _before(
    earlier: Sequence[RunRow], row: RunRow, store: RunStore
) -> tuple[RunRow | None, PairedTest | str]:
    """The newest comparable one of the earlier runs, and the test against it."""
    why = ""
    for other in reversed(earlier):
        kept = store.kept_tests(other.run_id, [row.run_id], _TEST).get(row.run_id)
        found = decode_test(kept) if kept is not None else _tested(other, row, store)
        if kept is None:
            store.keep_tests(other.run_id, _TEST, {row.run_id: msgspec.json.encode(found)})
        if isinstance(found, PairedTest):
            return other, found
        why = why or found
    return None, why


def _tested(other: RunRow, row: RunRow, store: RunStore) -> PairedTest | str:
    first, second = store.folder(other.run_id), store.folder(row.run_id)
    one, two = store.record(other.run_id), store.record(row.run_id)
    if first is None or second is None or one is None or two is None:
        return "a run is gone"
    try:
        reasons = forbidding(one, two, read_run_settings(first), read_run_settings(second))
    except BenchError as error:
        return error.message
    if reasons:
        return f"not comparable with the run before: {'; '.join(map(str, reasons[:3]))}"
    return test_of_pair((first, one), (second, two), store)


def _changed(before: RunRow, row: RunRow) -> tuple[str, ...]:
    """What differs, in words: build, card, host, model file, settings."""
    facts = [
        ("build", before.server_build, row.server_build),
        ("server", before.server, row.server),
        ("card", before.card, row.card),
        ("host", before.host, row.host),
        ("model's sha256", before.model_sha256[:8], row.model_sha256[:8]),
    ]
    names = dict.fromkeys([*before.settings, *row.settings])
    facts += [(name, before.settings.get(name, ""), row.settings.get(name, "")) for name in names]
    return tuple(
        f"{name} {one or 'not set'} to {other or 'not set'}" for name, one, other in facts if one != other
    )
