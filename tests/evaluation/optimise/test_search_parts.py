"""What a search is made of: splits, parameters, replies of reflectors, the sentence about the gain."""

from __future__ import annotations

import pytest

from evaluation.optimise.contract import OPTIMIZERS, Item, Splits
from evaluation.optimise.gain import gain_of
from evaluation.optimise.gepa_proposals import instruction_in, request
from evaluation.optimise.parameters import read_parameters
from evaluation.optimise.reflecting import MOST_CHARS, fenced, instructions_in, numbered_lines
from evaluation.optimise.splits import kept_apart, narrowed, require_usable, split_up
from results.errors import UsageError


def items(*names):
    return [Item(task_id=f"{place}/{name}", sha256=name, question=name) for place, name in enumerate(names)]


def hashes(split):
    return [item.sha256 for item in split]


def test_splits_of_one_data_set_share_no_content():
    drawn = items(*(f"{number % 30}" for number in range(60)))  # each content twice
    splits = split_up(drawn, seed=3, train=10, validation=12)
    everything = hashes(splits.train) + hashes(splits.validation) + hashes(splits.test)
    assert len(everything) == len(set(everything)) == 30
    assert (len(splits.train), len(splits.validation), len(splits.test)) == (10, 12, 8)
    assert (
        split_up(list(reversed(drawn)), seed=3, train=10, validation=12).test[0].sha256
        == hashes(splits.test)[0]
    )
    assert split_up(drawn, seed=4, train=10, validation=12) != splits
    assert split_up(drawn, seed=3, train=5, validation=5, test=8).test == splits.test
    with pytest.raises(UsageError, match="there are 30"):
        split_up(drawn, seed=3, train=20, validation=12)


def test_data_sets_that_overlap_are_kept_apart_for_the_test_split():
    splits = kept_apart(
        train=items("a", "b", "c", "d"), validation=items("b", "c", "e"), test=items("c", "f")
    )
    assert [hashes(splits.train), hashes(splits.validation), hashes(splits.test)] == [
        ["a", "d"],
        ["b", "e"],
        ["c", "f"],
    ]
    assert hashes(narrowed(splits, 1, 3).validation) in (["b"], ["e"])
    assert (
        {*hashes(narrowed(splits, None, 3).validation)}
        == {*hashes(narrowed(splits, 9, 4).validation)}
        == {"b", "e"}
    )
    with pytest.raises(UsageError, match="left for train"):
        kept_apart(train=items("a"), validation=items("a"), test=())
    with pytest.raises(UsageError, match="share 1"):
        require_usable(Splits(train=tuple(items("a")), validation=tuple(items("a"))))


@pytest.mark.parametrize(
    ("optimizer", "given", "said"),
    [
        ("bayes", {}, "no optimizer"),
        ("few_shot", {"max_example": 3}, "no parameter"),
        ("few_shot", {"min_examples": 5, "max_examples": 2}, "min_examples 5"),
        ("gepa", {"candidate_selection_strategy": "random"}, "candidate_selection_strategy"),
        ("meta_prompt", {"max_trials": 0}, ">= 1"),
        ("meta_prompt", {"max_trials": "many"}, "max_trials"),
        ("evolutionary_optimizer", {"mutation_rate": 1.5}, "<= 1"),
    ],
)
def test_a_wrong_parameter_is_refused_with_something_to_try(optimizer, given, said):
    with pytest.raises(UsageError, match=said) as caught:
        read_parameters(optimizer, given)
    assert caught.value.hint


def test_the_parameters_of_common_manifests_are_understood():
    few = read_parameters("few_shot", None, {"max_trials": 3, "n_samples": 10})
    assert (few.max_trials, few.n_samples) == (3, 10)
    both = {"max_trials": 2, "population_size": 3, "num_generations": 1}
    assert read_parameters("evolutionary_optimizer", {"max_trials": 9}, both).max_trials == 2
    assert all(read_parameters(optimizer).race for optimizer in OPTIMIZERS)


def test_instructions_are_read_from_whatever_a_reflector_writes():
    assert instructions_in("Sure!\n```\nBe brief.\n```\nGood luck.") == ["Be brief."]
    assert instructions_in("```text\none\n```\n\n```\ntwo\n```\n```\n\n```", 3) == ["one", "two"]
    assert instructions_in("```\none\n```\n```\ntwo\n```", 1) == ["one"]
    assert instructions_in("<think>```\nno\n```</think>Be kind.") == ["Be kind."]
    assert instructions_in("```\ncut off") == ["cut off"]
    assert instructions_in("") == instructions_in("x" * (MOST_CHARS + 1)) == []
    assert instructions_in("half \ud83d of a sign")[0].encode()
    inner = "Use\n```python\nprint()\n```\nin your answer."
    assert instructions_in(f"Here:\n{fenced(inner)}\n") == [inner]
    assert numbered_lines("1: units\n - 2. format\n9: none\n1: again\n99999999999: x", 3) == {
        1: "units",
        2: "format",
    }


@pytest.mark.parametrize(
    ("reply", "found"),
    [
        ("Here it is:\n```\nAdd first.\n```\nGood luck.", "Add first."),
        ("<think>Perhaps\n```\nno\n```</think>\n```\nAdd first.\n```", "Add first."),
        ("```\nAdd.\n```py\n1 + 1\n```\nThen say it.\n```", "Add.\n```py\n1 + 1\n```\nThen say it."),
        ("", None),
        ("```\n```", None),
        ("A" * (MOST_CHARS + 1), None),
    ],
)
def test_gepa_reads_no_thoughts_and_nothing_that_went_wrong(reply, found):
    assert instruction_in(reply) == found


def test_marks_of_gepas_template_in_an_instruction_stay_text():
    record = {"Inputs": "What is <curr_param>?", "Generated Outputs": "42", "Feedback": "It is wrong."}
    text = request("Say <side_info> <curr_param>. " * 100, [record])
    assert text.count("Say <side_info> <curr_param>.") == 100
    assert text.count("It is wrong.") == 1
    assert "What is <curr_param>?" in text


def test_the_gain_is_only_shown_where_the_paired_test_shows_it():
    better = gain_of([0.0] * 20, [1.0] * 10 + [0.0] * 10)
    assert better.shown
    assert better.says.startswith("gain shown: 0.0 -> 50.0 on 20 test samples (p = 0.002, exact McNemar")
    some = gain_of([0.0] * 20, [1.0] * 3 + [0.0] * 17)
    assert not some.shown
    assert some.says.startswith("no gain shown: 0.0 -> 15.0")
    assert gain_of([1.0] * 20, [0.0] * 20).says.startswith("no gain shown, but a loss")
    parts = gain_of([0.25] * 20, [0.75] * 20)
    assert parts.shown
    assert "sign-flip" in parts.says
    same = gain_of([1.0, 0.0], [1.0, 0.0], same=True)
    assert (same.shown, same.p_value) == (False, None)
    assert (
        same.says
        == "no gain shown: no prompt did better than the seed prompt on validation (50.0 -> 50.0 on 2 test samples)"
    )
