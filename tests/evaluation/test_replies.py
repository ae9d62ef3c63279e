"""Whatever a server sends is an answer that is understood, or that request's error: never a traceback."""

from __future__ import annotations

import asyncio
import email.utils
import gzip
import json
import time

import aiohttp
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.models.choice_logprobs import choice_probabilities, first_token
from evaluation.models.connection import build_connection_info
from evaluation.models.providers import get_interface_for_provider
from evaluation.models.replies import (
    MAX_RETRY_AFTER_S,
    NotAnAnswer,
    error_message,
    error_status,
    read_answer,
    read_properties,
    retry_after_s,
)
from evaluation.models.streaming import Streamed, stream_completion
from evaluation.protocols import Answer, PromptStyle, Request
from results.json_text import whole_number
from tests.evaluation.running_servers import raw_server
from tests.odd_values import DEEPER, ODD, UNREADABLE

WHOLE = {
    "usage": '{"choices": [{"message": {"content": "yes"}}], "usage": VALUE}',
    "timings": '{"choices": [{"message": {"content": "yes"}}], "timings": VALUE}',
    "token counts": '{"choices": [{"message": {"content": "yes"}}], "usage": {"prompt_tokens": VALUE,'
    ' "completion_tokens": VALUE}, "timings": {"prompt_n": VALUE, "predicted_n": VALUE}}',
    "finish_reason": '{"choices": [{"message": {"content": "yes"}, "finish_reason": VALUE}]}',
    "reasoning": '{"choices": [{"message": {"content": "yes", "reasoning_content": VALUE}}]}',
    "content": '{"choices": [{"message": {"content": VALUE}}]}',
    "message": '{"choices": [{"message": VALUE}]}',
    "choice": '{"choices": [VALUE]}',
    "choices": '{"choices": VALUE}',
    "answer": "VALUE",
}
LOGPROBS = {
    place: f'{{"choices": [{{"text": "A", "logprobs": {text}}}]}}'
    for place, text in {
        "logprobs": "VALUE",
        "content": '{"content": VALUE}',
        "top": '{"content": [{"top_logprobs": [VALUE]}]}',
        "token": '{"content": [{"top_logprobs": [{"token": VALUE, "logprob": 0}]}]}',
        "logprob": '{"content": [{"top_logprobs": [{"token": "A", "logprob": VALUE}]}]}',
        "tops": '{"top_logprobs": [{"A": VALUE}]}',
    }.items()
}
CHUNKS = {
    "usage": '{"choices": [{"text": "x", "finish_reason": "stop"}], "usage": VALUE}',
    "timings": '{"choices": [{"text": "x", "finish_reason": "stop"}], "timings": VALUE}',
    "counts": '{"choices": [{"text": "x", "finish_reason": "stop"}], "usage": {"prompt_tokens": VALUE,'
    ' "completion_tokens": VALUE, "prompt_tokens_details": {"cached_tokens": VALUE}}, "timings":'
    ' {"cache_n": VALUE, "prompt_per_second": VALUE, "predicted_per_second": VALUE}}',
    "text": '{"choices": [{"text": VALUE, "finish_reason": "stop"}]}',
    "finish_reason": '{"choices": [{"text": "x", "finish_reason": VALUE}]}',
    "choice": '{"choices": [VALUE]}',
    "choices": '{"choices": VALUE}',
    "error": '{"error": VALUE}',
    "chunk": "VALUE",
}


def kept(answer: Answer) -> Answer:
    """As it would be on disk."""
    return msgspec.json.decode(msgspec.json.encode(answer), type=Answer)


@pytest.mark.parametrize("what", ODD)
@pytest.mark.parametrize("place", WHOLE)
def test_an_odd_value_in_an_answer(place, what):
    raw = WHOLE[place].replace("VALUE", ODD[what]).encode()
    try:
        answer = read_answer(raw, PromptStyle.CHAT, 1.0)
    except NotAnAnswer as error:
        answer = Answer(error=str(error))
    assert kept(answer) == answer
    assert len(answer.error) < 1000
    assert len(answer.finish_reason) <= 100
    assert (answer.prompt_tokens, answer.completion_tokens) == (None, None)
    if place in {"usage", "timings", "token counts", "finish_reason", "reasoning"} and what not in UNREADABLE:
        assert (answer.text, answer.error) == ("yes", "")


@pytest.mark.parametrize(
    ("said", "count"),
    [(10, 10), (10.0, 10), (0, 0), (10.5, None), (True, None), ("10", None), (-1, None), (2**53, None), ([], None)],
)  # fmt: skip
def test_token_counts_are_whole_numbers_or_none(said, count):
    assert whole_number(said) == count
    usage = {"prompt_tokens": said, "completion_tokens": said}
    raw = json.dumps({"choices": [{"text": "x"}], "usage": usage, "timings": {"prompt_n": 7}}).encode()
    answer = read_answer(raw, PromptStyle.COMPLETION, 1.0)
    assert answer.completion_tokens == count
    assert answer.prompt_tokens == (7 if count is None else count)


