"""`sweep`. The commands to use in another terminal are in commands/sweeping/following.py."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from commands.options import (
    ModelName,
    SweepName,
    max_concurrent_option,
    notify_option,
    price_option,
    results_dir_option,
    server_arg_option,
    test_mode_option,
)
from commands.setting_options import SectionedCommand, asked_by_options, setting_options
from commands.sweeping.engine_options import (
    asked_engine,
    deploy,
    engine_options,
    require_goes_on,
    say_detached,
)
from commands.usage.mistakes import require_words
from results.files import user_path
from results.folders import default_results_dir
from results.views.terminal import say, warn
from settings.table import TABLE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager

    from results.store.sweep_folder import EngineText, SweepFolder
    from settings.asked import Asked
    from sweeps.manifest.reader import Manifest
    from sweeps.plan import Plan
    from sweeps.preflight.checks import Preflight
    from sweeps.preflight.engine import EngineCheck
    from sweeps.reuse import Reused

GUIDES = ("kld",)
FAILED_RUNS = 7  # the exit code of a finished sweep with failed runs
MANIFESTS = (".yaml", ".yml", ".json", ".toml")

EXAMPLES = """
\b
Examples:
  bench_runner.py sweep 'models/*.gguf' --benchmark human_eval --gpu-layers 0,80
  bench_runner.py sweep 'models/*.gguf' --benchmark human_eval -- --flash-attn on
  bench_runner.py sweep nightly.yaml --dry-run
  bench_runner.py sweep nightly.yaml
  bench_runner.py sweep --resume last
"""


class SweepCommand(SectionedCommand):
    """Keeps what stands after -- apart from the models."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        before, after = args, []
        if "--" in args:
            cut = args.index("--")
            before, after = args[:cut], args[cut + 1 :]
        rest = super().parse_args(ctx, before)
        ctx.params["server_args"] += tuple(after)
        return rest

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        return [*super().collect_usage_pieces(ctx), "[-- SERVER ARGS...]"]


