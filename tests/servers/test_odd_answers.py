"""Whatever a server says of itself as JSON is understood, or left out; nothing of it is a traceback."""

from __future__ import annotations

import msgspec
import pytest

from results.errors import BenchError
from servers.effective import read_back
from servers.launch import plan
from servers.request import ServerRequest
from servers.supervisor import launch
from tests.evaluation.running_servers import raw_server
from tests.odd_values import ODD, UNREADABLE

NAMED = '{"data": [{"id": "m"}]}'
PROPS = (
    '{"total_slots": VALUE, "build_info": VALUE, "chat_template": VALUE,'
    ' "default_generation_settings": {"n_ctx": VALUE}}'
)
META = '{"n_ctx_train": VALUE, "n_params": VALUE}'
MODELS = (
    f'{{"data": [VALUE, {{"id": "m", "aliases": [VALUE], "meta": {META}, "max_model_len": VALUE}},'
    ' {"id": "m", "aliases": VALUE, "meta": VALUE}]}'
)
PLACES = {
    "props": {"/props": PROPS},
    "whole props": {"/props": "VALUE"},
    "models": {"/v1/models": MODELS},
    "whole models": {"/v1/models": "VALUE"},
    "name": {"/v1/models": '{"data": [{"id": VALUE}]}'},
    "version": {
        "/v1/models": '{"data": [{"id": "m", "max_model_len": 8}]}',
        "/version": '{"version": VALUE}',
    },
}


def address(url, place, what):
    return f"{url}/{place.replace(' ', '-')}/{what.replace(' ', '-')}"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """The URL of one that answers below /PLACE/WHAT with that value in that place."""
    replies = {"*": {"text": '{"choices": [{"text": "x"}]}'}}
    for place, texts in PLACES.items():
        for what, value in ODD.items():
            there = address("", place, what)
            for path, text in {"/v1/models": NAMED, "/props": "{}", **texts}.items():
                replies[there + path] = {"text": text.replace("VALUE", value)}
    with raw_server(tmp_path_factory.mktemp("odd"), replies) as url:
        yield url


def attached(url):
    return plan(ServerRequest(kind="attach", base_url=url), nonce="ab12")


def effective(url, log):
    """What is recorded of a server that says this, as it is on disk."""
    with launch(attached(url), log_path=log, ready_timeout_s=20) as running:
        found, differences = read_back(running.plan, "")
    assert differences == ()
    return msgspec.json.decode(msgspec.json.encode(found)), running.plan.asked["parallel"]


@pytest.mark.parametrize("what", ODD)
def test_odd_values_in_props(server, log, what):
    found, parallel = effective(address(server, "props", what), log)
    assert set(found) <= {"build", "chat_template_sha256"}
    assert len(found.get("build", "")) <= 200
    assert parallel == 4


@pytest.mark.parametrize("what", ODD)
def test_odd_values_in_place_of_whole_answers(server, log, what):
    assert effective(address(server, "whole props", what), log) == ({}, 4)
    with pytest.raises(BenchError, match="lists no model"):
        attached(address(server, "whole models", what))


@pytest.mark.parametrize("what", ODD)
def test_odd_values_in_the_list_of_models(server, log, what):
    where = address(server, "models", what)
    if what in UNREADABLE:
        with pytest.raises(BenchError, match="lists no model"):
            attached(where)
    else:
        assert effective(where, log) == ({}, 4)


@pytest.mark.parametrize("what", ODD)
def test_odd_names_of_models_and_versions(server, log, what):
    found, _ = effective(address(server, "version", what), log)
    assert {"ctx_size": 8, **found} == found
    assert len(found.get("build", "")) <= 200
    if what in {"a text", "a long text"}:
        assert isinstance(attached(address(server, "name", what)).model_name, str)
    else:
        with pytest.raises(BenchError, match="lists no model"):
            attached(address(server, "name", what))


def test_many_models_are_not_all_named_in_a_message(tmp_path):
    models = {"data": [{"id": f"model-{n}"} for n in range(5000)]}
    with raw_server(tmp_path, {"*": {"json": models}}) as url, pytest.raises(BenchError) as caught:
        attached(url)
    assert caught.value.message.endswith("model-19 and 4980 more")


@pytest.mark.parametrize(
    "text",
    [
        f"load_tensors: offloaded {'9' * 5000}/{'9' * 5000} layers to GPU",
        f"n_threads = {'9' * 5000}",
        "GPU KV cache size: , tokens",
        "Maximum concurrency for 1,024 tokens per request: ...x",
        "Maximum concurrency for 1,024 tokens per request: 1.2.3x",
    ],
)
def test_odd_numbers_in_a_log(server, text):
    found, _ = read_back(attached(address(server, "whole props", "null")), text)
    assert set(found) <= {"threads"}


def test_an_endless_line_in_a_log_takes_no_time(server, log):
    """Patterns search from each place in a line to its end: that is the square of its length."""
    log.write_text("K (f16): Free memory on device " * 20_000)
    with launch(
        attached(address(server, "whole props", "null")), log_path=log, ready_timeout_s=20
    ) as running:
        text = type(running.log)(log).text()
        read_back(running.plan, text)
    assert max(map(len, text.splitlines())) == 2000
