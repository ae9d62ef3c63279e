"""What is taken, and what is said when nothing can be: on made-up speeds and verdicts."""

from __future__ import annotations

import dataclasses

import pytest

from choosing.recommendation.answered import Answered
from choosing.recommendation.constraints import Constraints, Prefer
from choosing.recommendation.contender import Contender
from choosing.recommendation.decision import Ending, decide, only_one, preferred, samples_planned
from choosing.recommendation.fidelity import Fidelity
from choosing.recommendation.measured_speed import MeasuredSpeed
from results.stats.as_good import select
from servers.capacity.fit import Room

GIB = 1 << 30
ROOM = Room(cards=(24 * GIB,), host_bytes=64 * GIB)


def constraints(**changes) -> Constraints:
    return Constraints(**{"room": ROOM, "ctx_size": 32768, **changes})


def contender(label: str, solved: set[int], *, of: int = 2000, speed: float = 50.0, gib: float = 10.0,
              joules: float | None = 2.0, unfinished: int = 0,
              second: set[int] | None = None) -> Contender:  # fmt: skip
    """solved: of the first benchmark, second: of another one of the same size."""
    tasks = {"human_eval": {str(n): n in solved for n in range(of)}}
    if second is not None:
        tasks["gsm8k"] = {str(n): n in second for n in range(of)}
    return Contender(
        key=label,
        label=label,
        speed=MeasuredSpeed(tokens_per_s=speed, memory_bytes=int(gib * GIB), joules_per_token=joules),
        answered=Answered(solved=tasks, unfinished=unfinished),
    )


def decided(*contenders: Contender, **changes):
    asked = constraints(**changes)
    selection = select([each.answered.pooled for each in contenders], asked.margin)
    return decide(contenders, selection, asked)


HALF = set(range(1000))


def test_the_fastest_of_those_that_are_as_good_is_taken():
    """Q2 is faster still, but loses 10 points; Q8 solves one sample more."""
    found = decided(
        contender("Q8", HALF | {1500}, speed=40, gib=20),
        contender("Q4", HALF, speed=60, gib=11),
        contender("Q2", set(range(800)), speed=80, gib=6),
    )
    assert found.ending is Ending.RECOMMENDED
    assert found.chosen == 1
    assert found.head == "Take Q4: the fastest of 2 that are as good"
    assert [word for word, _ in found.words] == ["as good", "chosen", "behind"]
    assert found.runner_up == 0
    assert found.losses[1] is not None
    assert 0 < found.losses[1] < 2
    assert "at most" in found.proof[0]
    assert "2,000 samples: human_eval 2,000" in found.proof[0]
    assert (
        "Q8 has the highest score, 50.0: 0 samples solved by the former alone, 1 by the latter alone"
        in found.proof[1]
    )
    assert found.losses[2] is None


def test_not_shown_worse_is_not_taken():
    """Twenty samples, all solved alike: nothing is known, and how many it takes is said."""
    found = decided(contender("Q8", {1, 2, 3, 4}, of=20), contender("Q4", {1, 2, 3, 4}, of=20))
    assert found.ending is Ending.NOT_DECIDED
    assert found.ending.exit_code == 9
    assert found.chosen is None
    assert "none is shown to be within 2 points of every other one" in found.head
    assert "more samples would show Q8 in four of five cases" in found.needed
    assert "leave out --limit (144 more) or add " in found.needed
    assert "human_eval_plus" not in found.needed  # the same problems once more
    assert "add gsm8k (1,319) or add mmlu (14,042)" in found.needed
    assert "A wider tolerance chosen now would not be fair" in found.needed


@pytest.mark.parametrize(
    ("prefer", "label"), [(Prefer.SPEED, "fast"), (Prefer.ENERGY, "thrifty"), (Prefer.MEMORY, "small")]
)
def test_what_is_preferred_decides_among_equals(prefer, label):
    found = decided(
        contender("fast", HALF, speed=90),
        contender("thrifty", HALF, joules=1.0),
        contender("small", HALF, gib=5),
        prefer=prefer,
    )
    assert found.words[found.chosen or 0][0] == "chosen"
    assert found.head.startswith(f"Take {label}: ")


def test_what_is_within_five_percent_counts_as_equal_and_the_smaller_is_taken():
    found = decided(contender("large", HALF, speed=100, gib=20), contender("small", HALF, speed=97, gib=11))
    assert found.chosen == 1
    assert "within 5%, the smallest" in found.head


