"""A recommendation in words and as a table: on the terminal, and as the card of a report."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from results.json_text import encode_indented
from results.plain_text import plain
from results.views.terminal import print_table, say

if TYPE_CHECKING:
    from results.store.choices import Choice, ChoiceRow

GIB = 1 << 30
HEADER = ("model", "verdict", "score", "at most worse", "tokens/s", "GiB", "J/token", "KLD", "bits", "why")
RECOMMENDED = "recommended"


@dataclass(frozen=True)
class ChoiceCard:
    """A recommendation for a page. kind: "pick" or "none". command: as text to copy; "" if there is none."""

    kind: str
    head: str
    proof: tuple[str, ...]
    command: str
    runner_up: str
    needed: str
    unknown: tuple[str, ...]


def choice_card(choice: Choice) -> ChoiceCard:
    """The card. Its texts are as in the choice: whoever shows them makes them safe."""
    return ChoiceCard(
        kind="pick" if choice.ending == RECOMMENDED else "none",
        head=choice.head,
        proof=choice.proof,
        command=shlex.join(choice.command),
        runner_up=choice.runner_up_text,
        needed=choice.needed,
        unknown=choice.unknown,
    )


def print_choice(choice: Choice, *, as_json: bool = False) -> None:
    """Print it on stdout."""
    if as_json:
        click.echo(encode_indented(choice), nl=False)
        return
    card = choice_card(choice)
    print_table(
        HEADER,
        [_line(row) for row in choice.rows],
        numbers=set(HEADER) - {"model", "verdict", "why"},
        optional=("J/token", "KLD", "bits", "GiB"),
        all_shown_by="--json",
        styles=["green" if row.verdict == "chosen" else None for row in choice.rows],
    )
    say()
    say(f"{card.head}.", bold=True, fg="green" if card.kind == "pick" else None)
    for sentence in card.proof:
        say(f"  {sentence}")
    if card.command:
        say("server:", bold=True)
        say(f"  {plain(card.command)}")
        if plain(card.command) != card.command:
            say(
                "  (characters that a terminal would not show are written out; --json has the command as it is)"
            )
    if card.runner_up:
        say(f"runner-up: {card.runner_up}", bold=False)
    if card.needed:
        say(f"needed: {card.needed}")
    if card.unknown:
        say("not known:", bold=True)
        for sentence in card.unknown:
            say(f"  - {sentence}")


def _line(row: ChoiceRow) -> tuple[str, ...]:
    return (
        row.label,
        row.verdict,
        "" if row.score is None else f"{row.score:.1f}",
        "" if row.loss_points is None else f"{row.loss_points:.1f}",
        "" if row.tokens_per_s is None else f"{row.tokens_per_s:.1f}",
        "" if row.memory_bytes is None else f"{row.memory_bytes / GIB:.2f}",
        "" if row.joules_per_token is None else f"{row.joules_per_token:.2f}",
        "" if row.kld is None else f"{row.kld:.4f}",
        "" if row.bits_per_weight is None else f"{row.bits_per_weight:.1f}",
        row.why,
    )
