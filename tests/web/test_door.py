"""Nobody gets in without a key, and what is refused is refused in our words."""

from __future__ import annotations

import pytest

from tests.web.door import HERE, app_of, client, key


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
    app.state.services.keys.revoke("key-0")
    assert client(app, secret).get("/metrics").status_code == 401


def test_a_link_becomes_a_cookie_once(app):
    browser = client(app)
    token = app.state.entrance.identity.sessions.link_token("ada")
    entered = browser.get("/enter", params={"token": token})
    assert entered.headers["location"] == "/"
    cookie = entered.headers["set-cookie"].lower()
    assert all(word in cookie for word in ("httponly", "samesite=strict", "path=/"))
    assert browser.get("/metrics").status_code == 200
    assert client(app).get("/enter", params={"token": token}).status_code == 403


def test_another_host_is_refused(app):
    assert client(app, key(app), "http://evil.example").get("/health").status_code == 421


def test_a_form_of_another_origin_is_refused(app):
    secret = key(app)
    for origin in ("null", "http://127.0.0.1:9999", "https://127.0.0.1:8765", "http://evil.example"):
        posted = client(app).post("/login", data={"key": secret}, headers={"Origin": origin})
        assert posted.status_code == 403, origin
    assert client(app).post("/login", data={"key": secret}, headers={"Origin": HERE}).status_code == 303
