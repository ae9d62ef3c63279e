"""The needle benchmark's texts: what is hidden is there once, where it belongs, and depends on the seed alone."""

from __future__ import annotations

import random
import re
from collections import Counter

import pytest

from evaluation.benchmarks.needle.kinds import Kind
from evaluation.benchmarks.needle.prose import paragraphs
from evaluation.benchmarks.needle.task import Cells, NeedleTask, identity
from evaluation.benchmarks.needle.texts import NeedleText
from evaluation.protocols import PromptStyle
from settings.needle_lengths import KINDS, usual_lengths

CHAT, COMPLETION = PromptStyle.CHAT, PromptStyle.COMPLETION
CHARS = 20_000


def made(kind, task_id="needle/x", *, seed=0, depth=0.5, chars=CHARS, style=CHAT):
    """The text, the haystack with its needles, and the question."""
    text = NeedleText(Kind(kind), task_id=task_id, seed=seed, depth=depth)
    whole = text.prompt(chars, style).user
    body = whole[len(text.hidden.about) : whole.rindex("Question: ")]
    return text, body.strip(), whole[whole.rindex("Question: ") :]


def test_the_kinds_of_the_settings_are_those_that_there_are():
    assert tuple(Kind) == KINDS


@pytest.mark.parametrize("kind", KINDS)
def test_the_text_depends_on_seed_and_id_alone_and_begins_differently_in_each_sample(kind):
    text, body, question = made(kind)
    assert (body, question) == made(kind)[1:]
    for other, other_body, other_question in (made(kind, seed=1), made(kind, task_id="needle/y")):
        assert other_body.split(" ")[:12] != body.split(" ")[:12]
        assert other_question != question
        assert not set(other.hidden.expected) & set(text.hidden.expected)


@pytest.mark.parametrize("kind", KINDS)
def test_each_expected_value_stands_in_the_text_and_not_in_the_question(kind):
    text, body, question = made(kind)
    for value in text.hidden.expected:
        assert body.count(value) >= 1
        assert value not in question
    assert len(text.hidden.expected) == {"multivalue": 4, "tracking": 5}.get(kind, 1)


@pytest.mark.parametrize("kind", ["single", "multikey", "dense"])
@pytest.mark.parametrize(("depth", "place"), [(0.0, 0.0), (0.25, 0.25), (0.5, 0.5), (1.0, 1.0)])
def test_the_needle_stands_at_its_depth(kind, depth, place):
    text, body, _ = made(kind, depth=depth)
    (value,) = text.hidden.expected
    sentences = [sentence for sentence in re.split(r"(?<=[.”])\s+(?=[A-Z“])", body) if sentence]
    at = next(number for number, sentence in enumerate(sentences) if value in sentence)
    assert at / (len(sentences) - 1) == pytest.approx(place, abs=0.03)


def test_in_a_dense_haystack_all_else_are_other_keys_with_other_numbers():
    text, body, question = made("dense")
    notes = re.findall(r"The archive number of (.*?) is (\d{7})\.", body)
    assert len(notes) > CHARS / 80
    asked = re.search(r"archive number of (.*?) according", question)[1]
    assert [number for key, number in notes if key == asked] == list(text.hidden.expected)
    assert len({key for key, _ in notes}) == len(notes)


def test_a_chain_can_be_followed_from_the_beginning_of_the_text_to_its_end():
    text, body, question = made("tracking")
    value = re.search(r"the value (\d{5}) according", question)[1]
    known = re.findall(rf"Register (\w+) is set to {value}\.", body)
    for name, before in re.findall(r"Register (\w+) is set to the value of register (\w+)\.", body):
        assert before == known[-1]
        known.append(name)
    assert tuple(known) == text.hidden.expected


def test_prose_has_no_digits_and_hardly_repeats_itself():
    source = paragraphs(random.Random(5))
    sentences = [sentence for _ in range(300) for sentence in next(source)]
    assert not re.search(r"\d|\{|\}", "".join(sentences))
    assert len(set(sentences)) > 0.98 * len(sentences)
    assert len({sentence.split()[0] for sentence in sentences}) > 40


