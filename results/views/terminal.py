"""Print for people. Printed text can neither control the terminal nor imitate another line.

On a terminal, tables are aligned and fit its width; elsewhere they are tab-separated lines, for `cut` and `awk`.
"""

from __future__ import annotations

import re
import shlex
import sys
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from results.errors import Interrupted
from results.plain_text import cell, indented, plain, plain_lines

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from rich.console import Console
    from rich.table import Table

    from results.errors import Reported

_NUMBER = re.compile(r"[-+]?[\d.,]+( \([\d.]+ to [\d.]+\))?")


def say(text: object = "", *, err: bool = False, **style: Any) -> None:
    """Print a message; its further lines are indented. style: arguments of `click.style`."""
    click.echo(_styled(indented(str(text)), **style), err=err)


def warn(text: str) -> None:
    """Print a warning on stderr."""
    say(f"warning: {text}", err=True)


def explain(error: Reported) -> int:
    """Print on stderr what happened and what to do. Returns the exit code. An interruption is not called an error."""
    if error.log_tail:
        say("last lines of its log:", err=True, dim=True)
        click.echo("\n".join(f"  | {line}" for line in plain_lines(error.log_tail).splitlines()), err=True)
    if error.command:
        from settings.secrets import without_secrets

        say(f"command: {shlex.join(without_secrets(error.command))}", err=True)
    label = (
        _styled("interrupted:", fg="yellow", bold=True)
        if isinstance(error, Interrupted)
        else _styled("error:", fg="red", bold=True)
    )
    click.echo(f"{label} {indented(error.message)}", err=True)
    if error.hint:
        click.echo(f"{_styled('try:', fg='yellow')} {indented(error.hint)}", err=True)
    return error.exit_code


class Fact(NamedTuple):
    """A name and a text. colour: the text's."""

    name: str
    text: str
    colour: str | None = None


def say_facts(
    facts: Iterable[Fact], colours: Mapping[str, str] = MappingProxyType({}), *, width: int = 15
) -> None:
    """Print a line for each fact, with its name in bold, padded to `width`. colours: by name."""
    for fact in facts:
        name = _styled(f"{plain(fact.name):{width}}", bold=True, fg=colours.get(fact.name))
        click.echo(f"{name} {_styled(indented(fact.text, ' ' * (width + 1)), fg=fact.colour)}".rstrip())


def print_table(
    header: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    numbers: Iterable[str] = (),
    styles: Sequence[str | None] = (),
) -> None:
    """Print a table. numbers: columns to align as numbers although they contain text. styles: rich's, for each row."""
    if sys.stdout.isatty():
        console().print(aligned(header, rows, numbers=numbers, styles=styles))
    else:
        click.echo("\n".join("\t".join(map(cell, row)) for row in [header, *rows]))


def aligned(
    header: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    numbers: Iterable[str] = (),
    styles: Sequence[str | None] = (),
) -> Table:
    """A table that fits any terminal; numbers are right-aligned."""
    from rich.table import Table
    from rich.text import Text

    rows = [[cell(text) for text in row] for row in rows]
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for position, name in enumerate(header):
        cells = [row[position] for row in rows if row[position]]
        right = name in set(numbers) or (bool(cells) and all(map(_NUMBER.fullmatch, cells)))
        table.add_column(
            Text(plain(name)),
            justify="right" if right else "left",
            overflow="fold",
            no_wrap=right and not any(" " in text for text in cells),  # don't break a number
        )
    for position, row in enumerate(rows):
        table.add_row(*map(Text, row), style=styles[position] if styles else None)
    return table


def console() -> Console:
    """A rich console on stdout."""
    from rich.console import Console

    return Console(highlight=False, markup=False, emoji=False)


def _styled(text: str, **style: Any) -> str:
    return click.style(text, **style) if any(style.values()) else text
