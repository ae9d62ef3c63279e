"""Caps: never exceeded, whatever requests cost, however many are on their way, and also over a kill and a resume."""

from __future__ import annotations

import asyncio
import json
import random

import pytest

from evaluation.spending.budget import Budget, Caps
from results.errors import CapReached, UsageError
from results.spending import SPENDING_NAME, Spending, read_spending
from settings.spending.prices import PaidTokens, price_of

PRICE = price_of("openai", "https://api.openai.com", "gpt-4o-mini")
BODY = {"model": "m", "messages": [], "max_tokens": 100}
_A_REQUEST_USD = PRICE.worst_usd(500 + 64, 100)
SIZE = 500


def answer(prompt, completion, **more):
    usage = {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        **more,
    }
    return json.dumps({"choices": [], "usage": usage}).encode()


def settle(budget, hold, raw=b"", *, status=200, was_sent=True):
    return budget.settle(hold, raw, status=status, was_sent=was_sent)


def test_an_answer_costs_what_its_tokens_cost(tmp_path):
    async def ask():
        budget = Budget(tmp_path, price=PRICE, caps=Caps(max_cost_usd=1.0))
        hold = await budget.reserve(BODY, SIZE)
        assert budget.spent().most_cost_usd == pytest.approx(hold.cost_usd)
        assert settle(budget, hold, answer(1000, 1000)) == pytest.approx(0.00075)
        budget.close()

    asyncio.run(ask())
    spent = read_spending(tmp_path)
    assert spent == Spending(
        cost_usd=pytest.approx(0.00075), tokens=2000, most_cost_usd=pytest.approx(0.00075), most_tokens=2000
    )


def test_a_cost_that_the_provider_states_wins(tmp_path):
    async def ask():
        budget = Budget(tmp_path, price=PRICE, caps=Caps(max_cost_usd=1.0))
        return settle(budget, await budget.reserve(BODY, SIZE), answer(1000, 1000, cost=0.5))

    assert asyncio.run(ask()) == 0.5


def test_without_a_price_the_cost_is_unknown_and_never_nothing(tmp_path):
    async def ask():
        budget = Budget(tmp_path, price=None, caps=Caps(max_tokens=10_000))
        assert settle(budget, await budget.reserve(BODY, SIZE), answer(1000, 1000)) is None
        return budget.spent()

    spent = asyncio.run(ask())
    assert (spent.cost_usd, spent.most_cost_usd, spent.tokens) == (None, None, 2000)


@pytest.mark.parametrize(
    ("status", "was_sent", "charged"),
    [
        (0, False, False),  # nobody listened
        (0, True, True),  # the connection broke, or no answer came in time
        (429, True, False),
        (400, True, False),
        (401, True, False),
        (503, True, False),
        (529, True, False),
        (500, True, True),
        (504, True, True),
        (200, True, True),  # an answer that nobody understands
    ],
)
def test_a_request_that_may_have_been_charged_counts_with_its_worst_case(tmp_path, status, was_sent, charged):
    async def ask():
        budget = Budget(tmp_path, price=PRICE, caps=Caps(max_cost_usd=1.0))
        hold = await budget.reserve(BODY, SIZE)
        assert settle(budget, hold, b"{}", status=status, was_sent=was_sent) is None
        return hold, budget.spent()

    hold, spent = asyncio.run(ask())
    assert spent.most_cost_usd == (hold.cost_usd if charged else 0.0)
    assert spent.lost_requests == charged


def test_a_cap_waits_for_requests_on_their_way_before_it_ends_the_run(tmp_path):
    """What they really cost may leave room; ending at once would throw paid answers away."""

    async def ask():
        budget = Budget(tmp_path, price=PRICE, caps=Caps(max_cost_usd=1.5 * _A_REQUEST_USD))
        first = await budget.reserve(BODY, SIZE)
        waiting = asyncio.create_task(budget.reserve(BODY, SIZE))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert not waiting.done()
        settle(budget, first, answer(10, 10))
        second = await waiting
        settle(budget, second, answer(500, 100))
        with pytest.raises(CapReached, match="cap of") as reached:
            await budget.reserve(BODY, SIZE)
        assert "--max-cost" in reached.value.hint

    asyncio.run(ask())


