"""Let a benchmark's own script check its options and data before anything starts."""

from __future__ import annotations

import functools
import json
import subprocess
import sys
from typing import TYPE_CHECKING

from processes.short_program import answer_of
from results.errors import BenchError, ScriptError, UsageError
from results.scores.composite import Part
from runner.script import ROOT
from runner.script.command import Target, script_command
from settings.optimising.rows import OPTIMISER_SETTINGS
from settings.providers import provider_of
from settings.secrets import read_key

if TYPE_CHECKING:
    from runner.scoring.asked import ScoringAsked
    from runner.spec import RunSpec

_PATIENCE_S = 60.0


def check_options(spec: RunSpec) -> None:
    """Run the script's check. Raises UsageError with the script's message, or ScriptError if the check itself fails."""
    target = Target(base_url="http://127.0.0.1:9", model_name="none", output_dir=ROOT, concurrency=1)
    trouble = _trouble((*script_command(spec, target), "--check"))
    if trouble is not None:
        raise trouble


def check_search(spec: RunSpec) -> None:
    """Whether a search of a better prompt can begin with these settings. Raises UsageError, or ScriptError."""
    _require_reflectors_key(spec)
    given = {
        row.name: json.loads(value) if row.kind == "json" else value
        for row in OPTIMISER_SETTINGS
        if (value := spec.asked[row.name]) is not None
    }
    words = (spec.benchmark.name, json.dumps(given, sort_keys=True))
    trouble = _trouble((sys.executable, "-m", "scripts.optimising.check", *words))
    if trouble is not None:
        raise trouble


def _require_reflectors_key(spec: RunSpec) -> None:
    """The script would find that of the model's server in its place."""
    name = spec.asked["reflector_provider"]
    facts = provider_of(name) if name and spec.asked["reflector_base_url"] is None else None
    if facts is not None and facts.needs_key and not any(map(read_key, facts.key_variables)):
        raise UsageError(
            f"the reflector's provider {facts.name} needs an API key, and the environment variable "
            f"{' or '.join(facts.key_variables)} is not set",
            hint=f"export {facts.key_variables[0]}=KEY",
            settings=("reflector_provider",),
        )


def check_metrics(text: str) -> None:
    """Load metrics of a user's own in a process of its own. Raises UsageError with what is wrong, or ScriptError."""
    trouble = _trouble((sys.executable, "-m", "scripts.benchmark_program", text))
    if trouble is not None:
        raise trouble


def check_scoring(asked: ScoringAsked) -> None:
    """Whether what measures the parts that count is there and works, and a scorer of a user's own can be loaded.

    Raises UsageError with what is wrong, or ScriptError.
    """
    weights = [] if asked.weights is None else ["--weights", asked.weights]
    scorer = [] if asked.scorer is None else ["--scorer", str(asked.scorer)]
    if scorer or asked.counts(Part.QUALITY):
        trouble = _trouble((sys.executable, "-m", "scripts.scoring.score_run", "--check", *weights, *scorer))
        if trouble is not None:
            raise trouble


@functools.cache  # runs of a sweep mostly differ in the model, and each check takes a minute if the data is unreachable
def _trouble(command: tuple[str, ...]) -> BenchError | None:
    try:
        done = answer_of(command, cwd=ROOT, timeout_s=_PATIENCE_S)
    except subprocess.TimeoutExpired:
        return ScriptError(
            f"the data could not be read within {_PATIENCE_S:g} s",
            hint="fetch it first: `data fetch NAME`; or try again, as a large data set is read from a fast disk",
            command=command,
        )
    if done.returncode == 0:
        return None
    try:
        said = json.loads(done.stdout.splitlines()[-1])
        message, hint, settings = said["message"], said["hint"], tuple(said["settings"])
    except (IndexError, KeyError, TypeError, ValueError):
        return ScriptError(
            "the script failed at once",
            hint="run the command by hand",
            log_tail=done.stderr.decode("utf-8", "replace"),
            command=command,
        )
    if done.returncode == UsageError.exit_code:
        return UsageError(message, hint=hint, settings=settings)
    return ScriptError(message, hint=hint)  # its own words; the command of a check is no news to its user
