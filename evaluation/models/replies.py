"""What a server answered, read: an answer that is understood, or in a line why it is none.

Nothing in here trusts a server: bodies are bounded, JSON may be nested too deep, and any value may stand anywhere.
"""

from __future__ import annotations

import re
import time
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from evaluation.answers.endings import Ending, ending_of
from evaluation.models.messages import read_message
from evaluation.models.tool_calls import read_tool_calls
from evaluation.protocols import Answer, PromptStyle
from results.json_text import decode, whole_number

if TYPE_CHECKING:
    import aiohttp

MAX_ANSWER_BYTES = 64 << 20  # far above the longest answer with all its log-probabilities
MAX_ERROR_BYTES = 64 << 10  # of the body of a refusal; what follows is passed over
MAX_RETRY_AFTER_S = 60.0
_LONGEST_REASON = 100
_MOST_SLOTS = 4096  # as --concurrency
_NO_CHOICES = re.compile(rb'"choices"\s*:\s*(?:\[\s*\]|null)')


class NotAnAnswer(Exception):
    """Nobody understands what the server sent; the text says what that was."""


async def read_body(response: aiohttp.ClientResponse) -> bytes:
    """The body; of a refusal its beginning. Raises NotAnAnswer for one that is too long, and what aiohttp raises."""
    is_answer = response.status == 200
    most = MAX_ANSWER_BYTES if is_answer else MAX_ERROR_BYTES
    parts, size = [], 0
    async for part in response.content.iter_any():
        parts.append(part)
        size += len(part)
        if size > most:
            if is_answer:
                raise NotAnAnswer(f"an answer of more than {most >> 20} MiB")
            break
    return b"".join(parts)[:most]


def read_json(raw: bytes) -> Any:
    """Raises ValueError for what is no JSON, or nested deeper than can be read."""
    try:
        return decode(raw)
    except RecursionError:
        raise ValueError("nested too deep") from None