@click.command(cls=SweepCommand, epilog=EXAMPLES)
@click.argument("models", nargs=-1, type=ModelName(), metavar="[MANIFEST | MODELS...]")
@click.option("--dry-run", is_flag=True, help="Print the plan and whether it fits, but start nothing.")
@click.option(
    "--resume",
    metavar="SWEEP",
    type=SweepName(),
    help="Continue a sweep (such as: last); a manifest replaces its plan.",
)
@click.option(
    "--retry-failed",
    metavar="SWEEP",
    type=SweepName(),
    help="The same as --resume, and try the failed runs again.",
)
@click.option(
    "--fresh",
    is_flag=True,
    help="Run everything anew, also what an earlier run has finished with the same settings.",
)
@click.option("--race", is_flag=True, help="Stop configurations early that can no longer win.")
@click.option(
    "--guide",
    type=click.Choice(GUIDES),
    help="With --race: within a round, ask the models first that runs of kld call damaged.",
)
@engine_options
@click.option(
    "--detach",
    is_flag=True,
    help="With slurm or modal: return once everything is submitted; `attach` follows it later.",
)
@click.option(
    "--deploy-engine", is_flag=True, help="Make ready what --engine runs on elsewhere, and exit (modal)."
)
@max_concurrent_option
@click.option(
    "--on-oom",
    type=click.Choice(["fail", "reduce"]),
    help="When memory runs out: `reduce` tries again with fewer GPU layers, then with a smaller context."
    "  [default: fail]",
)
@test_mode_option
@server_arg_option
@notify_option
@price_option
@click.option("--json", "as_json", is_flag=True, help="Print the plan, or the records, as JSON.")
@setting_options(several=True)
@results_dir_option
@click.pass_obj
def sweep(
    held: Callable[[], AbstractContextManager[None]],
    /,
    *,
    models: tuple[str, ...],
    dry_run: bool,
    resume: str | None,
    retry_failed: str | None,
    fresh: bool,
    race: bool,
    guide: str | None,
    max_concurrent: int | None,
    on_oom: str | None,
    notify: str | None,
    price_per_kwh: float | None,
    as_json: bool,
    results_dir: Path | None,
    engine: str | None,
    modal: bool,
    hosts: str | None,
    results_store: str | None,
    detach: bool,
    deploy_engine: bool,
    **options: Any,
) -> None:
    """Run a matrix of models, settings and benchmarks, from a manifest or from these options.

    Options take several values, separated by commas. Everything after -- is passed to the server unchanged.
    Finished runs with the same settings are reused (--fresh runs all anew). After a crash or a change of the
    manifest, --resume runs what is missing. With --resume, you can only
    change settings that don't affect results, such as timeouts.
    """
    from results.errors import UsageError
    from results.store.sweep_folder import SweepFolder
    from runner.display import display_for_stderr
    from runner.notification import notifying, read_notify
    from sweeps.manifest.reader import read_manifest
    from sweeps.outcome_text import highest_score, print_end
    from sweeps.plan import require_a_chance
    from sweeps.preflight.report import print_findings, print_preflight
    from sweeps.race import require_races
    from sweeps.retries import request_retries
    from sweeps.sweep import begin, work
    from sweeps.without_coordinator import is_out

    if resume and retry_failed:
        raise UsageError(
            "--resume can't be combined with --retry-failed", hint="--retry-failed also resumes the sweep"
        )
    if fresh and (resume or retry_failed):
        raise UsageError(
            "--fresh starts another sweep", hint="leave out --resume and --retry-failed, or --fresh"
        )
    if deploy_engine:
        files = _manifests(models)
        written = read_manifest(files[0]) if files else None
        asked = asked_engine(
            written.engine if written else None,
            engine=engine,
            modal=modal,
            hosts=hosts,
            results_store=results_store,
        )
        say(deploy(asked, written.folder if written else Path.cwd()))
        return
    tell = read_notify(notify)
    results_dir = (results_dir or default_results_dir()).absolute()
    known = resume or retry_failed
    folder = SweepFolder.find(results_dir, known) if known else None
    if folder is not None and race and not folder.read().race:
        raise UsageError(f"{folder.sweep_id} was started without --race", hint="start another sweep")
    given = {name: value for name, value in options.items() if value not in {None, (), False}}
    if guide and folder is not None and folder.read().guide != guide:
        raise UsageError(f"{folder.sweep_id} was started without --guide {guide}", hint="start another sweep")
    if guide and folder is None and not race:
        raise UsageError("--guide needs --race", hint="add --race; without a race, everything is asked")
    manifest, plan = _planned(models, given, folder)
    so_far = folder.read().engine if folder is not None else None
    chosen = asked_engine(
        so_far if not _manifests(models) else manifest.engine or so_far,
        engine=engine,
        modal=modal,
        hosts=hosts,
        results_store=results_store,
    )
    races = race or (folder is not None and folder.read().race)
    reused = _reused(plan, folder, results_dir, race=races, fresh=fresh)
    found = _checked(plan, folder, results_dir, reused, elsewhere=chosen is not None)
    on_engine = _checked_engine(chosen, manifest, plan, found)
    if detach:
        require_goes_on(chosen, manifest.folder, race=races)
    if dry_run:
        print_preflight(found, as_json=as_json, engine=on_engine)
        sys.exit(0 if found.ok and (on_engine is None or on_engine.ok) else UsageError.exit_code)
    print_findings(found, on_engine)
    if races:
        require_races(plan)
    if folder is None:
        require_a_chance(plan)
        folder = begin(
            manifest, plan, results_dir=results_dir, race=race, fresh=fresh, guide=guide or "", engine=chosen
        )
    if retry_failed:
        request_retries(folder, warn=warn)
    display = display_for_stderr()
    with notifying(tell, warn=warn) as ended:
        ended.run_id = folder.sweep_id
        try:
            finished = work(
                folder,
                manifest,
                plan,
                display=display,
                held=held,
                on_oom=on_oom,
                max_concurrent=max_concurrent,
                reused=reused,
                engine=chosen,
                leaves=detach,
            )
        finally:
            display.close()
            ended.score = highest_score(folder) if tell else None
        if detach and is_out(folder):
            ended.status = "started"
            say_detached(folder)
            return
        if finished.failed or finished.missing:
            ended.status = "failed"
    print_end(finished, as_json=as_json, price_per_kwh=price_per_kwh)
    if finished.failed or finished.missing:
        sys.exit(FAILED_RUNS)


