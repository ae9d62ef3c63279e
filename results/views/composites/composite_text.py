"""Composite scores as text: the rows of one run, the columns of a table of runs, and what they mean."""

from __future__ import annotations

from typing import TYPE_CHECKING

from results.compare.composites import kinds_of_composites, lacking, part_names, scored_by, speed_against
from results.scores.composite import Part
from results.stats.machines import machine_text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from results.compare.composites import ScoredBy
    from results.compare.leaderboard import Row, Table
    from results.records import RunRecord
    from results.scores.composite import CompositeScore, PartScore, TaggedScores

MOST_VALUES = 16  # of one tag, in the rows of one run
UNKNOWN = "n/a"
WHOLE, PARTIAL = "composite (95 %)", "partial composite"  # headings
OWN = "own: "  # how the heading of a part begins that a scorer of one's own gives
_OURS = tuple(map(str, Part))
PLAIN_KIND = ("composite_weights", "composite_rules", "composite_speed_against")
PLAIN_WHOLE = ("composite", "partial_composite")
PLAIN_COLUMNS = (
    "composite", "composite_low", "composite_high", "partial_composite", "partial_of", *_OURS,
    "own_parts", *PLAIN_KIND,
)  # fmt: skip


def value_text(score: PartScore) -> str:
    """Such as `63.2 (60.1 to 66.3)`; n/a where it isn't known."""
    if score.value is None:
        return UNKNOWN
    if score.low is None or score.high is None:
        return f"{score.value:.1f}"
    return f"{score.value:.1f} ({score.low:.1f} to {score.high:.1f})"


def why_unknown(composite: CompositeScore) -> str:
    """Why there is no composite; empty where there is one."""
    if composite.composite.value is not None:
        return ""
    parts = {
        name: part.why_not
        for name, part in composite.parts.items()
        if part.value is None and composite.weights.get(name)
    }
    return "; ".join(f"{name}: {why}" if why else f"{name} is not known" for name, why in parts.items()) or (
        composite.composite.why_not or "not every part is known"
    )


def list_text(words: Sequence[str]) -> str:
    """Such as `a, b and c`."""
    return " and ".join(filter(None, (", ".join(words[:-1]), words[-1]))) if words else ""


def composite_rows(composite: CompositeScore) -> list[tuple[str, str]]:
    """What a run's summary says of it, by name."""
    whole = composite.composite
    rows = [
        (
            "composite",
            f"{UNKNOWN}: {why_unknown(composite)}" if whole.value is None else _of_100(whole),
        )
    ]
    if composite.partial is not None:
        rows.append(("- partial", f"{_of_100(composite.partial)}, of {list_text(composite.partial_of)} only"))
    rows += [(f"- {name}", _part_text(composite, name)) for name in part_names([composite])]
    by_tag: dict[str, list[TaggedScores]] = {}
    for each in composite.by_tag:
        by_tag.setdefault(each.tag, []).append(each)
    for tag, values in by_tag.items():
        if len(values) > MOST_VALUES:
            rows.append((f"- by {tag}", f"{len(values)} values: show --json"))
            continue
        rows.append(
            (
                f"- by {tag}",
                ", ".join(f"{each.value} {named_partial(each, composite.weights)}" for each in values),
            )
        )
    rows += [("WARNING", warning) for warning in composite.warnings]
    return rows


def _of_100(score: PartScore) -> str:
    if score.value is None:
        return UNKNOWN
    interval = (
        ""
        if score.low is None or score.high is None
        else f"  (95 % interval {score.low:.1f} to {score.high:.1f})"
    )
    return f"{score.value:.1f} of 100{interval}"


def _part_text(composite: CompositeScore, name: str) -> str:
    part, weight = composite.parts.get(name), composite.weights.get(name, 0.0)
    share = f"weight {100 * weight:.3g} %" if weight else "no weight"
    if part is None:
        return f"{UNKNOWN}, {share}: it was not measured"
    if part.value is None:
        return f"{UNKNOWN}, {share}: {part.why_not or 'not known'}"
    against = f" against {found}" if name == "speed" and (found := speed_against(composite)) else ""
    samples = f", {part.samples} sample{'s' * (part.samples != 1)}" if part.samples else ""
    return f"{value_text(part)}, {share}{samples}{against}"


