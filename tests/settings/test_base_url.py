"""One reading of a server's address, for the harness and for the scripts."""

from __future__ import annotations

import pytest

from results.errors import UsageError
from settings.base_url import parse_base_url


@pytest.mark.parametrize(
    ("text", "url", "host", "port"),
    [
        ("h:1", "http://h:1", "h", 1),
        (" http://h:1/v1/ ", "http://h:1", "h", 1),
        ("http://h", "http://h", "h", 80),
        ("https://api.example/v1", "https://api.example", "api.example", 443),
        ("https://h/openai/v1", "https://h/openai", "h", 443),
        ("http://[::1]:8080/", "http://[::1]:8080", "::1", 8080),
    ],
)
def test_an_address_in_any_usual_form(text, url, host, port):
    found = parse_base_url(text)
    assert (found.url, found.host, found.port) == (url, host, port)
    assert parse_base_url(found.url) == found


@pytest.mark.parametrize(
    ("text", "local"),
    [("localhost", True), ("127.8.9.1:80", True), ("[::1]:1", True), ("0.0.0.0:1", True), ("h", False),
     ("127.evil", False)],
)  # fmt: skip
def test_a_server_on_this_machine_is_known_as_one(text, local):
    assert parse_base_url(text).is_local is local


@pytest.mark.parametrize(
    "text",
    [
        "http://u:secret@h",
        "u:secret@h:0",
        "ftp://u:secret@h",
        "http://u:se/cret@h",
        "http://u:secret@h:99999",
    ],
)
def test_no_message_repeats_a_password(text):
    with pytest.raises(UsageError) as caught:
        parse_base_url(text)
    assert "cret" not in caught.value.message


@pytest.mark.parametrize(
    "text", ["", "/", "http://h/ä", "http://h/a b", "http://h/\x1b", "http://h:x", "http://h?a=b"]
)
def test_what_no_request_can_be_sent_to_is_refused(text):
    with pytest.raises(UsageError, match="--base-url"):
        parse_base_url(text)
