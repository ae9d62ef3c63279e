"""Which verdicts differ between a run and its rejudgement, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from results.completion_lines import latest
from results.durable import explained
from results.files import open_to_read

if TYPE_CHECKING:
    from pathlib import Path

    from results.records import Completion, Outcome
    from results.store.run_folder import RunFolder


class FlippedVerdict(msgspec.Struct, frozen=True):
    """Of one completion. was, now: outcomes; why_was, why_now: what was said of them; taken_was, taken_now: what was
    taken for the answer.
    """

    task_id: str
    index: int
    was: Outcome
    now: Outcome
    why_was: str
    why_now: str
    taken_was: str
    taken_now: str

    @property
    def why(self) -> str:
        """In a line: what is read otherwise, else what is judged otherwise."""
        said = " -> ".join(filter(None, (self.why_was or "right", self.why_now or "right")))
        if self.taken_was == self.taken_now:
            return f"the same answer is judged otherwise: {said}"
        short = [_short(taken) for taken in (self.taken_was, self.taken_now)]
        read = f"read {short[0]}, now {short[1]}" if all(short) else "another part of the answer is read"
        return f"{read}: {said}"


def flipped_verdicts(parent: RunFolder, rejudged: RunFolder) -> tuple[FlippedVerdict, ...]:
    """In the order of the parent. Raises ResultsError."""
    before, after = _completions(parent.completions), _completions(rejudged.completions)
    pairs = ((was, after[key]) for key, was in before.items() if key in after)
    return tuple(
        FlippedVerdict(
            task_id=was.task_id,
            index=was.index,
            was=was.outcome,
            now=now.outcome,
            why_was=was.detail,
            why_now=now.detail,
            taken_was=was.completion,
            taken_now=now.completion,
        )
        for was, now in pairs
        if was.outcome is not now.outcome
    )


def _completions(path: Path) -> dict[tuple[str, int], Completion]:
    with explained("read", path), open_to_read(path) as lines:
        return latest(lines)


def _short(taken: str) -> str:
    """What was taken, where it is a word: a letter, a number, nothing."""
    if not taken.strip():
        return "nothing"
    return taken if len(taken) <= 20 and "\n" not in taken else ""
