"""What other people's pages could make a browser send here is refused, and nothing of ours is shown within theirs."""

from __future__ import annotations

import pytest

from tests.web.door import HERE, HOST, app_of, client, key
from web.access.door import HEADERS

PATHS = (
    "/health", "/nowhere", "/login", "/enter", "/static/site.css", "/static/nowhere", "/metrics",
    "/api/v1/benchmarking/openapi.json", "/api/v1/benchmarking/nowhere", "/",
)  # fmt: skip
NAVIGATES = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", "Sec-Fetch-User": "?1"}


@pytest.fixture(scope="module")
def app(tmp_path_factory):
    return app_of(tmp_path_factory.mktemp("door"))


@pytest.fixture(scope="module")
def browser(app):
    return entered(app)


def entered(app):
    """Somebody who came by a link, with its cookie."""
    there = client(app)
    token = app.state.entrance.identity.sessions.link_token("ada")
    assert there.get("/enter", params={"token": token}).status_code == 303
    return there


@pytest.mark.parametrize("path", PATHS)
def test_every_answer_has_the_headers(app, browser, path):
    """Of strangers and of known ones, good or not: no frame, no foreign script, nothing kept by caches."""
    for asked in (client(app).get(path), browser.get(path), browser.post(path), browser.options(path)):
        for name, value in HEADERS.items():
            assert asked.headers[name] == value, (path, asked.status_code, name)
        if not path.startswith("/static/site"):
            assert asked.headers["cache-control"] == "no-store"
        assert "access-control-allow-origin" not in asked.headers
        assert "server" not in asked.headers