def whole_or_partial(scored: CompositeScore | TaggedScores | None, *, interval: bool = True) -> str:
    """The composite; the partial one, marked, where there is none. None: a run without one, which has no text."""
    if scored is None:
        return ""
    partial = scored.composite.value is None and scored.partial is not None
    found = scored.partial if partial else scored.composite
    if found is None or found.value is None:
        return UNKNOWN
    text = value_text(found) if interval else f"{found.value:.1f}"
    return f"{text} (partial)" if partial else text


def named_partial(scored: CompositeScore | TaggedScores, weights: Mapping[str, float]) -> str:
    """The composite; where there is none, the partial one with the parts that it lacks: two samples, or two values of a
    tag, may lack different ones. weights: by part.
    """
    if scored.composite.value is None and scored.partial is not None:
        return f"{value_text(scored.partial)} without {list_text(lacking(scored, weights))}"
    return value_text(scored.composite)


def composite_columns(table: Table) -> list[tuple[str, Callable[[Row], str]]]:
    """The columns of a table of runs: the composite, the partial one, and each part; none where no run has any."""
    composites = [row.record.composite for row in table.rows]
    if not any(each is not None for each in composites):
        return []
    kinds = kinds_of_composites(row.record for row in table.rows)
    return [
        (WHOLE, lambda row: whole_text(row.record)),
        ("scored", lambda row: kind_letter(row.record, kinds)),
        (PARTIAL, lambda row: partial_text(row.record)),
        *((name, _part(name)) for name in part_headings(composites)),
    ]


def part_headings(composites: Sequence[CompositeScore | None]) -> list[str]:
    """The headings of the parts; one of a scorer of one's own can't be taken for a column of ours."""
    return [name if name in _OURS else f"{OWN}{name}" for name in part_names(composites)]


def whole_text(record: RunRecord) -> str:
    """The cell of the composite."""
    return "" if record.composite is None else value_text(record.composite.composite)


def partial_text(record: RunRecord) -> str:
    """The cell of the partial composite, with the parts that it lacks."""
    found = record.composite
    if found is None or found.partial is None or found.partial.value is None:
        return ""
    return f"{value_text(found.partial)} without {list_text(lacking(found, found.weights))}"


def part_of(record: RunRecord, heading: str) -> PartScore | None:
    """The part that stands below a heading."""
    found = record.composite
    return found.parts.get(heading.removeprefix(OWN)) if found is not None else None


def _part(heading: str) -> Callable[[Row], str]:
    def cell(row: Row) -> str:
        part = part_of(row.record, heading)
        if row.record.composite is None:
            return ""
        return UNKNOWN if part is None or part.value is None else f"{part.value:.1f}"

    return cell


def kind_letter(record: RunRecord, kinds: Sequence[ScoredBy]) -> str:
    """A letter for what its composite was computed by, if there are several kinds."""
    kind = scored_by(record)
    return letter(kinds.index(kind)) if kind is not None and len(kinds) > 1 else ""


def letter(number: int) -> str:
    """a, b and so on (machines have capital letters); after z by number."""
    return chr(ord("a") + number) if number < 26 else str(number + 1)


def about_composites(table: Table) -> str:
    """What the composites of a table are made of, and which of them can't be compared; empty without any."""
    return " ".join(composite_sentences(table))


def composite_sentences(table: Table) -> list[str]:
    """The same as sentences."""
    kinds = kinds_of_composites(row.record for row in table.rows)
    if not kinds:
        return []
    made = [f"Composite: {_kind_text(kinds[0], kinds)}."]
    if len(kinds) > 1:
        named = (f"{letter(number)}: {_kind_text(kind, kinds)}" for number, kind in enumerate(kinds))
        made = [f"Only composites with the same letter can be compared. {'; '.join(named)}."]
    return [
        *made,
        *(f"No composite for {sentence}." for sentence in _unknown(table)),
        "Intervals of composites are over samples; comparing two runs gives that of a difference.",
    ]


