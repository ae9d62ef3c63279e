"""Posting, cancelling and retrying jobs over the API."""

from __future__ import annotations

import json

import pytest

from tests.web.api_services import Api
from web.config import Limits
from web.jobs.job import JobStatus

RUN = {"suite": "human_eval", "config": {"model": "demo", "params": {"limit": 3}}}


def test_a_job_is_posted(api):
    answer = api.ada.post("/run", json=RUN | {"project_id": 7, "priority": "normal"})
    assert answer.status_code == 202
    body = answer.json()
    assert body == {
        "job_id": body["job_id"],
        "message": "Benchmarking is queued: human_eval on SmolLM2-135M-Instruct.Q4_1",
        "estimated_duration": None,
        "estimated_duration_text": "unknown: nothing similar has run here before",
    }
    job = api.queue.get(body["job_id"])
    assert (job.user, job.project_id, job.priority.name) == ("ada", "7", "NORMAL")
    assert json.loads(job.manifest) == {"runs": [{"benchmark": "human_eval", "model": "demo", "limit": 3}]}


def test_every_mistake_is_told(api):
    answer = api.ada.post("/run", json={"suite": "x", "config": {"model": "/x", "params": {"limit": 0}}})
    assert answer.status_code == 400
    assert [each["field"] for each in answer.json()["errors"]] == [
        "suite",
        "config.model",
        "config.params.limit",
    ]
    assert answer.json()["detail"].startswith("3 mistakes:\nsuite: 'x' is no benchmark")
    answer = api.ada.post(
        "/run",
        json={
            "suit": "x", "suite": "x", "priority": "now",
            "config": {"model": "/x", "base_url": "x", "params": {"server_command": "x"}, "ollama_params": {"x": 1}},
        },
    )  # fmt: skip
    assert answer.status_code == 400
    assert {each["field"] for each in answer.json()["errors"]} == {
        "suit", "suite", "priority", "config.model", "config.base_url", "config.params.server_command",
        "config.ollama_params.x", "config.ollama_params"}  # fmt: skip
    answer = api.ada.post("/run", json={"sute": "x", "config": {"base_url": "x", "params": []}})
    assert answer.status_code == 400
    assert {each["field"] for each in answer.json()["errors"]} == {"sute", "config.base_url", "config.params"}


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"null", b'"x"', b"[" * 100_000, b'{"suite": "\xff"}', b"NaN"]
)
def test_what_is_no_request(api, body):
    answer = api.ada.post("/run", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 400
    assert answer.json()["detail"]


def test_who_only_reads_posts_nothing(api):
    job_id = api.posted()
    for method, path in (("POST", "/run"), ("POST", "/preflight"), ("POST", f"/cancel/{job_id}"),
                         ("POST", f"/jobs/{job_id}/retry"), ("POST", "/schedules"), ("DELETE", "/schedules/x"),
                         ("GET", f"/jobs/{job_id}/log")):  # fmt: skip
        answer = getattr(api.reader, method.lower())(path, **({"json": RUN} if method == "POST" else {}))
        assert answer.status_code == 403, path


def test_the_same_key_posts_one_job(api):
    key = {"Idempotency-Key": "once"}
    first, again = (api.ada.post("/run", json=RUN, headers=key) for _ in range(2))
    assert first.json()["job_id"] == again.json()["job_id"]
    assert api.ada.post("/run", json=RUN | {"priority": "low"}, headers=key).status_code == 409
    assert api.bob.post("/run", json=RUN, headers=key).json()["job_id"] != first.json()["job_id"]
    assert api.ada.post("/run", json=RUN, headers={"Idempotency-Key": "a b"}).status_code == 400


def test_a_key_gives_its_job_again_in_whatever_order_it_is_sent_and_when_the_catalogue_has_changed(
    tmp_path, monkeypatch
):
    data = tmp_path / "q.jsonl"
    data.touch()
    api = Api(tmp_path, data={"q": data})
    try:
        asked = {"suite": "gsm8k", "config": {"params": {"dataset": "q", "limit": 2}}}
        turned = {"config": {"params": {"limit": 2, "dataset": "q"}}, "suite": "gsm8k"}
        key = {"Idempotency-Key": "once"}
        first = api.ada.post("/run", json=asked, headers=key)
        assert first.status_code == 202, first.text
        monkeypatch.delitem(api.config.data, "q")
        assert api.ada.post("/run", json=turned, headers=key).json() == first.json()
        assert api.ada.post("/run", json=asked).status_code == 400
        assert api.ada.post("/run", json=asked | {"priority": "low"}, headers=key).status_code == 409
    finally:
        api.close()


def test_a_full_queue_says_when_to_ask_again(tmp_path):
    api = Api(tmp_path, limits=Limits(queued_per_user=1, requests_per_minute=1000))
    try:
        api.posted()
        answer = api.ada.post("/run", json=RUN)
        assert answer.status_code == 429
        assert answer.json()["retry_after"] == int(answer.headers["Retry-After"]) > 0
        api.posted(api.bob)
    finally:
        api.close()


def test_a_waiting_job_is_cancelled_at_once(api):
    job_id = api.posted()
    answer = api.ada.post(f"/cancel/{job_id}")
    assert answer.json() == {"message": f"Job {job_id} is cancelled", "job_id": job_id, "status": "cancelled"}
    assert api.ada.post(f"/cancel/{job_id}").status_code == 200


def test_a_running_job_is_cancelled_by_its_worker(api):
    job_id = api.posted()
    api.started(job_id)
    assert api.ada.post(f"/cancel/{job_id}").json()["status"] == "cancelling"
    assert api.reader.get(f"/results/{job_id}").json()["detail"] == "cancelled by ada"


def test_what_has_ended_is_neither_cancelled_nor_tried_again(api):
    job_id = api.posted()
    api.ended(job_id)
    assert api.ada.post(f"/cancel/{job_id}").status_code == 409
    assert api.ada.post(f"/jobs/{job_id}/retry").status_code == 409


def test_a_failed_job_is_tried_again(api):
    job_id = api.posted()
    api.ended(job_id, JobStatus.FAILED, "1 of 1 run failed")
    answer = api.ada.post(f"/jobs/{job_id}/retry")
    assert (answer.status_code, answer.json()["status"]) == (202, "pending")


def test_jobs_of_others_are_seen_but_not_touched(api):
    job_id = api.posted(api.ada)
    assert api.bob.get(f"/results/{job_id}").status_code == 200
    for ask in (
        api.bob.post(f"/cancel/{job_id}"),
        api.bob.post(f"/jobs/{job_id}/retry"),
        api.bob.get(f"/jobs/{job_id}/log"),
    ):
        assert ask.status_code == 403
        assert "another user's" in ask.json()["detail"]
    assert api.queue.get(job_id).status is JobStatus.PENDING
    assert api.admin.get(f"/jobs/{job_id}/log").status_code == 200
    assert api.admin.post(f"/cancel/{job_id}").status_code == 200


@pytest.mark.parametrize("job_id", ["nobody", "..", "%2e%2e", "a%00b", "%ff", "🦀", "x" * 64])
def test_jobs_that_are_none(api, job_id):
    for answer in (
        api.ada.get(f"/results/{job_id}"), api.ada.get(f"/jobs/{job_id}/log"), api.ada.get(f"/jobs/{job_id}/events"),
        api.ada.post(f"/cancel/{job_id}"), api.ada.post(f"/jobs/{job_id}/retry"),
    ):  # fmt: skip
        assert answer.status_code in {400, 404, 405}, answer.text
        assert answer.json()["detail"]


def test_the_log_in_parts(api):
    job_id = api.posted()
    assert api.ada.get(f"/jobs/{job_id}/log").json() == {
        "text": "", "next_offset": 0, "is_cut": False, "attempt": 0}  # fmt: skip
    folder = api.config.jobs_dir / job_id / "attempt-1"
    folder.mkdir(parents=True)
    (folder / "log").write_bytes(b"one\n\x1b]0;evil\x07<script>\ntwo\nnot who")
    whole = api.ada.get(f"/jobs/{job_id}/log").json()
    assert whole["text"].startswith("one\n")
    assert "\x1b" not in whole["text"]
    part = api.ada.get(f"/jobs/{job_id}/log?offset=4").json()
    assert part["text"].endswith("<script>\ntwo\n")
    (folder / "log").write_bytes(b"one\n\x1b]0;evil\x07<script>\ntwo\nnot whole\n")
    assert api.ada.get(f"/jobs/{job_id}/log?offset={part['next_offset']}").json()["text"] == "not whole\n"


def test_a_preflight_starts_nothing(api):
    answer = api.ada.post("/preflight", json=RUN)
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert body["ok"] is True
    assert body["expected_text"] == "unknown: nothing similar has run here before"
    assert [need["fits"] for need in body["needs"]] == ["yes"]
    assert api.reader.get("/results").json()["total"] == 0


def test_the_catalogue_says_what_may_be_named(api):
    body = api.reader.get("/catalogue").json()
    assert [each["name"] for each in body["models"]] == ["demo"]
    assert body["providers"] == ["local"]
    settings = {each["name"]: each for each in body["settings"]}
    assert "process" not in settings["sandbox"]["choices"]
    assert settings["dataset"]["given"] == "data"
    assert "base_url" not in settings
    assert {"human_eval", "glue"} <= {each["name"] for each in body["suites"]}
