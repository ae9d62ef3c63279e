"""Requests are tried again when that can help, never blindly, and a dead server is waited for."""

from __future__ import annotations

import asyncio
import os
import signal
import ssl
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from evaluation.loop.requests import request_seed
from evaluation.models.connection import ConnectionInfo, build_connection_info
from evaluation.models.exchange import Exchange
from evaluation.models.failures import Refused
from evaluation.models.prompt_style import choose_style
from evaluation.models.providers import get_interface_for_provider
from evaluation.protocols import PromptStyle, Request
from results.errors import ServerError, ServerNotReady, UsageError
from servers.ports import free_port
from tests.evaluation.running_servers import (
    PROGRAM,
    asked_of,
    canonical_server,
    posts,
    raw_server,
    scripted_provider,
)

pytestmark = pytest.mark.slow

ASK = Request(task_id="t", index=0, style=PromptStyle.CHAT, system="", user="def add(x: int, y: int):")
ROOT = Path(__file__).parents[2]
DEAD = "http://127.0.0.1:1"


def generate(url, *requests, server_wait=5.0, outages=None, **config):
    async def main():
        info = build_connection_info("local", {"base_url": url, "model": "m", "seed": 0, **config})
        interface = get_interface_for_provider(
            info, server_wait=server_wait, on_outage=(outages if outages is not None else []).append
        )
        async with interface:
            return await asyncio.gather(*map(interface.generate, requests or [ASK]))

    return asyncio.run(main())


def connect(url, *, retries=1, timeout=60.0, provider="local", **config):
    async def main():
        info = build_connection_info(provider, {"base_url": url, **config})
        async with get_interface_for_provider(info) as interface:
            await interface.check_connection(retries, timeout)

    asyncio.run(main())


def test_an_answer_that_takes_too_long_names_the_option():
    with canonical_server("--delay", 5) as url:
        (answer,) = generate(url, timeout=0.2, max_retries=0)
    assert answer.error == "no answer within 0.2 s (--request-timeout)"


def test_an_answer_has_its_text_tokens_and_time():
    with canonical_server() as url:
        (answer,) = generate(url)
    assert "def add" in answer.text
    assert answer.finish_reason == "stop"
    assert answer.prompt_tokens == len(ASK.user) // 4
    assert answer.completion_tokens > 0
    assert answer.request_s > 0
    assert (answer.attempts, answer.error) == (1, "")


@pytest.mark.parametrize("status", [500, 502, 503])
def test_a_failing_server_is_asked_again(status):
    with canonical_server("--fail-first", 2, "--fail-status", status) as url:
        (answer,) = generate(url)
    assert (answer.attempts, answer.error) == (3, "")


def test_too_many_requests_are_held_back_as_long_as_the_server_says():
    started = time.monotonic()
    with canonical_server("--fail-first", 1, "--fail-status", 429, "--retry-after", 0.7) as url:
        (answer,) = generate(url)
    assert "def add" in answer.text
    assert time.monotonic() - started > 0.7


def test_a_limit_that_is_not_lifted_in_time_ends_the_run_and_is_no_answer():
    with (
        canonical_server("--fail-first", 99, "--fail-status", 429, "--retry-after", 0.1) as url,
        pytest.raises(ServerError, match="takes no more requests"),
    ):
        generate(url, rate_limit_patience=0.5)


def test_many_requests_beyond_a_limit_are_all_answered():
    """By a provider that was not known to have one."""
    with scripted_provider("--rate", 8, "--burst", 4, "--retry-after", "nonsense") as url:
        answers = generate(url, *[ASK] * 12)
        asked = asked_of(url)
    assert [(answer.text, answer.error) for answer in answers] == [("ok", "")] * 12
    assert 429 in {each["status"] for each in asked}


def test_tries_are_bounded():
    with canonical_server("--fail-first", 99) as url:
        (answer,) = generate(url, max_retries=2)
        assert posts(url) == 3
    assert answer.error == "HTTP status 500: try again, 3 times"


def test_the_time_of_all_tries_is_bounded_too():
    with canonical_server("--fail-first", 99) as url:
        (answer,) = generate(url, max_retries=4, timeout=0.3)
    assert answer.attempts < 5  # all five would take 3.75 s, and two timeouts are 0.6 s
    assert answer.error.startswith("HTTP status 500: try again")


def test_a_refused_request_is_not_tried_again():
    with canonical_server("--mode", "refuse") as url:
        (answer,) = generate(url)
        assert posts(url) == 1
    assert answer.error == "HTTP status 422: cannot do that"


