"""What makes of a data set's rows those that the templates of a suite see: for what a template can't say."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from evaluation.metrics.ifbench import instructions_text
from evaluation.metrics.squad import exact_match

Rows = Sequence[dict[str, Any]]
Prepare = Callable[[Rows], Iterable[dict[str, Any]]]


def first_300(rows: Rows) -> list[dict[str, Any]]:
    """The first 300."""
    return list(rows[:300])


def medhallu_answers(rows: Rows) -> list[dict[str, Any]]:
    """Each row twice, with one of its two `answer`s; `hallucinated` says which."""
    return [
        {**row, "answer": row[name], "hallucinated": name == "Hallucinated Answer"}
        for row in rows
        for name in ("Ground Truth", "Hallucinated Answer")
    ]


def record_entities(rows: Rows) -> list[dict[str, Any]]:
    """ReCoRD's queries with each entity in turn (`candidates`), and 1 for those that are among the answers (`right`).

    Entities in the order of lm-eval: each once, sorted.
    """
    prepared = []
    for row in rows:
        entities = sorted(set(row["entities"]))
        prepared.append(
            {
                **row,
                "candidates": [f"  - {row['query'].replace('@placeholder', each)}" for each in entities],
                "right": [int(exact_match(each, row["answers"])) for each in entities],
            }
        )
    return prepared


def ifbench_instructions(rows: Rows) -> list[dict[str, Any]]:
    """With all of a row's instructions as one text (`instructions`). Raises ScriptError without their checkers."""
    return [{**row, "instructions": instructions_text(row)} for row in rows]


PREPARED: dict[str, Prepare] = {
    each.__name__: each for each in (first_300, ifbench_instructions, medhallu_answers, record_entities)
}
