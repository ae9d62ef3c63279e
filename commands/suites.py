"""`suites`: the benchmarks that are declared in files, those of the program and your own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from results.errors import UsageError
from results.files import user_path
from results.views.terminal import print_table, say
from settings.suites import is_suite_file, shipped_suites, suite_facts
from settings.values import close_match

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = """
\b
Examples:
  bench_runner.py suites list
  bench_runner.py suites show glue
  bench_runner.py suites validate ./mine.yaml
  bench_runner.py run --benchmark ./mine.yaml --model some.gguf --limit 20
"""


class _Name(click.ParamType):  # type: ignore[type-arg] # generic only in newer versions of click
    name = "suite"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        from click.shell_completion import CompletionItem

        del ctx, param
        shipped = [CompletionItem(name) for name in shipped_suites() if name.startswith(incomplete)]
        return [*shipped, CompletionItem(incomplete, type="file")]


@click.group(epilog=EXAMPLES)
def suites() -> None:
    """Show and check suites: benchmarks that a YAML file declares, for `run --benchmark NAME` or `FILE.yaml`."""


@suites.command("list", short_help="List the suites that are part of the program.", epilog=EXAMPLES)
def list_suites() -> None:
    """List the suites that are part of the program. Your own are files, which you name by their path."""
    facts = [suite_facts(path) for path in shipped_suites().values()]
    rows = [(each.name, each.version, each.about) for each in facts]
    print_table(("suite", "version", "what"), rows)
    say("suites show NAME tells its tasks; docs/suites.md shows how to write one", err=True, dim=True)


@suites.command(short_help="Show a suite's tasks, data and metrics.", epilog=EXAMPLES)
@click.argument("name", type=_Name(), metavar="SUITE")
def show(name: str) -> None:
    """Show SUITE, a name or a YAML file: its tasks, their data and whether that is here, and their metrics."""
    _leave("show", str(_file(name)))


@suites.command(short_help="Check a suite's file, and show its first prompts.", epilog=EXAMPLES)
@click.argument("name", type=_Name(), metavar="FILE")
def validate(name: str) -> None:
    """Check FILE, a YAML file or the name of a suite. Each error names file, line and field.

    Where the data of a task is on this machine, its rows are tried and the first prompt is shown. Nothing is fetched.
    Python files beside FILE that it names (prepare, metrics) are executed: read somebody else's first.
    """
    _leave("validate", str(_file(name)))


@suites.command(short_help="Print the JSON Schema of suite files, for editors.", epilog=EXAMPLES)
def schema() -> None:
    r"""Print the JSON Schema of suite files, with which editors complete and check them.

    \b
    bench_runner.py suites schema > suite.schema.json
    Then, as first line of a suite: # yaml-language-server: $schema=suite.schema.json
    """
    _leave("schema")


def _file(name: str) -> Path:
    """Raises UsageError for a name that is none."""
    if is_suite_file(name):
        return user_path(name)
    known = shipped_suites()
    if name not in known:
        close = close_match(name, known)
        meant = f"did you mean {close}? " if close else ""
        raise UsageError(
            f"there is no suite {name!r}", hint=f"{meant}known: {', '.join(known)}; or a file FILE.yaml"
        )
    return known[name]


def _leave(*words: str) -> NoReturn:
    """Run the script side's program, and exit with its code."""
    # Suites belong to the script side, another process. `-P` and the path avoid a `scripts` in the user's folder.
    done = subprocess.run(
        [sys.executable, "-P", "-m", "scripts.validation.suites", *words],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=False,
    )
    sys.exit(done.returncode)
