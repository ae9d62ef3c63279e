"""The parts of one completion's score, in words: the value, and what it comes from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from results.scores.composite import Part

if TYPE_CHECKING:
    from collections.abc import Mapping

    from results.scores.composite import SampleParts

_QUALITY = ("lint", "complexity", "maintainability", "length")


def part_facts(parts: SampleParts) -> list[tuple[str, str]]:
    """Each part by name: ours first, then those of scorers of one's own."""
    ours = [str(part) for part in Part]
    there = {**parts.parts, **parts.why_not}
    names = [*(name for name in ours if name in there), *sorted(name for name in there if name not in ours)]
    return [(name, _text(parts, name)) for name in names]


def _text(parts: SampleParts, name: str) -> str:
    value = parts.parts.get(name)
    if value is None:
        return f"n/a: {parts.why_not.get(name) or 'not measured'}"
    figures = parts.figures.get(name, {})
    words = {Part.SPEED: _speed, Part.QUALITY: _quality, Part.EFFICIENCY: _efficiency}
    more = words[Part(name)](figures) if name in {*words} else ""
    return f"{value:.1f}{f' ({more})' if more else ''}"


def _speed(figures: Mapping[str, Any]) -> str:
    response, reference = _number(figures, "response_s"), _number(figures, "reference_s")
    if response is None or reference is None:
        return ""
    return f"{response:.3g} s to answer, beside {reference:.3g} s"


def _quality(figures: Mapping[str, Any]) -> str:
    known = [f"{name} {value:.0f}" for name in _QUALITY if (value := _number(figures, name)) is not None]
    new = _new_findings(figures)
    return ", ".join([*known, *([f"ruff: {new}"] if new else [])])


def _new_findings(figures: Mapping[str, Any]) -> str:
    """Rules of ruff that find more in the solution than in the reference."""
    solution, reference = (_findings(figures.get(name)) for name in ("solution", "reference"))
    more = {rule: count - reference.get(rule, 0) for rule, count in solution.items()}
    return " ".join(f"{rule} x {count}" if count > 1 else rule for rule, count in more.items() if count > 0)


def _findings(program: Any) -> dict[str, int]:
    found = program.get("findings") if isinstance(program, dict) else None
    if not isinstance(found, dict):
        return {}
    return {str(rule): count for rule, count in found.items() if isinstance(count, int)}


def _efficiency(figures: Mapping[str, Any]) -> str:
    least, cpu = _number(figures, "cpu_ratio_at_least"), _number(figures, "cpu_ratio")
    if least is not None:
        return f"more than {least:g} times the reference's processor time"
    if figures.get("below_resolution") is True:
        return "too small to tell from the reference"
    said = [f"{cpu:.2f} x the reference's processor time"] if cpu is not None else []
    if (memory := _number(figures, "memory_ratio")) is not None:
        said.append(f"{memory:.2f} x its memory")
    rounds = _number(figures, "rounds")
    return ", ".join([*said, *([f"{rounds:.0f} rounds"] if rounds is not None else [])])


def _number(figures: Mapping[str, Any], name: str) -> float | None:
    value = figures.get(name)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
