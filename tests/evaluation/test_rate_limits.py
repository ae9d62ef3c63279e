"""Requests keep to a provider's rate limits: none is lost, little time is, and hopeless waiting ends."""

import asyncio

import pytest

from evaluation.models.exchange import Reply
from evaluation.rate_limits.allowance import Allowance
from evaluation.rate_limits.headers import Told, asked_wait_s, told_limits
from evaluation.rate_limits.limiter import RateLimiter
from results.errors import RateLimited, ServerError
from tests.evaluation.simulated_time import SimulatedProvider, in_simulated_time

NOW_S = 1_800_000_000.0  # 2027-01-15T08:00:00Z


async def ask(provider, requests, at_once, limiter=None):
    """All replies, of so many requests at once."""
    limiter = limiter or RateLimiter("http://provider")
    work, replies = iter(range(requests)), []

    async def asker():
        replies.extend([await limiter.send(provider) for _ in work])

    async with asyncio.TaskGroup() as group:
        for _ in range(at_once):
            group.create_task(asker())
    return replies


@pytest.mark.parametrize(
    ("rate", "burst", "after"),
    [
        *[(5, 5, after) for after in ("number", "date", "nonsense", "none")],
        (5, 25, "number"),
        (50, 10, "date"),
        (50, 50, "none"),
        (400, 400, "number"),
    ],
)
@pytest.mark.parametrize(("told", "most"), [("openai", 1.15), ("anthropic", 1.15), ("none", 1.6)])
def test_no_answer_is_lost_and_little_time(told, most, rate, burst, after, monkeypatch):  # noqa: PLR0917
    requests = 12 * rate + burst
    provider = SimulatedProvider(rate, burst, told=told, after=after)
    replies, seconds = in_simulated_time(ask(provider, requests, at_once=max(16, rate // 4)), monkeypatch)
    assert [reply.status for reply in replies] == [200] * requests
    assert provider.answered == requests
    assert seconds <= most * (requests - burst) / rate


def test_a_provider_without_limits_is_not_slowed(monkeypatch):
    provider = SimulatedProvider(1e6, 1e6, latency_s=0.1)
    _, seconds = in_simulated_time(ask(provider, 320, at_once=32), monkeypatch)
    assert provider.refused == 0
    assert seconds < 1.6  # ten rounds, each as long as the slowest of its answers


def test_a_whole_minutes_allowance_is_used_at_once_where_the_provider_grants_it(monkeypatch):
    provider = SimulatedProvider(1, 60, told="openai")
    _, seconds = in_simulated_time(ask(provider, 66, at_once=16), monkeypatch)
    assert seconds < 1.15 * 6 + 1
    assert provider.refused <= 2


def test_a_higher_limit_is_found_in_seconds(monkeypatch):
    """Somebody else used up the limit at first, and ceases to."""
    provider = SimulatedProvider(2, 1)

    async def main():
        limiter = RateLimiter("http://provider")
        await ask(provider, 20, 16, limiter)
        provider.rate, provider.burst = 200, 200
        return await ask(provider, 1000, 64, limiter)

    _, seconds = in_simulated_time(main(), monkeypatch)
    assert seconds < 15 + 30


def test_nobody_asks_while_the_provider_lets_nobody_through(monkeypatch):
    """Beyond the few that find it out: providers count refused requests as well."""
    provider = SimulatedProvider(1 / 20, 1, latency_s=0.0)
    replies, seconds = in_simulated_time(ask(provider, 4, at_once=4), monkeypatch)
    assert len(replies) == 4
    assert provider.refused <= 12
    assert seconds <= 1.6 * 60


def answers(status, headers):
    async def attempt():
        return Reply(status, headers, b"{}", 0.0)

    return attempt


def fails_always(status, body=b"{}", headers=None):
    async def attempt():
        return Reply(status, headers or {}, body, 0.0)

    return attempt


@pytest.mark.parametrize("status", [429, 529, 503])
def test_refusals_that_outlast_the_patience_end_the_run(status, monkeypatch):
    said = []
    limiter = RateLimiter("http://provider", patience_s=60, on_wait=said.append)
    attempt = fails_always(status, b'{"error": {"message": "slow down"}}', {"Retry-After": "10"})

    async def main():
        with pytest.raises(RateLimited, match=f"takes no more requests.*{status}.*slow down") as caught:
            await limiter.send(attempt)
        return caught.value

    error, seconds = in_simulated_time(main(), monkeypatch)
    assert 40 <= seconds <= 65  # the patience, and its last turn
    assert "--rate-limit-patience" in error.hint
    assert "asks to wait 10 s" in said[0]


def test_a_told_limit_is_waited_for_no_longer_than_the_patience(monkeypatch):
    """Groq tells limits of a day as well: a run waited for hours without a word."""
    said = []
    limiter = RateLimiter("http://provider", patience_s=60, on_wait=said.append)
    headers = {
        "x-ratelimit-limit-requests": "10",
        "x-ratelimit-remaining-requests": "0",
        "x-ratelimit-reset-requests": "24h0m0s",
    }

    async def main():
        await limiter.send(answers(200, headers))
        with pytest.raises(RateLimited, match="asks to wait 86400 s"):
            await limiter.send(answers(429, {**headers, "Retry-After": "86400"}))

    _, seconds = in_simulated_time(main(), monkeypatch)
    assert seconds <= 61


def test_a_long_wait_for_a_turn_is_said_once(monkeypatch):
    said = []
    limiter = RateLimiter("http://provider", patience_s=600, on_wait=said.append)
    headers = {
        "x-ratelimit-limit-requests": "1",
        "x-ratelimit-remaining-requests": "0",
        "x-ratelimit-reset-requests": "2m0s",
    }

    async def main():
        await limiter.send(answers(200, headers))
        await limiter.send(answers(200, headers))

    _, seconds = in_simulated_time(main(), monkeypatch)
    assert 60 <= seconds <= 130
    (line,) = said
    assert "the next request can be sent in" in line


@pytest.mark.parametrize("status", [429, 503, 529])
def test_a_provider_that_says_at_once_again_and_again_is_asked_with_pauses(status, monkeypatch):
    """`Retry-After: 0` of an overloaded one once led to thousands of requests a second."""
    asked = 0

    async def refuse():
        nonlocal asked
        asked += 1
        await asyncio.sleep(0.001)
        return Reply(status, {"Retry-After": "0"}, b"", 0.001)

    async def main():
        limiter = RateLimiter("http://provider", patience_s=60)
        with pytest.raises(RateLimited):
            await asyncio.gather(*(limiter.send(refuse) for _ in range(16)))

    in_simulated_time(main(), monkeypatch)
    assert 16 <= asked < 16 * 30


def test_all_that_wait_end_with_the_first_that_waited_too_long(monkeypatch):
    """And those that are on their way are answered."""
    provider = SimulatedProvider(1 / 1000, 3, latency_s=20.0)

    async def main():
        limiter = RateLimiter("http://provider", patience_s=60)
        asked = [limiter.send(provider) for _ in range(8)]
        return await asyncio.gather(*asked, return_exceptions=True)

    found, seconds = in_simulated_time(main(), monkeypatch)
    assert [type(each) for each in found].count(RateLimited) == 5
    assert [each.status for each in found if isinstance(each, Reply)] == [200] * 3
    assert seconds < 40


@pytest.mark.parametrize(
    ("headers", "body", "words"),
    [
        ({"Retry-After": "86400"}, b"{}", "asks to wait 86400 s"),
        ({}, b'{"error": {"message": "You exceeded", "code": "insufficient_quota"}}', "no credit"),
        ({}, b'{"error": {"message": "Request too large for m: Limit 10, Requested 20"}}', "larger than"),
    ],
)
def test_it_does_not_wait_where_waiting_is_in_vain(headers, body, words, monkeypatch):
    async def main():
        with pytest.raises(ServerError, match=words):
            await RateLimiter("http://provider").send(fails_always(429, body, headers))

    _, seconds = in_simulated_time(main(), monkeypatch)
    assert seconds == 0


@pytest.mark.parametrize("status", [200, 400, 401, 404, 500, 503])
def test_any_other_reply_is_handed_on(status, monkeypatch):
    reply, seconds = in_simulated_time(RateLimiter("x").send(fails_always(status)), monkeypatch)
    assert (reply.status, seconds) == (status, 0)


def test_a_refusal_that_came_as_an_answer_is_one(monkeypatch):
    """OpenRouter says so, where a provider behind it refuses."""
    bodies = [b'{"error": {"code": 429, "message": "too many"}}', b'{"choices": []}']

    async def attempt():
        return Reply(200, {}, bodies.pop(0), 0.0)

    reply, seconds = in_simulated_time(RateLimiter("x").send(attempt), monkeypatch)
    assert reply.raw == b'{"choices": []}'
    assert seconds > 0


def test_an_overload_now_and_then_does_not_slow_the_others(monkeypatch):
    asked = []

    async def attempt():
        asked.append(1)
        number = len(asked)
        await asyncio.sleep(0.01)
        return Reply(529 if number % 10 == 0 else 200, {}, b"{}", 0.01)

    replies, seconds = in_simulated_time(ask(attempt, 900, at_once=16), monkeypatch)
    assert len(replies) == 900
    assert seconds < 5


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        (
            {
                "X-RateLimit-Limit-Requests": "60",
                "x-ratelimit-remaining-requests": "59",
                "x-ratelimit-reset-requests": "1s",
                "x-ratelimit-limit-tokens": "150000",
                "x-ratelimit-remaining-tokens": "149984",
                "x-ratelimit-reset-tokens": "6m0s",
            },
            {
                "requests": Told(limit=60, remaining=59, reset_s=1.0),
                "tokens": Told(limit=150000, remaining=149984, reset_s=360.0),
            },
        ),
        (
            {
                "anthropic-ratelimit-requests-limit": "50",
                "anthropic-ratelimit-requests-remaining": "49",
                "anthropic-ratelimit-requests-reset": "2027-01-15T08:00:02Z",
                "anthropic-ratelimit-tokens-limit": "9000",
                "anthropic-ratelimit-tokens-remaining": "8000",
                "anthropic-ratelimit-output-tokens-limit": "9000",
                "anthropic-ratelimit-output-tokens-remaining": "8000",
                "anthropic-ratelimit-input-tokens-limit": "50000",
                "anthropic-ratelimit-input-tokens-remaining": "50000",
            },
            {
                "requests-minute": Told(limit=50, remaining=49, reset_s=2.0, resolution_s=1.0),
                "output-tokens-minute": Told(limit=9000, remaining=8000, resolution_s=1.0),
                "input-tokens-minute": Told(limit=50000, remaining=50000, resolution_s=1.0),
            },
        ),
        (
            {
                "X-RateLimit-Limit": "20",
                "X-RateLimit-Remaining": "0",
                "X-RateLimit-Reset": f"{1000 * NOW_S + 2500:.0f}",
            },
            {"requests in all": Told(limit=20, remaining=0, reset_s=2.5)},
        ),
        ({"x-ratelimit-limit-tokens": "-1", "x-ratelimit-remaining-tokens": "-1"}, {}),  # Azure's
        ({"x-ratelimit-limit-requests": "many", "x-ratelimit-remaining-requests": "some"}, {}),
        ({"x-ratelimit-limit-requests": "5"}, {}),
        (
            {
                "x-ratelimit-limit-requests": "5",
                "x-ratelimit-remaining-requests": "7",
                "x-ratelimit-reset-requests": "9" * 50,
            },
            {"requests": Told(limit=5, remaining=5, resolution_s=1.0)},
        ),
        ({}, {}),
    ],
)
def test_limits_are_read_in_each_providers_form(headers, expected):
    assert told_limits(headers, NOW_S) == expected


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("12ms", 0.012),
        ("1.5s", 1.5),
        ("2m59.56s", 179.56),
        ("1h0m3s", 3603.0),
        ("7", 7.0),
        ("250us", 0.00025),
    ],
)
def test_times_are_read_in_each_form(text, seconds):
    headers = {"x-ratelimit-limit-requests": "9", "x-ratelimit-remaining-requests": "1"}
    told = told_limits({**headers, "x-ratelimit-reset-requests": text}, NOW_S)["requests"]
    assert told.reset_s == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("headers", "body", "seconds"),
    [
        ({"Retry-After": "7"}, b"", 7),
        ({"retry-after": "Fri, 15 Jan 2027 08:00:30 GMT"}, b"", 30),
        ({"retry-after": "Fri, 15 Jan 2027 07:59:30 GMT"}, b"", 0),
        ({"retry-after-ms": "1500", "retry-after": "2"}, b"", 1.5),
        ({"retry-after": "-3"}, b"", None),
        ({"retry-after": "soon"}, b"", None),
        ({}, b'[{"error": {"details": [{"@type": "x.RetryInfo", "retryDelay": "34s"}]}}]', 34),
        ({"retry-after": "soon"}, b'{"error": {"details": [{"retryDelay": "34.5s"}]}}', 34.5),
        ({}, b'{"retryDelay": ["x"', None),
        ({}, b'{"error": {"details": [{"retryDelay": 5}]}}', None),
        ({}, b"", None),
    ],
)
def test_a_refusals_wait_is_read_and_nonsense_is_not(headers, body, seconds):
    assert asked_wait_s(headers, body, NOW_S) == seconds


