"""MBPP (Austin et al. 2021): Python functions from a sentence and three assertions, judged by these assertions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from evaluation.answers.code import Extracted, from_chat
from evaluation.answers.fences import fenced
from evaluation.benchmarks.mbpp.prompts import STOP, asked_alone, chat_prompt, completion_prompt
from evaluation.benchmarks.mbpp.unit_tests import program
from evaluation.data.data_set import DataSet, DataSetTask
from evaluation.protocols import Judgement, Prompt, PromptStyle, Sample
from results.prompts.prompt_file import Example

if TYPE_CHECKING:
    from evaluation.loop.grader import Grader
    from sandbox import Program

NAME = "mbpp"


def known_programs() -> tuple[list[Program], list[Program]]:
    """Programs that a right grader passes, and such that it fails: for its self-test."""
    twice = {
        "code": "def twice(values):\n    return [2 * value for value in values]\n",
        "tests": ["assert twice([1, 2]) == [2, 4]", "assert twice([]) == []"],
        "imports": [],
        "setup": "",
        "entry_point": "twice",
    }
    pair = {
        "code": "class Pair:\n    def __init__(self, a, b):\n        self.a, self.b = a, b\ndef total(pair):\n"
        "    return pair.a + pair.b\n",
        "tests": ["assert total(pair) == 3", "assert total(Pair(0, pair.a)) == 1"],
        "imports": [],
        "setup": "pair = Pair(1, 2)",
        "entry_point": "total",
    }
    good = [program(one, str(one["code"])) for one in (twice, pair)]
    bad = [
        program(twice, "def twice(values):\n    return values\n"),
        program(twice, "import os\nos._exit(0)\n"),
        program(twice, "def twice(values\n"),
        program(pair, str(pair["code"]).replace("+", "-")),
    ]
    return good, bad


class MbppTask(DataSetTask):
    """Implements `Task`."""

    def __init__(self, data: DataSet, *, style: PromptStyle, grader: Grader) -> None:
        super().__init__(NAME, data.samples, style)
        self.stop = (STOP,) if style is PromptStyle.COMPLETION else ()
        self.judge_workers = grader.workers
        self._grader = grader

    def get_prompt(self, sample: Sample) -> Prompt:
        """The task with its tests; behind three examples where a text is to be gone on with."""
        build = completion_prompt if self.style is PromptStyle.COMPLETION else chat_prompt
        return Prompt("", build(sample.data["text"], sample.data["shown"]))

    def worked_example(self, sample: Sample) -> Example:
        """The question alone, and the data set's own code."""
        code = str(sample.data["code"]).replace("\r\n", "\n").strip()
        if self.style is PromptStyle.CHAT:
            return Example(question=self.get_prompt(sample).user, answer=fenced(code), sample=sample.task_id)
        asked = asked_alone(sample.data["text"], sample.data["shown"])
        return Example(question=asked, answer=f"{code}\n{STOP}", sample=sample.task_id)

    def calculate_metrics(self, prediction: str, expected: Any, sample: Sample) -> Judgement:
        """Take the code out of the answer and run the sample's tests on it. Blocks; thread-safe."""
        del expected  # the tests are in the sample
        extracted = self._extracted(prediction, sample.data["entry_point"])
        if not extracted.code.strip():
            return Judgement(passed=False, detail="no code in the answer", ended=extracted.ended)
        return self._grader.execute(program(sample.data, extracted.code)).judgement(extracted)

    def _extracted(self, prediction: str, entry_point: str) -> Extracted:
        if self.style is PromptStyle.CHAT:
            return from_chat(prediction, "", entry_point)
        code, stop, _ = prediction.partition(STOP)
        # A chat-trained model that is given a text to go on with often answers as in chat all the same.
        if code.lstrip().startswith("```"):
            return from_chat(code, "", entry_point)
        return Extracted(code, ended=bool(stop))
