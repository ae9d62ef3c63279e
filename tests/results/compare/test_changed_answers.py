"""Answers that changed word for word, and the diff of two: what is lined up, counted and bounded."""

from __future__ import annotations

import time

import msgspec
import pytest

from results.compare.answer_pair import DiffKind, answer_pairs, diff_lines
from results.compare.changed_answers import ChangedAnswer, changed_answers, first_difference
from results.errors import UsageError
from results.prompts.sent_prompts import Message, read_prompts, sent_prompt, write_prompts
from results.records import Completion, Outcome
from results.store.answers import read_answers
from tests.results.recorded_runs import record_run

P, F, T, X = Outcome.PASSED, Outcome.FAILED, Outcome.TRUNCATED, Outcome.INFRASTRUCTURE_ERROR


def recorded(results_dir, *answers):
    """A run with these completions: (sample, index, outcome, words, further fields)."""
    folder = record_run(results_dir)
    lines = [
        Completion(
            task_id=f"t/{n}", index=index, outcome=outcome, passed=outcome is P, answer=said, **dict(*more)
        )
        for n, index, outcome, said, *more in answers
    ]
    folder.completions.write_bytes(b"".join(msgspec.json.encode(line) + b"\n" for line in lines))
    return folder


def test_answers_are_lined_up_by_sample_and_index(tmp_path):
    one = recorded(
        tmp_path,
        (10, 0, P, "same"),
        (2, 1, P, "abcd"),
        (2, 0, F, "ab"),
        (3, 0, F, "x"),
        (4, 0, X, ""),
        (5, 0, T, "q"),
    )
    other = recorded(
        tmp_path,
        (2, 0, P, "abc"),
        (2, 1, F, "abXd"),
        (10, 0, P, "same"),
        (3, 0, T, "x"),
        (4, 0, P, "y"),
        (5, 0, T, "r"),
    )
    found = changed_answers(one, other)
    assert (found.compared, found.changed, found.median_first_difference) == (5, 3, 2)
    assert (found.to_pass, found.to_fail, found.other_outcomes, found.flipped) == (1, 1, 1, 3)
    assert found.answers == (
        ChangedAnswer("t/2", 0, 2, F, P),
        ChangedAnswer("t/2", 1, 2, P, F),
        ChangedAnswer("t/3", 0, None, F, T),
        ChangedAnswer("t/5", 0, 0, T, T),
    )


def test_thoughts_count_as_words(tmp_path):
    one = recorded(tmp_path, (1, 0, P, "yes", {"reasoning": "well"}))
    other = recorded(tmp_path, (1, 0, P, "yes", {"reasoning": "will"}))
    assert changed_answers(one, other).median_first_difference == 1


def test_runs_that_kept_no_words_are_not_called_the_same(tmp_path):
    one, other = recorded(tmp_path, (1, 0, P, "")), recorded(tmp_path, (1, 0, P, "yes"))
    assert changed_answers(one, other) is None


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [("", "", None), ("a", "a", None), ("", "a", 0), ("ab", "abc", 2), ("xb", "xc", 1)],
)
def test_where_two_texts_first_differ(one, other, same):
    assert first_difference(one, other) == same
    assert first_difference(other, one) == same


def test_a_pair_has_both_answers_and_a_diff_of_the_code(tmp_path):
    code = {"completion": "def f():\n    return 1\n"}
    one = recorded(tmp_path, (1, 0, P, "one", code), (1, 1, P, "a number"))
    other = recorded(
        tmp_path, (1, 0, F, "other", {"completion": "def f():\n    return 2\n"}), (2, 0, P, "alone")
    )
    asked = sent_prompt("t/1", (Message("user", "Go!"),))
    for folder in (one, other):
        write_prompts(folder.path, [asked])
    (pair,) = answer_pairs(one, other, "1")
    assert (pair.first.answer, pair.second.answer, pair.first_difference) == ("one", "other", 1)
    assert pair.prompt == asked
    assert [(line.kind, line.text) for line in pair.diff[1:]] == [
        (DiffKind.SAME, "def f():"),
        (DiffKind.REMOVED, "    return 1"),
        (DiffKind.ADDED, "    return 2"),
    ]
    with pytest.raises(UsageError, match="has no answer to t/1"):
        answer_pairs(one, recorded(tmp_path, (2, 0, P, "alone")), "t/1")


def test_a_prompt_that_differs_is_nobodys(tmp_path):
    one, other = recorded(tmp_path, (1, 0, P, "x")), recorded(tmp_path, (1, 0, P, "x"))
    write_prompts(one.path, [sent_prompt("t/1", "go on")])
    write_prompts(other.path, [sent_prompt("t/1", "go on!")])
    assert answer_pairs(one, other, "t/1")[0].prompt is None


def test_a_diff_is_bounded(tmp_path):
    """difflib alone takes minutes for such texts."""
    began = time.monotonic()
    found = diff_lines(
        "\n".join("ab"[n % 2] for n in range(50_000)), "\n".join("abc"[n % 3] for n in range(50_000))
    )
    assert time.monotonic() - began < 5
    assert len(found) < 5000
    assert max(len(line.text) for line in diff_lines("x" * 10_000, "y" * 10_000)) == 500


def test_prompts_are_written_once_and_grow_with_the_samples(tmp_path):
    prompts = [sent_prompt(f"t/{n}", f"go {n}") for n in range(3)]
    write_prompts(tmp_path, prompts[:2])
    before = (tmp_path / "prompts.jsonl").stat()
    write_prompts(tmp_path, prompts[:2])
    assert (tmp_path / "prompts.jsonl").stat().st_ino == before.st_ino
    write_prompts(tmp_path, prompts)
    assert list(read_prompts(tmp_path).values()) == prompts
    (tmp_path / "prompts.jsonl").write_bytes(b'{"torn": \n' + msgspec.json.encode(prompts[0]) + b"\n")
    assert list(read_prompts(tmp_path)) == ["t/0"]


def test_a_sample_is_found_by_what_users_call_it(tmp_path):
    answers = read_answers(recorded(tmp_path, (1, 0, P, "x"), (11, 0, P, "x"), (12, 0, P, "x")))
    assert [answers.task_id(name) for name in ("t/11", "1", "T/12", "12")] == ["t/11", "t/1", "t/12", "t/12"]
    with pytest.raises(UsageError, match="fits 3 samples"):
        answers.task_id("t/")