@pytest.mark.parametrize(("limit", "full_s"), [(60, 60), (14_400, 86_400), (5, 1), (1000, 3600)])
def test_the_period_of_a_limit_is_learnt_from_how_fast_it_fills(limit, full_s):
    """Groq's requests are counted a day, OpenAI's a minute, under one name."""
    allowance = Allowance("requests")
    for number in range(1, 5):
        told = Told(limit=limit, remaining=limit - number, reset_s=number * full_s / limit)
        allowance.tell(told, number, float(number) / 1000)
    assert allowance.known_rate == pytest.approx(limit / full_s)


def test_a_fixed_window_is_waited_out_and_no_longer():
    allowance = Allowance("requests in all")
    allowance.tell(Told(limit=20, remaining=0, reset_s=5.0), number=20, sent_at=100.0)
    assert allowance.wait_s(21, now=101.0) == pytest.approx(2.0)  # as a minute's bucket would have one then
    allowance.tell(Told(limit=20, remaining=0, reset_s=0.5), number=21, sent_at=104.0)
    assert allowance.wait_s(22, now=104.0) == pytest.approx(0.5, abs=0.01)
    assert allowance.wait_s(22, now=104.6) == 0


def test_tokens_are_paced_by_what_requests_take():
    allowance = Allowance("tokens-minute")
    remaining = 6000.0
    for number in range(1, 12):
        allowance.tell(Told(limit=6000, remaining=remaining), number, sent_at=0.0)
        remaining -= 500
    assert allowance.rate == pytest.approx(6000 / 60 / 500)
    assert allowance.wait_s(12, now=0.0) == 0
    assert allowance.wait_s(14, now=0.0) == pytest.approx(5.0)
