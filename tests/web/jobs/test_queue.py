"""The queue's rules, on both databases."""

from __future__ import annotations

import pytest

from results.errors import UsageError
from tests.web.jobs.conftest import add, new_job
from web.jobs.claiming import ELSEWHERE_AFTER_S, LEASE_S
from web.jobs.job import JobStatus, Priority, names_of
from web.jobs.queue import LEAD_S, JobQuery
from web.jobs.refusals import ClaimLost, KeyReused, NoSuchJob, QueueFull, WrongStatus


def claimed(queue, count, host="h", devices=("gpu0", "gpu1", "gpu2", "gpu3")):
    return [queue.claim(host, devices) for _ in range(count)]


def test_a_job_goes_from_its_post_to_its_end(bench):
    queue = bench.queue()
    job = add(queue, project_id="7")
    assert (job.status, job.attempt, job.project_id) == (JobStatus.PENDING, 1, "7")
    claim = queue.claim("h", ["gpu0"])
    assert (claim.job.job_id, claim.job.status, claim.job.device) == (job.job_id, JobStatus.RUNNING, "gpu0")
    queue.started(claim)
    queue.note_sweep(claim, "s1")
    assert queue.beat(claim, running_s=5.0) is JobStatus.RUNNING
    ended = queue.ended(claim, JobStatus.COMPLETED)
    assert (ended.status, ended.device, ended.running_s, ended.sweep_id) == (
        JobStatus.COMPLETED,
        "",
        5.0,
        "s1",
    )
    assert ended.completed_at == ended.started_at == bench.clock.now
    assert queue.get(job.job_id) == ended


def test_limits_are_exact(bench):
    queue = bench.queue(queued_per_user=2, jobs_at_once=3)
    for _ in range(2):
        add(queue)
    with pytest.raises(QueueFull):
        add(queue)
    for _ in range(2):
        add(queue, user="bob")  # each user has places of their own
    assert [claim is not None for claim in claimed(queue, 4)] == [True, True, True, False]
    add(queue)  # ada's two have started


def test_one_job_a_device_and_those_that_need_none_go_on(bench):
    queue = bench.queue()
    add(queue)
    second = add(queue)
    hosted = add(queue, needs_device=False)
    assert queue.claim("h", ["gpu0"]).job.device == "gpu0"
    assert queue.claim("h", ["gpu0"]).job.job_id == hosted.job_id
    assert queue.claim("h", ["gpu0"]) is None
    assert (
        queue.claim("other", ["gpu0"]).job.job_id == second.job_id
    )  # another host's device of the same name


def test_priority_first_but_low_is_never_starved(bench):
    queue = bench.queue(jobs_at_once=1, queued_per_user=1000)
    low = add(queue, priority=Priority.LOW)
    normal = add(queue)
    high = add(queue, priority=Priority.HIGH)
    order = []
    step_s = 240
    for _ in range(2 * int(LEAD_S / step_s) + 4):  # high ones keep coming, faster than they are done
        add(queue, priority=Priority.HIGH)
        claim = queue.claim("h", ["gpu0"])
        order.append(claim.job.job_id)
        bench.clock.now += step_s
        queue.ended(claim, JobStatus.COMPLETED)
    assert order[0] == high.job_id
    assert order.index(normal.job_id) < order.index(low.job_id) <= 2 * LEAD_S / step_s + 2


def test_the_same_key_and_body_is_the_same_job(bench):
    queue = bench.queue(queued_per_user=1)
    job = queue.add(new_job(), "k")
    assert queue.add(new_job(estimated_duration_s=9.0), "k") == job  # also with the queue full
    with pytest.raises(KeyReused):
        queue.add(new_job(suite="mbpp"), "k")
    assert queue.add(new_job(user="bob"), "k").job_id != job.job_id  # another user's key is another key
    claim = queue.claim("h", ["gpu0"])
    assert queue.add(new_job(), "k").status is JobStatus.RUNNING
    queue.ended(claim, JobStatus.COMPLETED)
    assert queue.add(new_job(), "k").job_id == job.job_id