def read_answer(raw: bytes, style: PromptStyle, seconds: float) -> Answer:
    """Raises NotAnAnswer. What is not understood of the token counts is None.

    Where the server broke the answer off, it has an `error` and what there was of it.
    """
    try:
        body = read_json(raw)
        choice = body["choices"][0]
        # Some proxies give every answer in the shape of one style, or in that of a stream.
        shapes = ("message", "delta", "text") if style is PromptStyle.CHAT else ("text", "message", "delta")
        shape = next((shape for shape in shapes if choice.get(shape) is not None), None)
        failure = choice.get("error") or body.get("error")
        if shape is None and not failure and not _is_failed(choice):
            raise TypeError("no message")
        message = choice if shape == "text" else choice.get(shape) or ""
        said = read_message(message)
    except (ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
        raise NotAnAnswer(f"not an answer: {raw[:200].decode(errors='replace')!r}") from error
    usage, timings = as_mapping(body.get("usage")), as_mapping(body.get("timings"))
    finish_reason = _finish_reason(body, choice)
    prompt = _first_count(usage.get("prompt_tokens"), usage.get("input_tokens"), timings.get("prompt_n"))
    completion = _first_count(
        usage.get("completion_tokens"), usage.get("output_tokens"), timings.get("predicted_n")
    )
    thought = whole_number(as_mapping(usage.get("completion_tokens_details")).get("reasoning_tokens"))
    total = whole_number(usage.get("total_tokens"))
    generated = max(completion or 0, thought or 0, (total or 0) - (prompt or 0) if prompt is not None else 0)
    return Answer(
        text=_clean(said.text),
        reasoning=_clean(said.reasoning),
        finish_reason=finish_reason,
        prompt_tokens=prompt,
        completion_tokens=completion,
        generated_tokens=None if completion is None else generated,
        reasoning_tokens=thought,
        request_s=round(seconds, 4),
        error=_broken_off(failure, choice, finish_reason),
        tool_calls=read_tool_calls(message),
    )


def error_status(raw: bytes) -> int | None:
    """The status that an error stands for, though it came as an answer (200); None where it is no error.

    LM Studio answers unknown paths so, and OpenRouter what fails at a provider. An error without a number is a 500.
    """
    if b'"error"' not in raw or (b'"choices"' in raw and not _NO_CHOICES.search(raw)):
        return None
    try:
        error = as_mapping(read_json(raw)).get("error")
    except ValueError:
        return None
    if error is None:
        return None
    said = as_mapping(error)
    codes = (whole_number(said.get(name)) for name in ("code", "status", "status_code"))
    return next((code for code in codes if code is not None and 400 <= code < 600), 500)


def meant_status(status: int, raw: bytes) -> int:
    """The status of a reply, or the one that it should have had."""
    return (error_status(raw) or status) if status == 200 else status


def read_properties(raw: bytes) -> dict[str, Any]:
    """llama-server's /props; {} for what is no mapping, and without the slots where they are no number of slots."""
    try:
        found = as_mapping(read_json(raw))
    except ValueError:
        return {}
    slots = whole_number(found.pop("total_slots", None))
    return {**found, "total_slots": slots} if slots and slots <= _MOST_SLOTS else found


def as_mapping(value: object) -> dict[str, Any]:
    """{} for whatever is none."""
    return value if isinstance(value, dict) else {}


def retry_after_s(
    header: str | None, *, most: float = MAX_RETRY_AFTER_S, now_s: float | None = None
) -> float | None:
    """Seconds to wait, at most `most`; None where the header says neither a number nor a date.

    now_s: seconds since 1970, where it isn't now.
    """
    text = (header or "").strip()
    if re.fullmatch(r"\d{1,15}(\.\d{1,15})?", text, re.ASCII):
        seconds = float(text)
    else:
        try:
            seconds = parsedate_to_datetime(text).timestamp() - (time.time() if now_s is None else now_s)
        except (ValueError, TypeError, IndexError, OverflowError, OSError):
            return None
    return min(max(seconds, 0.0), most)


def error_message(raw: bytes, *, limit: int = 300) -> str:
    """What the server says of its failure, in a line of at most `limit` characters."""
    try:
        text = _message_in(read_json(raw))
    except ValueError:
        text = raw[:4096].decode(errors="replace")
    return _one_line(text, limit) or "no message"


def _finish_reason(body: dict[str, Any], choice: dict[str, Any]) -> str:
    """Why the answer ended, as the server names it.

    LM Studio also has the word of its engine, which tells a full context from the limit of tokens, and OpenRouter the
    word of the provider.
    """
    engine = finish_reason_in(as_mapping(body.get("stats")).get("stop_reason"))
    if ending_of(engine) not in {Ending.OWN, Ending.LIMIT}:
        return engine
    return finish_reason_in(choice.get("finish_reason")) or finish_reason_in(
        choice.get("native_finish_reason")
    )


def finish_reason_in(value: object) -> str:
    """A name of bounded length; "" for whatever is none. SGLang's own has the name in a mapping."""
    reason = as_mapping(value).get("type", value)
    return _clean(reason)[:_LONGEST_REASON]


def _is_failed(choice: dict[str, Any]) -> bool:
    return ending_of(_finish_reason({}, choice)) is Ending.BROKEN_OFF


def _broken_off(failure: Any, choice: dict[str, Any], finish_reason: str) -> str:
    """Why the answer is none although it came as one; "" where it is one."""
    if not failure and ending_of(finish_reason) is not Ending.BROKEN_OFF:
        return ""
    said = failure or as_mapping(choice.get("finish_reason")).get("message")
    why = f": {_one_line(_message_in(said), 300)}" if said else ""
    return f"the server broke off the answer ({finish_reason or 'error'}){why}"


def _message_in(said: Any) -> str:
    error = said.get("error", said) if isinstance(said, dict) else said
    try:
        return str(error.get("message", error) if isinstance(error, dict) else error)
    except RecursionError:
        return "nested too deep"


def _one_line(text: str, limit: int) -> str:
    return " ".join(_clean(text[:4096]).split())[:limit]


def _first_count(*values: object) -> int | None:
    counts = (whole_number(value) for value in values)
    return next((count for count in counts if count is not None), None)


def _clean(text: object) -> str:
    return text.encode("utf-8", "replace").decode() if isinstance(text, str) else ""
