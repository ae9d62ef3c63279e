"""What a server answered, read: an answer that is understood, or in a line why it is none.

Nothing in here trusts a server: bodies are bounded, JSON may be nested too deep, and any value may stand anywhere.
"""

from __future__ import annotations

import json
import math
import re
import time
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from evaluation.protocols import Answer, PromptStyle

if TYPE_CHECKING:
    import aiohttp

MAX_ANSWER_BYTES = 64 << 20  # far above the longest answer with all its log-probabilities
MAX_ERROR_BYTES = 64 << 10  # of the body of a refusal; what follows is passed over
MAX_RETRY_AFTER_S = 60.0
_MOST = 2**53  # above it JSON's numbers are no whole ones any more
_MOST_SLOTS = 4096  # as --concurrency


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
        return json.loads(raw)  # not msgspec: it refuses the lone surrogates that a cut token leaves
    except RecursionError:
        raise ValueError("nested too deep") from None


def read_answer(raw: bytes, style: PromptStyle, seconds: float) -> Answer:
    """Raises NotAnAnswer. What is not understood of the token counts is None."""
    try:
        body = read_json(raw)
        choice = body["choices"][0]
        if style is PromptStyle.CHAT:
            message = choice["message"]
            text = message.get("content")
            reasoning = message.get("reasoning_content") or message.get("reasoning")
        else:
            text, reasoning = choice["text"], None
        if not isinstance(text, str | list | None):
            raise TypeError("no text")
        finish_reason = choice.get("finish_reason")
    except (ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
        raise NotAnAnswer(f"not an answer: {raw[:200].decode(errors='replace')!r}") from error
    usage, timings = as_mapping(body.get("usage")), as_mapping(body.get("timings"))
    return Answer(
        text=_clean(text),
        reasoning=_clean(reasoning),
        finish_reason=_clean(finish_reason)[:100],
        prompt_tokens=_first_count(usage.get("prompt_tokens"), timings.get("prompt_n")),
        completion_tokens=_first_count(usage.get("completion_tokens"), timings.get("predicted_n")),
        request_s=round(seconds, 4),
    )


def read_properties(raw: bytes) -> dict[str, Any]:
    """llama-server's /props; {} for what is no mapping, and without the slots where they are no number of slots."""
    try:
        found = as_mapping(read_json(raw))
    except ValueError:
        return {}
    slots = whole_number(found.pop("total_slots", None))
    return {**found, "total_slots": slots} if slots and slots <= _MOST_SLOTS else found


def whole_number(value: object) -> int | None:
    """A count, from 0 on; 10.0 is one too. None for whatever else a server says there."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < _MOST:
        return None
    return int(value) if value == int(value) else None


def number(value: object) -> float | None:
    """A figure, from 0 on; None for whatever else a server says there."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
        return None
    return float(value) if value < _MOST else None


def as_mapping(value: object) -> dict[str, Any]:
    """{} for whatever is none."""
    return value if isinstance(value, dict) else {}


def retry_after_s(header: str | None) -> float | None:
    """Seconds to wait, at most MAX_RETRY_AFTER_S; None where the header says neither a number nor a date."""
    text = (header or "").strip()
    if re.fullmatch(r"\d{1,15}(\.\d{1,15})?", text, re.ASCII):
        seconds = float(text)
    else:
        try:
            seconds = parsedate_to_datetime(text).timestamp() - time.time()
        except (ValueError, TypeError, IndexError, OverflowError, OSError):
            return None
    return min(max(seconds, 0.0), MAX_RETRY_AFTER_S)


def error_message(raw: bytes, *, limit: int = 300) -> str:
    """What the server says of its failure, in a line of at most `limit` characters."""
    try:
        body = read_json(raw)
        error = body.get("error", body)
        text = str(error.get("message", error) if isinstance(error, dict) else error)
    except (ValueError, AttributeError, RecursionError):
        text = raw[:4096].decode(errors="replace")
    return " ".join(_clean(text[:4096]).split())[:limit] or "no message"


def _first_count(*values: object) -> int | None:
    counts = (whole_number(value) for value in values)
    return next((count for count in counts if count is not None), None)


def _clean(text: object) -> str:
    return text.encode("utf-8", "replace").decode() if isinstance(text, str) else ""
