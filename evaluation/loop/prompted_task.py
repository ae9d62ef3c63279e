"""A task that is asked with more than its own prompts: an instruction and examples, as `--prompt` gives them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from evaluation.protocols import Prompt, PromptStyle
from results.messages import Message

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from evaluation.protocols import Sample, Task
    from results.prompts.prompt_file import Example, PromptText
    from results.records import Completion


_TELLING = 20  # characters of a question; a shorter one may stand in another one by chance


class PromptedTask:
    """Another task with these words added to each of its prompts; everything else, its verdicts above all, is that
    task's.
    """

    def __init__(self, task: Task, prompt: PromptText) -> None:
        self._task = task
        self._prompt = prompt

    def __getattr__(self, name: str) -> Any:
        return getattr(self._task, name)

    def get_prompt(self, sample: Sample) -> Prompt:
        """The task's own, behind the instruction and the examples."""
        return with_prompt(self._task.get_prompt(sample), self._prompt, sample.style or self._task.style)

    def own_prompt(self, sample: Sample) -> Prompt:
        """The task's own alone."""
        return self._task.get_prompt(sample)

    def told(self, task_ids: Collection[str]) -> int:
        """How many of these samples the prompt's examples ask too, and so tell the answer of: word for word as they are
        asked, or without the words that the task puts around each question.
        """
        shown = {folded(example.question) for example in self._prompt.examples}
        if not shown:
            return 0
        long_ones = [text for text in shown if len(text) >= _TELLING]
        asked = (sample for sample in self._task.get_samples(None) if sample.task_id in task_ids)
        return sum(self._is_told(sample, shown, long_ones) for sample in asked)

    def _is_told(self, sample: Sample, shown: Collection[str], long_ones: Sequence[str]) -> bool:
        if folded(self._task.get_prompt(sample).user) in shown:
            return True
        worked = getattr(self._task, "worked_example", None)
        example = worked(sample) if worked is not None else None
        if example is None:
            return False
        question = folded(example.question)  # alone: what is asked may begin with examples of the task's own
        return question in shown or any(text in question for text in long_ones)


def told_warnings(task: Task, completions: Sequence[Completion]) -> list[str]:
    """That the prompt has answers to what was asked; nothing without such a prompt."""
    task_ids = {completion.task_id for completion in completions}
    told = task.told(task_ids) if isinstance(task, PromptedTask) else 0
    if not told:
        return []
    count = f"{told} of {len(task_ids)} questions"
    return [
        f"{count} stand in the prompt as examples, with their answers: the score is that of a model that was told"
    ]


def with_prompt(asked: Prompt, prompt: PromptText, style: PromptStyle) -> Prompt:
    """What the model is told in that style.

    In a chat the instruction stands before the task's own system text, and each example is a turn of the user and one
    of the model, before the conversation begins. A text to go on with has the instruction first, then each example's
    question with its answer, with an empty line behind each of them; then the task's own text.
    """
    if style is PromptStyle.COMPLETION:
        parts = [prompt.instruction, *map(_shown, prompt.examples)]
        before = "".join(f"{part.rstrip()}\n\n" for part in parts if part.strip())
        return asked._replace(system=before + asked.system)
    turns = [
        message
        for example in prompt.examples
        for message in (Message("user", example.question), Message("assistant", example.answer))
    ]
    system = "\n\n".join(filter(None, (prompt.instruction, asked.system)))
    return asked._replace(system=system, history=(*turns, *asked.history))


def folded(text: str) -> str:
    """The same text for questions that differ in spacing and capitals alone."""
    return " ".join(text.split()).casefold()


def _shown(example: Example) -> str:
    """Question and answer as one text: the answer goes on where the question ends."""
    question, answer = example.question, example.answer
    apart = not question or question[-1].isspace() or not answer or answer[0].isspace()
    return f"{question}{answer}" if apart else f"{question} {answer}"