def test_a_prompt_too_long_for_a_slot_is_called_that():
    with canonical_server("--mode", "overflow") as url:
        (answer,) = generate(url)
    assert answer.error.startswith("prompt does not fit the context of a slot: request (612 tokens) exceeds")


def test_a_server_that_knows_no_such_endpoint_ends_it():
    with (
        canonical_server("--no-chat") as url,
        pytest.raises(ServerError, match="rejected /v1/chat/completions with 404"),
    ):
        generate(url)


def test_a_dead_server_is_waited_for_and_that_is_no_attempt():
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    outages = []

    async def main():
        info = build_connection_info("local", {"base_url": url, "max_retries": 0})
        interface = get_interface_for_provider(info, server_wait=60, on_outage=outages.append)
        async with interface:
            waiting = asyncio.gather(*map(interface.generate, [ASK] * 5))
            await asyncio.sleep(0.5)
            process = subprocess.Popen(  # noqa: ASYNC220 - a start of milliseconds
                [sys.executable, PROGRAM, "--port", str(port)], stdout=subprocess.DEVNULL
            )
            try:
                return await waiting
            finally:
                process.kill()
                process.wait()

    answers = asyncio.run(main())
    assert [answer.error for answer in answers] == [""] * 5
    assert outages == [True, False]


def test_a_server_that_stays_dead_is_given_up_in_time():
    with pytest.raises(ServerNotReady, match=r"not back within 0\.3 s") as error:
        generate(DEAD, server_wait=0.3)
    assert error.value.exit_code == 3


def test_a_request_that_kills_the_server_each_time_does_not_go_on_for_ever():
    port = free_port()
    script = f"while :; do '{sys.executable}' '{PROGRAM}' --port {port} --die-after 0 >/dev/null; done"
    with subprocess.Popen(["bash", "-c", script], start_new_session=True) as process:
        try:
            (answer,) = generate(f"http://127.0.0.1:{port}", server_wait=60)
        finally:
            os.killpg(process.pid, signal.SIGKILL)
    assert answer.error


def test_nobody_there_is_a_server_error():
    with pytest.raises(ServerNotReady, match=r"no model server answers at http://127\.0\.0\.1:1"):
        connect(DEAD)


def test_a_proxy_is_not_asked_for_loopback(monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", DEAD)
    monkeypatch.setenv("http_proxy", DEAD)
    with canonical_server() as url:
        connect(url + "/v1/")


ASK_BOTH = """
import asyncio, sys
from evaluation.loop.requests import request_seed
from evaluation.models.connection import build_connection_info
from evaluation.models.providers import get_interface_for_provider
from results.errors import ServerError
async def connect(url):
    async with get_interface_for_provider(build_connection_info("local", {"base_url": url}), server_wait=0) as found:
        await found.check_connection(0, 30)
asyncio.run(connect(sys.argv[1]))
try: asyncio.run(connect(sys.argv[2]))
except ServerError as error: print(error.message)
"""


@pytest.mark.parametrize("trusted", [True, False])
def test_certificates_are_checked_also_after_a_server_that_needs_none(tmp_path, trusted):
    """aiohttp is imported without any where a server on this machine is asked; another one is asked with them."""
    key, certificate = tmp_path / "key", tmp_path / "certificate"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", certificate,
         "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"], check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with canonical_server() as plain, ThreadingHTTPServer(("127.0.0.1", 0), Healthy) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        done = subprocess.run(
            [sys.executable, "-c", ASK_BOTH, plain, f"https://localhost:{server.server_address[1]}"],
            capture_output=True, text=True, cwd=ROOT, check=False,
            env={**os.environ, **({"SSL_CERT_FILE": str(certificate)} if trusted else {})},
        )  # fmt: skip
        server.shutdown()
        serving.join()
    assert done.returncode == 0, done.stderr
    assert ("certificate" in done.stdout) is not trusted, done.stdout


class Healthy(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_):
        pass


def test_a_model_that_ends_its_turn_is_asked_in_chat_style():
    assert style_of("--mode", "canonical").chosen is PromptStyle.CHAT


def test_a_server_without_chat_is_given_a_text_to_go_on_with():
    choice = style_of("--no-chat")
    assert choice.chosen is PromptStyle.COMPLETION
    assert "no chat here" in choice.observed


def style_of(*options):
    async def main(url):
        async with get_interface_for_provider(build_connection_info("local", {"base_url": url})) as interface:
            return await choose_style(interface, await interface.properties())

    with canonical_server(*options) as url:
        return asyncio.run(main(url))