def _planned(
    models: tuple[str, ...], given: dict[str, Any], folder: SweepFolder | None
) -> tuple[Manifest, Plan]:
    """Plan from the arguments, otherwise from what the sweep was started with."""
    from sweeps.plan import plan_runs
    from sweeps.planned_again import planned_again

    if folder is not None and not _manifests(models):
        changed = _changed(models, given, folder)
        return planned_again(folder.read(), changed=changed)
    manifest = _manifest(models, given)
    return manifest, plan_runs(manifest)


def _reused(
    plan: Plan, folder: SweepFolder | None, results_dir: Path, *, race: bool, fresh: bool
) -> tuple[Reused, ...]:
    """The finished runs that the sweep refers to, beside those that it has."""
    from sweeps.reuse import find_reused

    if fresh or (folder is not None and folder.read().fresh):
        return ()
    known = folder.runs(warn=warn) if folder is not None else {}
    styles = folder.styles if folder is not None else None
    return find_reused(plan, results_dir, race=race, known=known, styles=styles, warn=warn)


def _checked(
    plan: Plan, folder: SweepFolder | None, results_dir: Path, reused: Sequence[Reused], *, elsewhere: bool
) -> Preflight:
    from sweeps.preflight.checks import preflight
    from sweeps.reuse import by_place

    done = folder.done(warn=warn) if folder else frozenset()
    instead = by_place(plan, reused)
    return preflight(plan, results_dir=results_dir, done=done, reused=instead, elsewhere=elsewhere)


def _checked_engine(
    chosen: EngineText | None, manifest: Manifest, plan: Plan, found: Preflight
) -> EngineCheck | None:
    """What the engine says to the plan; None on this machine."""
    from runner.display import Lines
    from sweeps.engine_choice import make_chosen
    from sweeps.preflight.engine import check_engine

    engine = make_chosen(chosen, manifest.folder, Lines())
    return check_engine(engine, plan, found) if engine is not None else None


def _changed(models: tuple[str, ...], given: dict[str, Any], folder: SweepFolder) -> Asked:
    """The settings that --resume changes. Raises UsageError for one that determines results."""
    from results.errors import UsageError
    from settings.setting import Determines

    hint = (
        f"leave out models and settings: bench_runner.py sweep --resume {folder.sweep_id}; for other ones start "
        "another sweep, or resume this one with a manifest"
    )
    if models:
        raise UsageError("--resume continues with the models that the sweep was started with", hint=hint)
    for name in given:
        setting = TABLE.get(name)
        if setting is None or setting.determines is not Determines.NOTHING:
            raise UsageError(f"{_option(name)} can't be changed by --resume", hint=hint)
    return asked_by_options(given)


def _manifest(models: tuple[str, ...], given: dict[str, Any]) -> Manifest:
    from results.errors import UsageError
    from sweeps.manifest.options import manifest_from_options
    from sweeps.manifest.reader import read_manifest

    files = _manifests(models)
    require_words(models, given)
    if not files:
        return manifest_from_options(models, given)
    if len(models) > 1 or given:
        if len(models) > 1:
            raise UsageError("other models can't be combined with a manifest", hint=f"add them to {files[0]}")
        name, value = next(iter(given.items()))
        shown = (
            shlex.join(value) if isinstance(value, tuple) else str(value).lower() if value is True else value
        )
        raise UsageError(
            f"{_option(name)} can't be combined with a manifest", hint=f"set `{name}: {shown}` in {files[0]}"
        )
    return read_manifest(files[0])


def _option(name: str) -> str:
    return "what stands after --" if name == "server_args" else f"--{name.replace('_', '-')}"


def _manifests(models: tuple[str, ...]) -> list[Path]:
    return [user_path(text) for text in models if text.lower().endswith(MANIFESTS)]
