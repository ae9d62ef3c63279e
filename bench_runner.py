#!/bin/sh
# As a shell script, this finds the interpreter that `make setup` made, without activating anything, from any folder and
# through a symlink. Python sees the next line as the beginning of a string and continues below it. If env can do it,
# signals wait until Python can handle them.
""":"
file=$(readlink -f "$0")
root=${file%/*}
wait="env --block-signal=HUP,INT,TERM"
(exec >/dev/null 2>&1 && $wait --version) || wait=
for python in "$root/.venv/bin/python" "$(command -v python3)"; do
    [ -x "$python" ] && exec $wait "$python" -S "$root/bench_runner.py" "$@"
done
echo "bench_runner: no Python found; run 'make setup' in $root" >&2
exit 1
"""

# The command line: parse, call one function, print; an error becomes a message and an exit code.

# Built-in modules only, which import at once: a signal may arrive while `signal` and `os` are being imported.
import _signal  # type: ignore[import-not-found]
import gc
import posix
import sys

_ENDING = {_signal.SIGHUP: "SIGHUP", _signal.SIGINT: "SIGINT", _signal.SIGTERM: "SIGTERM"}


def _leave(number: int, _frame: object) -> None:
    """Handle a signal while the program is being loaded, or after its end: there is nothing to clean up."""
    try:
        posix.write(2, f"interrupted: stopped by {_ENDING[number]}\n".encode())
    finally:
        posix._exit(130 if number == _signal.SIGINT else 143)  # noqa: SLF001 - its name


if sys.argv[0].endswith(("bench_runner.py", "bench-runner")):  # not when another program imports this
    for _number in _ENDING:
        if _signal.getsignal(_number) != _signal.SIG_IGN:
            _signal.signal(_number, _leave)
    _signal.pthread_sigmask(_signal.SIG_UNBLOCK, _ENDING)
    gc.set_threshold(100_000, 20, 20)  # as in scripts/__init__.py
    if sys.flags.no_site:  # loading site takes longest, so it comes after the signal handlers
        import site

        site.main()

import importlib
import threading
from pathlib import Path
from typing import Any

try:
    import click
except ModuleNotFoundError:
    sys.exit("bench_runner: its packages are missing here; run `make setup`, then ./bench_runner.py again")

from commands.options import results_dir_option
from commands.usage.mistakes import in_our_words, no_such_command
from results import __version__
from results.views.terminal import explain, say, warn

# All commands, by what they are for: name -> module, help. They are imported on demand so that --help is fast.
HERE = ""
SECTIONS: dict[str, dict[str, tuple[str, str]]] = {
    "Before a run": {
        "doctor": (HERE, "Show what this machine has, and how to get what is missing."),
        "models": ("commands.models", "List the models here, by the names that --model takes."),
        "fit": ("commands.fit", "Show which context, slots and layers of a model fit on a card."),
        "tasks": ("commands.tasks", "Validate a file of your own coding tasks."),
        "suites": ("commands.suites", "Show and check suites: benchmarks that a YAML file declares."),
        "data": ("commands.data", "Fetch the data sets of benchmarks and suites, or list them."),
        "engines": ("commands.sweeping.engines", "Look at the machines that a sweep can run on."),
    },
    "Run": {
        "run": ("commands.running.run", "Run one benchmark on one model."),
        "sweep": ("commands.sweep", "Run a matrix of models, settings and benchmarks."),
        "status": ("commands.sweeping.following", "Show the progress of a sweep, or of all."),
        "attach": ("commands.sweeping.following", "Follow a detached sweep and take over what is done."),
        "cancel": ("commands.sweeping.following", "Stop a running sweep cleanly."),
        "retry": ("commands.sweeping.following", "Try a sweep's failed runs again."),
        "rerun": ("commands.rerun", "Repeat a recorded run and compare the two."),
        "optimise": ("commands.sweeping.optimise", "Search better prompts, and test whether they are."),
        "rejudge": ("commands.rejudge", "Judge a run's answers again, under today's rules."),
        "rescore": ("commands.running.rescore", "Compute a run's composite score, again or at last."),
    },
    "Choose": {
        "recommend": ("commands.choosing.recommend", "Recommend a model and its server command, with proof."),
        "certify": ("commands.choosing.certify", "Say whether a draft, slots or a build lose anything."),
        "watch-build": ("commands.watch_build", "Alarm when a new build loses score, answers or speed."),
    },
    "Look at results": {
        "list": (HERE, "List all runs, oldest first."),
        "show": ("commands.sweeping.show", "Show one run, or a sweep."),
        "inspect": ("commands.inspect", "Show single answers of a run, and why they failed."),
        "compare": ("commands.compare", "Compare two runs on the same samples."),
        "leaderboard": ("commands.leaderboard", "Rank runs, and say which differences are real."),
        "report": ("commands.report", "Write a page about a sweep or any runs."),
    },
    "Keep results": {
        "label": ("commands.remarks", "Give a run a label, by which every command knows it."),
        "note": ("commands.remarks", "Add a line to a run's note."),
        "archive": ("commands.remarks", "Put runs away, out of lists and tables."),
        "delete": ("commands.keeping.delete", "Delete runs for good."),
        "prune": ("commands.keeping.prune", "Delete old runs by a rule, and empty the cache."),
        "export": ("commands.export", "Write runs as CSV or Parquet, or as one file for a colleague."),
        "cache": ("commands.keeping.cache", "Show or remove the answers that --cache keeps."),
        "merge": ("commands.keeping.merge", "Take over runs from another machine or an archive."),
    },
    "Serve": {
        "serve": ("commands.serving.serve", "Open a dashboard and an API, with a queue of jobs."),
        "worker": ("commands.serving.worker", "Run the jobs of `serve`, here or on another host."),
        "keys": ("commands.serving.keys", "Say who may use `serve`, and what they may do."),
        "index": ("commands.serving.index", "Make or check the index that runs are read through."),
    },
    "Set up": {
        "completion": (HERE, "Print the shell's completion code."),
        "schema": (HERE, "Print the JSON Schema of manifests."),
    },
}

