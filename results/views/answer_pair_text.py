"""`compare --show`: both runs' answers to one sample, side by side, and a diff of the code."""

from __future__ import annotations

from typing import TYPE_CHECKING

from results.plain_text import plain
from results.views.answer_text import (
    add_prompt,
    answer_of,
    colour_of,
    facts_of,
    is_code,
    thought_of,
    words,
)
from results.views.long_text import LongText

if TYPE_CHECKING:
    from collections.abc import Sequence

    from results.compare.answer_pair import AnswerPair
    from results.records import Completion

NARROWEST = 100  # columns, for two texts side by side


def print_pairs(pairs: Sequence[AnswerPair], titles: tuple[str, str]) -> None:
    """titles: of the runs."""
    text = LongText()
    for number, pair in enumerate(pairs):
        if number:
            text.add("\n")
        _add_pair(text, pair, titles, several=len(pairs) > 1)
    text.show()


def _add_pair(text: LongText, pair: AnswerPair, titles: tuple[str, str], *, several: bool) -> None:
    text.add(f"{plain(pair.task_id)}{f' #{pair.index}' if several else ''}", bold=True)
    text.heading("Prompt", "the same for both" if pair.prompt else "")
    if pair.prompt is None:
        text.quote("not kept by both runs, or not the same: see `inspect`", dim=True)
    else:
        add_prompt(text, pair.prompt)
    same = pair.first_difference is None
    text.heading(
        "Answers",
        "word for word the same"
        if same
        else f"they differ from character {(pair.first_difference or 0) + 1} on",
    )
    sides = (pair.first, pair.second)
    if same and pair.first.outcome is pair.second.outcome:
        text.add(words(pair.first.outcome), fg=colour_of(pair.first))
        text.facts(facts_of(pair.first))
        text.add()
        text.quote(_said(pair.first))
        return
    if text.width >= NARROWEST:
        parts = (lambda each: words(each.outcome), _facts, lambda _: "", _said)
        rows = [(part(pair.first), part(pair.second)) for part in parts]
        text.beside(rows, titles, (colour_of(pair.first), colour_of(pair.second)))
    else:
        for title, completion in zip(titles, sides, strict=True):
            text.add(title, bold=True, fg="cyan")
            text.add(words(completion.outcome), fg=colour_of(completion))
            text.facts(facts_of(completion))
            text.add()
            text.quote(_said(completion))
            text.add()
    what = "the executed code" if any(map(is_code, sides)) else "the answers"
    text.heading("Diff", f"of {what}, from A to B")
    if pair.diff:
        text.diff(pair.diff)
    else:
        text.quote(f"{what} are the same" if what == "the answers" else f"{what} is the same", dim=True)


def _facts(completion: Completion) -> str:
    return "\n".join(f"{fact.name:9} {fact.text}" for fact in facts_of(completion) if fact.text)


def _said(completion: Completion) -> str:
    thought = thought_of(completion)
    note = f"(a thought of {len(thought)} characters: see `inspect`)\n" if thought else ""
    return note + (answer_of(completion) or "(empty)")
