"""One request to a server of ours, or to somebody's over HTTPS: in time, and bounded, whatever comes back."""

from __future__ import annotations

import subprocess

import pytest

from results.errors import ServerError, ServerNotReady
from servers.http_probe import MAX_BODY_BYTES, request
from servers.launch import plan
from servers.request import ServerRequest
from servers.supervisor import launch
from settings.base_url import parse_base_url
from tests.evaluation.running_servers import raw_server

DRIPS = {
    "the status line": {"bytes": "HTTP/1.1 200 OK\r\n" + "X: y\r\n" * 5000, "drip": 0.05},
    "the headers": {"json": {}, "headers": {"X-Filler": "x" * 8000}, "drip": 0.05, "drip_after": 40},
    "the body": {"text": "x" * 8000, "drip": 0.05, "drip_after": 90},
    "a body without an end": {
        "bytes": "HTTP/1.1 200 OK\r\n\r\n" + "x" * 8000,
        "drip": 0.05,
        "drip_after": 30,
    },
    "chunks": {
        "bytes": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + "1\r\nx\r\n" * 8000,
        "drip": 0.05,
        "drip_after": 60,
    },
}
NONSENSE = {
    "no HTTP": {"bytes": "SSH-2.0-OpenSSH_9.2\r\n"},
    "nothing": {"bytes": ""},
    "a length that is none": {"bytes": "HTTP/1.1 200 OK\r\nContent-Length: lots\r\n\r\n{"},
    "less than promised": {"bytes": "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"},
    "no chunks": {"bytes": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"},
    "an endless header": {"bytes": "HTTP/1.1 200 OK\r\nX: " + "y" * 100_000},
    "no gzip": {"bytes": "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}"},
    "a redirect to nowhere": {"bytes": "HTTP/1.1 302 X\r\nLocation: http://[\r\nContent-Length: 0\r\n\r\n"},
}


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """The folder of key.pem and cert.pem for localhost."""
    folder = tmp_path_factory.mktemp("certificate")
    made = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost"]
    names = ["-addext", "subjectAltName=DNS:localhost", "-keyout", "key.pem", "-out", "cert.pem"]
    subprocess.run(["openssl", *made, *names], cwd=folder, capture_output=True, check=True)
    return folder


LONG = {"text": " " * 1024, "repeat": 64 * 1024}
REPLIES = {
    "/api/v1/models": {"json": {"data": []}},
    "/long": LONG,
    "/deep": {"text": "[" * 200_000 + "]" * 200_000},
    "/open": {"text": "[" * 200_000},
    **{f"/drip/{number}": reply for number, reply in enumerate(DRIPS.values())},
    **{f"/nonsense/{number}": reply for number, reply in enumerate(NONSENSE.values())},
}


@pytest.fixture(scope="module", params=["http", "https"])
def url(request, tmp_path_factory, certificate):
    """Of the server, over either protocol."""
    folder = tmp_path_factory.mktemp("server")
    if request.param == "http":
        with raw_server(folder, REPLIES) as found:
            yield found
        return
    options = ("--cert", certificate / "cert.pem", "--key", certificate / "key.pem")
    with raw_server(folder, REPLIES, *options) as found, pytest.MonkeyPatch.context() as patch:
        patch.setenv("REQUESTS_CA_BUNDLE", str(certificate / "cert.pem"))
        yield found.replace("http://127.0.0.1", "https://localhost")


def test_https_checks_the_certificate_and_takes_the_user_s_own(url, monkeypatch):
    answer = request(parse_base_url(f"{url}/api"), "/v1/models", api_key="k")
    assert (answer.status, answer.json()) == (200, {"data": []})
    assert "Authorization: Bearer k" in request(parse_base_url(url), "/asked").json()[-1][2]
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
    if url.startswith("https"):
        assert request(parse_base_url(f"{url}/api"), "/v1/models", api_key="k") is None


def test_nobody_there_is_none_over_https_too():
    assert request(parse_base_url("https://localhost:1"), "/health") is None
    assert request(parse_base_url("http://127.0.0.1:1"), "/health") is None


@pytest.mark.parametrize("what", DRIPS)
def test_an_answer_must_be_whole_in_time(url, what):
    """A timeout of each read begins anew with each byte: such a server held a run for ever."""
    assert request(parse_base_url(url), f"/drip/{list(DRIPS).index(what)}", timeout_s=0.2) is None


@pytest.mark.parametrize("what", NONSENSE)
def test_what_is_no_answer_is_none(url, what):
    answer = request(parse_base_url(url), f"/nonsense/{list(NONSENSE).index(what)}", timeout_s=5)
    assert answer is None or answer.json() in (None, {}), answer


def test_a_long_answer_is_cut_and_said_to_be(url):
    answer = request(parse_base_url(url), "/long", timeout_s=60)
    assert len(answer.body) == MAX_BODY_BYTES
    assert answer.json() is None
    assert answer.text() == "an answer of more than 16 MiB"


@pytest.mark.parametrize("path", ["/deep", "/open"])
def test_json_too_deep_to_be_read_is_no_json(url, path):
    assert request(parse_base_url(url), path).json() is None


@pytest.mark.parametrize("what", ["the headers", "the body"])
def test_the_ready_timeout_counts_while_health_drips(tmp_path, log, what):
    healthy = {"/v1/models": {"json": {"data": [{"id": "m"}]}}}
    with raw_server(tmp_path, {**healthy, "/health": {"replies": [{"json": {}}, DRIPS[what]]}}) as url:
        attached = plan(ServerRequest(kind="attach", base_url=url), nonce="ab12")
        with pytest.raises(ServerNotReady, match=r"not ready after 0\.2 s: nothing answers at .*/health"):
            launch(attached, log_path=log, ready_timeout_s=0.2)


def test_a_list_of_models_that_is_too_long_is_told(tmp_path):
    with (
        raw_server(tmp_path, {"/v1/models": LONG}) as url,
        pytest.raises(ServerError, match="/v1/models returned an answer of more than 16 MiB"),
    ):
        plan(ServerRequest(kind="attach", base_url=url), nonce="ab12")


def test_a_key_that_a_server_repeats_is_not_read(tmp_path):
    """What it says of a refusal stands in messages and records."""
    said = {"status": 401, "json": {"error": "the key sk-0123456789 is not known"}}
    with raw_server(tmp_path, {"*": said}) as url:
        answer = request(parse_base_url(url), "/v1/models", api_key="sk-0123456789")
    assert answer.status == 401
    assert answer.json() == {"error": "the key *** is not known"}
