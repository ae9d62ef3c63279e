"""The runner between a task and a provider: how many at once, and what stops it."""

from __future__ import annotations

import asyncio
import json
import resource
import threading
import time

import pytest

from evaluation.loop.checkpoint import Journal
from evaluation.loop.requests import make_request
from evaluation.loop.runner import Runner
from evaluation.loop.solver import SingleRequest
from evaluation.models.sampling import Sampling
from evaluation.protocols import Answer, Judgement, Prompt, PromptStyle, Sample
from results.errors import RateLimited, ResultsError, ScriptError, ServerError

SAMPLES = [Sample(task_id=f"t/{number}", data={}) for number in range(40)]


class Echo:
    """A provider that says the sample's name at once, and fails when it is told to."""

    def __init__(self, *, gone_after=None):
        self.asked = 0
        self.answered = 0
        self.most = 0
        self._running = 0
        self._gone_after = gone_after

    async def generate(self, request):
        self.asked += 1
        self._running += 1
        self.most = max(self.most, self._running)
        await asyncio.sleep(0.002)
        self._running -= 1
        if self._gone_after is not None and self.asked > self._gone_after:
            raise ServerError("gone for good")
        self.answered += 1
        return Answer(text=request.task_id, finish_reason="stop")


class Words:
    """A task whose answers are right, but for those that can't be judged."""

    style = PromptStyle.CHAT
    stop = ()
    json_schema = None
    judge_workers = 2
    solver = SingleRequest()

    def __init__(self, broken=(), unreadable=(), breaking=()):
        self._broken = broken
        self._breaking = breaking
        self._unreadable = unreadable

    def get_prompt(self, sample):
        return Prompt("", sample.task_id)

    def calculate_metrics(self, prediction, expected, sample):
        if prediction in self._unreadable:
            raise ScriptError(f"{prediction} has no tests")
        if prediction in self._breaking:
            raise RecursionError("maximum recursion depth exceeded")
        time.sleep(0.01)
        broken = prediction in self._broken
        return Judgement(passed=not broken, broken=broken, detail="sandbox: it is gone" if broken else "")


def asked(task):
    return [(sample, make_request(task, sample, Sampling())) for sample in SAMPLES]


def run(folder, task, provider):
    """What it comes to, and the lines on disk."""

    async def main():
        async with Journal(folder) as journal:
            journal.open()
            runner = Runner(
                task,
                provider,
                journal,
                sampling=Sampling(),
                concurrency=4,
                on_progress=lambda _progress: None,
            )
            return await runner.run(asked(task), 1, {})

    try:
        return asyncio.run(main()), lines(folder)
    except (ResultsError, ScriptError, ServerError) as error:
        return error, lines(folder)


class Refusing(Echo):
    """It answers those that it has taken, and takes no more after some."""

    async def generate(self, request):
        if self.asked >= 7:
            raise RateLimited("takes no more")
        answer = await super().generate(request)
        await asyncio.sleep(0.05)
        return answer


def test_what_is_on_its_way_is_kept_when_a_provider_takes_no_more(tmp_path):
    provider = Refusing()
    error, found = run(tmp_path, Words(), provider)
    assert isinstance(error, RateLimited)
    assert len(found) == provider.answered == 7


def lines(folder):
    return [json.loads(line) for line in (folder / "completions.jsonl").read_text().splitlines()]


def test_it_asks_as_many_at_once_as_it_is_told(tmp_path):
    provider = Echo()
    evaluation, found = run(tmp_path, Words(), provider)
    assert provider.most == 4
    assert len(found) == len(evaluation.completions) == 40


def test_a_sandbox_that_fails_stops_the_run_and_is_no_wrong_answer(tmp_path):
    """What was judged is kept; what could not be is an infrastructure error, which a resume tries again."""
    provider = Echo()
    error, found = run(tmp_path, Words(broken={"t/5"}), provider)
    assert isinstance(error, ScriptError)
    assert "an answer could not be judged: sandbox: it is gone" in error.message
    assert provider.asked < 40
    outcomes = {line["task_id"]: line["outcome"] for line in found}
    assert outcomes.pop("t/5") == "infrastructure_error"
    assert len(outcomes) >= 5
    assert set(outcomes.values()) == {"passed"}