def test_a_cancelled_wait_holds_nothing_up(tmp_path):
    async def ask():
        budget = Budget(tmp_path, price=PRICE, caps=Caps(max_cost_usd=1.5 * _A_REQUEST_USD))
        first = await budget.reserve(BODY, SIZE)
        waiting = [asyncio.create_task(budget.reserve(BODY, SIZE)) for _ in range(3)]
        await asyncio.sleep(0)
        waiting[0].cancel()
        settle(budget, first, answer(1, 1))
        settle(budget, await waiting[1], answer(1, 1))
        settle(budget, await waiting[2], answer(1, 1))

    asyncio.run(ask())


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    "caps",
    [Caps(max_cost_usd=0.01), Caps(max_tokens=60_000), Caps(max_cost_usd=0.02, max_tokens=90_000)],
)
def test_the_cap_is_never_exceeded(tmp_path, caps, seed):
    """With 64 at once, of any length, some of which get lost after they were paid; and it is nearly used up."""
    draw = random.Random(seed)
    charged = [0.0, 0]

    async def asker(budget):
        while True:
            limit, size = draw.randint(1, 400), draw.randint(40, 4000)
            hold = await budget.reserve({**BODY, "max_tokens": limit}, size)
            assert (read_spending(tmp_path).most_cost_usd or 0) >= charged[0]  # on disk before it is sent
            prompt, completion = draw.randint(1, size), draw.randint(0, limit)
            charged[0] += PRICE.cost_usd(PaidTokens(input_tokens=prompt, output_tokens=completion))
            charged[1] += prompt + completion
            for _ in range(draw.randint(0, 3)):
                await asyncio.sleep(0)
            lost = draw.random() < 0.1
            settle(budget, hold, b"" if lost else answer(prompt, completion), status=0 if lost else 200)
            assert charged[0] <= (caps.max_cost_usd or 9)
            assert charged[1] <= (caps.max_tokens or 10**9)

    async def ask():
        budget = Budget(tmp_path, price=PRICE, caps=caps)
        with pytest.raises(ExceptionGroup) as raised:
            async with asyncio.TaskGroup() as askers:
                for _ in range(64):
                    askers.create_task(asker(budget))
        assert {type(each) for each in raised.value.exceptions} == {CapReached}, raised.value.exceptions
        budget.close()

    asyncio.run(ask())
    spent = read_spending(tmp_path)
    assert spent.lost_requests > 0
    assert charged[0] <= spent.most_cost_usd * (1 + 1e-9)
    used = max(spent.most_cost_usd / (caps.max_cost_usd or 9), spent.most_tokens / (caps.max_tokens or 10**9))
    assert 0.8 < used <= 1


def test_a_cap_holds_over_a_kill(tmp_path):
    """What was on its way then may have been paid: it is on disk before it is sent, in a few steps of the cap."""

    async def ask():
        budget = Budget(tmp_path, price=PRICE, caps=Caps(max_cost_usd=0.01))
        writes = set()
        for _ in range(40):
            settle(budget, await budget.reserve(BODY, SIZE), answer(500, 100))
            writes.add((tmp_path / SPENDING_NAME).stat().st_mtime_ns)
        hold = await budget.reserve(BODY, SIZE)
        assert len(writes) < 36
        return budget.spent().most_cost_usd, hold  # and it is killed

    most, _ = asyncio.run(ask())
    kept = read_spending(tmp_path)
    assert most <= kept.most_cost_usd <= most + 0.01 / 32

    async def go_on(cap):
        budget = Budget(tmp_path, price=PRICE, caps=Caps(max_cost_usd=cap), earlier=kept)
        await budget.reserve(BODY, SIZE)

    with pytest.raises(CapReached):
        asyncio.run(go_on(kept.most_cost_usd))
    asyncio.run(go_on(0.01))


def test_a_request_without_a_limit_is_refused_under_a_cap(tmp_path):
    async def ask(caps):
        await Budget(tmp_path, price=PRICE, caps=caps).reserve({"model": "m", "max_tokens": None}, SIZE)

    asyncio.run(ask(Caps()))
    ollama = Budget(tmp_path, price=None, caps=Caps(max_tokens=1000)).reserve(
        {"options": {"num_predict": 50}}, 100
    )
    assert 150 <= asyncio.run(ollama).tokens < 300
    with pytest.raises(UsageError, match="no limit"):
        asyncio.run(ask(Caps(max_cost_usd=1.0)))