def test_when_to_try_again_is_when_the_next_of_ones_jobs_starts(bench):
    queue = bench.queue(queued_per_user=2, jobs_at_once=1)
    add(queue, user="bob", estimated_duration_s=100.0)
    claim = queue.claim("h", ["gpu0"])
    add(queue, user="bob", estimated_duration_s=50.0)
    add(queue, estimated_duration_s=70.0)
    add(queue)
    queue.beat(claim, running_s=40.0)
    with pytest.raises(QueueFull) as refused:
        add(queue)
    assert refused.value.retry_after_s == pytest.approx(60 + 50)


def test_a_machine_with_one_device_has_one_place_for_jobs_that_need_it(bench):
    """Else retry_after would be a second, again and again, while jobs run for hours."""
    queue = bench.queue(queued_per_user=2, jobs_at_once=3)
    add(queue, estimated_duration_s=100.0)
    queue.claim("h", ["gpu0"])
    second, third = add(queue, estimated_duration_s=50.0), add(queue)
    hosted = add(queue, user="bob", needs_device=False)
    bench.clock.now += 2
    assert queue.claim("h", ["gpu0"]).job.job_id == hosted.job_id
    assert [queue.places()[job.job_id].starts_in_s for job in (second, third)] == [100.0, 150.0]
    with pytest.raises(QueueFull) as refused:
        add(queue)
    assert refused.value.retry_after_s == 100.0


def test_without_an_estimate_earlier_jobs_say_how_long(bench):
    queue = bench.queue(queued_per_user=1, jobs_at_once=1, job_s=1000.0)

    def refusal():
        with pytest.raises(QueueFull) as refused:
            add(queue)
        return refused.value.retry_after_s

    add(queue)
    claim = queue.claim("h", ["gpu0"])
    add(queue)
    assert refusal() == 1000.0  # nothing is known but the most that it may take
    queue.beat(claim, running_s=30.0)
    queue.ended(claim, JobStatus.COMPLETED)
    queue.claim("h", ["gpu0"])
    add(queue)
    assert refusal() == 30.0


def test_lists_filter_and_page_and_stay_stable_while_jobs_are_added(bench):
    queue = bench.queue(queued_per_user=100)
    ids = [add(queue, suite="a" if i % 2 else "b", user="u").job_id for i in range(7)]
    first = queue.jobs(JobQuery(limit=3))
    add(queue, user="late")
    second = queue.jobs(JobQuery(limit=3, cursor=first.next_cursor))
    third = queue.jobs(JobQuery(limit=3, cursor=second.next_cursor))
    assert [job.job_id for page in (first, second, third) for job in page.jobs] == ids[::-1]
    assert (first.total, third.total, third.next_cursor) == (7, 8, None)
    assert {job.suite for job in queue.jobs(JobQuery(suite="a")).jobs} == {"a"}
    assert queue.jobs(JobQuery(user="late")).total == 1
    assert queue.jobs(JobQuery(statuses=(JobStatus.FAILED,))).total == 0
    assert queue.jobs(JobQuery(since=bench.clock.now + 1)).total == 0
    for hostile in ("x\x00", "\udc80", "' OR 1=1 --"):
        assert queue.jobs(JobQuery(model_name=hostile)).total == 0
        assert queue.get(hostile) is None
    for cursor in ("", "-1", "٣", "1e3", "9" * 30):
        with pytest.raises(UsageError):
            queue.jobs(JobQuery(cursor=cursor))


