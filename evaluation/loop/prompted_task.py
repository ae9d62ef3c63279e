"""A task that is asked with more than its own prompts: an instruction and examples, as `--prompt` gives them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from evaluation.protocols import Prompt, PromptStyle
from results.messages import Message

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from evaluation.protocols import Sample, Task
    from results.prompts.prompt_file import Example, PromptText
    from results.records import Completion


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
        """How many of these samples the prompt's examples ask too, and so tell the answer of."""
        shown = {folded(example.question) for example in self._prompt.examples}
        if not shown:
            return 0
        asked = (sample for sample in self._task.get_samples(None) if sample.task_id in task_ids)
        return sum(not shown.isdisjoint(map(folded, self._questions(sample))) for sample in asked)

    def _questions(self, sample: Sample) -> Iterator[str]:
        yield self._task.get_prompt(sample).user
        worked = getattr(self._task, "worked_example", None)
        if worked is not None and (example := worked(sample)) is not None:
            yield example.question


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
