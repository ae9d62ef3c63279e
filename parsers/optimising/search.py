"""Our own searches for a better prompt: their summary event, held to `prompt.json`, `splits.json` and the journal."""

from __future__ import annotations

from statistics import fmean
from typing import TYPE_CHECKING, Any

import msgspec

from parsers.output import read_journal, said_as, summary_event
from results.errors import BenchError, ParseError
from results.files import read_file
from results.json_text import NOT_THAT_JSON
from results.prompts.optimisation import DETAIL, SPLITS_NAME, KeptSplits, Optimisation
from results.prompts.prompt_file import PROMPT_NAME, decode_prompt_file
from results.records import Score
from settings.optimising.rows import OPTIMISE_PARSER

if TYPE_CHECKING:
    from pathlib import Path

    from parsers.contract import ScriptOutput
    from results.prompts.prompt_file import Gain, PromptFile

EVALUATIONS_NAME = "evaluations.jsonl"
_ROUNDING_PERCENT = 1e-6


class _Summary(msgspec.Struct):
    optimise: Optimisation
    warnings: tuple[str, ...] = ()
    replayed: int = 0
    spent: dict[str, Any] | None = None
    sampling: dict[str, Any] | None = None
    prompt_style: dict[str, Any] | None = None
    sandbox: dict[str, Any] | None = None


class _Outcome(msgspec.Struct):
    type: str = ""
    prompt: str = ""
    item: str = ""
    score: float = 0.0


class Optimise:
    """Reads the last `{"event": "summary", "optimise": {...}}` line of stdout.

    There is no score: a prompt was searched, and what it is worth stands in details["optimise"]. A gain that does not
    follow from the journal, or is not that of `prompt.json`, is a ParseError.
    """

    name = OPTIMISE_PARSER

    def parse(self, output: ScriptOutput) -> Score:
        event = summary_event(output, self.name, field=DETAIL, shown=f'"{DETAIL}": {{...}}')
        said = said_as(event, _Summary)
        end = said.optimise
        kept = _kept(output.folder / PROMPT_NAME)
        if kept.prompt.sha256 != end.prompt_sha256 or kept.gain != end.gain:
            raise ParseError(
                f"{output.folder / PROMPT_NAME} is not the prompt of the script's summary",
                hint="run again with --resume: it is written anew",
            )
        if end.gain is not None:
            _require_counted(end, end.gain, output.folder)
        details = {
            DETAIL: msgspec.to_builtins(end),
            "replayed": said.replayed,
            **{
                name: value
                for name in ("spent", "sampling", "prompt_style", "sandbox")
                if (value := getattr(said, name))
            },
        }
        return Score(score=None, cost_usd=end.cost_usd, warnings=said.warnings, details=details)


def _kept(path: Path) -> PromptFile:
    try:
        return decode_prompt_file(read_file(path), where=str(path))
    except (OSError, BenchError) as error:
        raise ParseError(
            f"{path} can't be read: {error}", hint="see script.log for what the script did"
        ) from error


def _require_counted(end: Optimisation, gain: Gain, folder: Path) -> None:
    """Raise ParseError unless both scores on the test split are those that the journal has."""
    path = folder / SPLITS_NAME
    try:
        test = msgspec.json.decode(read_file(path), type=KeptSplits).test
    except (OSError, *NOT_THAT_JSON) as error:
        raise ParseError(f"{path} can't be read: {error}", hint="see script.log") from error
    scores: dict[tuple[str, str], float] = {}
    decoder = msgspec.json.Decoder(_Outcome)
    for line in read_journal(folder / EVALUATIONS_NAME).splitlines():
        try:
            outcome = decoder.decode(line)
        except NOT_THAT_JSON:
            continue
        if outcome.type == "outcome" and outcome.item in test:
            scores.setdefault((outcome.prompt, outcome.item), outcome.score)
    for sha256, told in ((end.seed_sha256, gain.seed_score), (end.prompt_sha256, gain.score)):
        there = [scores[sha256, item] for item in test if (sha256, item) in scores]
        counted = 100 * fmean(there) if there else None
        if len(there) != gain.samples or counted is None or abs(counted - told) > _ROUNDING_PERCENT:
            raise ParseError(
                f"the script's summary disagrees with {folder / EVALUATIONS_NAME}: {told} of 100 on "
                f"{gain.samples} samples instead of {counted} on {len(there)}",
                hint="both are in the run's folder; run again with --resume to do what is missing",
            )


PARSER = Optimise()