def _unknown(table: Table) -> list[str]:
    """Which runs have no composite although one was asked for, for each reason."""
    reasons: dict[str, list[Row]] = {}
    for row in table.rows:
        if (found := row.record.composite) is not None and (why := why_unknown(found)):
            reasons.setdefault(why, []).append(row)
    return [
        f"{(rows[0].called or rows[0].record.model) if len(rows) == 1 else f'{len(rows)} runs'}: {why}"
        for why, rows in reasons.items()
    ]


def _kind_text(kind: ScoredBy, kinds: Sequence[ScoredBy]) -> str:
    weights = ", ".join(f"{name} {100 * weight:.3g} %" for name, weight in kind.weights)
    differs = {name for name in ("rules", "scorers", "machine") if len({getattr(k, name) for k in kinds}) > 1}
    more = [
        f"speed against {kind.speed_against}" if kind.speed_against else "",
        _rules_text(kind, kinds) if "rules" in differs else "",
        ", ".join(f"scorer {name} {content[:8]}" for name, content in kind.scorers)
        if "scorers" in differs
        else "",
        f"on {machine_text(kind.machine)}" if "machine" in differs and kind.machine else "",
    ]
    return ", ".join(filter(None, (weights, *more)))


def _rules_text(kind: ScoredBy, kinds: Sequence[ScoredBy]) -> str:
    """The rules of those parts that another kind measured by other ones; a part that only one of them has is told by
    the weights.
    """
    own = {name for each in kinds for name, _ in each.scorers}
    by_part = [_rules_by_part(each.rules) for each in kinds]
    differing = [
        f"{part} {rules}".strip()
        for part, rules in _rules_by_part(kind.rules).items()
        if part not in own and len({each[part] for each in by_part if part in each}) > 1
    ]
    return f"rules {' | '.join(differing)}" if differing else ""


def _rules_by_part(rules: str) -> dict[str, str]:
    """By part; those of the composite itself below an empty name."""
    whole, *parts = rules.split(" | ")
    return {"": whole} | {name: text for name, _, text in (each.partition(" ") for each in parts)}


def plain_cells(record: RunRecord) -> list[str]:
    """The cells of PLAIN_COLUMNS, for scripts."""
    found = record.composite
    if found is None:
        return [""] * len(PLAIN_COLUMNS)
    whole, partial = found.composite, found.partial
    figures = [whole.value, whole.low, whole.high, partial.value if partial is not None else None]
    parts = [found.parts[name].value if name in found.parts else None for name in _OURS]
    own = [(name, part.value) for name, part in found.parts.items() if name not in _OURS]
    return [
        *map(_figure, figures),
        "+".join(found.partial_of),
        *map(_figure, parts),
        ",".join(f"{name}={_figure(value)}" for name, value in own if value is not None),
        *plain_kind(record),
    ]


def plain_whole(record: RunRecord) -> tuple[str, str]:
    """The cells of PLAIN_WHOLE."""
    found = record.composite
    partial = found.partial if found is not None else None
    whole = found.composite.value if found is not None else None
    return (_figure(whole), _figure(partial.value if partial is not None else None))


def plain_kind(record: RunRecord) -> tuple[str, str, str]:
    """The cells of PLAIN_KIND: the weights in percent as `--weights` reads them, the rules, and what speed was compared
    with. Composites can be compared where all of them are alike.
    """
    found, kind = record.composite, scored_by(record)
    if found is None or kind is None:
        return ("", "", "")
    weights = ",".join(f"{name}={100 * weight:.6g}" for name, weight in kind.weights)
    return (weights, found.rules, kind.speed_against)


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}"
