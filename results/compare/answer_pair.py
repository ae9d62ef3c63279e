"""What two runs answered to one sample, side by side: for the terminal and for pages."""

from __future__ import annotations

import difflib
from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec

from results.compare.changed_answers import first_difference
from results.errors import UsageError
from results.prompts.sent_prompts import SentPrompt  # noqa: TC001 - a field: msgspec reads it at run time
from results.records import Completion  # noqa: TC001 - a field: msgspec reads it at run time
from results.store.answers import read_answers, said

if TYPE_CHECKING:
    from results.store.run_folder import RunFolder

MOST_LINES = 1000  # of each text; a diff of more takes long, and nobody reads it
MOST_CHARS = 500  # of a line
_CONTEXT = 3  # lines


class DiffKind(StrEnum):
    SAME = "same"
    ADDED = "added"
    REMOVED = "removed"
    PLACE = "place"  # where in the texts the next lines stand: `@@ -1,4 +1,5 @@`


class DiffLine(msgspec.Struct, frozen=True):
    """text: without the sign that says what it is."""

    kind: DiffKind
    text: str


class AnswerPair(msgspec.Struct, frozen=True, kw_only=True):
    """Texts are as the models wrote them: escape them for where they are shown.

    prompt: what both were asked; None if it was not kept or differs. first_difference: characters that both answers,
    thoughts included, begin with; None: they are the same. diff: from the first to the second, of what was judged
    (`completion`); where that is a word, such as a number, of the answers without their thoughts. Empty:
    both are the same.
    """

    task_id: str
    index: int
    first: Completion
    second: Completion
    prompt: SentPrompt | None = None
    first_difference: int | None = None
    diff: tuple[DiffLine, ...] = ()


def answer_pairs(first: RunFolder, second: RunFolder, wanted: str) -> tuple[AnswerPair, ...]:
    """The answers to the sample that `wanted` names (`RunAnswers.task_id`), one pair for each index that both have.

    Raises UsageError and ResultsError.
    """
    one, other = read_answers(first), read_answers(second)
    task_id = one.task_id(wanted)
    found = []
    for before in one.of(task_id):
        after = other.completions.get((task_id, before.index))
        if after is None:
            continue
        asked = one.prompt_of(before), other.prompt_of(after)
        found.append(
            AnswerPair(
                task_id=task_id,
                index=before.index,
                first=before,
                second=after,
                prompt=asked[0] if asked[0] == asked[1] else None,
                first_difference=first_difference(said(before), said(after)),
                diff=diff_lines(*_diffed(before, after)),
            )
        )
    if not found:
        raise UsageError(
            f"{other.run_id} has no answer to {task_id}",
            hint="show a sample that both have; see `inspect RUN`",
        )
    return tuple(found)


def diff_lines(before: str, after: str) -> tuple[DiffLine, ...]:
    """A unified diff, of at most `MOST_LINES` lines of each text."""
    ours, theirs = (
        [line[:MOST_CHARS] for line in text.splitlines()[:MOST_LINES]] for text in (before, after)
    )
    kinds = {"+": DiffKind.ADDED, "-": DiffKind.REMOVED, "@": DiffKind.PLACE}
    lines = list(difflib.unified_diff(ours, theirs, n=_CONTEXT, lineterm=""))[2:]  # without the files' names
    return tuple(
        DiffLine(kind, line if kind is DiffKind.PLACE else line[1:])
        for line in lines
        for kind in (kinds.get(line[:1], DiffKind.SAME),)
    )


def _diffed(first: Completion, second: Completion) -> tuple[str, str]:
    """What was executed, if that is code in either run; else the answers."""
    taken = first.completion, second.completion
    return taken if any("\n" in text for text in taken) else (_spoken(first), _spoken(second))


def _spoken(completion: Completion) -> str:
    if completion.transcript:
        return said(completion)
    return completion.answer[completion.thought_chars :]
