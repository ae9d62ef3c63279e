"""What the headers of a reply tell of limits, and how long a refusal asks to wait. Nothing in here trusts them."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from evaluation.models.replies import as_mapping, read_json, retry_after_s

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# OpenAI, Azure, Groq, Together, Cerebras (with -day, -minute); Anthropic; OpenRouter and the first IETF drafts.
_OPENAI = re.compile(
    r"x-ratelimit-(limit|remaining|reset)-((?:requests|tokens)(?:-(?:second|minute|hour|day))?)"
)
_ANTHROPIC = re.compile(
    r"anthropic-ratelimit-(requests|tokens|input-tokens|output-tokens)-(limit|remaining|reset)"
)
_PLAIN = re.compile(r"(?:x-)?ratelimit-(limit|remaining|reset)")
_NUMBER = re.compile(r"\d{1,15}(\.\d{1,15})?", re.ASCII)
_DURATION = re.compile(
    r"(?:(\d{1,6})d)?(?:(\d{1,6})h)?(?:(\d{1,6})m(?!s))?(?:(\d{1,9}(?:\.\d{1,9})?)s)?", re.ASCII
)
_MILLISECONDS = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)(ms|[uµ]s|ns)", re.ASCII)
_IN_SECONDS = {"ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_EPOCH_S = 1e9  # numbers above it are seconds since 1970, and above the next one milliseconds
_EPOCH_MS = 1e12
_DEEPEST = 6
_FINE_S, _COARSE_S = 0.001, 1.0


@dataclass(frozen=True, kw_only=True)
class Told:
    """One limit: of `limit` units `remaining` are left, and all of them are back in `reset_s` seconds.

    reset_s: None where it isn't told. resolution_s: to which it is rounded.
    """

    limit: float
    remaining: float
    reset_s: float | None = None
    resolution_s: float = _FINE_S


def told_limits(headers: Mapping[str, str], now_s: float) -> dict[str, Told]:
    """By what they are about, such as "requests" or "input-tokens-minute". now_s: seconds since 1970."""
    found: dict[str, dict[str, str]] = {}
    for name, part, value in _named(headers):
        found.setdefault(name, {})[part] = value
    if "input-tokens-minute" in found:  # of which Anthropic's `tokens` only repeats the narrower one
        found.pop("tokens-minute", None)
    read = {name: _read(parts, now_s) for name, parts in found.items()}
    return {name: told for name, told in read.items() if told is not None}


def asked_wait_s(headers: Mapping[str, str], raw: bytes, now_s: float) -> float | None:
    """Seconds that a refusal asks to wait; None where it doesn't say so in a form that is known.

    `retry-after-ms` (Azure), `Retry-After` as a number or a date, and the `retryDelay` in the bodies of Google.
    """
    given = {name.lower(): value for name, value in headers.items()}
    milliseconds = given.get("retry-after-ms", "").strip()
    if _NUMBER.fullmatch(milliseconds):
        return float(milliseconds) / 1000
    seconds = retry_after_s(given.get("retry-after"), most=math.inf, now_s=now_s)
    return _retry_delay(raw) if seconds is None else seconds


def _named(headers: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    """(what it is about, limit | remaining | reset, value)"""
    for header, value in headers.items():
        name = header.lower()
        if match := _OPENAI.fullmatch(name):
            yield match[2], match[1], value
        elif match := _ANTHROPIC.fullmatch(name):
            yield f"{match[1]}-minute", match[2], value  # as is documented
        elif match := _PLAIN.fullmatch(name):
            yield "requests in all", match[1], value


def _read(parts: Mapping[str, str], now_s: float) -> Told | None:
    limit, remaining = _count(parts.get("limit")), _count(parts.get("remaining"))
    if not limit or remaining is None:
        return None
    reset_s, resolution_s = _seconds(parts.get("reset", "").strip(), now_s)
    return Told(limit=limit, remaining=min(remaining, limit), reset_s=reset_s, resolution_s=resolution_s)


def _count(text: str | None) -> float | None:
    found = _NUMBER.fullmatch((text or "").strip())
    return float(found[0]) if found else None


def _seconds(text: str, now_s: float) -> tuple[float | None, float]:
    """Of a time from now, in any of the forms that are in use, and to how many seconds it is rounded."""
    if _NUMBER.fullmatch(text):
        value = float(text)
        if value >= _EPOCH_MS:
            return max(0.0, value / 1000 - now_s), _FINE_S
        if value >= _EPOCH_S:
            return max(0.0, value - now_s), _COARSE_S
        return value, _FINE_S if "." in text else _COARSE_S
    if match := _MILLISECONDS.fullmatch(text):
        return float(match[1]) * _IN_SECONDS[match[2]], _FINE_S
    match = _DURATION.fullmatch(text)
    if match and any(match.groups()):
        days, hours, minutes, seconds = (float(part or 0) for part in match.groups())
        return 86_400 * days + 3600 * hours + 60 * minutes + seconds, _FINE_S if match[4] else _COARSE_S
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None, _COARSE_S
    if at.tzinfo is None:
        return None, _COARSE_S
    return max(0.0, at.timestamp() - now_s), _FINE_S if "." in text else _COARSE_S


def _retry_delay(raw: bytes) -> float | None:
    if b"retryDelay" not in raw:
        return None
    try:
        return _delay_in(read_json(raw))
    except ValueError:
        return None


def _delay_in(value: Any, depth: int = 0) -> float | None:
    if depth > _DEEPEST:
        return None
    if isinstance(value, list):
        return next((delay for each in value if (delay := _delay_in(each, depth + 1)) is not None), None)
    found = as_mapping(value)
    delay = found.get("retryDelay")
    if isinstance(delay, str):
        return _seconds(delay.strip(), 0.0)[0] if delay.strip().endswith("s") else None
    inner = (found.get(name) for name in ("error", "details"))
    return next((delay for each in inner if (delay := _delay_in(each, depth + 1)) is not None), None)
