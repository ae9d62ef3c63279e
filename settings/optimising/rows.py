"""The rows for a search of a better prompt, which takes the place of a run's plain answers."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from results.errors import UsageError
from results.files import user_path
from settings.providers import NAMES
from settings.setting import Determines, Section, Setting

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path
    from typing import Any

OPTIMIZERS = ("few_shot", "meta_prompt", "evolutionary_optimizer", "hierarchical_reflective", "gepa")
OPTIMISE_PARSER = "optimise"
REFLECTOR_KEY = "BENCH_REFLECTOR_API_KEY"  # the variable in which a script gets the key for it
WITHOUT_PROMPTS = ("speed", "kld", "ifeval", "needle")  # nothing can be added to their prompts
_HINT = "leave it out, or name an optimiser with --optimizer"
_COUNTS = ("n_samples", "shards")  # of which one changes nothing
_ONE_ANSWER = (
    "n_samples", "as_published", "shards", "use_guided_json", "parser", "scoring", "weights", "speed_baseline",
    "speed_target_s", "scorer",
)  # fmt: skip


def _row(name: str, kind: str, text: str, metavar: str = "", **facts: Any) -> Setting:
    return Setting(
        name=name,
        kind=kind,  # type: ignore[arg-type]
        help=text,
        section=Section.OPTIMISER,
        determines=Determines.RESULT,
        metavar=metavar,
        not_for=WITHOUT_PROMPTS,
        to_script=True,
        **facts,
    )


OPTIMISER_SETTINGS = (
    _row(
        "optimizer",
        "text",
        "Instead of a plain run: search a better prompt with this optimiser; see docs/optimise.md.",
        choices=OPTIMIZERS,
    ),
    _row(
        "optimizer_params",
        "json",
        "Parameters of the optimiser, such as '{\"population_size\": 4}'.",
        "JSON",
    ),
    _row(
        "optimizer_prompt_params",
        "json",
        'Parameters of its search, such as \'{"max_trials": 10, "n_samples": 20}\'.',
        "JSON",
    ),
    _row(
        "datasets",
        "json",
        'Samples to learn from, to choose by and to test on: \'{"train": 20, "validation": 40, "test": 100}\'.',
        "JSON",
        default_text="a quarter, at most 50, to learn from; the same to choose by; of the rest at most 200",
    ),
    _row(
        "max_calls",
        "whole",
        "End the search before it takes more than N requests, those of the test included.",
        "N",
        minimum=1,
        maximum=100_000_000,
        default_text="none",
    ),
    _row(
        "reflector_provider",
        "text",
        "The provider whose model writes prompts.",
        choices=NAMES,
        default_text="the model itself writes them",
    ),
    _row("reflector_model", "text", "The model at --reflector-provider or --reflector-base-url.", "NAME"),
    _row(
        "reflector_max_tokens",
        "whole",
        "The longest answer of whoever writes prompts, in tokens.",
        "N",
        minimum=1,
        maximum=1_000_000,
        default_text="1024",
    ),
    _row("reflector_base_url", "text", "Where the model answers that writes prompts.", "URL"),
)
_OF_SEARCH = tuple(row.name for row in OPTIMISER_SETTINGS if row.name != "optimizer")


def require_optimizable(given: Mapping[str, Any]) -> None:
    """Raise UsageError for settings of a search without one, and for those that a search can't have.

    given: the settings that were given, by name.
    """
    if given.get("optimizer") is None:
        for name in _OF_SEARCH:
            if given.get(name) is not None:
                raise UsageError(f"{_option(name)} needs --optimizer", hint=_HINT, settings=(name,))
        return
    for name in _ONE_ANSWER:
        if name == "parser" and given.get(name) == OPTIMISE_PARSER:  # as records have it
            continue
        value = given.get(name)
        if value is not None and value is not False and not (name in _COUNTS and value == 1):
            raise UsageError(
                f"{_option(name)} can't be combined with --optimizer",
                hint="a search asks each sample once with each prompt; leave it out",
                settings=(name, "optimizer"),
            )
    elsewhere = [name for name in ("reflector_provider", "reflector_base_url") if given.get(name) is not None]
    if elsewhere and given.get("reflector_model") is None:
        raise UsageError(
            f"{_option(elsewhere[0])} needs --reflector-model",
            hint="name the model there",
            settings=(elsewhere[0],),
        )
    if given.get("reflector_model") is not None and not elsewhere:
        raise UsageError(
            "--reflector-model needs --reflector-provider or --reflector-base-url",
            hint="say where it answers; without both, the model itself writes the prompts",
            settings=("reflector_model",),
        )


def datasets_below(folder: Path, value: str) -> str:
    """The same with whole paths of files."""
    return _with_files(value, lambda file: str(user_path(file, folder).absolute()))


def datasets_content(value: str, content: Callable[[str], str]) -> str:
    """The same with the content of files instead of their paths."""
    return _with_files(value, content)


def _with_files(value: str, change: Callable[[str], str]) -> str:
    parts = json.loads(value)
    files = {
        name: part["file"]
        for name, part in parts.items()
        if isinstance(part, dict) and isinstance(part.get("file"), str) and part["file"]
    }
    if not files:
        return value
    changed = {name: {**parts[name], "file": change(file)} for name, file in files.items()}
    return json.dumps({**parts, **changed}, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"
