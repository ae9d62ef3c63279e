"""How a job ended, how far it is and what it printed, from its folders alone; what is in them may be anybody's text."""

from __future__ import annotations

import datetime as dt
import json

import msgspec
import pytest

from results.locks import lock
from results.records import ErrorRecord, Incident, RunStatus
from results.store.attempts import STARTED, AttemptEntry, Attempts
from results.store.run_folder import RunFolder
from results.store.sweep_folder import ManifestText, PlanEntry, Sweep, SweepFolder
from tests.results.recorded_runs import place as place_in
from tests.results.recorded_runs import record_run
from web.config import ServeConfig
from web.jobs.job import Job, JobStatus, Priority
from web.working import progress
from web.working.job_folder import AttemptFolder, Starts, find_sweep
from web.working.log_tail import job_log, log_from
from web.working.outcome import ask_for_retries, job_outcome, last_words
from web.working.progress import JobReaders

JOB = "0b8f4a3e-9c1d-4a55-8d7e-3f2a1b0c9d8e"
HOSTILE = "\x1b[31m<script>alert(1)</script>\u202e"


@pytest.fixture
def config(tmp_path):
    (tmp_path / "results").mkdir()
    return ServeConfig(results_dir=tmp_path / "results", state_dir=tmp_path / "state")


def begin(config, *labels, job_id=JOB, minute=0) -> SweepFolder:
    folder = SweepFolder.create(
        config.results_dir, job_id, dt.datetime(2026, 11, 21, 3, minute, tzinfo=dt.UTC)
    )
    folder.write(
        Sweep(
            sweep_id=folder.sweep_id,
            created="2026-11-21T03:46:00+00:00",
            nonce="abcd",
            manifest=ManifestText(text="", form="json", name=f"{job_id}.json", folder="/"),
            runs=tuple(
                PlanEntry(label=each, benchmark="human_eval", model=each, group="g", fingerprint=f"of {each}")
                for each in labels
            ),
        )
    )
    return folder


def run(config, sweep, label, status=RunStatus.SUCCEEDED, **facts) -> RunFolder:
    return record_run(config.results_dir, model=label, sweep=place_in(sweep, label), status=status, **facts)


def job(status=JobStatus.RUNNING, **facts) -> Job:
    defaults = dict.fromkeys(Job.__dataclass_fields__, "") | {
        "job_id": JOB, "status": status, "priority": Priority.HIGH, "attempt": 1, "created_at": 0.0, "running_s": 0.0,
        "needs_device": True, "started_at": None, "completed_at": None, "estimated_duration_s": None,
    }  # fmt: skip
    return Job(**(defaults | facts))


def test_a_job_is_completed_when_every_run_succeeded(config):
    sweep = begin(config, "a", "b")
    runs = [run(config, sweep, each) for each in ("a", "b")]
    found = job_outcome(config, JOB)
    assert (found.status, found.detail) == (JobStatus.COMPLETED, "")
    assert found.run_ids == tuple(each.run_id for each in runs)
    assert (found.runs_done, found.runs_total, found.samples_done) == (2, 2, 2)


def test_a_failed_job_says_which_runs_failed_and_why_in_safe_text(config):
    sweep = begin(config, "a", HOSTILE, "c")
    run(config, sweep, "a")
    error = ErrorRecord(kind="server", message=f"no luck {HOSTILE}\nforged: line", hint="h" * 1000)
    run(config, sweep, HOSTILE, RunStatus.FAILED, error=error)
    run(config, sweep, "c", RunStatus.FAILED)
    found = job_outcome(config, JOB)
    assert found.status is JobStatus.FAILED
    assert found.detail.startswith("2 of 3 runs failed: \\u001b[31m<script>alert(1)</script>\\u202e: no luck")
    assert found.detail.endswith("c: no reason was recorded")
    assert found.detail.isprintable()
    assert len(found.detail) < 1000


@pytest.mark.parametrize("left", ["waiting", "interrupted", "started"])
def test_a_job_with_something_left_to_do_goes_on_whatever_has_failed(config, left):
    sweep = begin(config, "a", "b")
    run(config, sweep, "a", RunStatus.FAILED)
    if left != "waiting":
        run(config, sweep, "b", RunStatus(left))
    assert job_outcome(config, JOB).status is JobStatus.INTERRUPTED