def test_the_policy_forbids_what_pages_could_do():
    policy = HEADERS["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert "http" not in policy.replace("https://", "")
    for rule in ("default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'"):
        assert rule in policy


FOREIGN = {
    "another site": {"Origin": "http://evil.example", "Sec-Fetch-Site": "cross-site"},
    "another site, old browser": {"Origin": "http://evil.example"},
    "a sandboxed frame": {"Origin": "null", "Sec-Fetch-Site": "cross-site"},
    "a file": {"Origin": "null"},
    "another port": {"Origin": "http://127.0.0.1:3000", "Sec-Fetch-Site": "same-site"},
    "another port, old browser": {"Origin": "http://127.0.0.1:3000"},
    "no port": {"Origin": "http://127.0.0.1"},
    "another scheme": {"Origin": f"https://{HOST}"},
    "another name of this machine": {"Origin": "http://localhost:8765"},
    "a longer name": {"Origin": f"http://{HOST}.evil.example"},
    "another user": {"Origin": f"http://evil.example@{HOST}"},
    "a fetch of another site without Origin": {"Sec-Fetch-Site": "cross-site"},
    "typed": {"Sec-Fetch-Site": "none"},
    "neither Origin nor Sec-Fetch-Site": {},
    "an empty Origin": {"Origin": ""},
}


@pytest.mark.parametrize("case", FOREIGN)
def test_a_form_with_our_cookie_from_elsewhere_is_refused(browser, case):
    assert browser.post("/logout", headers=FOREIGN[case]).status_code == 403


@pytest.mark.parametrize(
    "headers",
    [{"Origin": HERE}, {"Sec-Fetch-Site": "same-origin"}, {"Origin": HERE, "Sec-Fetch-Site": "same-origin"}],
)
def test_our_own_form_is_taken(app, headers):
    assert entered(app).post("/logout", headers=headers).status_code == 303


def test_a_key_in_a_header_is_no_way_round(app):
    """A program needs no Origin; a page that was given a key still can't use it from elsewhere."""
    program = client(app, key(app))
    assert program.post("/logout").status_code == 303
    assert program.post("/logout", headers={"Origin": "http://evil.example"}).status_code == 403
    assert program.post("/logout", headers={"Origin": "null"}).status_code == 403


def test_no_page_of_others_loads_ours_as_a_part(app):
    there = entered(app)
    for site in ("cross-site", "same-site"):
        for how in (
            {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"},
            {"Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"},
            {"Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "script"},
            {"Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"},
        ):
            assert there.get("/metrics", headers={"Sec-Fetch-Site": site, **how}).status_code == 403
    assert there.get("/metrics", headers={"Sec-Fetch-Site": "cross-site", **NAVIGATES}).status_code == 200


def test_a_link_from_elsewhere_comes_back_with_its_cookie(app):
    """Strict cookies don't come along with it: a page of ours asks again, once, before anybody has to sign in."""
    asked = client(app).get("/runs?label=a", headers={"Sec-Fetch-Site": "cross-site", **NAVIGATES})
    assert asked.status_code == 200
    assert '<meta http-equiv="refresh" content="0">' in asked.text
    again = client(app).get("/runs?label=a", headers={"Sec-Fetch-Site": "same-origin", **NAVIGATES})
    assert again.headers["location"] == "/login?next=/runs%3Flabel%3Da"


def test_a_preflight_allows_nothing(app):
    asked = client(app, key(app)).options(
        "/metrics", headers={"Origin": "http://evil.example", "Access-Control-Request-Method": "POST"}
    )
    assert asked.status_code in {403, 405}
    assert not [name for name in asked.headers if name.startswith("access-control")]


@pytest.mark.parametrize(
    "name",
    [
        "evil.example", "evil.example:8765", "127.0.0.1.evil.example", "localhost.evil.example", "0.0.0.0:8765",
        "127.0.0.2:8765", "[::2]:8765", "localhost.", "2130706433", "0x7f.1", "127.1", "", "localhost:8765:8765",
        "localhost:99999999", "localhost\t", "127.0.0.1,evil.example", "bench.example.com.evil",
    ],
)  # fmt: skip
def test_a_name_that_isnt_ours_is_refused(app, name):
    assert client(app, key(app)).get("/health", headers={"Host": name}).status_code in {400, 421}


def test_names_of_ours_are_taken(tmp_path):
    """Loopback by any port, as a tunnel has it; the operator's by any port unless they named one."""
    app = app_of(tmp_path, allowed_hosts=("bench.example.com", "other.example.com:8443"))
    for name in (
        "localhost", "localhost:9000", "127.0.0.1:1", "[::1]:8765", "LocalHost", "bench.example.com",
        "BENCH.example.com:444", "other.example.com:8443",
    ):  # fmt: skip
        assert client(app).get("/health", headers={"Host": name}).status_code == 200, name
    for name in ("other.example.com", "other.example.com:80"):
        assert client(app).get("/health", headers={"Host": name}).status_code == 421, name


@pytest.mark.parametrize(
    "target",
    [
        "//evil.example", "https://evil.example/", "/\\evil.example", "\\\\evil.example", "javascript:alert(1)",
        "/\t/evil.example", "/\n/evil.example", "evil.example", "", "///evil.example", "/ /evil.example",
        "/%0d%0aSet-Cookie: a=b\r\nX: y", "/\x00", "http:/evil.example", "/\u2028/evil.example",
    ],
)  # fmt: skip
def test_next_leads_nowhere_else(app, target):
    posted = client(app).post("/login", data={"key": key(app), "next": target}, headers={"Origin": HERE})
    assert posted.status_code == 303
    there = posted.headers["location"]
    assert there.startswith("/")
    assert not there.startswith(("//", "/\\"))
    assert "evil" not in there.split("/")[1]
    assert "a=b" not in posted.headers["set-cookie"]


def test_next_leads_on_within_our_pages(app):
    posted = client(app).post(
        "/login", data={"key": key(app), "next": "/runs?label=a&b=c"}, headers={"Origin": HERE}
    )
    assert posted.headers["location"] == "/runs?label=a&b=c"


def test_what_a_proxy_would_say_is_believed_of_proxies_only(tmp_path):
    """An X-Forwarded-Proto of a stranger doesn't make the cookie Secure or the origin https; a proxy's does."""
    said = {
        "X-Forwarded-Proto": "https",
        "X-Forwarded-For": "203.0.113.9",
        "X-Forwarded-Host": "evil.example",
    }
    for number, proxies in enumerate(((), ("testclient",))):
        (tmp_path / str(number)).mkdir()
        app = app_of(tmp_path / str(number), proxies=proxies)
        origin = f"https://{HOST}" if proxies else HERE
        there = client(app).post("/login", data={"key": key(app)}, headers={"Origin": origin, **said})
        assert there.status_code == 303
        cookie = there.headers["set-cookie"]
        assert ("Secure" in cookie) == bool(proxies)
        assert cookie.startswith("__Host-bench_8765=" if proxies else "bench_8765=")