@pytest.mark.parametrize(
    "field",
    [
        "web_search_options",
        "plugins",
        "models",
        "route",
        "preset",
        "speed",
        "inference_geo",
        "cache_control",
        "any",
    ],
)
def test_what_is_not_charged_by_tokens_can_t_be_capped(tmp_path, field):
    async def ask(caps):
        await Budget(tmp_path, price=PRICE, caps=caps).reserve({**BODY, field: {}}, SIZE)

    asyncio.run(ask(Caps(max_tokens=10_000)))
    with pytest.raises(UsageError, match="price isn't known"):
        asyncio.run(ask(Caps(max_cost_usd=1.0)))


def test_the_higher_of_two_limits_is_reserved(tmp_path):
    """A provider may take either."""

    async def ask(body):
        return await Budget(tmp_path, price=PRICE, caps=Caps(max_tokens=10**6)).reserve(body, SIZE)

    both = asyncio.run(ask({**BODY, "max_completion_tokens": 100_000}))
    assert both.tokens == asyncio.run(ask(BODY)).tokens - 100 + 100_000


def test_a_provider_that_charges_more_than_its_list_is_reserved_for_accordingly(tmp_path):
    async def ask():
        budget = Budget(tmp_path, price=PRICE, caps=Caps(max_cost_usd=1.0))
        first = await budget.reserve(BODY, SIZE)
        listed = PRICE.cost_usd(PaidTokens(input_tokens=100, output_tokens=10))
        settle(budget, first, answer(100, 10, cost=3 * listed))
        second = await budget.reserve(BODY, SIZE)
        assert second.cost_usd == pytest.approx(3 * first.cost_usd)

    asyncio.run(ask())


@pytest.mark.parametrize("uncapped", [Caps(), Caps(max_tokens=10**9)])
def test_a_try_without_that_cap_that_was_killed_counts_too(tmp_path, uncapped):
    """Capped, then continued without a cap and killed, then capped again: nothing of the second try is forgotten."""

    async def killed(caps, many, earlier=None):
        budget = Budget(tmp_path, price=PRICE, caps=caps, earlier=earlier)
        for _ in range(many):
            settle(budget, await budget.reserve(BODY, SIZE), answer(500, 100))
        await budget.reserve(BODY, SIZE)
        return budget.spent()

    asyncio.run(killed(Caps(max_cost_usd=0.01), 5))
    spent = asyncio.run(killed(uncapped, 200, read_spending(tmp_path)))
    kept = read_spending(tmp_path)
    assert spent.most_cost_usd <= kept.most_cost_usd <= 1.2 * spent.most_cost_usd
    assert (
        spent.most_tokens <= kept.most_tokens <= max(1.2 * spent.most_tokens, spent.most_tokens + 10**9 / 32)
    )


def test_several_answers_to_one_request_are_reserved(tmp_path):
    async def ask(body):
        return await Budget(tmp_path, price=PRICE, caps=Caps(max_tokens=10**6)).reserve(body, SIZE)

    assert asyncio.run(ask({**BODY, "n": 5})).tokens == asyncio.run(ask(BODY)).tokens + 400


def test_thoughts_with_a_budget_of_their_own_are_reserved(tmp_path):
    async def ask(body):
        return await Budget(tmp_path, price=PRICE, caps=Caps(max_tokens=10**6)).reserve(body, SIZE)

    plain = asyncio.run(ask(BODY))
    assert asyncio.run(ask({**BODY, "thinking_token_budget": 5000})).tokens == plain.tokens + 5000
    assert asyncio.run(ask({**BODY, "tools": []})).tokens > plain.tokens


def test_a_cap_that_two_share_holds_for_both_together(tmp_path):
    """The model's requests and the reflector's: what one has spent, or may be spending, the other can't."""

    async def ask():
        caps = Caps(max_tokens=2_000)
        (tmp_path / "other").mkdir()
        one = Budget(tmp_path, price=None, caps=caps)
        other = Budget(tmp_path / "other", price=None, caps=caps)
        one.share_with(other)
        held = await one.reserve(BODY, SIZE)  # 664 at most
        settle(one, held, answer(500, 100))
        held = await other.reserve(BODY, SIZE)
        held_too = await one.reserve(BODY, SIZE)
        settle(other, held, answer(600, 64))
        waiting = asyncio.create_task(other.reserve(BODY, SIZE))
        await asyncio.sleep(0)
        assert not waiting.done()  # what the other one has on its way may turn out to be less
        settle(one, held_too, answer(10, 10))
        settle(other, await waiting, answer(600, 60))
        with pytest.raises(CapReached, match="1944 are used"):
            await one.reserve(BODY, SIZE)
        return one.spent().most_tokens + other.spent().most_tokens

    assert asyncio.run(ask()) <= 2_000
