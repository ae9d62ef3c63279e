"""Nobody gets in without a key, and what is refused is refused in our words."""

from __future__ import annotations

import pytest

from results.errors import ResultsError
from tests.web.door import HERE, app_of, client, key
from web.access.door import WITHOUT_KEY
from web.access.role import Role
from web.access.sessions import SECRET_FILE, Sessions
from web.access.spent import SPENT_FILE, Spent
from web.app import create_app
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


def test_a_link_and_a_session_that_ended_stay_so_after_a_restart(app):
    """Signing out ends the cookie on the server, wherever it was copied to; `keys link` goes on making links."""
    token = app.state.entrance.identity.sessions.link_token("ada")
    browser, copied, other = client(app), client(app), client(app)
    browser.get("/enter", params={"token": token})
    other.get("/enter", params={"token": app.state.entrance.identity.sessions.link_token("ada")})
    for name, value in browser.cookies.items():
        copied.cookies.set(name, value)
    assert copied.get("/metrics").status_code == 200
    assert browser.post("/logout", headers={"Origin": HERE}).headers["location"] == "/login"
    assert copied.get("/metrics").status_code == 401
    again = create_app(app.state.services, remember_s=0.0)
    for before, status in ((copied, 401), (other, 200)):
        after = client(again)
        after.cookies = before.cookies
        assert after.get("/metrics").status_code == status
    assert client(again).get("/enter", params={"token": token}).status_code == 410
    state = app.state.services.config.state_dir
    assert (state / SPENT_FILE).stat().st_mode & 0o777 == 0o600
    fresh = Sessions(state / SECRET_FILE).link_token("ada")
    assert client(again).get("/enter", params={"token": fresh}).headers["location"] == "/"


def test_what_ended_is_forgotten_when_it_expires_and_a_torn_line_harms_nothing(tmp_path):
    file = tmp_path / SPENT_FILE
    file.write_text("old 5\ngood 99999999999\ntorn 9")
    spent = Spent(file)
    assert [spent.has(nonce) for nonce in ("old", "good", "torn")] == [False, True, False]
    assert spent.add("new", 99999999999)
    assert not spent.add("new", 99999999999)
    assert file.read_text() == "good 99999999999\nnew 99999999999\n"


def test_what_could_not_be_noted_is_noted_with_the_next(tmp_path):
    file = tmp_path / SPENT_FILE
    spent = Spent(file)
    assert not spent.has("x")
    file.mkdir()
    assert spent.add("first", 99999999999)
    assert not spent.add("first", 99999999999)
    file.rmdir()
    assert spent.add("second", 99999999999)
    assert Spent(file).has("first")
    assert Spent(file).has("second")


def test_the_list_of_what_ended_does_not_grow_for_ever(tmp_path, monkeypatch):
    monkeypatch.setattr("web.access.spent._MOST_EXPIRED", 5)
    spent = Spent(tmp_path / SPENT_FILE)
    spent.add("good", 99999999999)
    for number in range(50):
        spent.add(f"old{number}", 5)
    assert spent.has("good")
    assert len((tmp_path / SPENT_FILE).read_text().splitlines()) < 20


def test_a_short_secret_is_refused(app):
    (app.state.services.config.state_dir / SECRET_FILE).write_text("short")
    with pytest.raises(ResultsError, match="holds no secret"):
        create_app(app.state.services)


def test_a_stranger_may_send_little(app):
    for path in WITHOUT_KEY:
        sent = client(app).post(path, content=b"&" * 9000, headers={"Origin": HERE})
        assert sent.status_code == 413, path


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
        "/login", data={"key": "x" * 1001, "next": "a" * 4001}, headers={"Origin": HERE}
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