def test_a_haystack_of_no_length_still_holds_every_needle():
    for kind in KINDS:
        text, body, _ = made(kind, chars=0)
        assert all(needle.sentence in body for needle in text.hidden.needles)


def ids(**changes):
    return [sample.task_id for sample, _ in Cells(**{"lengths": (1024, 4096), **changes}).samples(0)]


def test_every_kind_is_asked_at_every_length_and_depth_and_the_first_ones_are_of_all():
    cells = Counter(
        (s.tags["kind"], s.tags["length"], s.tags["depth"]) for s, _ in Cells(lengths=(1024, 4096)).samples(0)
    )
    assert len(ids()) == len(set(ids())) == 5 * 2 * 5 * 2
    assert {count for (_, _, depth), count in cells.items() if depth != "spread"} == {2}
    assert {count for (_, _, depth), count in cells.items() if depth == "spread"} == {10}
    first = [sample.tags for sample, _ in Cells(lengths=(1024, 4096)).samples(0)][:10]
    assert {tags["kind"] for tags in first} == set(KINDS)
    assert len({tags["depth"] for tags in first}) >= 5


def test_more_of_anything_keeps_the_samples_that_there_were():
    """So that runs of different lengths are compared on those that both have."""
    assert set(ids()) < set(ids(per_cell=3))
    assert set(ids()) < set(ids(lengths=(1024, 4096, 32768)))
    assert set(ids(kinds=("single", "tracking"))) < set(ids())


def judged(kind, prediction, style=CHAT):
    task = NeedleTask(Cells(lengths=(1024,), kinds=(kind,)), style=style, seed=0, fitted={})
    sample = task.get_samples(1)[0]
    return task.calculate_metrics(prediction(sample.expected), sample.expected, sample)


def test_an_answer_passes_with_all_values_in_any_words_and_has_partial_credit():
    assert judged("multivalue", lambda values: f"They are {' and '.join(reversed(values))}, I think.").passed
    half = judged("multivalue", lambda values: ", ".join(values[:2]))
    assert (half.passed, half.metrics, half.detail) == (False, {"recall": 0.5}, "2 of 4 values")
    assert judged("tracking", lambda names: " ".join(names).lower()).passed  # RULER compares in lower case
    nothing = judged("single", lambda _: "I can't find it.")
    assert (nothing.passed, nothing.metrics, nothing.completion) == (False, {"recall": 0.0}, "")


def test_the_number_of_another_key_is_told_apart_from_no_number():
    task = NeedleTask(Cells(lengths=(1024,), kinds=("multikey",)), style=CHAT, seed=0, fitted={})
    sample = task.get_samples(1)[0]
    text = next(text for other, text in Cells(lengths=(1024,)).samples(0) if other.task_id == sample.task_id)
    wrong = task.calculate_metrics(text.hidden.others[0], sample.expected, sample)
    assert wrong.detail == "0 of 1 values, and the number of another key"


def test_what_a_text_goes_on_with_behind_its_answer_does_not_count():
    def went_on(values):
        return f" {values[0]}.\n\nQuestion: and the others? {', '.join(values)}"

    assert judged("multivalue", went_on, COMPLETION).metrics == {"recall": 0.25}


def test_a_text_to_go_on_with_ends_where_the_answer_begins():
    assert re.search(r"\nAnswer: The archive number of the .* is$", made("single", style=COMPLETION)[2])


def test_runs_are_known_to_be_comparable_by_wording_and_seed():
    assert identity(CHAT, 0) == identity(CHAT, 0)
    assert identity(CHAT, 0) != identity(CHAT, 1)
    assert identity(CHAT, 0) != identity(COMPLETION, 0)


@pytest.mark.parametrize(
    ("context", "max_tokens", "fit", "left_out"),
    [
        (8192, 128, (1024, 2048, 4096, 8192), ()),
        (8192, 2048, (1024, 2048, 4096), (8192,)),
        (6000, 128, (1024, 2048, 4096), ()),
        (700, 128, (512,), ()),
        (300, 128, (), ()),
    ],
)
def test_the_usual_lengths_leave_room_for_the_answer(context, max_tokens, fit, left_out):
    assert usual_lengths(context, max_tokens) == (fit, left_out)
