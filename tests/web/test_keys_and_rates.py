"""Only a right key opens, guessing gets slower, and nobody asks more often than they may."""

from __future__ import annotations

import logging
from typing import Annotated

import pytest
from fastapi import APIRouter, Depends

from tests.web.door import HERE, app_of, client, key, services
from web.access import rates
from web.access.caller import Caller, may
from web.access.role import Role
from web.access.sessions import Session
from web.access.streams import Streams
from web.app import create_app
from web.config import API_ROOT, Limits
from web.database.trouble import DatabaseUnavailable
from web.errors import ApiError

SCHEMA = f"{API_ROOT}/openapi.json"


@pytest.fixture
def app(tmp_path):
    return app_of(tmp_path)


def test_a_wrong_key_opens_nothing(app):
    right = key(app)
    wrong = (
        right[:-1], right + "a", right.upper(), right[::-1], "x", "bench_000000000000_" + "a" * 43, "' or 1=1 --",
        right.replace("_", "-"), f"{right}\u00a0", "a" * 10_000,
    )  # fmt: skip
    for each in wrong:
        given = {"Authorization": b"Bearer " + each.encode()}
        assert client(app).get("/metrics", headers=given).status_code in {401, 429}, each
    for scheme in ("Basic", "Token", ""):
        assert client(app).get("/metrics", headers={"Authorization": f"{scheme} {right}"}).status_code == 401
    assert client(app).get("/metrics", params={"key": right}).status_code == 401
    assert client(app, right).get("/metrics").status_code == 200


def test_guessing_is_slowed_down_and_locks_nobody_out(app):
    """From the same address too: behind a proxy all have one."""
    right = key(app)
    guesses = [client(app, f"guess-{n}").get("/metrics") for n in range(rates.GUESSES_PER_ADDRESS + 5)]
    assert [each.status_code for each in guesses] == [401] * rates.GUESSES_PER_ADDRESS + [429] * 5
    assert 1 <= int(guesses[-1].headers["retry-after"]) <= 60
    assert guesses[-1].json()["retry_after"] == int(guesses[-1].headers["retry-after"])
    assert client(app, right).get("/metrics").status_code == 200
    posted = client(app).post("/login", data={"key": "guess"}, headers={"Origin": HERE})
    assert posted.status_code == 429
    assert client(app).post("/login", data={"key": right}, headers={"Origin": HERE}).status_code == 303


def test_guesses_are_counted_by_network_and_in_all():
    counted = rates.Rates(100)
    first = [counted.guessed(f"2001:db8::{n}") for n in range(rates.GUESSES_PER_ADDRESS + 1)]
    assert [each is None for each in first] == [True] * rates.GUESSES_PER_ADDRESS + [False]
    others = [counted.guessed(f"192.0.2.{n}") for n in range(rates.GUESSES)]
    assert others[0] is None
    assert others[-1] is not None


def test_requests_in_a_minute_are_limited_by_user(tmp_path):
    """Of the API and of pages apart; the files of pages and /health cost nothing; others aren't touched."""
    app = app_of(tmp_path, limits=Limits(requests_per_minute=4))
    ada, same, ben = client(app, key(app)), client(app, key(app)), client(app, key(app, user="ben"))
    assert [(ada if n % 2 else same).get(SCHEMA).status_code for n in range(4)] == [200] * 4
    refused = same.get(SCHEMA)
    assert refused.status_code == 429
    assert 1 <= refused.json()["retry_after"] == int(refused.headers["retry-after"]) <= 60
    assert ada.get("/health").json()["parts"]
    assert [ada.get("/nowhere").status_code for _ in range(5)] == [404] * 4 + [429]
    assert ada.get("/static/site.css").status_code == 200
    assert ben.get(SCHEMA).status_code == 200


def test_a_session_ends_with_its_key(app):
    keys = app.state.services.keys
    made, secret = keys.add("ada", Role.READ)
    browser = client(app)
    assert browser.post("/login", data={"key": secret}, headers={"Origin": HERE}).status_code == 303
    assert browser.get("/metrics").status_code == 200
    keys.revoke(made.key_id)
    assert browser.get("/metrics").status_code == 401


def test_a_session_that_was_made_up_is_none(app):
    sessions = app.state.entrance.identity.sessions
    good = sessions.cookie(Session("ada", "link"))
    body, _, signature = good.partition(".")
    link = sessions.link_token("ada")
    for value in (
        body,
        f"{body}.",
        f"{body}.{signature[:-1]}",
        f"{body}A.{signature}",
        f".{signature}",
        link,
    ):
        assert sessions.read_cookie(value) is None, value
    assert sessions.use_link(good) is None
    assert sessions.read_cookie(good) == Session("ada", "link")
    sessions.end_all()
    assert sessions.read_cookie(good) is None
    assert sessions.use_link(link) is None


def test_the_secret_of_sessions_is_ours_alone(app):
    app.state.entrance.identity.sessions.link_token("ada")
    file = app.state.services.config.state_dir / "session.key"
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_role_that_is_too_low_is_told(tmp_path):
    router = APIRouter()

    @router.get("/admin")
    def admin(caller: Annotated[Caller, Depends(may(Role.ADMIN))]) -> str:
        return caller.user

    app = create_app(services(tmp_path), hold_back_s=0.0, remember_s=0.0)
    app.include_router(router)
    found = {role: client(app, key(app, role)).get("/admin") for role in Role}
    assert [each.status_code for each in found.values()] == [403, 403, 200]
    assert "admin" in found[Role.READ].text


def test_no_secret_is_in_the_log_and_an_error_says_only_its_id(app, caplog, monkeypatch):
    caplog.set_level(logging.DEBUG)
    secret = key(app)
    token = app.state.entrance.identity.sessions.link_token("ada")

    def fail():
        raise RuntimeError("/home/ada/private is gone")

    monkeypatch.setattr(app.state.traffic.registry, "collect", fail)
    browser = client(app)
    browser.get("/enter", params={"token": token})
    browser.get("/enter", params={"token": token})
    failed = client(app, secret).get("/metrics")
    assert failed.status_code == 500
    assert "private" not in failed.text
    error_id = failed.json()["detail"].rpartition(" ")[2]
    lines = logging.Formatter()
    ours = [
        lines.format(each) for each in caplog.records if not each.name.startswith("httpx")
    ]  # the client's
    logged = "\n".join(ours)
    assert f"error {error_id}: GET /metrics" in logged
    assert "/home/ada/private is gone" in logged
    for hidden in (secret, token, browser.cookies["bench_8765"]):
        assert hidden not in logged


def test_event_streams_have_places():
    streams, ada, ben = Streams(4), Caller("ada", Role.READ, "a"), Caller("ben", Role.READ, "b")
    with streams.place(ada), streams.place(ada):
        with pytest.raises(ApiError) as refused, streams.place(ada):
            pass
        assert refused.value.status_code == 429
        with streams.place(ben), streams.place(ben):
            assert streams.open == 4
            with pytest.raises(ApiError), streams.place(Caller("eve", Role.READ, "c")):
                pass
    assert streams.open == 0


def test_a_database_that_is_away_is_no_bug_and_its_place_is_not_told(app, monkeypatch):
    def is_away(_secret):
        raise DatabaseUnavailable("cannot use the PostgreSQL database x at db.example", hint="look at it")

    secret = key(app)
    monkeypatch.setattr(app.state.services.keys, "find", is_away)
    answer = client(app, secret).get(SCHEMA)
    assert answer.status_code == 503
    assert "db.example" not in answer.text
    monkeypatch.undo()
    assert client(app, secret).get(SCHEMA).status_code == 200