def test_a_job_is_found_by_each_of_its_names_and_by_no_part_of_one(bench):
    queue = bench.queue()
    one = add(queue, suite="mbpp", model_name="Qwen").job_id
    names = names_of(["human_eval", "mbpp"], ["Qwen", "a, b", "line\nmodel tail"])
    several = add(queue, suite="human_eval, mbpp", model_name="Qwen, a, b…", names=names).job_id

    def found(**query):
        return {job.job_id for job in queue.jobs(JobQuery(**query)).jobs}

    assert found(suite="mbpp") == found(model_name="Qwen") == {one, several}
    assert found(suite="human_eval") == found(model_name="a, b") == {several}
    assert found(model_name="Qwen", suite="human_eval") == {several}
    for part in ("a", "b", "qwen", "Qwe", "%", "", "tail", "human_eval", "model Qwen", "Qwen\nmodel a, b"):
        assert found(model_name=part) == set(), part


def test_texts_that_can_not_be_stored_are_refused(bench):
    for text in ("\x00", "a\x00b", "\ud800"):
        with pytest.raises(UsageError, match="project_id"):
            add(bench.queue(), project_id=text)


def test_cancel(bench):
    queue = bench.queue()
    waiting, running = add(queue, user="bob"), add(queue, priority=Priority.HIGH)
    claim = queue.claim("h", ["gpu0"])
    assert claim.job.job_id == running.job_id
    assert queue.cancel(waiting.job_id, "bob").status is JobStatus.CANCELLED
    assert queue.cancel(running.job_id, "ada").status is JobStatus.CANCELLING
    assert queue.cancel(running.job_id, "ada").status is JobStatus.CANCELLING  # again: no change
    assert queue.cancelling("h") == (running.job_id,)
    assert queue.cancelling("other") == ()
    assert queue.beat(claim) is JobStatus.CANCELLING
    assert queue.release(claim).status is JobStatus.CANCELLED  # not interrupted: it must not go on
    assert queue.claim("h", ["gpu0"]) is None
    done = add(queue)
    queue.ended(queue.claim("h", ["gpu0"]), JobStatus.COMPLETED)
    with pytest.raises(WrongStatus):
        queue.cancel(done.job_id, "ada")
    with pytest.raises(NoSuchJob):
        queue.cancel("no", "ada")


def test_retry(bench):
    queue = bench.queue(queued_per_user=1)
    job = add(queue)
    with pytest.raises(WrongStatus):
        queue.retry(job.job_id, "ada")
    queue.ended(queue.claim("h", ["gpu0"]), JobStatus.FAILED, "it broke")
    again = queue.retry(job.job_id, "ada")
    assert (again.status, again.attempt, again.detail, again.completed_at) == (JobStatus.PENDING, 2, "", None)
    assert queue.claim("elsewhere", ["gpu0"]).job.attempt == 2
    queue.cancel(job.job_id, "ada")
    queue.ended(queue.mine("elsewhere")[0], JobStatus.CANCELLED)
    add(queue)
    with pytest.raises(QueueFull):
        queue.retry(job.job_id, "ada")


def test_a_job_whose_host_died_begins_anew_elsewhere_and_the_old_claim_changes_nothing(bench):
    queue = bench.queue(jobs_at_once=1)
    job = add(queue)
    old = queue.claim("a", ["gpu0"])
    queue.started(old)
    queue.beat(old, running_s=50.0)
    bench.clock.now += LEASE_S - 1
    assert queue.claim("b", ["gpu0"]) is None
    assert queue.orphans("a") == ()
    bench.clock.now += 2
    assert [found.job_id for found in queue.orphans("a")] == [job.job_id]
    new = queue.claim("b", ["gpu0"])
    # Its time so far: it may go on with the sweep, and a job may run for so long on all hosts together.
    assert (new.job.job_id, new.job.attempt, new.job.running_s) == (job.job_id, 2, 50.0)
    before = queue.get(job.job_id)
    for late in (
        lambda: queue.beat(old),
        lambda: queue.started(old),
        lambda: queue.note_sweep(old, "x"),
        lambda: queue.ended(old, JobStatus.COMPLETED),
        lambda: queue.release(old),
        lambda: queue.use_attempt(old, 1),
    ):
        with pytest.raises(ClaimLost):
            late()
    assert queue.get(job.job_id) == before
    assert queue.use_attempt(new, 1).job.attempt == 1


