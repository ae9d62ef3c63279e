"""The options of `sweep` that say on which machines it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import click

from engines.registry import NAMES

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from results.store.sweep_folder import EngineText, SweepFolder

F = TypeVar("F", bound="Callable[..., Any]")

SSH, MODAL = "ssh", "modal"


def engine_options(command: F) -> F:
    """`--engine` and what belongs to it; see `asked_engine`."""
    for option in (
        click.option(
            "--results-store",
            metavar="URL",
            help="Where machines that share no folder put results, such as s3://BUCKET/PREFIX.",
        ),
        click.option(
            "--hosts",
            metavar="HOSTS",
            help="With --engine ssh: a file of hosts (hosts.yaml), or their names, separated by commas.",
        ),
        click.option("--modal", is_flag=True, help="The same as --engine modal."),
        click.option(
            "--engine",
            type=click.Choice(NAMES),
            help="Where the sweep runs; see docs/engines.md.  [default: the manifest's engine, or local]",
        ),
    ):
        command = option(command)
    return command


def asked_engine(
    otherwise: EngineText | None,
    *,
    engine: str | None,
    modal: bool,
    hosts: str | None,
    results_store: str | None,
) -> EngineText | None:
    """The engine of the sweep; None for this machine. otherwise: that of the manifest, or of the sweep so far.

    Raises UsageError.
    """
    from results.errors import UsageError
    from sweeps.engine_choice import chosen_engine, hosts_as_written

    if modal and engine not in {None, MODAL}:
        raise UsageError(f"--modal can't be combined with --engine {engine}", hint="leave out one of them")
    name = MODAL if modal else engine
    if hosts is not None:
        if name not in {None, SSH}:
            raise UsageError(f"--hosts is for --engine ssh, not for {name}", hint="leave out --hosts")
        name = SSH
    settings = {
        **({"hosts": hosts_as_written(hosts)} if hosts is not None else {}),
        **({"results_store": results_store} if results_store is not None else {}),
    }
    return chosen_engine(name, settings, otherwise)


def deploy(chosen: EngineText | None, folder: Path) -> str:
    """Make ready what an engine runs on elsewhere. Returns a sentence. Raises UsageError."""
    from results.errors import UsageError
    from runner.display import Lines
    from sweeps.engine_choice import make_chosen

    made = make_chosen(chosen, folder, Lines())
    if made is None:
        raise UsageError("--deploy-engine needs an engine", hint="add --engine modal")
    return made.deploy()


def require_goes_on(chosen: EngineText | None, folder: Path, *, race: bool) -> None:
    """Raise UsageError if --detach can't be: this process is needed."""
    from results.errors import UsageError
    from runner.display import Lines
    from sweeps.engine_choice import make_chosen

    made = make_chosen(chosen, folder, Lines())
    if race:
        raise UsageError(
            "--detach can't be combined with --race: between two rounds this process decides who goes on",
            hint="leave out --detach, and start it in the background: nohup ... &",
        )
    if made is None or not made.capabilities.outlives_coordinator:
        where = "this machine" if made is None else f"the engine {made.name}"
        raise UsageError(
            f"--detach: runs on {where} end with this process",
            hint="leave out --detach, and start it in the background: nohup ... &",
        )


def say_detached(folder: SweepFolder) -> None:
    """What goes on, and how to follow it."""
    from results.store.attempts import Attempts
    from results.views.terminal import say

    count = len(Attempts(folder.path).running())
    units = "1 unit goes on" if count == 1 else f"{count} units go on"
    say(f"{units} without this process; follow it: bench_runner.py attach {folder.sweep_id}", err=True)
