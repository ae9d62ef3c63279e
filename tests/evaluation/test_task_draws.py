"""Which of a file's tasks are drawn."""

from __future__ import annotations

from collections import Counter

import pytest

from evaluation.benchmarks.tasks.sampling import choose_tasks
from results.errors import UsageError
from tests.evaluation.made_tasks import make

MANY = [
    make(n, level)
    for n, level in enumerate(["easy"] * 40 + ["medium"] * 30 + ["hard"] * 20 + ["extreme"] * 10)
]


def test_a_draw_depends_on_the_seed_and_not_on_the_order_of_the_file():
    chosen = choose_tasks(MANY, count=20, seed=3)
    assert {task.id for task in chosen} == {task.id for task in choose_tasks(MANY[::-1], count=20, seed=3)}
    assert [task.id for task in chosen] != [task.id for task in choose_tasks(MANY, count=20, seed=4)]
    assert list(chosen) == [task for task in MANY if task in chosen]  # in the file's order


@pytest.mark.parametrize("count", [10, 20, 33, 50])
def test_each_difficulty_has_its_share(count):
    found = Counter(task.difficulty for task in choose_tasks(MANY, count=count, seed=1))
    assert all(
        abs(found[level] - share * count) <= 1
        for level, share in {"easy": 0.4, "medium": 0.3, "hard": 0.2, "extreme": 0.1}.items()
    )
    assert found.total() == count


def test_a_larger_draw_keeps_the_smaller_one():
    for count in range(1, 100):
        assert {t.id for t in choose_tasks(MANY, count=count)} < {
            t.id for t in choose_tasks(MANY, count=count + 1)
        }


def test_every_task_is_drawn_about_as_often_as_another():
    """Protects against a draw that prefers some tasks, whatever the seed."""
    seen = Counter(task.id for seed in range(1000) for task in choose_tasks(MANY, count=20, seed=seed))
    assert len(seen) == 100
    assert min(seen.values()) > 140  # 200 expected, 13 standard deviation
    assert max(seen.values()) < 260


def test_difficulties_that_are_not_there_and_too_many_are_told():
    with pytest.raises(UsageError, match="no task has the difficulty hard") as caught:
        choose_tasks(MANY[:70], difficulties=["hard"])
    assert caught.value.hint == "there is easy, medium"
    with pytest.raises(UsageError, match="--sample 31 of 30 tasks"):
        choose_tasks(MANY, difficulties=["medium"], count=31)