def test_a_job_that_was_never_said_to_have_started_is_another_attempt_elsewhere(bench):
    """Its process may run on the first host; two attempts with one number could not be told apart."""
    queue = bench.queue()
    job = add(queue)
    queue.claim("a", ["gpu0"])
    bench.clock.now += LEASE_S + 1
    assert queue.claim("b", ["gpu0"]).job.attempt == 2
    queue.ended(queue.mine("b")[0], JobStatus.FAILED)
    assert queue.retry(job.job_id, "ada").attempt == 3
    assert queue.claim("a", ["gpu0"]).job.attempt == 3


def test_a_late_worker_that_nobody_replaced_has_lost_its_claim_too(bench):
    """Else two workers could believe that they have a place of the few that there are."""
    queue = bench.queue(jobs_at_once=1)
    add(queue)
    old = queue.claim("a", ["gpu0"])
    queue.started(old)
    bench.clock.now += LEASE_S + 1
    other = add(queue, priority=Priority.HIGH)
    assert queue.claim("b", ["gpu0"]).job.job_id == other.job_id
    with pytest.raises(ClaimLost):
        queue.beat(old)


def test_a_beat_in_time_keeps_the_lease(bench):
    queue = bench.queue()
    add(queue)
    claim = queue.claim("a", ["gpu0"])
    for _ in range(10):
        bench.clock.now += LEASE_S - 1
        queue.beat(claim)
    assert queue.claim("b", ["gpu0"]) is None


def test_a_worker_that_was_replaced_on_its_host_is_fenced_at_once(bench):
    queue = bench.queue()
    job = add(queue)
    old = queue.claim("a", ["gpu0"])
    (new,) = queue.mine("a")
    assert (new.job.job_id, new.job.attempt) == (job.job_id, 1)
    with pytest.raises(ClaimLost):
        queue.beat(old)
    assert queue.beat(new) is JobStatus.RUNNING
    assert queue.mine("b") == ()


def test_a_job_that_was_stopped_cleanly_waits_for_its_host_for_a_while(bench):
    queue = bench.queue()
    add(queue)
    claim = queue.claim("a", ["gpu0"])
    queue.started(claim)
    assert queue.release(claim).status is JobStatus.INTERRUPTED
    assert queue.claim("b", ["gpu0"]) is None
    again = queue.claim("a", ["gpu0"])
    assert again.job.attempt == 1
    queue.release(again)
    bench.clock.now += ELSEWHERE_AFTER_S
    assert queue.claim("b", ["gpu0"]).job.attempt == 2


def test_a_cancelled_job_whose_host_died_is_cancelled(bench):
    queue = bench.queue()
    job = add(queue)
    queue.claim("a", ["gpu0"])
    queue.cancel(job.job_id, "ada")
    bench.clock.now += LEASE_S + 1
    assert queue.claim("b", ["gpu0"]) is None
    assert queue.get(job.job_id).status is JobStatus.CANCELLED


def test_counts_and_places(bench):
    queue = bench.queue(jobs_at_once=1)
    first = add(queue, estimated_duration_s=10.0)
    queue.claim("h", ["gpu0"])
    second, third = add(queue, estimated_duration_s=20.0), add(queue)
    assert queue.counts()[JobStatus.PENDING] == 2
    assert queue.counts()[JobStatus.RUNNING] == 1
    places = queue.places()
    assert [places[job.job_id].ahead for job in (second, third)] == [0, 1]
    assert [places[job.job_id].starts_in_s for job in (second, third)] == [10.0, 30.0]
    assert first.job_id not in places


def test_a_second_opening_sees_the_same_jobs(bench):
    job = add(bench.queue())
    from web.config import Limits
    from web.jobs.queue import Queue

    assert Queue(bench.again(), Limits()).get(job.job_id) == job
