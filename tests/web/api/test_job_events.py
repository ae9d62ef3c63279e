"""Event streams of jobs: one look for all readers of a job, and no reader holds up another."""

from __future__ import annotations

import asyncio
import json
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.web.door import HERE, client
from web.access.role import Role
from web.api import events
from web.api.job_feed import HEARTBEAT, RETRY, JobFeeds, state_of
from web.config import API_ROOT
from web.jobs.job import JobStatus


def feeds_of(api, **more):
    return JobFeeds(api.queue.get, api.services.readers, **{"look_s": 0.01, "look_waiting_s": 0.01} | more)


def parsed(event):
    name, number, data, _, _ = event.decode().split("\n")
    return name.removeprefix("event: "), number.removeprefix("id: "), json.loads(data.removeprefix("data: "))


def wait_until(holds):
    for _ in range(6000):
        if holds():
            return
        time.sleep(0.01)
    raise AssertionError("it took too long")


def run(coroutine):
    return asyncio.run(asyncio.wait_for(coroutine, 60))


def test_a_stream_tells_each_state_once_and_ends_with_its_job(api):
    job_id = api.posted()
    feeds = feeds_of(api)

    async def follow():
        stream = feeds.events(job_id)
        assert await anext(stream) == RETRY
        found = [parsed(await anext(stream))]
        claim = await asyncio.to_thread(api.started, job_id)
        found.append(parsed(await anext(stream)))
        await asyncio.to_thread(api.queue.ended, claim, JobStatus.FAILED, "it died")
        found += [parsed(event) async for event in stream]
        return found

    found = run(follow())
    assert [(name, facts["status"]) for name, _, facts in found] == [
        ("progress", "pending"), ("progress", "running"), ("end", "failed")]  # fmt: skip
    assert found[-1][2]["detail"] == "it died"
    assert found[0][2]["progress"]["phase"] == "queued"
    assert len({number for _, number, _ in found}) == 3


def test_a_hundred_readers_of_a_job_cost_one_look(api):
    job_id = api.posted()
    feeds = feeds_of(api, look_waiting_s=3600.0)

    async def follow():
        streams = [feeds.events(job_id) for _ in range(100)]
        for stream in streams:
            await anext(stream)
        first = await asyncio.gather(*(anext(stream) for stream in streams))
        looks = feeds.looks
        for stream in streams:
            await stream.aclose()
        return first, looks

    first, looks = run(follow())
    assert len(set(first)) == 1
    assert looks == 1


def test_a_slow_reader_holds_up_nobody_and_gets_the_newest_state(api):
    job_id = api.posted()
    feeds = feeds_of(api)

    async def follow():
        slow, quick = feeds.events(job_id), feeds.events(job_id)
        for stream in (slow, quick):
            await anext(stream)
        await anext(slow)  # and reads nothing more
        claim = await asyncio.to_thread(api.started, job_id)
        states = []
        async for event in quick:
            states.append(parsed(event)[2]["status"])
            if states[-1] == "running":
                await asyncio.to_thread(api.queue.ended, claim, JobStatus.COMPLETED)
        return states, [parsed(event) async for event in slow]

    states, last = run(follow())
    assert states[-2:] == ["running", "completed"]
    assert [(name, facts["status"]) for name, _, facts in last] == [("end", "completed")]


def test_who_comes_back_is_not_told_again_what_is_known(api):
    job_id = api.posted()
    known = state_of(api.queue.get(job_id), api.services.readers).event_id
    feeds = feeds_of(api)

    async def follow():
        stream = feeds.events(job_id, known, heartbeat_s=0.05)
        await anext(stream)
        quiet = await anext(stream)
        await stream.aclose()
        return quiet

    assert run(follow()) == HEARTBEAT


