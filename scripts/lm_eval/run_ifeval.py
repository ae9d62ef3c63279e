"""IFEval by lm-eval against any OpenAI-compatible server: `python -m scripts.lm_eval.run_ifeval --help`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from results.durable import replace_file
from results.files import user_path
from results.leaving import leave
from scripts.arguments import parse
from scripts.program import run_program

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

    from scripts.arguments import Arguments
    from scripts.events import Events
    from scripts.lm_eval.installed import Installed

_ABOUT = (
    "IFEval: 541 prompts with instructions that a program can verify, asked and judged by lm-eval, which is installed "
    "separately. Its results are written into the output folder."
)
_MAX_TOKENS = 1280  # lm-eval's
_NEEDS = ("langdetect", "immutabledict", "nltk")
_OWN_TASK = "ifeval"
# Settings that lm-eval has no place for, that it would write down with their secrets, or whose names differ between
# servers; and what they are if nobody gave them.
_REFUSED: dict[str, Any] = {
    "n_samples": 1,
    "shuffle": None,
    "thinking_budget": None,
    "repeat_penalty": None,
    "provider_params": {},
    "metrics": None,
    "use_guided_json": False,
    "max_cost": None,
    "max_tokens_total": None,
    "cache": False,
    "cache_size": None,
}


def _add_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "--dataset",
        type=user_path,
        metavar="FILE",
        help=".jsonl as google/IFEval has it (default: fetched by lm-eval from the Hugging Face Hub)",
    )
    add(
        "--lm-eval",
        type=user_path,
        metavar="PATH",
        help="lm-eval's program (default: the one beside this Python, or on PATH)",
    )
    add("--check", action="store_true", help="only check that lm-eval is there, and the data set")


def _read_arguments() -> Arguments:
    return parse(
        sys.argv[1:],
        benchmark="ifeval",
        about=_ABOUT,
        add_options=_add_options,
        defaults={"max_tokens": _MAX_TOKENS},
    )


async def _main(arguments: Arguments, events: Events) -> None:
    from results.errors import ScriptError, UsageError
    from scripts.arguments import connection_of
    from scripts.lm_eval.asking import ask, settings_file
    from scripts.lm_eval.installed import VERSION, find_lm_eval
    from settings.providers import provider_of

    _require_sense(arguments)
    facts = provider_of(arguments.provider)
    if facts.api != "openai":
        raise UsageError(
            f"lm-eval can't ask {facts.about} as ifeval has it",
            hint="use --base-url of an OpenAI-compatible API, with --provider compatible",
            settings=("provider",),
        )
    file: Path | None = arguments.options["dataset"]
    if file is not None:
        from evaluation.benchmarks.ifeval_rows import require_ifeval_rows

        require_ifeval_rows(file)
    installed = find_lm_eval(arguments.options["lm_eval"], extra="ifeval", needs=_NEEDS)
    if arguments.options["check"]:
        return
    connection = connection_of(arguments)
    if installed.version != VERSION:
        events.say(f"WARNING: lm-eval is version {installed.version}; {VERSION} was tested")
    arguments.output.mkdir(parents=True, exist_ok=True)
    task = "ifeval"
    if file is not None:
        task = _OWN_TASK
        try:
            _write_task(installed, file, arguments.output / f"{_OWN_TASK}.yaml")
        except OSError as error:
            raise ScriptError(
                f"the task for {file} can't be written: {error.strerror or error}",
                hint="choose another --output",
            ) from error
    chat = arguments.prompt_style != "completion" and arguments.family_style != "completion"
    await ask(
        installed, settings_file(arguments, connection, task, chat=chat), arguments.output, events, connection
    )


def _require_sense(arguments: Arguments) -> None:
    """Raises UsageError for what lm-eval can't be told."""
    from results.errors import UsageError
    from settings.sampling_rules import option_of

    sampling = arguments.sampling.settings()
    given = {name: sampling[name] if name in sampling else getattr(arguments, name) for name in _REFUSED}
    refused = [name for name, value in given.items() if value != _REFUSED[name]]
    if refused:
        raise UsageError(
            f"{option_of(refused[0])} does not apply to ifeval: lm-eval asks for it",
            hint="leave it out",
            settings=(refused[0],),
        )
    if arguments.rejudge is not None:
        raise UsageError(
            "answers of ifeval can't be judged again: lm-eval judges them", hint="run the benchmark again"
        )


def _write_task(installed: Installed, file: Path, path: Path) -> None:
    """lm-eval's own task, with another file for its data."""
    import json

    own = installed.package / "tasks" / "ifeval" / "ifeval.yaml"
    lines = [
        f"include: {json.dumps(str(own))}",
        f"task: {_OWN_TASK}",
        "dataset_path: json",
        f"dataset_kwargs: {{data_files: {{train: {json.dumps(str(file.absolute()))}}}}}",
    ]
    replace_file(path, ("\n".join(lines) + "\n").encode())


if __name__ == "__main__":
    leave(run_program(_read_arguments, _main))
