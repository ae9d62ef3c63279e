"""`cache`: what is kept of the answers that model servers gave, and removing it."""

from __future__ import annotations

import datetime as dt
import sys

import click

from results.errors import UsageError
from results.views.terminal import Fact, say, say_facts, size_text


@click.group()
def cache() -> None:
    """Show or remove the answers that `run --cache` keeps, so that nothing is asked and paid twice."""


@cache.command(short_help="Show how many answers are kept, and where.")
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
def stats(*, as_json: bool) -> None:
    """Show how many answers are kept, how much room they take, and where."""
    from results.response_store import ResponseStore, StoreStats, store_path

    path = store_path()
    found = StoreStats(entries=0, size_bytes=0)
    if path.exists():
        store = ResponseStore(path)
        try:
            found = store.stats()
        finally:
            store.close()
    if as_json:
        from dataclasses import asdict

        from results.json_text import encode

        click.echo(encode({"path": str(path), **asdict(found)}))
        return
    facts = [
        Fact("answers", f"{found.entries:,}"),
        Fact("size", size_text(found.size_bytes)),
        Fact("last used", _times(found.oldest_s, found.newest_s)),
        Fact("file", str(path)),
    ]
    say_facts([fact for fact in facts if fact.text], {})


@cache.command(short_help="Remove all answers that are kept.")
@click.option("--yes", is_flag=True, help="Do it without asking.")
@click.option("--json", "as_json", is_flag=True, help="Print what was freed as JSON.")
def clear(*, yes: bool, as_json: bool) -> None:
    """Remove all answers that are kept: what they cost is paid again when they are asked for again."""
    from results.response_store import remove_store, store_path

    path = store_path()
    if not yes and path.exists():
        if not sys.stdin.isatty():
            raise UsageError(f"{path} would be emptied", hint="add --yes")
        if not click.confirm(f"Remove all answers in {path} ({size_text(path.stat().st_size)})?", err=True):
            say("nothing is removed", err=True)
            return
    freed = remove_store(path)
    if as_json:
        from results.json_text import encode

        click.echo(encode({"path": str(path), "freed_bytes": freed}))
    else:
        say(f"freed {size_text(freed)}")


def _times(oldest_s: int | None, newest_s: int | None) -> str:
    if oldest_s is None or newest_s is None:
        return ""
    first, last = (
        dt.datetime.fromtimestamp(each, dt.UTC).date().isoformat() for each in (oldest_s, newest_s)
    )
    return first if first == last else f"{first} to {last}"
