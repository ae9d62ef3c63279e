"""A certificate as a card for people."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

from results.stats.certification import Certified
from results.views.comparison_text import p_text
from results.views.terminal import Fact, say_facts

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from results.store.certificates import Alone, Certificate, Changes, Costs

_WIDTH = 16
_SHOWN = 5
_GIB = 1 << 30
COLOURS = {
    Certified.IDENTICAL: "green",
    Certified.WITHIN_NOISE: "green",
    Certified.DAMAGING: "red",
    Certified.NOT_DECIDED: "yellow",
}
VERDICTS = {
    Certified.IDENTICAL: "identical",
    Certified.WITHIN_NOISE: "within this machine's own noise",
    Certified.DAMAGING: "damaging",
    Certified.NOT_DECIDED: "not decided",
}


def print_certificate(certificate: Certificate, path: Path) -> None:
    """Print the verdict, what it rests on, speed and energy, and where it is kept."""
    say_facts(_facts(certificate, path), {"not comparable": "red", "energy unsure": "red"}, width=_WIDTH)


def conclusion(certificate: Certificate) -> str:
    """The verdict in a sentence."""
    points = f"{certificate.margin_points:g} points"
    words = VERDICTS[certificate.verdict]
    if certificate.verdict is Certified.IDENTICAL:
        return f"{words}: all {certificate.changes.compared} answers are the same, word for word"
    if certificate.verdict is Certified.DAMAGING:
        return f"{words}: {_difference(certificate)}"
    if certificate.verdict is Certified.WITHIN_NOISE:
        though = ", though it changes more than plain decoding does by itself"
        return f"{words}: a loss of {points} or more is excluded{though * certificate.seen_beyond_noise}"
    return f"{words}: neither a loss is shown, nor one of {points} excluded"


def _facts(certificate: Certificate, path: Path) -> Iterator[Fact]:
    benchmarks = ", ".join(
        f"{each.benchmark} ({_count(each.samples, 'sample')})" for each in certificate.runs
    )
    yield Fact("model", certificate.model)
    yield Fact("benchmark", benchmarks)
    yield Fact(
        "plain", _words({name: each[0] for name, each in certificate.acceleration.items()}) or "without it"
    )
    yield Fact(
        "with", _words({name: each[1] for name, each in certificate.acceleration.items()}) or "without it"
    )
    yield Fact("verdict", conclusion(certificate), COLOURS[certificate.verdict])
    if certificate.samples_needed is not None:
        yield Fact(
            "",
            f"about {_about(certificate.samples_needed)} samples would decide it in four of five cases, if the "
            "difference seen is the true one; more benchmarks add samples: --benchmark human_eval,gsm8k",
        )
    yield Fact("score", _scores(certificate))
    if certificate.verdict not in {Certified.DAMAGING, Certified.IDENTICAL}:  # said above
        yield Fact("", _difference(certificate))
    yield Fact("noise", f"plain against plain: {_changes(certificate.noise)}")
    yield Fact("changes", f"with it: {_changes(certificate.changes)}")
    yield from _beyond(certificate)
    yield from _named(certificate)
    if certificate.lost:
        yield Fact("left out", f"{_count(certificate.lost, 'sample')} with a lost answer")
    yield from _costs(certificate)
    yield Fact("runs", _runs(certificate))
    yield Fact("kept as", str(path))


def _difference(certificate: Certificate) -> str:
    interval = f"90 % interval {certificate.low_points:+.1f} to {certificate.high_points:+.1f}"
    p_value = f"{p_text(certificate.damage_p)} that it is no loss" if certificate.damage_p <= 0.5 else ""
    return f"{certificate.difference_points:+.1f} points ({interval}{p_value and f'; {p_value}'})"


def _scores(certificate: Certificate) -> str:
    plain, again = certificate.plain_score, certificate.again_score
    return f"plain {plain:.1f} and {again:.1f}, with it {certificate.accelerated_score:.1f} of 100"


def _changes(changes: Changes) -> str:
    parts = []
    if changes.changed is not None:
        text = f"{changes.changed} of {changes.compared} answers changed"
        if changes.median_first_difference is not None:
            text += f", first at character {changes.median_first_difference + 1}"
            text += " (median)" if changes.changed > 1 else ""
        parts.append(text)
    ways = [
        f"{number} {words}"
        for number, words in (
            (changes.to_pass, "to passed"),
            (changes.to_fail, "from passed"),
            (changes.other_outcomes, "from one failure to another"),
        )
        if number
    ]
    flipped = f"{_count(changes.flipped, 'outcome')} flipped"
    parts.append(flipped + (f" ({', '.join(ways)})" if ways else ""))
    return "; ".join(parts)


def _beyond(certificate: Certificate) -> Iterator[Fact]:
    """Whether it changes more than plain decoding does by itself."""
    for what, alone in (("answers", certificate.other_words), ("verdicts", certificate.other_verdicts)):
        if alone is not None and alone.odd:
            yield Fact("beyond noise" if what == "answers" else "", _alone(what, alone))


def _alone(what: str, alone: Alone) -> str:
    text = f"{what}: of {alone.odd} on which the three runs differ, it stands alone on {alone.accelerated}"
    return f"{text}; by chance a third ({p_text(alone.p_value)})"


def _named(certificate: Certificate) -> Iterator[Fact]:
    if not certificate.first_changes:
        return
    several = len(certificate.runs) > 1
    shown = []
    for each in certificate.first_changes[:_SHOWN]:
        name = f"{each.benchmark} {each.task_id}" if several else each.task_id
        at = "" if each.first_difference is None else f" at character {each.first_difference + 1}"
        flip = (
            ""
            if each.plain is each.accelerated
            else f" ({_outcome(each.plain)} to {_outcome(each.accelerated)})"
        )
        shown.append(f"{name}{at}{flip}")
    more = len(certificate.first_changes) - len(shown)
    yield Fact("such as", ", ".join(shown) + (f", and {more} more (--json)" if more else ""))
    first = certificate.first_changes[0]
    runs = next(each for each in certificate.runs if each.benchmark == first.benchmark)
    command = ["./bench_runner.py", "compare", runs.plain, runs.accelerated, "--show", first.task_id]
    yield Fact("both answers", shlex.join(command))


def _outcome(outcome: str) -> str:
    return str(outcome).replace("_", " ")


def _costs(certificate: Certificate) -> Iterator[Fact]:
    several = len(certificate.runs) > 1
    for plain, again, fast in zip(
        certificate.plain_costs, certificate.again_costs, certificate.accelerated_costs, strict=True
    ):
        of = f" on {plain.benchmark}" if several else ""
        if fast.tokens_per_s is not None and plain.tokens_per_s is not None:
            yield Fact(f"speed{of}", _figure("tokens_per_s", (plain, again, fast), "{:.1f}", "tokens/s"))
        if fast.joules_per_completion is not None and plain.joules_per_completion is not None:
            yield Fact(
                f"energy{of}",
                _figure("joules_per_completion", (plain, again, fast), "{:.1f}", "J per answer"),
            )
        if fast.gpu_memory_bytes and plain.gpu_memory_bytes:
            yield Fact(f"GPU memory{of}", _memory(plain.gpu_memory_bytes, fast.gpu_memory_bytes))
        elif fast.host_memory_bytes and plain.host_memory_bytes:
            yield Fact(f"host memory{of}", _memory(plain.host_memory_bytes, fast.host_memory_bytes))
        if fast.draft_acceptance is not None:
            yield Fact(f"draft tokens{of}", f"{100 * fast.draft_acceptance:.1f} % accepted")
        for name, run in (("plain", plain), ("plain again", again), ("with it", fast)):
            for why in run.not_comparable:
                yield Fact("not comparable", f"the speed {name}: {why}")
            for why in run.energy_doubts:
                yield Fact("energy unsure", f"that {name}: {why}")


def _figure(field: str, runs: tuple[Costs, Costs, Costs], form: str, unit: str) -> str:
    """With the ratio to the mean of both plain runs."""
    plain, again, fast = (getattr(each, field) for each in runs)
    both = [each for each in (plain, again) if each is not None]
    text = f"plain {' and '.join(map(form.format, both))}, with it {form.format(fast)} {unit}"
    mean = sum(both) / len(both)
    return f"{text}  ({fast / mean:.2f} of plain)" if mean else text


def _memory(plain_bytes: int, fast_bytes: int) -> str:
    return f"plain {plain_bytes / _GIB:.2f}, with it {fast_bytes / _GIB:.2f} GiB at most"


def _runs(certificate: Certificate) -> str:
    return "\n".join(
        f"{name}  {run_id}"
        for each in certificate.runs
        for name, run_id in (("plain", each.plain), ("again", each.again), ("with ", each.accelerated))
    )


def _words(settings: dict[str, Any]) -> str:
    """Settings as options; the server's own behind --."""
    words: list[str] = []
    for name, value in settings.items():
        if value is None or name == "server_args":
            continue
        values = value if isinstance(value, list | tuple) else [value]
        words += [word for each in values for word in (f"--{name.replace('_', '-')}", str(each))]
    own = settings.get("server_args")
    return shlex.join(words) + (
        f" -- {shlex.join(map(str, own))}".removeprefix(" " * (not words)) if own else ""
    )


def _about(number: int) -> str:
    """Rounded up to two digits, because it is an estimate."""
    step = 10 ** max(0, len(str(number)) - 2)
    return f"{-(-number // step) * step:,}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