def test_a_failed_run_that_shall_be_tried_again_is_left_to_do(config):
    sweep = begin(config, "a", "b")
    error = ErrorRecord(kind="server", message="no luck")
    run(config, sweep, "a")
    run(config, sweep, "b", RunStatus.FAILED, error=error)
    assert job_outcome(config, JOB).status is JobStatus.FAILED
    ask_for_retries(sweep)
    assert sweep.requested_retries() == {"of b"}
    found = job_outcome(config, JOB)
    assert (found.status, found.detail, found.runs_done) == (JobStatus.INTERRUPTED, "", 1)
    sweep.clear_retry("of b")  # as the sweep does when the run has ended once more
    assert job_outcome(config, JOB).status is JobStatus.FAILED


def test_a_deleted_run_is_done(config):
    sweep = begin(config, "a")
    from results.records import DeletedRun

    sweep.note_deleted(DeletedRun(run_id="x", fingerprint="of a", label="a"))
    assert job_outcome(config, JOB).status is JobStatus.COMPLETED


@pytest.mark.parametrize("kind", ["interrupted", "killed"])
def test_a_limit_of_a_provider_is_told_from_the_death_of_the_harness(config, kind):
    """Which says nothing about the job: the same again doesn't mean that it can't work."""
    sweep = begin(config, "a", "b")
    error = ErrorRecord(kind=kind, message="the harness was killed, or got a signal")
    run(config, sweep, "a", RunStatus.INTERRUPTED, error=error)
    assert (job_outcome(config, JOB).detail, job_outcome(config, JOB).waits_for_provider) == ("", False)
    run(
        config, sweep, "b", RunStatus.INTERRUPTED, error=ErrorRecord(kind="rate_limited", message="slow down")
    )
    found = job_outcome(config, JOB)
    assert (found.detail, found.waits_for_provider) == ("slow down", True)


def test_the_sweep_is_found_by_the_job_the_newest_one_that_can_be_read(config):
    assert find_sweep(config.results_dir, JOB) is None
    old = begin(config, "a")
    assert find_sweep(config.results_dir, JOB) == old
    new = begin(config, "a", minute=9)
    SweepFolder.create(
        config.results_dir, JOB, dt.datetime(2026, 11, 22, tzinfo=dt.UTC)
    )  # killed at once: empty
    begin(config, "a", job_id=f"{JOB}-x", minute=30)
    begin(config, "a", job_id=f"x-{JOB}"[:48], minute=31)
    assert find_sweep(config.results_dir, JOB) == new
    for wrong in ("", "../x", "*", f"{JOB}\n", "-x", "x" * 60):
        assert find_sweep(config.results_dir, wrong) is None
        with pytest.raises(ValueError, match="not a job"):
            AttemptFolder.of(config.jobs_dir, wrong, 1)


def test_last_words_begin_with_the_last_error(config):
    folder = AttemptFolder.of(config.jobs_dir, JOB, 1)
    assert last_words(folder) == ""
    folder.make("{}")
    folder.log.write_text("one\nerror: first\ntwo\n\nerror: the disk is full\ntry: free it\n")
    assert last_words(folder) == "error: the disk is full (free it)"
    assert last_words(folder, folder.log_bytes()) == ""
    folder.log.write_text(f"one\ntwo {HOSTILE}\nthree\n")
    assert last_words(folder) == "two \\u001b[31m<script>alert(1)</script>\\u202e three"


def test_a_torn_count_of_starts_is_none(config):
    folder = AttemptFolder.of(config.jobs_dir, JOB, 2)
    folder.make('{"a": 1}')
    assert folder.path.stat().st_mode & 0o777 == 0o700
    folder.write_starts(Starts(count=3))
    assert folder.read_starts().count == 3
    (folder.path / "starts.json").write_text("{")
    assert folder.read_starts() == Starts()
    assert [each.attempt for each in AttemptFolder.all_of(config.jobs_dir, JOB)] == [2]
    assert json.loads(folder.manifest.read_text()) == {"a": 1}


