"""What `run` has started before its own module is loaded: see `runner/script/standby.py`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from runner.script.standby import standby_for

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runner.script.standby import Standby

_KEY = "bench_runner.standby"


def stand_by(ctx: click.Context, words: Sequence[str]) -> None:
    """Start it where it is of use, until the context ends. words: of `run`, not read yet."""
    standby = standby_for(words)
    if standby is not None:
        ctx.meta[_KEY] = ctx.with_resource(standby)


def standing_by() -> Standby | None:
    """What was started in the command's context."""
    found: Standby | None = click.get_current_context().meta.get(_KEY)
    return found
