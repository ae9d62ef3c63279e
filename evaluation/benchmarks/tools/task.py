"""Implements `Task` over cases of tool calling, from our own scenarios or from BFCL's files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from evaluation.benchmarks.tools.case import ToolCase, conversation
from evaluation.data.data_set import DataSetTask
from evaluation.loop.solver import ToolLoop
from evaluation.protocols import Judgement, Prompt, PromptStyle, Sample
from results.messages import Message, ToolCall, call_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from results.records import Completion

NAME = "tools"
OWN_SCENARIOS = Path(__file__).with_name("scenarios.yaml")
CALL_IN_TEXT = "call_in_text"
_MOST_SHOWN_CHARS = 2000


class ToolData(NamedTuple):
    """sha256: of the files that the cases come from."""

    cases: tuple[ToolCase, ...]
    sha256: str


def load_data(path: Path | None) -> ToolData:
    """The scenarios of a YAML file, by default our own; else the questions of a file or a folder of BFCL.

    Raises UsageError.
    """
    if path is None or path.suffix.lower() in {".yaml", ".yml"}:
        from evaluation.benchmarks.tools.scenario_file import read_scenarios

        file = read_scenarios(path or OWN_SCENARIOS)
        return ToolData(file.scenarios, file.sha256)
    from evaluation.benchmarks.tools.bfcl import read_bfcl

    return ToolData(*read_bfcl(path))


class ToolTask(DataSetTask):
    """Implements `Task`: a chat in which tools are offered."""

    def __init__(self, cases: Sequence[ToolCase]) -> None:
        samples = [
            Sample(
                task_id=f"{NAME}/{case.id}",
                data={},
                expected=case.expected_text,
                tags={"category": case.category},
            )
            for case in cases
        ]
        super().__init__(NAME, samples, PromptStyle.CHAT)
        self._cases = {sample.task_id: case for sample, case in zip(samples, cases, strict=True)}
        self.solver = ToolLoop(_Played(self._cases))

    def get_prompt(self, sample: Sample) -> Prompt:
        """The case's own messages and tools."""
        return self._cases[sample.task_id].prompt

    def calculate_metrics(self, prediction: str, expected: Any, sample: Sample) -> Judgement:
        """Of an answer of which only the text is known: nothing was called."""
        del expected
        return self.judge_transcript((Message("assistant", prediction),), sample)

    def judge_transcript(self, transcript: Sequence[Message], sample: Sample) -> Judgement:
        """Whether the right tools were called rightly."""
        said = conversation(transcript)
        wrong = self._cases[sample.task_id].wrong(said)
        lost_call = not said.calls and said.has_call_in_text
        return Judgement(
            passed=not wrong,
            completion=_in_a_line(said.calls) or "no call",
            detail=wrong,
            metrics={CALL_IN_TEXT: 1.0} if lost_call else {},
        )


class _Played:
    """Implements `evaluation.loop.solver.Tools`: what the cases say that tools give."""

    def __init__(self, cases: Mapping[str, ToolCase]) -> None:
        self._cases = cases

    def turns(self, sample: Sample) -> int:
        return self._cases[sample.task_id].most_turns

    def results(self, sample: Sample, transcript: Sequence[Message]) -> list[str] | None:
        return self._cases[sample.task_id].results(transcript)


def details(completions: Iterable[Completion]) -> dict[str, Any]:
    """What the summary says beside the scores."""
    completions = list(completions)
    lost = sum(CALL_IN_TEXT in done.metrics for done in completions)
    if not lost:
        return {}
    warning = (
        f"{lost} of {len(completions)} answers have a call in their text that the server did not read: does its tool "
        "parser fit the model? (--jinja and --chat-template of llama-server, --tool-call-parser of vLLM)"
    )
    return {"warnings": [warning]}


def _in_a_line(calls: Sequence[ToolCall]) -> str:
    return "; ".join(map(call_text, calls))[:_MOST_SHOWN_CHARS]