def test_a_job_that_has_ended_is_told_at_once_whatever_the_reader_knows(api):
    job_id = api.posted()
    api.ended(job_id)
    known = state_of(api.queue.get(job_id), api.services.readers).event_id
    answer = api.reader.get(f"/jobs/{job_id}/events", headers={"Last-Event-ID": known})
    assert answer.headers["Content-Type"].startswith("text/event-stream")
    assert answer.text.count("event: end\n") == 1
    assert api.services.streams.open == 0


def test_a_stream_ends_after_its_longest_time(api):
    job_id = api.posted()
    feeds = feeds_of(api)

    async def follow():
        return [event async for event in feeds.events(job_id, heartbeat_s=0.01, longest_s=0.05)]

    assert run(follow())[0] == RETRY


def test_a_stream_ends_with_the_key_or_session_of_its_reader(api, monkeypatch):
    """Of a job that goes on waiting, so that nothing else ends it."""
    monkeypatch.setattr(events, "ADMITTED_AGAIN_S", 0.05)
    path = f"{API_ROOT}/jobs/{api.posted()}/events"
    made, secret = api.keys.add("ada", Role.READ)
    _, second = api.keys.add("ada", Role.READ)
    browser, same = client(api.app), client(api.app)
    for each in (browser, same):
        each.post("/login", data={"key": second}, headers={"Origin": HERE})
    same.cookies = browser.cookies
    ends = {
        client(api.app, secret): lambda: api.keys.revoke(made.key_id),
        browser: lambda: same.post("/logout", headers={"Origin": HERE}),
    }
    for reader, end in ends.items():
        with ThreadPoolExecutor() as threads:
            stream = threads.submit(reader.get, path)
            wait_until(lambda: api.services.streams.open == 1)
            end()
            assert "event: end" not in stream.result(60).text
        assert reader.get(path).status_code == 401


def test_the_source_of_a_stream_is_closed_however_it_ends():
    closed = []

    async def source():
        try:
            yield b"1"
            await asyncio.Event().wait()
        finally:
            closed.append(True)

    async def yes():
        return True

    async def no():
        return False

    async def follow():
        first = source()
        assert [each async for each in events.while_admitted(first, no, every_s=0.01)] == [b"1"]
        second = source()
        stream = events.while_admitted(second, yes, every_s=0.01)
        assert await anext(stream) == b"1"
        waiting = asyncio.create_task(anext(stream))
        await asyncio.sleep(0.05)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)

    run(follow())
    assert closed == [True, True]


def test_when_nobody_follows_nothing_is_looked_at(api):
    job_id = api.posted()
    feeds = feeds_of(api)

    async def follow():
        stream = feeds.events(job_id)
        await anext(stream)
        await anext(stream)
        await stream.aclose()
        await feeds.when_idle()
        looks = feeds.looks
        await asyncio.sleep(0.1)
        return looks, feeds.looks

    before, after = run(follow())
    assert before == after


def test_texts_from_names_and_models_stay_within_one_line_of_json(api):
    job_id = api.posted()
    api.ended(job_id, JobStatus.FAILED, "a\ndata: evil\r\n\nevent: end\u2028")
    body = api.reader.get(f"/jobs/{job_id}/events").text
    assert [line.split(":")[0] for line in body.split("\n") if line] == ["retry", "event", "id", "data"]


def test_more_streams_than_there_are_places(api, monkeypatch):
    job_id = api.posted()
    api.ended(job_id)
    monkeypatch.setattr(api.services.streams, "most", 0)
    answer = api.reader.get(f"/jobs/{job_id}/events")
    assert answer.status_code == 429
    assert answer.headers["Retry-After"]


@pytest.mark.parametrize("text", ["x" * 65])
def test_an_event_id_that_is_none(api, text):
    job_id = api.posted()
    api.ended(job_id)
    assert api.reader.get(f"/jobs/{job_id}/events", headers={"Last-Event-ID": text}).status_code == 400
    assert api.reader.get("/jobs/nobody/events").status_code == 404