def test_an_answer_that_breaks_its_judging_stops_nothing(tmp_path):
    evaluation, found = run(tmp_path, Words(breaking={"t/5", "t/6"}), Echo())
    assert len(evaluation.completions) == len(found) == 40
    lost = {line["task_id"]: line["detail"] for line in found if line["outcome"] == "infrastructure_error"}
    assert lost.keys() == {"t/5", "t/6"}
    assert "RecursionError: maximum recursion depth exceeded" in lost["t/5"]


def test_a_sample_that_can_not_be_judged_stops_the_asking_and_not_the_judging_of_others(tmp_path):
    provider = Echo()
    error, found = run(tmp_path, Words(unreadable={"t/5"}), provider)
    assert str(error) == "t/5 has no tests"
    assert provider.asked < 40
    assert len(found) == provider.answered - 1
    assert {line["outcome"] for line in found} == {"passed"}


def test_a_server_that_is_gone_for_good_stops_the_run_and_what_was_answered_is_judged(tmp_path):
    provider = Echo(gone_after=10)
    error, found = run(tmp_path, Words(), provider)
    assert isinstance(error, ServerError)
    assert len(found) == provider.answered > 0


class Closing(Words):
    """A task whose sandbox is closed while it judges."""

    def __init__(self):
        super().__init__()
        self.judging = threading.Barrier(self.judge_workers + 1)
        self.closed = threading.Event()

    def calculate_metrics(self, prediction, expected, sample):
        self.judging.wait(20)
        self.closed.wait(20)
        return Judgement(passed=False, broken=True, detail="sandbox: it is closed")


def test_what_is_judged_when_a_run_is_stopped_is_no_completion(tmp_path):
    task = Closing()

    async def main():
        async with Journal(tmp_path) as journal:
            journal.open()
            runner = Runner(
                task,
                Echo(),
                journal,
                sampling=Sampling(),
                concurrency=4,
                on_progress=lambda _progress: None,
            )
            running = asyncio.create_task(runner.run(asked(task), 1, {}))
            await asyncio.to_thread(task.judging.wait, 20)
            running.cancel()
            with pytest.raises(asyncio.CancelledError):
                await running
            judges = [each for each in threading.enumerate() if each.name.startswith("judge")]
            task.closed.set()
            for each in judges:
                each.join()

    asyncio.run(main())
    assert lines(tmp_path) == []


@pytest.mark.parametrize("count", [1, 3])
def test_only_what_is_missing_is_asked_for(tmp_path, count):
    provider = Echo()
    evaluation, _ = run(tmp_path, Words(), provider)
    finished = {(c.task_id, c.index): c for c in evaluation.completions[count:]}
    provider, task = Echo(), Words()

    async def again():
        async with Journal(tmp_path) as journal:
            journal.open()
            runner = Runner(
                task,
                provider,
                journal,
                sampling=Sampling(),
                concurrency=4,
                on_progress=lambda _progress: None,
            )
            return await runner.run(asked(task), 1, finished)

    assert len(asyncio.run(again()).completions) == 40
    assert provider.asked == count


@pytest.mark.parametrize("room_bytes", [0, 1, 1000, 2000, 3000])
def test_a_disk_that_is_full_ends_the_run_with_what_is_on_it(tmp_path, room_bytes):
    """Whatever is asked and judged at that moment. A file that may not grow fails as one on a full disk does."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room_bytes, before[1]))
    try:
        error, written = run(tmp_path, Words(), Echo())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert isinstance(error, ResultsError)
    assert "File too large" in error.message
    assert (len(written) > 0) == (room_bytes > 1)
    assert len(written) < len(SAMPLES)


def test_each_line_that_a_full_disk_has_no_room_for_is_told(tmp_path):
    """Also those that came while others were being written. Once there is room, lines are written again, and nothing
    of the earlier ones is left.
    """

    async def main():
        async with Journal(tmp_path) as journal:
            journal.open()
            adding = []
            before = resource.getrlimit(resource.RLIMIT_FSIZE)
            resource.setrlimit(resource.RLIMIT_FSIZE, (100, before[1]))
            try:
                for _ in range(20):
                    adding.append(asyncio.create_task(journal.add(Sample(task_id="t" * 101, data={}))))
                    await asyncio.sleep(0)
                told = await asyncio.wait_for(asyncio.gather(*adding, return_exceptions=True), timeout=20)
            finally:
                resource.setrlimit(resource.RLIMIT_FSIZE, before)
            await journal.add(Sample(task_id="there is room", data={}))
            return told

    told = asyncio.run(main())
    assert [type(each) for each in told] == [ResultsError] * 20
    assert [line["task_id"] for line in lines(tmp_path)] == ["there is room"]
