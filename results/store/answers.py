"""All answers of one run, with their prompts: what `inspect` shows."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from results.completion_lines import latest
from results.durable import explained
from results.errors import ResultsError, UsageError
from results.files import open_to_read
from results.messages import said_by_model
from results.prompts.sent_prompts import read_prompts
from results.records import Outcome
from results.scores.composite import PARTS_NAME
from results.store.reading.part_lines import read_part_lines

if TYPE_CHECKING:
    from collections.abc import Mapping

    from results.prompts.sent_prompts import SentPrompt
    from results.records import Completion
    from results.scores.composite import SampleParts
    from results.store.run_folder import RunFolder

_SHOWN = 5


@dataclass(frozen=True)
class RunAnswers:
    """completions: the last line of each, by sample and index, in the order of the samples. prompts: by sample; empty
    for a run of a version, or of a script, that kept none. parts: of its composite score, as completions.
    """

    run_id: str
    completions: Mapping[tuple[str, int], Completion]
    prompts: Mapping[str, SentPrompt]
    parts: Mapping[tuple[str, int], SampleParts] = field(default_factory=dict)

    def of(self, task_id: str) -> tuple[Completion, ...]:
        """The completions of one sample."""
        return tuple(each for each in self.completions.values() if each.task_id == task_id)

    def prompt_of(self, completion: Completion) -> SentPrompt | None:
        """What was asked. None: it was not kept, or is not the one that was answered."""
        found = self.prompts.get(completion.task_id)
        if found is None or completion.prompt_sha256 not in {"", found.sha256}:
            return None
        return found

    def task_id(self, wanted: str) -> str:
        """The sample that a user means: its id, what stands behind its last slash, or a part that fits only one.

        Raises UsageError.
        """
        known = list(dict.fromkeys(task_id for task_id, _ in self.completions))
        if wanted in known:
            return wanted
        folded = wanted.casefold()
        for fits in (
            [each for each in known if each.rpartition("/")[2].casefold() == folded],
            [each for each in known if folded in each.casefold()],
        ):
            if len(fits) == 1:
                return fits[0]
            if fits:
                more = f" and {len(fits) - _SHOWN} more" if len(fits) > _SHOWN else ""
                raise UsageError(
                    f"{wanted!r} fits {len(fits)} samples of {self.run_id}",
                    hint=f"give one of them: {', '.join(fits[:_SHOWN])}{more}",
                )
        close = difflib.get_close_matches(wanted, known, n=3) or known[:3]
        raise UsageError(
            f"{self.run_id} has no answer to {wanted!r}",
            hint=f"it has {len(known)} sample{'s' * (len(known) != 1)}, such as {', '.join(close)}",
        )


def read_answers(folder: RunFolder) -> RunAnswers:
    """Raises ResultsError if the run has none, or they can't be read."""
    try:
        with explained("read", folder.completions), open_to_read(folder.completions) as lines:
            found = latest(lines)
    except ResultsError as error:
        if folder.completions.exists():
            raise
        raise ResultsError(
            f"{folder.run_id} keeps no single answers: it has no {folder.completions.name}",
            hint="only runs of our own benchmarks other than speed do; see its files with `show`",
        ) from error
    if not found:
        raise ResultsError(
            f"{folder.run_id} has no answer yet", hint="wait for the first one, or resume the run"
        )
    ordered = dict(sorted(found.items(), key=lambda item: (natural(item[0][0]), item[0][1])))
    with explained("read", folder.path / PARTS_NAME):
        parts = read_part_lines(folder.path)
    return RunAnswers(folder.run_id, ordered, read_prompts(folder.path), parts)


def natural(task_id: str) -> tuple[str, int, str]:
    """A sort key that puts HumanEval/9 before HumanEval/10."""
    head, slash, tail = task_id.rpartition("/")
    return (head, int(tail), "") if slash and tail.isdecimal() else (task_id, -1, "")


def said(completion: Completion) -> str:
    """All that the model wrote, its thought first; of a conversation with tools all turns."""
    if completion.transcript:
        return said_by_model(completion.transcript)
    return f"{completion.reasoning}{completion.answer}"


def is_lost(completion: Completion) -> bool:
    """Whether the infrastructure lost it, so that there is nothing to compare."""
    return completion.outcome is Outcome.INFRASTRUCTURE_ERROR


def why_in_a_line(completion: Completion) -> str:
    """Why it did not pass: the comparison that failed, where that is known, else what was said of it."""
    check = completion.failed_check
    if check is None or completion.outcome is not Outcome.FAILED:
        return completion.detail
    if check.relation:
        wanted = f"{check.relation} {check.expected}".strip().removeprefix("== ")
        call = check.call or check.check
        return " ".join(f"{call}: got {check.got}, not {wanted}".split())
    where = f" in line {check.line}" if check.line else ""
    call = f"{check.call}: " if check.call else ""
    return " ".join(f"{call}{completion.detail}{where}".split())
