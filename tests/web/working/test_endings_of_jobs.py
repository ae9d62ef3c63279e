"""What the operator is told of a job's end: once, without secrets, to the one address that they named."""

from __future__ import annotations

import dataclasses
import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from results.errors import UsageError
from tests.command_line import wait_for
from web.working import endings
from web.working.endings import Endings, post
from web.working.running_job import Why

SECRET = "T0p/S3cret"


@pytest.fixture
def service():
    """Answers with the given codes, then with 200; what it gets is in `bodies`."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            server.bodies.append((self.path, json.loads(body)))
            code = server.codes.pop(0) if server.codes else 200
            self.send_response(code)
            if code == 302:
                self.send_header("Location", "/elsewhere")
            self.end_headers()

        def log_message(self, *_):
            """Quiet."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    server.bodies, server.codes = [], []
    server.url = f"http://127.0.0.1:{server.server_port}/{SECRET}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def told(place):
    """A function that ends a job and tells of it; `said` is what was reported."""
    said: list[str] = []

    def tell(**config):
        place.config = dataclasses.replace(place.config, **config)
        job = place.up(place.running(user="ann", project_id="p"))
        job.stop(Why.CANCELLED)
        end = place.end(job)
        teller = Endings(place.config, said.append)
        teller.note(job, end.status, end.detail)
        teller.tell(job.folder)
        teller.close(30)
        return job

    tell.said = said
    return tell


def state(job):
    return json.loads((job.folder.path / "ending.json").read_text())["state"]


def test_a_webhook_gets_the_end_once_and_no_secret(place, told, service, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    monkeypatch.setenv("HOOK", service.url)
    job = told(webhook_url="${HOOK}")
    ((path, body),) = service.bodies
    assert path == f"/{SECRET}"
    assert body["event"] == "job_ended"
    assert (body["job_id"], body["status"], body["user"], body["project_id"]) == (
        job.claim.job.job_id, "cancelled", "ann", "p",
    )  # fmt: skip
    assert "sk-secret" not in str(body)
    assert state(job) == "told"
    again = Endings(place.config, told.said.append)
    again.tell_left(lambda *_: True)
    again.tell(job.folder)
    again.close(30)
    assert len(service.bodies) == 1
    assert told.said == []


def test_what_a_killed_worker_left_to_tell_is_told_if_the_queue_knows_the_end(
    place, told, service, monkeypatch
):
    monkeypatch.setattr(Endings, "tell", lambda *_: None)
    job = told(webhook_url=service.url)
    assert state(job) == "due"
    monkeypatch.undo()
    for known, count in [(False, 0), (True, 1), (True, 1)]:
        teller = Endings(place.config, told.said.append)
        teller.tell_left(lambda *_, known=known: known)
        teller.close(30)
        assert len(service.bodies) == count


def test_what_was_being_told_when_the_worker_was_killed_isnt_told_twice(place, told, service):
    job = told(webhook_url=service.url)
    note = job.folder.path / "ending.json"
    note.write_text(note.read_text().replace('"told"', '"sending"'))
    teller = Endings(place.config, told.said.append)
    teller.tell_left(lambda *_: True)
    teller.close(30)
    assert len(service.bodies) == 1


@pytest.mark.parametrize(
    ("codes", "requests", "problem"),
    [
        ([503, 429], 3, ""),
        ([500, 500, 500, 500], 3, "the webhook answered 500"),
        ([404], 1, "the webhook answered 404"),
        ([302], 1, "the webhook answered 302"),
    ],
)
def test_a_failure_that_may_pass_is_tried_again_and_no_redirect_is_followed(
    service, codes, requests, problem
):
    service.codes = list(codes)
    assert post(service.url, b"{}", pause_s=0.01) == problem
    assert [path for path, _ in service.bodies] == [f"/{SECRET}"] * requests


def test_an_address_is_never_shown(place, told, service, monkeypatch):
    monkeypatch.setattr(endings, "PAUSE_S", 0.01)
    service.codes = [400]
    job = told(webhook_url=service.url)
    assert state(job) == "failed"
    assert told.said == [f"the end of job {job.claim.job.job_id} could not be told: the webhook answered 400"]
    assert (
        post(f"http://127.0.0.1:1/{SECRET}", b"{}", tries=1)
        == "the webhook can't be reached: ConnectionRefusedError"
    )
    with pytest.raises(UsageError) as refused:
        Endings(dataclasses.replace(place.config, webhook_url=f"file:///{SECRET}"), told.said.append)
    assert SECRET not in str(refused.value) + refused.value.hint


def test_a_command_is_run_with_the_job_and_its_status(place, told, tmp_path):
    program = f"import sys; open({str(tmp_path / 'told')!r}, 'a').write(' '.join(sys.argv[1:]) + chr(10))"
    job = told(notify_command=f'{sys.executable} -c "{program}" {{id}} {{status}} {{score}}')
    wait_for((tmp_path / "told").exists)
    assert (tmp_path / "told").read_text() == f"{job.claim.job.job_id} cancelled none\n"


def test_a_command_that_cant_work_is_refused_at_the_start(place):
    with pytest.raises(UsageError, match="there is no program"):
        Endings(dataclasses.replace(place.config, notify_command="no-such-program {id}"), print)


def test_nobody_is_told_unless_the_operator_says_so(place, told):
    job = told()
    assert not (job.folder.path / "ending.json").exists()
