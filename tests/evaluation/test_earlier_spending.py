"""What earlier tries of a run spent, where they wrote it down, and where only their answers say it."""

from __future__ import annotations

import pytest

from evaluation.models.connection import build_connection_info
from evaluation.spending.opening import SpendingAsked, open_spending, spent_so_far
from results.errors import UsageError
from results.records import Completion, Outcome
from results.spending import Spending, write_spending

CAPPED = SpendingAsked(max_cost_usd=1.0)


def paid(*costs):
    return [
        Completion(
            task_id=str(number), outcome=Outcome.FAILED, cost_usd=cost, prompt_tokens=10, completion_tokens=5
        )
        for number, cost in enumerate(costs)
    ]


async def known(folder, finished, asked=CAPPED):
    """What a further try starts from."""
    info = build_connection_info("openrouter", {"model": "openai/gpt-4o-mini", "api_key": "k"})
    spending = open_spending(asked, info, folder, finished=finished, warn=print)
    await spending.close()
    return spent_so_far(folder)["spent"]


@pytest.fixture
def started(tmp_path):
    import asyncio

    return lambda *words, **more: asyncio.run(known(tmp_path, *words, **more))


def test_a_file_that_is_behind_the_answers_is_not_believed(started, tmp_path):
    """As after a try that wrote nothing down and was killed."""
    write_spending(tmp_path, Spending(cost_usd=0.075, tokens=15, most_cost_usd=0.08, most_tokens=20))
    spent = started(paid(0.5, 0.5))
    assert (spent["most_cost_usd"], spent["cost_usd"], spent["most_tokens"]) == (1.0, 1.0, 30)


def test_a_file_that_knows_more_than_the_answers_holds(started, tmp_path):
    """Lost answers are in no completion."""
    write_spending(tmp_path, Spending(cost_usd=0.3, tokens=100, most_cost_usd=0.9, most_tokens=400))
    spent = started(paid(0.1, 0.2))
    assert (spent["most_cost_usd"], spent["most_tokens"]) == (0.9, 400)


def test_without_a_file_the_answers_say_it(started):
    assert started(paid(0.25, 0.5))["most_cost_usd"] == 0.75


def test_a_cap_is_refused_where_the_cost_of_earlier_answers_is_unknown(started):
    with pytest.raises(UsageError, match="earlier tries of this run cost is not known"):
        started(paid(0.25, None))
    assert started(paid(0.25, None), asked=SpendingAsked(max_tokens=1000))["most_tokens"] == 30
