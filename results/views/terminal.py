"""Print for people. Printed text can neither control the terminal nor imitate another line.

On a terminal, tables are aligned and fit its width; elsewhere they are tab-separated lines, for `cut` and `awk`.
"""

from __future__ import annotations

import os
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

_WIDEST = 100_000  # columns
_SHORT = 16  # characters of a word that isn't broken, such as a short id
_ROOM = 9  # columns of the terminal for each other column of a table
_LEAST_ROOM = 2
_NUMBER = re.compile(r"[-+]?[\d.,]+( \([\d.]+ to [\d.]+\))?")


def say(text: object = "", *, err: bool = False, **style: Any) -> None:
    """Print a message; its further lines are indented. style: arguments of `click.style`."""
    click.echo(styled(indented(str(text)), **style), err=err)


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
        styled("interrupted:", fg="yellow", bold=True)
        if isinstance(error, Interrupted)
        else styled("error:", fg="red", bold=True)
    )
    click.echo(f"{label} {indented(error.message)}", err=True)
    if error.hint:
        click.echo(f"{styled('try:', fg='yellow')} {indented(error.hint)}", err=True)
    return error.exit_code


def size_text(size_bytes: int) -> str:
    """For example 98.4 MB."""
    size, unit = float(size_bytes), "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if size < 1000:
            break
        size, unit = size / 1000, larger
    return f"{size:.0f} B" if unit == "B" else f"{size:.1f} {unit}"


class Fact(NamedTuple):
    """A name and a text. colour: the text's."""

    name: str
    text: str
    colour: str | None = None


def say_facts(
    facts: Iterable[Fact],
    colours: Mapping[str, str] = MappingProxyType({}),
    *,
    width: int = 15,
    err: bool = False,
) -> None:
    """Print a line for each fact, with its name in bold, padded to `width`. colours: by name. err: to stderr."""
    for fact in facts:
        name = styled(f"{plain(fact.name):{width}}", bold=True, fg=colours.get(fact.name))
        click.echo(
            f"{name} {styled(indented(fact.text, ' ' * (width + 1)), fg=fact.colour)}".rstrip(), err=err
        )


def print_table(
    header: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    numbers: Iterable[str] = (),
    styles: Sequence[str | None] = (),
    wide: bool = False,
    optional: Sequence[str] = (),
    all_shown_by: str = "--wide",
) -> None:
    """Print a table. numbers: columns to align as numbers although they contain text. styles: rich's, for each row.
    wide: no line is folded to fit the terminal. optional: columns that a terminal shows only if something is in them
    and there is room, the first to go first; a line says which had no room, and the option that shows all.
    """
    if sys.stdout.isatty():
        terminal = console(_WIDEST if wide else None)
        rows = list(rows)
        header, rows, dropped = _without_optional(header, rows, optional, terminal.width)
        terminal.print(aligned(header, rows, width=terminal.width, numbers=numbers, styles=styles))
        if dropped:
            say(f"too narrow for: {', '.join(dropped)} ({all_shown_by} shows all)", dim=True)
    else:
        click.echo("\n".join("\t".join(map(cell, row)) for row in [header, *rows]))


def aligned(
    header: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    width: int,
    numbers: Iterable[str] = (),
    styles: Sequence[str | None] = (),
) -> Table:
    """A table for a terminal of that width; numbers are right-aligned. Short words and numbers aren't broken as long as
    there is room for the other columns.
    """
    from rich.table import Table
    from rich.text import Text

    from results.views.column_widths import GAP, fitting_widths, fold

    rows = [[cell(text) for text in row] for row in rows]
    columns = [[row[position] for row in rows if row[position]] for position in range(len(header))]
    asked = set(numbers)
    right = [
        name in asked or (bool(cells) and all(map(_NUMBER.fullmatch, cells)))
        for name, cells in zip(header, columns, strict=True)
    ]
    names = [plain(name) for name in header]
    widths: list[int | None] = [None] * len(header)
    if fitting := fitting_widths(names, columns, width):
        widths, short = list(fitting[0]), fitting[1]
        names, *rows = [
            [fold(text, column, short) for text, column in zip(line, fitting[0], strict=True)]
            for line in (names, *rows)
        ]
    unbroken = _unbroken(header, columns, right, width)
    table = Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0), header_style="bold")
    for position, name in enumerate(names):
        table.add_column(
            Text(name),
            justify="right" if right[position] else "left",
            overflow="fold",
            no_wrap=widths[position] is not None or position in unbroken,
            width=widths[position],
        )
    for position, row in enumerate(rows):
        table.add_row(*map(Text, row), style=styles[position] if styles else None)
    return table


def _without_optional(
    header: Sequence[str], rows: Sequence[Sequence[str]], optional: Sequence[str], width: int
) -> tuple[Sequence[str], Sequence[Sequence[str]], list[str]]:
    """The table without empty optional columns, and without as many as it takes until no word is broken; the names of
    the latter.
    """
    from results.views.column_widths import breaks_no_word

    cells = {name: [cell(row[at]) for row in rows] for at, name in enumerate(header)}
    kept = [name for name in header if name not in optional or any(cells[name])]
    dropped: list[str] = []
    for name in optional:
        if breaks_no_word(kept, [cells[each] for each in kept], width):
            break
        if name in kept:
            kept.remove(name)
            dropped.append(name)
    at = [position for position, name in enumerate(header) if name in kept]
    return kept, [[row[position] for position in at] for row in rows], dropped


def _unbroken(
    header: Sequence[str], columns: Sequence[Sequence[str]], right: Sequence[bool], width: int
) -> set[int]:
    """The positions of columns that are never folded: of a column without room, nothing would be shown."""
    one_word = {at for at, cells in enumerate(columns) if cells and not any(" " in text for text in cells)}
    figures = {at for at in one_word if right[at]}
    short = {at for at in one_word if all(len(text) <= _SHORT for text in columns[at])}
    for positions, room in ((figures | short, _ROOM), (figures, _LEAST_ROOM)):
        fixed = sum(max(map(len, [header[at], *columns[at]])) for at in positions)
        if fixed + room * (len(header) - len(positions)) + 2 * len(header) <= width:
            return positions
    return set()


def console(width: int | None = None) -> Console:
    """A rich console on stdout. width: in columns; None is the terminal's."""
    from rich.console import Console

    return Console(width=width, highlight=False, markup=False, emoji=False)


def page(lines: Sequence[str], *, width: int) -> None:
    """Print harmless lines. On a terminal of that width that they don't fit, in the user's pager, as git does."""
    rows = sum(max(1, -(-len(click.unstyle(line)) // width)) for line in lines)
    text = "\n".join(lines)
    import shutil

    if sys.stdout.isatty() and rows >= shutil.get_terminal_size((80, 24)).lines:
        os.environ.setdefault("LESS", "-FRX")
        click.echo_via_pager(f"{text}\n")
    else:
        click.echo(text)


def styled(text: str, **style: Any) -> str:
    """Safe text with `click.style`; plain if $NO_COLOR is set. Where stdout is no terminal, `click.echo` removes it."""
    return click.style(text, **style) if any(style.values()) and not os.environ.get("NO_COLOR") else text
