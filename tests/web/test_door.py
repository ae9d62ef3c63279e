"""Nobody gets in without a key, and what is refused is refused in our words."""

from __future__ import annotations

import pytest

from tests.web.door import HERE, app_of, client, key
from web.access.role import Role
from web.config import API_ROOT


@pytest.fixture
def app(tmp_path):
    return app_of(tmp_path)


def test_without_a_key_only_health_answers(app):
    stranger = client(app)
    assert stranger.get("/health").json() == {"status": "ok", "parts": None}
    assert stranger.get("/metrics").status_code == 401
    assert stranger.get("/anything").headers["location"] == "/login?next=/anything"


def test_a_key_opens_a_revoked_one_does_not(app):
    secret = key(app)
    assert "database" in client(app, secret).get("/health").json()["parts"]
    keys = app.state.services.keys
    keys.revoke(keys.find(secret).key_id)
    assert client(app, secret).get("/metrics").status_code == 401


def test_a_link_becomes_a_cookie_once(app):
    browser = client(app)
    token = app.state.entrance.identity.sessions.link_token("ada")
    entered = browser.get("/enter", params={"token": token})
    assert entered.headers["location"] == "/"
    cookie = entered.headers["set-cookie"].lower()
    assert all(word in cookie for word in ("httponly", "samesite=strict", "path=/"))
    assert browser.get("/metrics").status_code == 200
    assert client(app).get("/enter", params={"token": token}).status_code == 410
    assert browser.get("/enter", params={"token": token}).headers["location"] == "/"


def test_another_host_is_refused(app):
    assert client(app, key(app), "http://evil.example").get("/health").status_code == 421


def test_a_form_of_another_origin_is_refused(app):
    secret = key(app)
    for origin in ("null", "http://127.0.0.1:9999", "https://127.0.0.1:8765", "http://evil.example"):
        posted = client(app).post("/login", data={"key": secret}, headers={"Origin": origin})
        assert posted.status_code == 403, origin
    assert client(app).post("/login", data={"key": secret}, headers={"Origin": HERE}).status_code == 303


def test_every_mistake_of_a_request_is_told_once_as_400(app):
    posted = client(app).post(
        "/login", data={"key": "x" * 1001, "next": "/" * 4001}, headers={"Origin": HERE}
    )
    assert posted.status_code == 400
    assert all(text in posted.text for text in ("2 mistakes", "key: ", "next: "))


def test_the_api_describes_itself_with_our_errors(app):
    schema = client(app, key(app)).get("/api/v1/benchmarking/openapi.json").json()
    for operations in schema["paths"].values():
        for operation in operations.values():
            assert "422" not in operation["responses"]
            assert {"400", "401", "403", "429", "500"} <= operation["responses"].keys()
    assert "HTTPValidationError" not in schema["components"]["schemas"]


def test_metrics_tell_of_jobs_runs_requests_and_disk(app):
    watcher = client(app, key(app))
    watcher.get("/health")
    text = watcher.get("/metrics").text
    for line in (
        'bench_jobs{status="pending"} 0.0',
        "bench_queue_age_seconds 0.0",
        "bench_runs 0.0",
        "bench_worker_up 1.0",
        "bench_disk_free_bytes",
        'bench_requests_total{method="GET",route="/health",status="200"} 1.0',
        'bench_request_seconds_bucket{le="+Inf",route="/health"} 1.0',
    ):
        assert line in text


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"{bad", "body: is not JSON, at character 1: "),
        (b"", "body: is missing"),
        (b"[]", "body: must be a JSON object"),
        (b"\xff\xfe", "body: is not JSON, at character 0: "),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"config": {"model": 3}, "foo": 1}', "foo: is not a field here"),
    ],
)
def test_a_body_that_cant_be_read_is_told_in_our_words(app, body, said):
    program = client(app, key(app, Role.RUN))
    posted = program.post(f"{API_ROOT}/run", content=body, headers={"Content-Type": "application/json"})
    assert posted.status_code == 400
    assert said in posted.json()["detail"]
    assert "should" not in posted.text


def test_a_query_that_cant_be_read_is_told_in_our_words(app):
    asked = client(app, key(app)).get(f"{API_ROOT}/results?limit=abc&status=gone")
    assert asked.status_code == 400
    assert {each["field"] for each in asked.json()["errors"]} == {"limit", "status"}
    assert "limit: must be a whole number" in asked.json()["detail"]
    assert "status: must be 'pending', " in asked.json()["detail"]