def test_token_counts_in_the_words_of_anthropic_and_openais_responses():
    usage = {"input_tokens": 10, "output_tokens": 3}
    answer = read_answer(
        json.dumps({"choices": [{"text": "x"}], "usage": usage}).encode(), PromptStyle.COMPLETION, 1.0
    )
    assert (answer.prompt_tokens, answer.completion_tokens) == (10, 3)


@pytest.mark.parametrize("what", ODD)
@pytest.mark.parametrize("place", LOGPROBS)
def test_an_odd_value_in_log_probabilities(place, what):
    raw = LOGPROBS[place].replace("VALUE", ODD[what]).encode()
    try:
        likely = first_token(raw)
    except ValueError:
        return
    found = choice_probabilities(likely or {}, ("A", "B"), PromptStyle.CHAT)
    assert all(0 <= value <= 1.01 for value in found.values())


@pytest.mark.parametrize("what", ODD)
def test_odd_properties(what):
    found = read_properties(f'{{"total_slots": {ODD[what]}, "chat_template": "x"}}'.encode())
    assert "total_slots" not in found
    assert isinstance(read_properties(ODD[what].encode()), dict)
    assert read_properties(b'{"total_slots": 4}') == {"total_slots": 4}
    assert read_properties(b'{"total_slots": 1000000}') == {}


@pytest.mark.parametrize("what", ODD)
@pytest.mark.parametrize("place", ["VALUE", '{"error": VALUE}', '{"error": {"message": VALUE}}'])
def test_an_odd_error_is_a_short_line(place, what):
    said = error_message(place.replace("VALUE", ODD[what]).encode())
    assert 0 < len(said) <= 300
    assert said.encode()


@given(
    st.recursive(st.none() | st.booleans() | st.floats() | st.integers() | st.text(), st.lists) | st.text()
)
def test_anything_at_all_is_an_answer_or_none(value):
    for style in PromptStyle:
        for place in WHOLE.values():
            raw = place.replace("VALUE", json.dumps(value)).encode()
            try:
                answer = read_answer(raw, style, 1.0)
            except NotAnAnswer:
                continue
            assert kept(answer) == answer


def test_an_error_beside_choices_is_an_error():
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "def f("}}
    said = {"code": 502, "message": "upstream closed"}
    broken = read_answer(json.dumps({"choices": [choice], "error": said}).encode(), PromptStyle.CHAT, 1.0)
    assert broken.error == "the server broke off the answer (stop): upstream closed"
    for nothing in (None, {}, ""):
        raw = json.dumps({"choices": [choice], "error": nothing}).encode()
        assert (read_answer(raw, PromptStyle.CHAT, 1.0).error, error_status(raw)) == ("", None)
    assert [error_status(json.dumps({"choices": none, "error": said}).encode()) for none in ([], None)] == [
        502
    ] * 2


@pytest.mark.parametrize(
    "header", [None, "", "nan", "inf", "-1", "1e9", "soon", "0x10", "٣", "1, 2", "Wed, 40 Foo"]
)
def test_a_nonsensical_time_to_wait_is_ignored(header):
    assert retry_after_s(header) is None


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("0", 0), ("2", 2), (" 1.5 ", 1.5), ("86400", MAX_RETRY_AFTER_S), ("Wed, 21 Oct 2015 07:28:00 GMT", 0),
     ("Wed, 21 Oct 2099 07:28:00 GMT", MAX_RETRY_AFTER_S), ("999999999999999", MAX_RETRY_AFTER_S)],
)  # fmt: skip
def test_a_time_to_wait_is_a_number_or_a_date_and_bounded(header, seconds):
    assert retry_after_s(header) == seconds


def test_a_date_to_wait_for_is_understood():
    soon = email.utils.formatdate(time.time() + 30, usegmt=True)
    assert 20 < retry_after_s(soon) <= 30


@given(st.text(max_size=60))
def test_any_time_to_wait_is_bounded(header):
    seconds = retry_after_s(header)
    assert seconds is None or 0 <= seconds <= MAX_RETRY_AFTER_S


def ask(url, style=PromptStyle.CHAT):
    async def main():
        info = build_connection_info("local", {"base_url": url, "model": "m", "max_retries": 0})
        async with get_interface_for_provider(info, server_wait=1.0) as interface:
            request = Request(task_id="t", index=0, style=style, system="", user="x")
            properties = await interface.properties()
            answer = await interface.generate(request)
            return answer, properties

    return asyncio.run(main())