def test_progress_follows_a_job_from_the_queue_to_its_end(config, monkeypatch):
    monkeypatch.setattr(progress, "KEPT_S", 0.0)
    readers = JobReaders(config)
    assert readers.progress(job(JobStatus.PENDING)).phase == "queued"
    assert readers.progress(job()).phase == "preparing"
    folder = AttemptFolder.of(config.jobs_dir, JOB, 1)
    folder.make("{}")
    folder.log.write_text("sweep x: 2 runs\nwaiting for a device that another run is using\n")
    assert readers.progress(job()).phase == "waiting"
    sweep = begin(config, "a", "b", "c")
    run(config, sweep, "a", incidents=(Incident(time="2026-11-21T03:50:00+00:00", what=f"died {HOSTILE}"),))
    run(config, sweep, "b", RunStatus.FAILED, error=ErrorRecord(kind="server", message="no luck"))
    running = run(config, sweep, "c", RunStatus.STARTED, score=None)
    events = [
        {"event": "start", "finished": 0, "total": 10, "completion_tokens": 0, "time_s": 1000.0},
        {"event": "progress", "done": 4, "total": 10, "completion_tokens": 80, "time_s": 1004.0},
    ]
    running.script_out.write_bytes(b"".join(msgspec.json.encode(each) + b"\n" for each in events))
    with lock(running.path / "harness.lock", within_s=0):
        found = readers.progress(job())
        assert (found.phase, found.running) == ("running", ("c",))
        assert (found.runs_done, found.runs_failed, found.runs_total) == (2, 1, 3)
        assert (found.samples_done, found.samples_total) == (6, 12)
        assert found.tokens_per_s == 20.0
        (incident,) = found.incidents
        assert (incident.run, incident.what) == ("a", "died \\u001b[31m<script>alert(1)</script>\\u202e")
        assert [each.status for each in readers.runs(job())] == ["succeeded", "failed", "running"]
        assert readers.runs(job())[1].why == "no luck"
    assert readers.runs(job())[2].status == "interrupted"
    assert readers.progress(job(JobStatus.COMPLETED)).phase == "ended"


def test_a_run_on_a_machine_of_an_engine_is_followed_while_it_is_there(config):
    sweep = begin(config, "a")
    run(config, sweep, "a", RunStatus.INTERRUPTED, score=None)  # what came back from the machine before
    attempts = Attempts(sweep.path)
    number, folder = attempts.create(sweep.read().runs[0].group)
    entry = AttemptEntry(
        unit_id=folder.parent.name, number=number, what=STARTED, at="2026-11-21T03:46:00+00:00", place="alpha"
    )
    attempts.note(entry)
    record = next(iter(sweep.runs(warn=pytest.fail).values()))[1]
    there = RunFolder(folder / record.run_id)
    there.path.mkdir()
    there.write_record(msgspec.structs.replace(record, status=RunStatus.STARTED))
    there.script_out.write_bytes(
        b'{"event": "start", "finished": 0, "total": 10, "completion_tokens": 0, "time_s": 1000.0}\n'
        b'{"event": "progress", "done": 7, "total": 10, "completion_tokens": 80, "time_s": 1004.0}\n'
    )
    with sweep.claim():
        (seen,) = JobReaders(config).runs(job())
        assert (seen.status, seen.done, seen.total) == ("running", 7, 10)
    (seen,) = JobReaders(config).runs(job())
    assert seen.status == "interrupted", "nobody coordinates it"


def test_many_readers_of_a_job_cost_one_look_until_it_changes(config):
    readers = JobReaders(config)
    first = readers.progress(job())
    begin(config, "a")
    assert readers.progress(job()) is first
    assert readers.progress(job(JobStatus.COMPLETED)).runs_total == 1


def test_progress_survives_folders_that_are_gone_or_newer(config, monkeypatch):
    monkeypatch.setattr(progress, "KEPT_S", 0.0)
    readers = JobReaders(config)
    sweep = begin(config, "a")
    made = run(config, sweep, "a")
    assert readers.progress(job()).runs_total == 1
    made.run_json.write_text('{"schema_version": 99}')
    assert readers.progress(job()).runs_total in {0, 1}
    (config.results_dir).rename(config.results_dir.with_name("elsewhere"))
    assert readers.progress(job()).runs_total == 0


def test_the_log_is_bounded_safe_and_followed_by_whole_lines(config):
    assert job_log(config, JOB).text == ""
    folder = AttemptFolder.of(config.jobs_dir, JOB, 1)
    folder.make("{}")
    folder.log.write_bytes(b"first\n\x1b]0;title\x07 \x1b[31mred\x1b[0m \xff\n" + b"x" * 5000 + b"\nha")
    whole = job_log(config, JOB)
    assert not whole.is_cut
    lines = whole.text.split("\n")
    assert lines[:2] == ["first", "\\u001b]0;title\\u0007 red \N{REPLACEMENT CHARACTER}"]
    assert len(lines[2]) == 2003
    assert all(line.isprintable() for line in lines)
    assert job_log(config, JOB, most_bytes=5010).text.startswith("xxx")
    assert job_log(config, JOB, most_bytes=5010).is_cut
    text, offset = log_from(config, JOB, 0)
    assert text.count("\n") == 3
    assert log_from(config, JOB, offset) == ("", offset)
    with folder.log.open("ab") as file:
        file.write(b"lf\n")
    assert log_from(config, JOB, offset)[0] == "half\n"
    folder.log.write_bytes(b"new\n")  # shorter: another attempt's, or cut
    assert log_from(config, JOB, offset) == ("new\n", 4)
    assert log_from(config, "../../etc", 0) == ("", 0)
