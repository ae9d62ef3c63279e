"""GSM8K (Cobbe et al. 2021): word problems of grade school, answered by one exact number."""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from evaluation.answers.deciding_line import deciding_line
from evaluation.answers.numbers import FinalNumber, final_number, gold_number
from evaluation.benchmarks.gsm8k.examples import EXAMPLES
from evaluation.benchmarks.gsm8k.lm_eval_filters import COT, COT_LLAMA, FLEXIBLE, STRICT, lm_eval_verdicts
from evaluation.data.data_set import DataSet, DataSetTask
from evaluation.data.files import checked, files_sha256, read_rows
from evaluation.data.hub import fetch_file
from evaluation.pass_at_k import pass_at_k_metrics
from evaluation.protocols import Judgement, Prompt, PromptStyle, Sample
from results.errors import UsageError
from results.prompts.prompt_file import Example

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from results.records import Completion, Metric

NAME = "gsm8k"
REPOSITORY, FILE = "openai/gsm8k", "main/test-00000-of-00001.parquet"

# The wording of Meta's evaluation of Llama 3, which is lm-eval's task gsm8k_cot_llama.
_CHAT_PROMPT = (
    "Given the following problem, reason and give a final answer to the problem.\nProblem: {question}\n"
    'Your response should end with "The final answer is [answer]" where [answer] is the response to the problem.\n'
)
# Without an example, the words of Kojima et al. (2022), arXiv:2205.11916, which is lm-eval's gsm8k_cot_zeroshot.
_CALCULATOR = re.compile("<<[^<>]*>>")  # what the solutions have behind each sum, as in 48/2 = <<48/2=24>>24
_STEP_BY_STEP = " Let's think step by step."


class _Problem(msgspec.Struct):
    question: str
    answer: str


def load_data(path: Path | None, *, split: str = "test") -> DataSet:
    """The problems of a file as published (JSON Lines or Parquet), or a split from the Hugging Face Hub: test or train.

    Raises BenchError.
    """
    if split not in {"test", "train"}:
        raise UsageError(
            f"{NAME} has no split {split!r}", hint="it has train and test", settings=("datasets",)
        )
    path = path or fetch_file(REPOSITORY, FILE.replace("test", split))
    samples = []
    for number, row in enumerate(read_rows(path)):
        problem = checked(row, _Problem)
        gold = gold_number(problem.answer)
        if gold is None:
            raise UsageError(
                f"{row.where}: the answer does not end in `#### NUMBER`",
                hint="end it so, as in `2 + 2 = 4 #### 4`",
            )
        samples.append(
            Sample(task_id=f"{NAME}/{number}", data=msgspec.structs.asdict(problem), expected=str(gold))
        )
    return DataSet(tuple(samples), files_sha256([path]))


def resolved_few_shot(few_shot: int | None, style: PromptStyle) -> int:
    """How many examples stand before a question; None: the usual number."""
    if few_shot is not None:
        return few_shot
    return len(EXAMPLES) if style is PromptStyle.COMPLETION else 0


class Gsm8kTask(DataSetTask):
    """Implements `Task`. few_shot: worked examples before the question; None: the usual number, 0 in chat and 8 for
    a text to go on with.
    """

    def __init__(self, data: DataSet, *, style: PromptStyle, few_shot: int | None = None) -> None:
        super().__init__(NAME, data.samples, style)
        self.stop = ("\nQ:", "\nQuestion:") if style is PromptStyle.COMPLETION else ()
        self._examples = EXAMPLES[: resolved_few_shot(few_shot, style)]

    def get_prompt(self, sample: Sample) -> Prompt:
        """A chain of thought that ends in the answer, asked for in words or shown by examples."""
        question = sample.data["question"]
        if self.style is PromptStyle.CHAT:
            shown = [
                f"{_CHAT_PROMPT.format(question=example.question)}{example.reasoning} "
                f"The final answer is {example.answer}\n\n"
                for example in self._examples
            ]
            return Prompt("", "".join([*shown, _CHAT_PROMPT.format(question=question)]))
        shown = [
            f"Q: {example.question}\nA: {example.reasoning} The answer is {example.answer}.\n\n"
            for example in self._examples
        ]
        return Prompt("", "".join([*shown, f"Q: {question}\nA:{'' if shown else _STEP_BY_STEP}"]))

    def worked_example(self, sample: Sample) -> Example:
        """The question alone, and the data set's own solution in the words that the prompt asks for."""
        question, solution = sample.data["question"], sample.data["answer"].rpartition("####")[0]
        reasoning = _CALCULATOR.sub("", solution).strip()
        if self.style is PromptStyle.CHAT:
            asked, said = _CHAT_PROMPT.format(question=question), f"The final answer is {sample.expected}"
            return Example(question=asked, answer=f"{reasoning}\n{said}", sample=sample.task_id)
        answer = f"{' '.join(reasoning.split())} The answer is {sample.expected}."
        return Example(question=f"Q: {question}\nA:", answer=answer, sample=sample.task_id)

    def calculate_metrics(self, prediction: str, expected: Any, sample: Sample) -> Judgement:
        """Compare the number that counts; what lm-eval's own filters say of the answer are metrics."""
        theirs = lm_eval_verdicts(
            prediction, sample.data["answer"], COT_LLAMA if self.style is PromptStyle.CHAT else COT
        )
        for stop in self.stop:  # a server that knows no stop sequences goes on with questions of its own
            prediction = prediction.split(stop, 1)[0]
        gold = gold_number(f"#### {expected}")
        found = final_number(prediction)
        in_units = final_number(prediction, magnitudes=False)  # asked may be how many millions
        found = in_units if in_units.value == gold else found
        right = found.value is not None and found.value == gold
        said = "no number in the answer" if found.value is None else f"{found.value} instead of {expected}"
        words = deciding_line(prediction, partial(_says, found)) if found.value is not None else ""
        return Judgement(
            passed=right,
            completion="" if found.value is None else str(found.value),
            detail="" if right else said,
            metrics=theirs,
            ended=found.stated is not None,
            read_in=words,
        )

    def aggregate_metrics(self, completions: Sequence[Completion]) -> Mapping[str, Metric]:
        """pass@k, and pass@1 by each of lm-eval's filters."""
        metrics = dict(pass_at_k_metrics(completions))
        for name in (STRICT, FLEXIBLE):
            alone = [
                msgspec.structs.replace(completion, passed=completion.metrics.get(name) == 1.0, tags={})
                for completion in completions
            ]
            metrics[name] = pass_at_k_metrics(alone)["pass@1"]
        return metrics


def _says(found: FinalNumber, line: str) -> bool:
    """Whether a line alone has the number that counts, in the way in which the whole answer has it."""
    return any(
        alone.value == found.value and (alone.stated is None) == (found.stated is None)
        for alone in (final_number(line), final_number(line, magnitudes=False))
    )
