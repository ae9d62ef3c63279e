"""`engines check`: what the machines of an engine have, and whether a sweep could run there."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from commands.sweeping.engine_options import asked_engine, engine_options

if TYPE_CHECKING:
    from engines.contract import Finding
    from engines.unit import Unit
    from results.store.sweep_folder import EngineText

EXAMPLES = """
\b
Examples:
  bench_runner.py engines check --hosts alpha,beta
  bench_runner.py engines check nightly.yaml
"""


@click.group()
def engines() -> None:
    """Look at the machines that a sweep can run on, before it does."""


@engines.command(epilog=EXAMPLES)
@click.argument("manifest", required=False, type=click.Path(path_type=Path))
@engine_options
@click.option("--json", "as_json", is_flag=True, help="Print all that the machines say, as JSON.")
def check(
    *,
    manifest: Path | None,
    engine: str | None,
    modal: bool,
    hosts: str | None,
    results_store: str | None,
    as_json: bool,
) -> None:
    """Show what each machine of an engine has: version, servers, GPUs, models, disk, clock.

    With a MANIFEST, its engine, and whether its runs can be done there. Starts nothing. The exit code is 2 if no
    machine can.
    """
    from engines.node_looks import findings, question_for
    from results.errors import UsageError
    from results.json_text import encode_indented
    from results.views.terminal import say
    from runner.display import Lines
    from sweeps.engine_choice import make_chosen
    from sweeps.preflight.engine import findings_json, print_engine_findings
    from sweeps.preflight.nodes import looks_json, print_looks

    written, folder, units = _read(manifest)
    chosen = asked_engine(written, engine=engine, modal=modal, hosts=hosts, results_store=results_store)
    made = make_chosen(chosen, folder, Lines())
    if made is None:
        raise UsageError(
            "there are no other machines to look at",
            hint="give --engine or --hosts, or a manifest with an engine: part; `doctor` looks at this machine",
        )
    look = getattr(made, "looks", None)
    looks = tuple(look(question_for(units))) if look is not None else ()
    found: list[Finding] = [*findings(looks, units), *made.check(units)]
    found = list(dict.fromkeys(found))
    ok = not any(each.is_error for each in found)
    if as_json:
        document = {
            "ok": ok,
            "engine": made.name,
            "machines": looks_json(looks),
            "findings": findings_json(found),
        }
        click.echo(encode_indented(document, indent=2), nl=False)
    else:
        if looks:
            print_looks(looks)
        print_engine_findings(found)
        if not found:
            say(f"{made.name}: nothing stands in the way")
    sys.exit(0 if ok else UsageError.exit_code)


def _read(manifest: Path | None) -> tuple[EngineText | None, Path, tuple[Unit, ...]]:
    """The manifest's engine, its folder, and its units."""
    from results.files import user_path
    from sweeps.manifest.reader import read_manifest
    from sweeps.plan import plan_runs
    from sweeps.preflight.engine import units_of

    if manifest is None:
        return None, Path.cwd(), ()
    read = read_manifest(user_path(manifest))
    return read.engine, read.folder, units_of(plan_runs(read))
