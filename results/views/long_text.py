"""A text for people that may be longer than the terminal: built line by line, then shown, in a pager where needed."""

from __future__ import annotations

import io
import os
import shutil
import sys
from typing import TYPE_CHECKING, Any

from results.plain_text import cell, indented, plain, plain_lines
from results.views.terminal import Fact, aligned, page, styled

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rich.table import Table

    from results.compare.answer_pair import DiffLine

NAME_WIDTH = 12
_WIDEST_RULE = 100
_MARGIN = "  "  # before what somebody else wrote
_MOST_FOLDED = 500  # rows of a table; to fold more takes seconds
_GAP = 3  # columns between two texts side by side


class LongText:
    """All text that is added may come from a model: it is made harmless here, and what has lines of its own is
    indented, so that none looks like a line of ours. Colours are removed where it is piped.
    """

    def __init__(self) -> None:
        self.width = shutil.get_terminal_size((80, 24)).columns
        self._lines: list[str] = []

    def add(self, text: str = "", **style: Any) -> None:
        """One line, or several. style: arguments of `click.style`."""
        self._lines += [styled(line, **style) for line in plain_lines(text).split("\n")]

    def quote(self, text: str, **style: Any) -> None:
        """A text as somebody else wrote it, indented."""
        self._lines += [
            styled(f"{_MARGIN}{line}".rstrip(), **style) for line in plain_lines(text).split("\n")
        ]

    def heading(self, title: str, note: str = "", **style: Any) -> None:
        """Begins a part: a rule with its title."""
        rule = "\u2500" * max(2, min(self.width, _WIDEST_RULE) - len(title) - len(note) - 5 - 2 * bool(note))
        note = f"  {plain(note)}" if note else ""
        self._lines += ["", f"{styled(plain(title), bold=True, **style)}{styled(f'{note} {rule}', dim=True)}"]

    def facts(self, facts: Iterable[Fact]) -> None:
        """A line for each fact that has a text."""
        for fact in facts:
            if fact.text:
                name = styled(f"{plain(fact.name):{NAME_WIDTH}}", bold=True)
                text = indented(fact.text.rstrip("\n"), " " * (NAME_WIDTH + 1)).split("\n")
                self._lines += [
                    f"{name if first else ''}{' ' * first}{styled(line, fg=fact.colour)}"
                    for first, line in ((at == 0, line) for at, line in enumerate(text))
                ]

    def code(self, text: str, *, marked: int | None = None) -> None:
        """Numbered lines, without empty ones at the beginning. marked: the number of one that stands out."""
        lines = plain_lines(text.rstrip("\n")).split("\n")
        digits = len(str(len(lines)))
        begun = next((at for at, line in enumerate(lines) if line.strip()), 0)
        for number, line in enumerate(lines[begun:], begun + 1):
            here = number == marked
            mark = styled(
                f"{'>' if here else ' '}{number:{digits}} ", fg="red" if here else None, dim=not here or None
            )
            self._lines.append(f"{mark} {styled(line, fg='red' if here else None)}".rstrip())

    def diff(self, lines: Iterable[DiffLine]) -> None:
        """A unified diff, as git shows it."""
        shown = {"added": ("+", "green"), "removed": ("-", "red"), "place": ("", "cyan"), "same": (" ", None)}
        for line in lines:
            sign, colour = shown[line.kind]
            self._lines.append(styled(f"{sign}{plain_lines(line.text)}".replace("\n", " "), fg=colour))

    def beside(
        self, rows: Sequence[tuple[str, str]], titles: tuple[str, str], colours: tuple[str, str]
    ) -> None:
        """Two texts side by side, folded to half the width each. rows: one below the other. colours: of the first."""
        from rich.table import Table
        from rich.text import Text

        each = (self.width - _GAP - len(_MARGIN)) // 2
        table = Table(box=None, pad_edge=False, padding=0, header_style="bold cyan")
        table.add_column(_MARGIN, width=len(_MARGIN))
        for number, title in enumerate(titles):
            table.add_column(Text(plain(title)), width=each, overflow="fold")
            if not number:
                table.add_column(" " * _GAP, width=_GAP)
        for number, (left, right) in enumerate(rows):
            styles = colours if number == 0 else ("", "")
            table.add_row("", Text(_untabbed(left), styles[0]), "", Text(_untabbed(right), styles[1]))
        self._add_table(table)

    def table(
        self, header: Sequence[str], rows: Iterable[Sequence[str]], styles: Sequence[str | None]
    ) -> None:
        """A table that fits the terminal; tab-separated lines where the text is piped. styles: rich's, for each row."""
        rows = [*rows]
        if sys.stdout.isatty() and len(rows) <= _MOST_FOLDED:
            self._add_table(aligned(header, rows, width=self.width, styles=styles))
        elif sys.stdout.isatty():
            cells = [[cell(text) for text in row] for row in [header, *rows]]
            widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
            self._lines += [
                "  ".join(f"{text:{width}}" for text, width in zip(row, widths, strict=True)).rstrip()
                for row in cells
            ]
        else:
            self._lines += ["\t".join(map(cell, row)) for row in [header, *rows]]

    def _add_table(self, table: Table) -> None:
        from rich.console import Console

        text = io.StringIO()
        colours = not os.environ.get("NO_COLOR")  # of which rich leaves bold and dim
        terminal = Console(
            file=text,
            width=self.width,
            force_terminal=colours,
            color_system="standard" if colours else None,
            highlight=False,
        )
        terminal.print(table)
        self._lines += [line.rstrip() for line in text.getvalue().rstrip("\n").split("\n")]

    def show(self) -> None:
        """Print it, in a pager where it doesn't fit."""
        page(self._lines, width=self.width)


def _untabbed(text: str) -> str:
    return plain_lines(text).expandtabs(4)