def test_a_seed_belongs_to_the_completion_and_to_nothing_else():
    seeds = {request_seed(seed, task, index) for seed in (0, 1) for task in "ab" for index in range(10)}
    assert len(seeds) == 40
    assert all(0 <= seed < 2**31 for seed in seeds)
    assert request_seed(0, "HumanEval/0", 0) == request_seed(0, "HumanEval/0", 0)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({}, "not the URL of a server: ''"),
        ({"base_url": "ftp://x"}, "not the URL"),
        ({"base_url": "http://"}, "not the URL"),
        ({"base_url": "http://h:99999"}, "not the URL"),
        ({"base_url": "http://h", "timeout": 0}, "timeout is 0"),
        ({"base_url": "http://h", "max_retries": -1}, "max_retries is -1"),
        ({"base_url": "http://h", "temperature": float("nan")}, "temperature: nan is out of range"),
        ({"base_url": "http://h", "max_tokens": 0}, "max_tokens: 0 is out of range"),
        ({"base_url": "http://h", "api_key_env": "NO_SUCH_KEY"}, "NO_SUCH_KEY"),
        ({"base_url": "http://h", "tempurature": 1}, "unknown setting 'tempurature'"),
    ],
)
def test_a_bad_setting_is_named(config, message):
    with pytest.raises(UsageError, match=message):
        build_connection_info("local", config)


def test_an_unknown_provider_is_named():
    with pytest.raises(UsageError, match="unknown provider 'oracle'"):
        build_connection_info("oracle", {})


@pytest.mark.parametrize("url", ["http://h:1", "http://h:1/", "http://h:1/v1", "http://h:1/v1/", "h:1"])
def test_a_url_may_be_given_in_any_usual_form(url):
    assert build_connection_info("local", {"base_url": url}).base_url == "http://h:1"


def test_the_key_comes_from_the_environment_and_is_not_shown(monkeypatch):
    monkeypatch.setenv("MY_KEY", "secret")
    info = build_connection_info("local", {"base_url": "http://h", "api_key_env": "MY_KEY"})
    assert isinstance(info, ConnectionInfo)
    assert info.api_key == "secret"
    assert "secret" not in repr(info)


def test_an_interface_may_name_provider_and_model_itself():
    """A connection can be shared by models."""
    info = build_connection_info(
        provider_type="openai", provider_config={"base_url": "https://api.openai.com/v1", "api_key": "k"}
    )
    found = get_interface_for_provider(provider_type="openai", connection_info=info, model_name="gpt-4o-mini")
    assert (found.info.model, found.info.base_url + found.info.api_path) == (
        "gpt-4o-mini",
        "https://api.openai.com/v1",
    )
    assert not found.supports.completions


def test_a_provider_has_its_own_root_and_key(monkeypatch):
    monkeypatch.setenv("GOOGLE_API_KEY", "k-google")
    monkeypatch.delenv("GEMINI_API_KEY", raising=False)
    info = build_connection_info("gemini", {"model": "m"})
    assert (info.base_url, info.api_path) == ("https://generativelanguage.googleapis.com/v1beta/openai", "")
    assert info.api_key == "k-google"
    assert "k-google" not in repr(info)
    monkeypatch.delenv("GOOGLE_API_KEY")
    with pytest.raises(UsageError, match="GEMINI_API_KEY with the API key is not set"):
        build_connection_info("gemini", {"model": "m"})


@pytest.mark.parametrize("provider", ["anthropic", "openai", "gemini", "ollama"])
def test_no_key_goes_where_a_provider_redirects(provider, tmp_path):
    """Neither with a question nor with a look whether it lives: a client drops only one kind of header by itself."""
    with scripted_provider() as other:
        away = {"status": 302, "headers": {"Location": other + "/v1/models"}, "json": {}}
        with raw_server(tmp_path, {"*": away}) as url:
            with pytest.raises(ServerError, match="redirects to another address"):
                connect(url, provider=provider, api_key="sk-0123456789", retries=0)

            async def look():
                info = build_connection_info(provider, {"base_url": url, "api_key": "sk-0123456789"})
                async with Exchange(info, server_wait=0.0, on_outage=lambda _: None) as exchange:
                    with pytest.raises(Refused):
                        await exchange.send("/v1/messages", {})
                    await exchange._watch.lives()

            asyncio.run(look())
        assert asked_of(other) == []
