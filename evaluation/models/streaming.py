"""One streamed completion, with the time at which each of its parts arrived."""

from __future__ import annotations

import itertools
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import aiohttp
import msgspec

from evaluation.answers.endings import Ending, ending_of
from evaluation.models.http_session import no_answer
from evaluation.models.replies import (
    NotAnAnswer,
    as_mapping,
    error_message,
    finish_reason_in,
    read_body,
    read_json,
)
from results.json_text import number, whole_number

if TYPE_CHECKING:
    from collections.abc import Iterator

_DATA = b"data:"
_ERROR = b"error:"  # llama-server, beside the event stream's standard
MAX_STREAM_BYTES = 256 << 20  # a million tokens, at what servers write around each
MAX_EVENT_BYTES = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Streamed:
    """What arrived and when. Times in seconds; sent is a reading of the clock, the others count from there.

    ttft_s: to the first chunk that holds a token; gaps_s: from one such chunk to the next; e2e_s: to the last chunk,
    or to the failure. status: of HTTP, 0 where there was none: then the server could not be reached, or went away.
    error: why the answer is not whole, in a line. refusal: the body of an answer of any other status than 200.
    """

    sent: float
    e2e_s: float
    status: int
    ttft_s: float | None = None
    gaps_s: tuple[float, ...] = ()
    finish_reason: str = ""
    usage: Usage | None = None
    timings: Timings | None = None
    error: str = ""
    refusal: bytes = b""


@dataclass(frozen=True, kw_only=True)
class Usage:
    """How many tokens the server counted. None: it did not say, or not as a number."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    cached_tokens: int | None = None


@dataclass(frozen=True, kw_only=True)
class Timings:
    """llama-server's own: cache_n are prompt tokens that it had computed before."""

    cache_n: int | None = None
    prompt_per_second: float | None = None
    predicted_per_second: float | None = None


class _Choice(msgspec.Struct):
    text: Any = None  # or its parts
    finish_reason: Any = None


class _Chunk(msgspec.Struct):
    choices: list[_Choice] = []
    usage: Any = None
    timings: Any = None
    error: Any = None


async def stream_completion(session: aiohttp.ClientSession, url: str, body: bytes) -> Streamed:
    """Send it and read the answer to its end. Never raises but for a cancellation.

    The clock is read as soon as bytes arrive, before they are understood. A chunk holds a token when it has text or
    does not end the answer: a token may have no text of its own, and llama-server ends with a chunk that is empty.
    """
    arrivals: list[float] = []
    last: _Chunk = _Chunk()
    usage: Usage | None = None
    received = 0
    finish_reason, error, status, refusal = "", "", 0, b""
    sent = ended = time.perf_counter()
    try:
        async with session.post(url, data=body, headers={"Content-Type": "application/json"}) as response:
            status = response.status
            if status != 200:
                refusal = await read_body(response)
                error = f"HTTP status {status}: {error_message(refusal)}"
            else:
                rest = b""
                async for data in response.content.iter_any():
                    now = time.perf_counter()
                    received += len(data)
                    *lines, rest = (rest + data).split(b"\n")
                    _require_bounds(received, len(rest))
                    for chunk in _chunks(lines):
                        usage = _usage(chunk.usage) or usage
                        if chunk.choices:
                            last, ended = chunk, now
                            choice = chunk.choices[0]
                            finish_reason = finish_reason_in(choice.finish_reason) or finish_reason
                            if choice.text or choice.finish_reason is None:
                                arrivals.append(now)
                if not finish_reason:
                    error = "the stream ended before the answer did"
                elif ending_of(finish_reason) is Ending.BROKEN_OFF:
                    error = f"the server broke off the answer ({finish_reason})"
                elif not arrivals:  # the only token has no text, and came with the end
                    arrivals.append(ended)
    except NotAnAnswer as failure:
        error = str(failure)
    except (aiohttp.ClientError, TimeoutError, OSError) as failure:
        error = no_answer(failure, session)
        status = 0 if not isinstance(failure, TimeoutError) else status
    return Streamed(
        sent=sent,
        e2e_s=(time.perf_counter() if error else ended) - sent,
        status=status,
        ttft_s=arrivals[0] - sent if arrivals else None,
        gaps_s=tuple(after - before for before, after in itertools.pairwise(arrivals)),
        finish_reason=finish_reason,
        usage=usage,
        timings=_timings(last.timings),
        error=error,
        refusal=refusal,
    )


def _chunks(lines: list[bytes]) -> Iterator[_Chunk]:
    """Of the event stream's lines; comments, which begin with a colon, and the closing [DONE] are passed over."""
    for line in lines:
        if line.startswith(_DATA):
            data = line[len(_DATA) :].strip()
            if data != b"[DONE]":
                yield _decoded(data)
        elif line.startswith(_ERROR):
            raise NotAnAnswer(f"the server says: {error_message(line[len(_ERROR) :])}")


def _decoded(data: bytes) -> _Chunk:
    try:
        try:
            chunk = _CHUNKS.decode(data)
        except msgspec.MsgspecError:  # json reads the lone surrogates that a cut token leaves
            chunk = msgspec.convert(read_json(data), _Chunk)
    except (ValueError, RecursionError) as failure:
        raise NotAnAnswer(f"not an answer: {data[:200].decode(errors='replace')!r}") from failure
    if chunk.error is not None:
        raise NotAnAnswer(f"the server says: {error_message(data)}")
    return chunk


def _usage(said: Any) -> Usage | None:
    usage = as_mapping(said)
    if not usage:
        return None
    return Usage(
        prompt_tokens=whole_number(usage.get("prompt_tokens")),
        completion_tokens=whole_number(usage.get("completion_tokens")),
        cached_tokens=whole_number(as_mapping(usage.get("prompt_tokens_details")).get("cached_tokens")),
    )


def _timings(said: Any) -> Timings | None:
    timings = as_mapping(said)
    if not timings:
        return None
    return Timings(
        cache_n=whole_number(timings.get("cache_n")),
        prompt_per_second=number(timings.get("prompt_per_second")),
        predicted_per_second=number(timings.get("predicted_per_second")),
    )


def _require_bounds(stream_bytes: int, event_bytes: int) -> None:
    if stream_bytes > MAX_STREAM_BYTES:
        raise NotAnAnswer(f"a stream of more than {MAX_STREAM_BYTES >> 20} MiB")
    if event_bytes > MAX_EVENT_BYTES:
        raise NotAnAnswer(f"a stream with an event of more than {MAX_EVENT_BYTES >> 20} MiB")


_CHUNKS = msgspec.json.Decoder(_Chunk)
