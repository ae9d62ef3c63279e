"""`recommend`: the model and the server command to use, under constraints, with the proof that nothing is lost."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from commands.options import ModelName, results_dir_option
from commands.setting_options import SectionedCommand, asked_by_options, setting_options
from results.files import user_path
from results.folders import default_results_dir
from results.views.terminal import warn
from settings.benchmarks import BENCHMARKS
from settings.setting import Section
from settings.table import TABLE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractContextManager

    from choosing.recommendation.constraints import Constraints, Question
    from servers.capacity.fit import Room
    from settings.asked import Asked

EXAMPLES = """
\b
Examples:
  bench_runner.py recommend 'models/*.gguf' --vram 24G --context 32k --min-tokens-per-s 30 --benchmark human_eval,gsm8k
  bench_runner.py recommend 'models/*.gguf' --benchmark human_eval --dry-run
  bench_runner.py recommend a.gguf b.gguf --kv-type f16 --kv-type q8_0 --prefer memory --benchmark gsm8k
"""
# What recommend decides itself, or what has no meaning here.
_NOT_HERE = {
    "benchmark", "script", "script_args", "parser", "server", "server_command", "health_path", "base_url",
    "provider", "provider_params", "api_key_file",
    "gpu_layers", "ctx_size", "parallel", "gpu_memory_utilization", "tensor_parallel_size", "port", "shuffle",
    "shard", "shards",
    "n_samples", "as_published", "server_args", "concurrencies", "depths", "prompt_tokens", "output_tokens", "requests",
}  # fmt: skip
# Benchmarks without a verdict for each sample.
_NO_ANSWERS = {name for name, benchmark in BENCHMARKS.items() if benchmark.parser != "summary"}
_SETTINGS = {name: setting for name, setting in TABLE.items() if name not in _NOT_HERE}
_OF_SERVERS = {Section.MODEL, Section.PATIENCE}


class _RecommendCommand(SectionedCommand):
    """Keeps what stands after -- apart from the models."""

    own_options_first = True

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        cut = args.index("--") if "--" in args else len(args)
        rest = super().parse_args(ctx, args[:cut])
        ctx.params["server_args"] = tuple(args[cut + 1 :])
        return rest

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        return [*super().collect_usage_pieces(ctx), "[-- SERVER ARGS...]"]


@click.command(cls=_RecommendCommand, epilog=EXAMPLES)
@click.argument("models", nargs=-1, required=True, type=ModelName(), metavar="MODELS...")
@click.option(
    "--benchmark",
    "benchmarks",
    multiple=True,
    metavar="NAME,...",
    help="Benchmarks that decide; several by commas.",
)
@click.option(
    "--vram", multiple=True, metavar="SIZE",
    help="Memory of the card, such as 24G; of several: 24G,24G. Without a card, that of the host that counts."
    "  [default: this machine's]",
)  # fmt: skip
@click.option(
    "--ram", metavar="SIZE", help="Memory of the host that may be used.  [default: what is free here]"
)
@click.option(
    "--context",
    "--ctx-size",
    "context",
    metavar="N",
    help="Tokens of context for each slot, such as 32k.  [default: 4096]",
)
@click.option(
    "--parallel",
    "--slots",
    "parallel",
    type=click.IntRange(1, 256),
    default=1,
    metavar="N",
    help="Slots.  [default: 1]",
)
@click.option(
    "--kv-type",
    "kv_types",
    multiple=True,
    metavar="TYPE",
    help="Type of the KV cache; may be repeated.  [default: f16]",
)
@click.option(
    "--min-tokens-per-s", type=click.FloatRange(min=0, min_open=True), metavar="N",
    help="The least speed of a chat, with a full context.",
)  # fmt: skip
@click.option(
    "--max-watts",
    type=click.FloatRange(min=0, min_open=True),
    metavar="N",
    help="The most power while it answers.",
)
@click.option(
    "--tolerance", type=click.FloatRange(0, 50, min_open=True), default=2.0, metavar="POINTS",
    help="The loss against the best that is accepted, in points of the score; choose it before looking.  [default: 2]",
)  # fmt: skip
@click.option(
    "--prefer", type=click.Choice(["speed", "energy", "memory"]), default="speed",
    help="What decides among models that are as good.  [default: speed]",
)  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Print the plan and how long it may take, but start nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print the plan, or the answer, as JSON.")
@setting_options(several=True, table=_SETTINGS)
@results_dir_option
@click.pass_obj
def recommend(
    held: Callable[[], AbstractContextManager[None]],
    /,
    *,
    models: tuple[str, ...],
    benchmarks: tuple[str, ...],
    vram: tuple[str, ...],
    ram: str | None,
    context: str | None,
    parallel: int,
    kv_types: tuple[str, ...],
    min_tokens_per_s: float | None,
    max_watts: float | None,
    tolerance: float,
    prefer: str,
    dry_run: bool,
    as_json: bool,
    server_args: tuple[str, ...],
    results_dir: Path | None,
    **options: Any,
) -> None:
    """Recommend one of MODELS and the command that serves it.

    Leaves out what doesn't fit, is too slow or draws too much; then takes the fastest of those that are shown to lose
    less than the tolerance against every other one, on the same samples. Says what it doesn't know. Finished runs are
    reused: the same command, given again, goes on where it stopped. Everything after -- is passed to every server.
    """
    from choosing.asked_runs import RunSource
    from choosing.recommendation.candidates import find_candidates
    from choosing.recommendation.constraints import Constraints, Prefer
    from choosing.recommendation.decision import Ending
    from choosing.recommendation.dry_run import planned_work, require_possible
    from choosing.recommendation.recommend import recommend as answer
    from commands.choosing.plan_text import plan_json, print_plan
    from commands.fit import tokens_of
    from results.views.choice_text import print_choice
    from runner.display import display_for_stderr
    from servers.llama_cpp import find_binary

    results_dir = (results_dir or default_results_dir()).absolute()
    binary = find_binary(options.get("server_binary"))
    room, notes = _room(vram, ram, has_server=binary is not None)
    constraints = Constraints(
        room=room,
        ctx_size=4096 if context is None else tokens_of("--context", context),
        parallel=parallel,
        kv_types=_kv_types(kv_types),
        min_tokens_per_s=min_tokens_per_s,
        max_watts=max_watts,
        tolerance_points=tolerance,
        prefer=Prefer(prefer),
    )
    _require_devices(constraints)
    question = _question(models, benchmarks, options, server_args, (constraints, notes))
    candidates = find_candidates(question)
    if dry_run:
        work = planned_work(question, candidates, results_dir) if candidates.fitting else None
        if as_json:
            click.echo(plan_json(question, candidates, work), nl=False)
        else:
            print_plan(question, candidates, work)
        sys.exit(0 if candidates.fitting else Ending.NOTHING_FITS.exit_code)
    if candidates.fitting:
        require_possible(question, candidates)
    display = display_for_stderr()
    try:
        source = RunSource(name="recommend", results_dir=results_dir, display=display, held=held)
        choice = answer(question, source, candidates)
    finally:
        display.close()
    print_choice(choice, as_json=as_json)
    sys.exit(Ending(choice.ending).exit_code)


def _room(vram: tuple[str, ...], ram: str | None, *, has_server: bool) -> tuple[Room, tuple[str, ...]]:
    """The memory that counts. Without a card here, --vram is memory of the host."""
    from commands.fit import room_of
    from runner.machine import this_machine
    from servers.capacity.fit import Room

    room = room_of(vram, ram, has_server=has_server)
    here = [gpu for gpu in this_machine(Path.cwd()).gpus if not gpu.shares_host] if has_server else []
    if not vram or here or not room.cards:
        return room, ()
    counted = min(sum(room.cards), room.host_bytes)
    note = (
        "the card of --vram: there is none here, so memory of the host was counted and the processor computes"
    )
    return Room(cards=(), host_bytes=counted), (note,)


def _kv_types(given: tuple[str, ...]) -> tuple[str, ...]:
    from results.errors import UsageError
    from servers.capacity.memory_estimate import CACHE_TYPES

    found = tuple(dict.fromkeys(part.strip() for text in given for part in text.split(",")))
    for each in found:
        if each not in CACHE_TYPES:
            raise UsageError(
                f"--kv-type {each}: there is no such type of cache", hint=f"one of {', '.join(CACHE_TYPES)}"
            )
    return found or ("f16",)


def _require_devices(constraints: Constraints) -> None:
    """Raise UsageError for a constraint that nothing here can measure."""
    from results.errors import UsageError
    from telemetry.devices import look_for_gpus

    if constraints.max_watts is None and constraints.prefer != "energy":
        return
    devices = look_for_gpus().devices
    for device in devices:
        device.close()
    if not devices:
        option = "--max-watts" if constraints.max_watts is not None else "--prefer energy"
        raise UsageError(
            f"{option}: no device here reports its power",
            hint="leave it out; `bench_runner.py doctor` shows the devices",
        )


def _question(
    models: tuple[str, ...],
    benchmarks: tuple[str, ...],
    options: Mapping[str, Any],
    server_args: tuple[str, ...],
    constrained: tuple[Constraints, tuple[str, ...]],
) -> Question:
    """constrained: the constraints, and what is not known because of them."""
    from choosing.recommendation.constraints import Question
    from results.errors import UsageError
    from servers.capacity.llama_estimate import find_estimator
    from servers.llama_cpp import find_binary

    every = asked_by_options(options, TABLE)
    of_kld = {name: value for name, value in every.given.items() if TABLE[name].benchmarks == ("kld",)}
    asked = every.but(**dict.fromkeys(of_kld))
    common = asked.but(**{name: None for name in asked.given if TABLE[name].section not in _OF_SERVERS})
    constraints, notes = constrained
    if of_kld and "kld_reference" not in of_kld:
        raise UsageError(
            f"{TABLE[min(of_kld)].option} needs a reference to compare with", hint="add --kld-reference MODEL"
        )
    return Question(
        models=_models(models),
        constraints=constraints,
        benchmarks=_of_benchmarks(_benchmarks(benchmarks), asked),
        common=common,
        kld=common.but(**of_kld) if of_kld else None,
        server_args=server_args,
        estimator=find_estimator(find_binary(asked["server_binary"])),
        notes=notes,
    )


def _models(texts: tuple[str, ...]) -> tuple[str, ...]:
    """Each model once; patterns that the shell left alone are expanded. Raises UsageError."""
    from sweeps.manifest.reader import ModelChoice
    from sweeps.model_files import chosen_models

    found: dict[str, None] = {}
    for text in texts:
        chosen = chosen_models(ModelChoice(text=text), Path.cwd())
        if chosen.left_out:
            warn(chosen.left_out)
        for each in chosen.models:
            path = user_path(each.text)
            found[str(path.absolute()) if path.exists() else each.text] = None
    return tuple(found)


def _benchmarks(given: tuple[str, ...]) -> tuple[str, ...]:
    from results.errors import UsageError
    from settings.benchmarks import get_benchmark

    found = tuple(dict.fromkeys(part.strip() for text in given for part in text.split(",") if part.strip()))
    able = ", ".join(sorted(BENCHMARKS.keys() - _NO_ANSWERS))
    if not found:
        raise UsageError("no --benchmark given", hint=f"one or several of {able}", settings=("benchmark",))
    for name in found:
        if get_benchmark(name).name in _NO_ANSWERS:
            raise UsageError(
                f"--benchmark {name} has no verdict for each sample, so it can't show that nothing is lost",
                hint=f"one or several of {able}; speed is measured anyway",
                settings=("benchmark",),
            )
    return found


def _of_benchmarks(names: tuple[str, ...], asked: Asked) -> dict[str, Asked]:
    """For each benchmark the settings that it has. Raises UsageError for one that none of them has."""
    from results.errors import UsageError

    for name in asked.given:
        setting = TABLE[name]
        able = [each for each in names if setting.knows_benchmark(each)]
        if not able:
            raise UsageError(
                f"{setting.option} does not apply to --benchmark {','.join(names)}",
                hint=f"it belongs to {' and '.join(setting.benchmarks)}" if setting.is_own else "",
                settings=(name,),
            )
        if setting.kind == "path" and setting.is_own and len(able) > 1:
            raise UsageError(
                f"{setting.option} would be read by {' and '.join(able)}",
                hint="a file is of one benchmark: ask for one of them",
                settings=(name,),
            )
    return {
        each: asked.but(**{name: None for name in asked.given if not TABLE[name].knows_benchmark(each)})
        for each in names
    }
