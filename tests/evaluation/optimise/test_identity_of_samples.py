"""Samples of a search are told apart by what is asked in them: a question is never both learnt from and tested on."""

from __future__ import annotations

import pytest

from evaluation.benchmarks.mmlu.task import MmluTask
from evaluation.benchmarks.mmlu.task import load_data as load_mmlu
from evaluation.protocols import PromptStyle
from evaluation.suites.loader import read_suite_file
from evaluation.suites.task import SuiteRows, SuiteTask
from results.json_text import encode
from scripts.optimising.asked import NAMES, search_of
from scripts.optimising.items import item_of, pool_of

STYLES = (PromptStyle.CHAT, PromptStyle.COMPLETION)
ROWS = [
    {
        "question": f"How many legs have {number} dogs?",
        "choices": [str(4 * number), "1", "2", "3"],
        "answer": 0,
    }
    for number in range(1, 9)
]


def mmlu(path, rows, *, style, few_shot=0):
    path.mkdir(exist_ok=True)
    for split in ("test", "dev"):
        (path / f"x_{split}.jsonl").write_bytes(b"".join(encode(row) + b"\n" for row in rows))
    data = load_mmlu(path / "x_test.jsonl", few_shot=few_shot, by_letter=True)
    return MmluTask(data, style=style)


@pytest.mark.parametrize("style", STYLES)
def test_neither_subject_nor_examples_nor_spacing_make_another_question(tmp_path, style):
    of_subject = [{**row, "subject": "zoology"} for row in ROWS]
    spaced = [{**row, "question": f"  {row['question'].upper()}\n"} for row in ROWS]
    tasks = [
        mmlu(tmp_path / "plain", ROWS, style=style),
        mmlu(tmp_path / "subject", of_subject, style=style),
        mmlu(tmp_path / "shown", of_subject, style=style, few_shot=2),
        mmlu(tmp_path / "spaced", spaced, style=style),
    ]
    found = [{item_of(task, sample).sha256 for sample in task.get_samples(None)} for task in tasks]
    assert found[1:] == [found[0]] * 3
    assert len(found[0]) == len(ROWS)
    other = mmlu(
        tmp_path / "other", [{**row, "choices": ["0", *row["choices"][1:]]} for row in ROWS], style=style
    )
    assert not found[0] & {item_of(other, sample).sha256 for sample in other.get_samples(None)}


@pytest.mark.parametrize("style", STYLES)
def test_a_passage_before_the_question_tells_samples_apart_however_it_is_spaced(tmp_path, style):
    """The question is the same in all."""
    rows = [{"p": text, "a": 1} for text in ("A dog has legs.", "A  dog\nhas LEGS. ", "A bird has legs.")]
    (tmp_path / "rows.jsonl").write_bytes(b"".join(encode(row) + b"\n" for row in rows))
    (tmp_path / "legs.yaml").write_text(
        'name: legs\nversion: "1"\nabout: A.\nlicence: none\ndata: {file: rows.jsonl}\nsystem: "{{ p }}"\n'
        'prompt: "How many?"\nanswer: {kind: number, correct: a}\n'
    )
    task = SuiteTask(SuiteRows(read_suite_file(tmp_path / "legs.yaml")), style=style)
    first, spaced, other = (item_of(task, sample).sha256 for sample in task.get_samples(None))
    assert first == spaced != other


def test_a_file_to_learn_from_never_shows_what_is_tested_on(tmp_path):
    """It has every question of the run, under another subject, and one that the run doesn't have."""
    style = PromptStyle.COMPLETION
    task = mmlu(tmp_path / "run", [{**row, "subject": "zoology"} for row in ROWS], style=style, few_shot=1)
    extra = {"question": "How many legs has a bird?", "choices": ["2", "4", "6", "8"], "answer": 0}
    more = mmlu(tmp_path / "more", [*ROWS, extra], style=style)
    file = tmp_path / "more" / "x_test.jsonl"
    datasets = {"train": {"file": str(file)}, "validation": 3, "test": 4}
    search = search_of(
        {**dict.fromkeys(NAMES), "optimizer": "few_shot", "datasets": datasets}, benchmark="mmlu"
    )
    splits = pool_of(task, task.get_samples(None), search, 0, lambda _: more).splits
    learnt, tested = (
        {item.question for item in split} for split in (splits.train, (*splits.validation, *splits.test))
    )
    assert len(tested) == 7
    assert learnt
    assert not learnt & tested
