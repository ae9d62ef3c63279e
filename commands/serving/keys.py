"""`keys`: who may use `serve`, and what they may do."""

from __future__ import annotations

import getpass
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from commands.serving.options import has_database, read_config, require_extra, serve_options
from results.errors import UsageError
from results.views.terminal import print_table, say

if TYPE_CHECKING:
    from collections.abc import Iterator

    from web.config import ServeConfig
    from web.database.database import Database
    from web.jobs.audit import AuditRow
    from web.jobs.keys import Key, Keys

EXAMPLES = """
\b
Examples:
  bench_runner.py keys add ada --role run
  bench_runner.py keys list
  bench_runner.py keys revoke 3f9a01b2c4d5
  bench_runner.py keys link
  bench_runner.py keys log --user ada
"""
ROLES = ("read", "run", "admin")


@click.group(epilog=EXAMPLES)
def keys() -> None:
    """Add, list and revoke the keys of `serve`, or print a new link to its dashboard."""


@keys.command(short_help="Add a key, and print it once.", epilog=EXAMPLES)
@click.argument("user", metavar="USER")
@click.option(
    "--role",
    type=click.Choice(ROLES),
    default="run",
    show_default=True,
    help="read: look. run: also start jobs, and cancel one's own. admin: also those of others.",
)
@serve_options
def add(*, user: str, role: str, **options: Any) -> None:
    """Add a key for a user, and print it. It is stored as a hash, so it can't be shown again."""
    from web.access.role import Role

    with _keys(read_config(options)) as known:
        key, secret = known.add(user, Role(role), by=local_user())
    say(secret)
    say(f"key {key.key_id} of {key.user} may {key.role}; it isn't shown again", err=True)


@keys.command("list", short_help="List all keys, without their secrets.", epilog=EXAMPLES)
@click.option("--json", "as_json", is_flag=True, help="Print each key as one line of JSON.")
@serve_options
def list_keys(*, as_json: bool, **options: Any) -> None:
    """List all keys, also revoked ones."""
    from dataclasses import asdict

    from results.json_text import encode

    config = read_config(options)
    found: tuple[Key, ...] = ()
    if has_database(config):
        with _keys(config) as known:
            found = known.list()
    if as_json:
        for key in found:
            click.echo(encode(asdict(key)))
        return
    rows = [
        (
            key.key_id,
            key.user,
            str(key.role),
            _when(key.created_at),
            _when(key.last_used_at),
            _when(key.revoked_at),
        )
        for key in found
    ]
    print_table(("key", "user", "role", "added", "last used", "revoked"), rows)
    if not found:
        say("no keys yet; `keys add USER` adds one", err=True)


@keys.command(short_help="Revoke a key: it opens nothing any more.", epilog=EXAMPLES)
@click.argument("key_id", metavar="KEY")
@serve_options
def revoke(*, key_id: str, **options: Any) -> None:
    """Revoke a key by its id, and with it the sessions that began with it. With a user's last key that may start jobs,
    those of the user's jobs that wait are cancelled. The word `links` stands for all sessions: it also makes links
    useless that were printed and not used.
    """
    config = read_config(options)
    if key_id == "links":
        from web.access.sessions import SECRET_FILE, Sessions

        Sessions(config.state_dir / SECRET_FILE).end_all()
        say("all sessions in browsers have ended, and no link printed so far works")
        return
    if not has_database(config):
        raise UsageError(f"there is no key with that id in {config.state_dir}", hint="look at `keys list`")
    with _keys(config) as known:
        key = known.revoke(key_id, by=local_user())
    say(f"revoked: key {key.key_id} of {key.user}")


@keys.command(short_help="Print a new link to the dashboard that runs here.", epilog=EXAMPLES)
@serve_options
def link(**options: Any) -> None:
    """Print a link to the `serve` that runs on this state folder. It works once, within an hour."""
    from web.access.sessions import SECRET_FILE, Sessions, link_url
    from web.address_file import running_address

    config = read_config(options)
    address = running_address(config.state_dir)
    if address is None:
        raise UsageError(f"serve doesn't run on {config.state_dir}", hint="start it: bench_runner.py serve")
    say(link_url(address, Sessions(config.state_dir / SECRET_FILE).link_token(local_user())))


@keys.command(short_help="Show who did what: keys, jobs, schedules and refusals.", epilog=EXAMPLES)
@click.option("--user", help="Only what this user did.")
@click.option(
    "--limit", type=click.IntRange(1, 100_000), default=50, show_default=True, help="Show so many at most."
)
@click.option("--json", "as_json", is_flag=True, help="Print each entry as one line of JSON.")
@serve_options
def log(*, user: str | None, limit: int, as_json: bool, **options: Any) -> None:
    """Show the audit log, the newest first: who added, cancelled and retried which job, who made and revoked which key.

    It holds the newest 100,000 entries.
    """
    from dataclasses import asdict

    from results.json_text import encode

    config = read_config(options)
    found: tuple[AuditRow, ...] = ()
    if has_database(config):
        with _database(config) as database:
            from web.jobs.audit import Audit

            found = Audit(database).rows(who=user, limit=limit)
    if as_json:
        for row in found:
            click.echo(encode(asdict(row)))
        return
    print_table(("when", "who", "what", "on"), [(_when(row.at), row.who, row.what, row.on) for row in found])
    if not found:
        say("nothing was noted yet", err=True)


def local_user() -> str:
    """The user of this machine, as a name that a key can have."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):
        name = ""
    return re.sub(r"[^A-Za-z0-9._-]", "", name).lstrip("._-")[:64] or "operator"


@contextmanager
def _keys(config: ServeConfig) -> Iterator[Keys]:
    """The keys of the database, which is made if there is none."""
    with _database(config) as database:
        from web.jobs.keys import Keys

        yield Keys(database)


@contextmanager
def _database(config: ServeConfig) -> Iterator[Database]:
    require_extra()
    from web.database.database import open_database

    database = open_database(config)
    try:
        yield database
    finally:
        database.close()


def _when(seconds: float | None) -> str:
    import datetime as dt

    return "" if seconds is None else f"{dt.datetime.fromtimestamp(seconds, dt.UTC):%Y-%m-%d %H:%M}"
