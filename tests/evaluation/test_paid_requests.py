"""Requests that cost: against a provider whose own log says what was asked and what that costs."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sqlite3

import pytest
from msgspec import structs

from evaluation.models.connection import build_connection_info
from evaluation.models.parameters import Parameters
from evaluation.models.providers import get_interface_for_provider
from evaluation.protocols import PromptStyle, Request
from evaluation.spending.budget import Budget, Caps
from evaluation.spending.paid_requests import PaidRequests
from evaluation.spending.response_cache import ResponseCache
from results.errors import CapReached
from results.spending import read_spending
from settings.spending.prices import PaidTokens, price_of
from tests.evaluation.running_servers import asked_of, scripted_provider

PRICE = price_of("openai", "https://api.openai.com", "gpt-4o-mini")
WHERE = "https://api.example.com"


def request(number=0, index=0, text="Say it."):
    prompt = f"{number} {text * (1 + number % 7)}"
    return Request(task_id=f"t/{number}", index=index, style=PromptStyle.CHAT, system="", user=prompt)


class Asking:
    """Ask a provider as a run does. The answers so far; a problem with the file of answers is in `said`."""

    def __init__(self, url, folder, *, cache=False, caps=None, earlier=None, retries=4, **settings):
        self.said = []
        self.done = set()
        self.info = build_connection_info(
            "local", {"base_url": url, "model": "m", "max_tokens": 20, "max_retries": retries, **settings}
        )
        path = folder / "responses" / "responses.sqlite"
        self._cache = (
            ResponseCache(path, where=WHERE, limit_bytes=1 << 24, warn=self.said.append) if cache else None
        )
        self._budget = Budget(folder, price=PRICE, caps=caps or Caps(), earlier=earlier)
        self.parameters = Parameters(self.info.sampling, on_learnt=self.said.append)

    def ask(self, requests, at_once=32):
        return asyncio.run(self._ask(iter(requests), at_once))

    async def _ask(self, requests, at_once):
        answers = []
        async with contextlib.AsyncExitStack() as closing:
            spending = PaidRequests(cache=self._cache, budget=self._budget)
            closing.push_async_callback(spending.close)
            interface = get_interface_for_provider(
                self.info, parameters=self.parameters, server_wait=0.1, spending=spending
            )
            await closing.enter_async_context(interface)

            async def worker():
                for each in requests:
                    asked = structs.replace(each, sampling=self.info.sampling)
                    answers.append(await interface.generate(asked))
                    self.done.add(each.task_id)

            try:
                async with asyncio.TaskGroup() as workers:
                    for _ in range(at_once):
                        workers.create_task(worker())
            except* CapReached as reached:
                self.said.append(reached.exceptions[0].message)
        return answers


def charged_usd(asked):
    """What the provider charges by its own log: the tests' provider counts a quarter of a prompt's characters."""
    paid = 0.0
    for each in asked:
        if each["status"] == 200:
            prompt = "\n".join(message["content"] for message in each["body"]["messages"])
            paid += PRICE.cost_usd(PaidTokens(input_tokens=len(prompt) // 4, output_tokens=1))
    return paid


def test_each_answer_says_what_it_cost(tmp_path):
    with scripted_provider() as url:
        answers = Asking(url, tmp_path).ask([request(number) for number in range(20)])
        asked = asked_of(url)
    assert sum(answer.cost_usd for answer in answers) == pytest.approx(charged_usd(asked))
    assert read_spending(tmp_path).cost_usd == pytest.approx(charged_usd(asked))


@pytest.mark.parametrize("many", [150, pytest.param(1000, marks=pytest.mark.servers)])
def test_paid_requests_stop_at_their_cap_and_go_on_with_a_higher_one(tmp_path, many):
    """The cap counts what every try spent, and its own log says that the provider never charged more."""
    requests = [request(number) for number in range(many)]
    with scripted_provider() as url:
        cap = 0.6 * sum(
            PRICE.cost_usd(PaidTokens(input_tokens=len(each.user) // 4, output_tokens=1)) for each in requests
        )
        done = set()
        for top in (cap, cap, 10 * cap):
            rest = [each for each in requests if each.task_id not in done]
            earlier = read_spending(tmp_path)
            asking = Asking(url, tmp_path, caps=Caps(max_cost_usd=top), earlier=earlier)
            asking.ask(rest)
            done |= asking.done
            asked = asked_of(url)
            assert len(done) == len(asked)  # none was given up after it was paid
            if top == cap:
                assert cap - PRICE.worst_usd(512, 20) < charged_usd(asked) <= cap  # no room for one more
                (said,) = asking.said
                assert said.startswith(f"the cap of {cap:g} USD is reached")
        assert asking.said == []
    assert len(asked) == many
    assert charged_usd(asked) == pytest.approx(read_spending(tmp_path).cost_usd)


def test_a_cap_counts_requests_that_failed_after_they_were_paid(tmp_path):
    """A 500 may come after the answer was made; a provider that overloads charges nothing."""
    with scripted_provider("--fail-every", "3") as url:
        asking = Asking(url, tmp_path, caps=Caps(max_tokens=4000), retries=1)
        asking.ask([request(number) for number in range(200)], at_once=4)
        failed = [each for each in asked_of(url) if each["status"] == 500]
    spent = read_spending(tmp_path)
    assert asking.said[0].startswith("the cap of 4000 tokens is reached")
    assert spent.lost_requests == len(failed) > 0
    assert spent.tokens < spent.most_tokens <= 4000


def test_what_was_answered_before_is_not_asked_again(tmp_path):
    requests = [request(number, index) for number in range(30) for index in range(2)]
    with scripted_provider() as url:
        first = Asking(url, tmp_path, cache=True).ask(requests)
        asked = len(asked_of(url))
        again = Asking(url, tmp_path, cache=True).ask(requests)
        assert len(asked_of(url)) == asked == 60  # each completion has its own answer
    assert [answer.cached for answer in first] == [False] * 60
    assert [answer.cached for answer in again] == [True] * 60
    assert {answer.cost_usd for answer in again} == {0.0}
    assert {answer.request_s for answer in again} == {None}
    assert [answer.text for answer in again] == [answer.text for answer in first]


@pytest.mark.parametrize(
    "changed", [{"temperature": 0.5}, {"max_tokens": 21}, {"model": "other"}, {"seed": 5}, {"top_p": 0.5}]
)
def test_another_request_is_asked(tmp_path, changed):
    with scripted_provider() as url:
        Asking(url, tmp_path, cache=True).ask([request()])
        (answer,) = Asking(url, tmp_path, cache=True, **changed).ask([request()])
        assert not answer.cached
        assert len(asked_of(url)) == 2


def test_another_place_or_completion_has_other_answers(tmp_path):
    def key(where, path, said, index, **more):
        cache = ResponseCache(tmp_path / "none", where=where, limit_bytes=1 << 20, warn=print, **more)
        return cache.key(path, {"model": said, "prompt": said}, index)

    keys = {
        key(where, path, said, index)
        for where in ("a", "b", "a/v1")
        for path in ("/v1", "/v1/x")
        for said in ("1", "2")
        for index in (0, 1)
    }
    assert len(keys) == 24


def test_a_server_of_ours_has_another_name_in_each_run(tmp_path):
    """What it serves is known by its content then, and the name in a request says nothing."""

    def key(name, *, by_name):
        cache = ResponseCache(tmp_path / "x", where="w", limit_bytes=1 << 20, warn=print, by_name=by_name)
        return cache.key("/v1", {"model": name, "prompt": "p"}, 0), cache.refusal_key("/v1", {"model": name})

    assert key("m-12ab", by_name=False) == key("m-34cd", by_name=False)
    assert not set(key("m", by_name=True)) & set(key("n", by_name=True))


def test_a_refused_parameter_is_known_again_without_asking(tmp_path):
    """A model that takes no temperature refuses it each time; judging the answers again must not ask it even that."""
    requests = [request(number) for number in range(40)]
    with scripted_provider("--refuse", "temperature=openai") as url:
        first = Asking(url, tmp_path, cache=True)
        first.ask(requests, at_once=8)
        asked = len(asked_of(url))
        again = Asking(url, tmp_path, cache=True)
        answers = again.ask(requests, at_once=3)
        assert len(asked_of(url)) == asked
    assert all(answer.cached for answer in answers)
    assert again.parameters.left_out == first.parameters.left_out == ("temperature",)


@pytest.mark.parametrize(
    "broken",
    [
        {"text": "half of it", "end": "error"},
        {"raw": '{"error": {"message": "of the provider behind", "code": 502}}'},
        {"raw": "no answer"},
        {"status": 500, "text": "no"},
        {"status": 400, "text": "content is not allowed"},
        {"text": "", "end": None},
    ],
)
def test_what_is_no_whole_answer_is_asked_again(tmp_path, broken):
    """A cached failure would be a verdict for ever."""
    rules = tmp_path / "answers.json"
    rules.write_text(json.dumps([["Say", broken]]))
    with scripted_provider("--answers", rules) as url:
        Asking(url, tmp_path, cache=True, retries=0).ask([request()])
        before = len(asked_of(url))
        (answer,) = Asking(url, tmp_path, cache=True, retries=0).ask([request()])
        assert not answer.cached
        assert len(asked_of(url)) > before


def test_an_answer_cut_at_its_limit_is_whole(tmp_path):
    """It is what the model says within that limit, which is part of the request."""
    rules = tmp_path / "answers.json"
    rules.write_text(json.dumps([["Say", {"text": "a b c", "end": "length"}]]))
    with scripted_provider("--answers", rules) as url:
        Asking(url, tmp_path, cache=True).ask([request()])
        (answer,) = Asking(url, tmp_path, cache=True).ask([request()])
    assert answer.cached
    assert answer.finish_reason == "length"


def test_no_key_is_in_the_file(tmp_path, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-very-secret-123")
    with scripted_provider("--key", "sk-very-secret-123") as url:
        Asking(url, tmp_path, cache=True, api_key_env="OPENAI_API_KEY").ask([request()])
        (answer,) = Asking(url, tmp_path, cache=True).ask(
            [request()]
        )  # without a key: it is no part of what is asked
    assert answer.cached
    data = (tmp_path / "responses" / "responses.sqlite").read_bytes()
    assert b"secret" not in data
    assert b"Bearer" not in data


def test_a_damaged_file_is_said_once_and_the_run_goes_on(tmp_path):
    path = tmp_path / "responses" / "responses.sqlite"
    path.parent.mkdir()
    path.write_bytes(b"no database\n" * 1000)
    with scripted_provider() as url:
        asking = Asking(url, tmp_path, cache=True)
        answers = asking.ask([request(number) for number in range(20)])
    assert [answer.text for answer in answers] == ["ok"] * 20
    (said,) = asking.said
    assert "goes on without the kept answers" in said
    assert "cache clear" in said


def test_a_file_that_cannot_be_written_is_said_once_and_still_read(tmp_path):
    """As on a full disk: another process holds it for writing all the time."""
    with scripted_provider() as url:
        Asking(url, tmp_path, cache=True).ask([request(0)])
        path = tmp_path / "responses" / "responses.sqlite"
        with sqlite3.connect(path) as database:
            database.execute(
                "CREATE TRIGGER full BEFORE INSERT ON responses BEGIN SELECT RAISE(ABORT, 'full'); END"
            )
        database.close()
        asking = Asking(url, tmp_path, cache=True)
        answers = asking.ask([request(number) for number in range(20)], at_once=1)
    assert [answer.cached for answer in answers] == [True] + [False] * 19
    (said,) = asking.said
    assert "goes on without keeping new answers" in said


def test_many_answers_at_once_are_kept_in_a_few_transactions(tmp_path):
    requests = [request(number) for number in range(300)]
    with scripted_provider() as url:
        Asking(url, tmp_path, cache=True).ask(requests, at_once=64)
        asked = len(asked_of(url))
        again = Asking(url, tmp_path, cache=True).ask(requests, at_once=64)
        assert len(asked_of(url)) == asked
    assert all(answer.cached for answer in again)
    assert (tmp_path / "responses" / "responses.sqlite").stat().st_size < 1 << 20


def test_a_refusal_for_the_rate_costs_nothing(tmp_path):
    """It is sent again by the limiter, within the same reservation."""
    with scripted_provider("--rate", "1", "--burst", "2", "--retry-after", "0.05") as url:
        asking = Asking(url, tmp_path, caps=Caps(max_cost_usd=1.0))
        answers = asking.ask([request(number) for number in range(4)], at_once=4)
        asked = asked_of(url)
    assert {answer.error for answer in answers} == {""}
    assert {each["status"] for each in asked} == {200, 429}
    spent = read_spending(tmp_path)
    assert spent.lost_requests == 0
    assert spent.most_cost_usd == pytest.approx(charged_usd(asked))


def test_requests_on_their_way_when_a_run_is_interrupted_count_as_paid(tmp_path):
    """The provider may go on generating what nobody waits for any more."""

    async def interrupted(url):
        asking = Asking(url, tmp_path, caps=Caps(max_cost_usd=1.0))
        running = asyncio.create_task(asking._ask(iter([request(number) for number in range(4)]), 4))
        while asking._budget.spent().lost_requests < 4:  # noqa: ASYNC110 - nothing tells it
            await asyncio.sleep(0.01)
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running

    with scripted_provider("--latency", "60") as url:
        asyncio.run(interrupted(url))
    spent = read_spending(tmp_path)
    assert spent.lost_requests == 4
    assert spent.cost_usd == 0
    assert spent.most_cost_usd > 0
