"""`optimise`: search better prompts, for every combination of benchmark, optimiser and model, as a sweep."""

from __future__ import annotations

from typing import Any

import click

from commands.options import (
    ModelName,
    SweepName,
    max_concurrent_option,
    notify_option,
    results_dir_option,
    server_arg_option,
    test_mode_option,
)
from commands.setting_options import setting_options
from commands.sweep import SweepCommand, sweep
from commands.sweeping.engine_options import engine_options
from results.files import user_path
from settings.optimising.rows import OPTIMIZERS

EXAMPLES = """
\b
Examples:
  bench_runner.py optimise --benchmark gsm8k --optimizer few_shot --model some.gguf --gpu-layers 80
  bench_runner.py optimise --benchmark gsm8k,mmlu --optimizer few_shot,gepa --model a.gguf,b.gguf --limit 200
  bench_runner.py optimise --benchmark gsm8k --optimizer gepa --reflector-provider openai --reflector-model gpt-4o
  bench_runner.py optimise --resume last
"""


@click.command(cls=SweepCommand, epilog=EXAMPLES)
@click.option(
    "--model",
    "models",
    multiple=True,
    type=ModelName(),
    metavar="NAME",
    help="The models, separated by commas: GGUF files, folders or names.  [default: the demo model]",
)
@click.option("--dry-run", is_flag=True, help="Print the plan and whether it fits, but start nothing.")
@click.option(
    "--resume", metavar="SWEEP", type=SweepName(), help="Continue a sweep of searches (such as: last)."
)
@click.option("--fresh", is_flag=True, help="Search anew, also what an earlier run has finished.")
@engine_options
@click.option("--detach", is_flag=True, help="With slurm or modal: return once everything is submitted.")
@max_concurrent_option
@test_mode_option
@server_arg_option
@notify_option
@click.option("--json", "as_json", is_flag=True, help="Print the plan, or the records, as JSON.")
@setting_options(several=True)
@results_dir_option
@click.pass_context
def optimise(ctx: click.Context, /, *, models: tuple[str, ...], resume: str | None, **options: Any) -> None:
    """Search a better prompt for a benchmark and a model, and test once whether it is better.

    Each search is a run: it is resumed like one, and reused when it is asked for again. What it found is its
    prompt.json, for `run --prompt`; the gain is told on samples that the search never saw.
    """
    from results.errors import UsageError

    if resume is None and options.get("optimizer") is None:
        raise UsageError(
            "no --optimizer given",
            hint=f"one or several of {', '.join(OPTIMIZERS)}; see docs/optimise.md",
            settings=("optimizer",),
        )
    ctx.invoke(
        sweep,
        models=tuple(name for text in models for name in _names(text)),
        resume=resume,
        retry_failed=None,
        race=False,
        guide=None,
        on_oom=None,
        price_per_kwh=None,
        deploy_engine=False,
        **options,
    )


def _names(text: str) -> list[str]:
    """A comma separates names, unless a file has it in its own."""
    if "," not in text or user_path(text).exists():
        return [text]
    return [part.strip() for part in text.split(",") if part.strip()]