COMMANDS = {name: listed for section in SECTIONS.values() for name, listed in section.items()}


class Commands(click.Group):
    """The commands of this file, and those in other modules, which are imported on demand."""

    def make_context(self, *args: Any, **facts: Any) -> click.Context:
        with in_our_words():
            return super().make_context(*args, **facts)

    def invoke(self, ctx: click.Context) -> Any:
        with in_our_words():
            return super().invoke(ctx)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[:1] == ["run"] and not ctx.resilient_parsing:
            from commands.running.standing_by import stand_by

            stand_by(ctx, args[1:])
        if args and args[0][:1] != "-" and self.get_command(ctx, args[0]) is None:
            raise no_such_command(args[0], self.list_commands(ctx), ctx)
        return super().resolve_command(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        module, _help = COMMANDS.get(cmd_name, (HERE, ""))
        if module == HERE:
            return super().get_command(ctx, cmd_name)
        found: click.Command = getattr(importlib.import_module(module), cmd_name.replace("-", "_"))
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        del ctx
        width = max(map(len, COMMANDS))
        for title, section in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl([(name.ljust(width), text) for name, (_, text) in section.items()])


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="bench_runner")
def cli() -> None:
    """Launch a llama.cpp or vLLM server, run a benchmark against it, log a trustworthy score.

    \b
    Start here:
      bench_runner.py doctor                              what this machine has
      bench_runner.py run --benchmark human_eval --limit 20   a first score, with the demo model
      bench_runner.py list                                all runs so far
    """
    from results.errors import UsageError

    try:
        Path.cwd()
    except FileNotFoundError:
        raise UsageError("the current folder has been removed", hint="change to another one") from None


@cli.command("list")
@click.option("--archived", is_flag=True, help="Also list archived runs.")
@click.option("--wide", is_flag=True, help="Whole ids, and lines as long as they get.")
@click.option("--json", "as_json", is_flag=True, help="Print each record as one line of JSON.")
@results_dir_option
def list_runs(*, archived: bool, wide: bool, as_json: bool, results_dir: Path | None) -> None:
    """List all runs, oldest first."""
    from msgspec.structs import replace

    from results.folders import default_results_dir
    from results.records import encode_record
    from results.store.run_folder import all_records
    from results.views.run_text import print_list

    every = all_records(results_dir or default_results_dir(), warn=warn)
    found = [run for run in every if archived or not run[1].remarks.archived]
    runs = [(folder.effective_status(record), record) for folder, record in found]
    if as_json:
        for status, record in runs:
            click.echo(encode_record(replace(record, status=status)))
    else:
        print_list(runs, wide=wide)
        if not every:
            say(
                f"no runs in {results_dir or default_results_dir()} yet; --results-dir names another folder",
                err=True,
            )
        if len(found) < len(every):
            say(f"{len(every) - len(found)} archived: see list --archived", err=True, dim=True)


@cli.command()
def doctor() -> None:
    """Show which servers, sandboxes, GPUs and models were found, and how to get what is missing."""
    from commands.doctor import print_findings

    print_findings()


@cli.command()
def schema() -> None:
    """Print the JSON Schema of manifests, for editors and checks."""
    import json

    from sweeps.manifest.schema import schema as manifest_schema

    click.echo(json.dumps(manifest_schema(), indent=2))


@cli.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the shell completion code. Use it as: eval "$(bench-runner completion bash)"."""
    from click.shell_completion import get_completion_class

    import commands.usage.bash_completion  # noqa: F401 - replaces click's own

    kind = get_completion_class(shell)
    if kind is None:
        raise click.UsageError(f"no completion for {shell}")
    for name in ("bench-runner", "bench_runner.py"):
        click.echo(kind(cli, {}, name, _complete_variable(name)).source())


def _complete_variable(program: str) -> str:
    return f"_{program.replace('-', '_').replace('.', '_')}_COMPLETE".upper()


def main() -> None:
    """The entry point: does what the command line says, and ends the process with its exit code."""
    from results.leaving import leave

    try:
        follow_command_line()
    except SystemExit as ended:
        if isinstance(ended.code, str) or _others_are_at_work():
            raise
        leave(ended.code or 0)


def _others_are_at_work() -> bool:
    return any(not each.daemon for each in threading.enumerate() if each is not threading.main_thread())


def follow_command_line() -> None:
    """Do what the command line says; return, or raise SystemExit. Each Reported exception becomes a message and an exit
    code.
    """
    from commands.standard_streams import prepare_streams
    from processes.signals import Interruptions
    from results.errors import BenchError, Interrupted
    from results.open_files import too_many

    prepare_streams()
    if any(name.startswith(b"_BENCH") and name.endswith(b"_COMPLETE") for name in posix.environ):
        import commands.usage.bash_completion  # noqa: F401 - replaces click's own
    with Interruptions() as interruptions:
        try:
            try:
                try:
                    cli(obj=interruptions.held)
                finally:
                    sys.stdout.flush()
            except BenchError as error:
                sys.exit(explain(error))
            except OSError as error:
                starved = too_many(error)
                if starved is None:
                    raise
                sys.exit(explain(starved))
        except Interrupted as interrupted:  # may also come while an error is being explained
            sys.exit(explain(interrupted))


if __name__ == "__main__":
    main()