def stream(url, path="/v1/completions") -> Streamed:
    async def main():
        timeout = aiohttp.ClientTimeout(total=60)
        async with aiohttp.ClientSession(timeout=timeout) as session:
            return await stream_completion(session, url + path, b"{}")

    return asyncio.run(main())


def zipped(data: bytes) -> str:
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(data)}\r\n\r\n"
    return head + data.decode("latin-1")


BROKEN = {
    "no HTTP": {"bytes": "SSH-2.0-OpenSSH_9.2\r\n"},
    "nothing": {"bytes": ""},
    "a length that is none": {"bytes": "HTTP/1.1 200 OK\r\nContent-Length: lots\r\n\r\n{"},
    "less than promised": {"bytes": "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"},
    "no chunks": {"bytes": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"},
    "an endless header": {"bytes": "HTTP/1.1 200 OK\r\nX: " + "y" * 100_000},
    "no gzip": {"bytes": "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}"},
    "a redirect to nowhere": {"bytes": "HTTP/1.1 302 X\r\nLocation: http://[\r\nContent-Length: 0\r\n\r\n"},
    "a redirect to a file": {"bytes": "HTTP/1.1 302 X\r\nLocation: file:///etc\r\nContent-Length: 0\r\n\r\n"},
    "a circle": {"bytes": "HTTP/1.1 307 X\r\nLocation: /v1/completions\r\nContent-Length: 0\r\n\r\n"},
    "a cookie": {"json": {}, "headers": {"Set-Cookie": "\u00ff=;;;=\u00ff"}},
    "too long": {"text": " " * 1024, "repeat": 80 * 1024},
    "too long, packed": {"bytes": zipped(gzip.compress(b" " * (80 << 20)))},
    "a refusal that is too long": {"text": "no! " * 256, "repeat": 80 * 1024, "status": 400},
    "too deep": {"text": DEEPER},
}


EVENT = '{"choices": [{"text": "x", "finish_reason": null}]}'
STREAMS = {
    "a line without end": ({"text": "data: " + "x" * 1000, "repeat": 100_000}, "an event of more than 1 MiB"),
    "too long": ({"stream": ["data: " + EVENT[:-1] + " " * 100_000 + "}"], "repeat": 3000}, "more than 256 MiB"),
    "broken off": (
        {"stream": ["data: " + EVENT, 'data: {"choices": [{"text": "", "finish_reason": "abort"}]}', "data: [DONE]"]},
        "the server broke off the answer (abort)",
    ),
    "comments only": ({"stream": [": wait"], "repeat": 1000}, "ended before the answer did"),
    "a refusal that is too long": (BROKEN["a refusal that is too long"], "HTTP status 400: no! no!"),
}  # fmt: skip


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """The URL of one that answers below /WHAT as BROKEN says, and streams below /PLACE/WHAT."""
    replies = {}
    for what, reply in BROKEN.items():
        for path in ("/props", "/v1/chat/completions", "/v1/completions"):
            replies[f"/{what.replace(' ', '-')}{path}"] = reply
    for place, text in CHUNKS.items():
        for what, value in ODD.items():
            events = [f"data: {text.replace('VALUE', value)}", "data: [DONE]"]
            replies[f"/{place}/{what}".replace(" ", "-")] = {"stream": events}
    for number, reply in enumerate(STREAMS.values()):
        replies[f"/stream/{number}"] = reply[0]
    replies["*"] = {"json": {}}
    with raw_server(tmp_path_factory.mktemp("broken"), replies) as url:
        yield url


@pytest.mark.parametrize("style", PromptStyle)
@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_answer_is_that_request_s_error(server, what, style):
    answer, properties = ask(f"{server}/{what.replace(' ', '-')}", style)
    assert answer.error
    assert len(answer.error) < 1000
    assert properties == {}
    if what.startswith("too long"):
        assert answer.error == "an answer of more than 64 MiB"
    if what.startswith("a refusal"):
        assert answer.error.startswith("HTTP status 400: no! no!")


@pytest.mark.parametrize("what", ODD)
@pytest.mark.parametrize("place", CHUNKS)
def test_an_odd_value_in_a_stream(server, place, what):
    found = stream(server, f"/{place}/{what}".replace(" ", "-"))
    assert found.error or found.finish_reason
    assert len(found.error) < 1000
    assert len(found.finish_reason) <= 100
    if place in {"usage", "timings", "counts"} and what not in UNREADABLE:
        assert not found.error
        for counts in (found.usage, found.timings):
            for value in [] if counts is None else vars(counts).values():
                assert value is None or (what, value) == ("a fraction", 1.5)


@pytest.mark.parametrize("what", STREAMS)
def test_a_stream_is_bounded(server, what):
    assert STREAMS[what][1] in stream(server, f"/stream/{list(STREAMS).index(what)}").error