def test_unknown_figures_come_last():
    measured = [contender("unknown", HALF, joules=None), contender("known", HALF, joules=9.0)]
    assert preferred(measured, [0, 1], Prefer.ENERGY) == [1, 0]


def test_a_faster_one_that_may_be_as_good_is_named_with_the_samples_that_it_takes():
    """Q4 lost 90 and gained 70: it may be worse by more than two points, but the others can't be worse than it."""
    found = decided(
        contender("Q8", HALF, speed=40),
        contender("Q6", HALF | {1999}, speed=45),
        contender("Q4", HALF - set(range(90)) | set(range(1000, 1070)), speed=70),
    )
    assert found.head.startswith("Take Q6: ")
    assert found.words[2][0] == "undecided"
    (text,) = [text for text in found.unknown if text.startswith("Q4 ")]
    assert text.startswith("Q4 may be as good: 70.0 tokens/s, 10.00 GiB: about ")


def test_two_that_answer_differently_are_not_decided_by_equal_scores():
    """Each may be better than the other by more than the margin: 42 % of the answers differ."""
    other = set(range(150)) | set(range(1000, 1850))
    found = decided(contender("one", HALF), contender("other", other))
    assert found.ending is Ending.NOT_DECIDED
    assert [word for word, _ in found.words] == ["undecided", "undecided"]


def test_samples_that_hardly_anybody_solves_decide_nothing():
    """Three of 100 is less than twice the tolerance: one that solves nothing would be as good."""
    found = decided(contender("Q8", set(range(60))), contender("Q2", set()))
    assert found.ending is Ending.NOT_DECIDED
    assert "the best one solves 3.0 of 100" in found.head


def test_answers_that_were_cut_decide_nothing():
    found = decided(contender("Q8", HALF, unfinished=1200), contender("Q2", HALF))
    assert found.ending is Ending.NOT_DECIDED
    assert "--max-tokens" in found.needed


def test_a_low_score_and_a_perfect_one_are_doubts():
    low = decided(contender("a", set(range(160))), contender("b", set(range(160))))
    assert any("are a large part" in text for text in low.unknown)
    perfect = decided(contender("a", set(range(2000))), contender("b", set(range(2000))))
    assert any("harder benchmarks may tell them apart" in text for text in perfect.unknown)


def test_a_loss_in_one_benchmark_alone_is_said():
    """Over both it is within the margin; in the second it shows."""
    found = decided(
        contender("Q8", HALF, second=HALF, speed=40),
        contender("Q4", HALF | set(range(1000, 1040)), second=HALF - set(range(40)), speed=60),
    )
    assert found.chosen == 1
    by_benchmark = [text for text in found.proof if text.startswith("by benchmark: ")]
    # the best is the first of equals
    assert by_benchmark == ["by benchmark: human_eval +2.0 points, gsm8k -2.0 points"]
    assert any(text.startswith("gsm8k alone shows a loss of 2.0 points") for text in found.proof)


def test_another_one_nearer_to_the_reference_is_a_doubt():
    near, far = contender("near", HALF, speed=40), contender("far", HALF, speed=80)
    near = dataclasses.replace(
        near, fidelity=Fidelity(mean_nats=0.01, said="KL divergence: 0.0100 nats from F16")
    )
    far = dataclasses.replace(
        far, fidelity=Fidelity(mean_nats=0.3, said="KL divergence: 0.3000 nats from F16")
    )
    found = decided(near, far)
    assert found.chosen == 1
    assert "KL divergence: 0.3000 nats from F16" in found.proof
    assert any(
        "near is nearer to the reference, 0.0100 against 0.3000 nats" in text for text in found.unknown
    )


def test_one_alone_is_taken_without_a_comparison():
    found = only_one(contender("Q8", set(), of=0), constraints(min_tokens_per_s=30))
    assert found.ending is Ending.RECOMMENDED
    assert "50.0 tokens/s with 32,576 tokens in the context (asked for: 30)" in found.proof[0]
    assert any("not compared" in text for text in found.unknown)


def test_endings_have_exit_codes():
    assert {str(each): each.exit_code for each in Ending} == {
        "recommended": 0, "nothing fits": 8, "constraints not met": 8, "not decided": 9,
    }  # fmt: skip


def test_how_many_samples_it_takes_is_told_before():
    assert "takes about 1,681 samples if 10% of the answers differ, and at least 151" in samples_planned(
        constraints(), 2
    )
