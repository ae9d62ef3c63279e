"""Why a request has no answer, and whether asking again helps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evaluation.models.parameters import REFUSING
from evaluation.models.replies import error_message, meant_status, retry_after_s
from results.errors import SAME_COMMAND, ServerError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from evaluation.protocols import Answer

# llama-server, OpenAI and vLLM, LM Studio, SGLang and Together, TGI, Anthropic.
_OVERFLOW = (
    "exceed_context_size",
    "maximum context length",
    "context_length_exceeded",
    "available context size",
    "the context overflows",
    "context the overflows",
    "greater than the context length",
    "longer than the model's context length",
    "longer than the maximum model length",
    "exceeds the maximum allowed input length",
    "prompt is too long",
    "exceed context limit",
    "exceeds context window",
    "exceeds the context window",
    "exceeds max_seq_len",
    "`inputs` must have less than",
    "`max_new_tokens` must be <=",
)
# LM Studio and others say in a 400 that the model isn't there for the moment.
_NOT_LOADED = (
    "model unloaded",
    "model is unloaded",
    "model is loading",
    "loading model",
    "model has crashed",
)
# Anthropic says it in a 400, OpenAI in a 429; others have the status for it.
_NO_CREDIT = ("credit balance is too low", "insufficient_quota")
_PAYMENT = 402
_BUSY = (408, 409, 423, 425, 429)  # timed out, in conflict, locked, too early, too many


class Transient(Exception):
    """Worth another try.

    retry_after: in seconds, where the server named it. status: of HTTP, 0 where there was none. partial: what there was
    of an answer that the server broke off.
    """

    def __init__(
        self, what: str, retry_after: float | None = None, *, status: int = 0, partial: Answer | None = None
    ) -> None:
        super().__init__(what)
        self.retry_after = retry_after
        self.status = status
        self.partial = partial


class ServerWasDown(Exception):
    """The server died during the request and is back; that is no fault of the request."""


class Refused(Exception):
    """A final answer of the server: asking the same again would not help.

    raw: that answer, where it may be about a parameter.
    """

    def __init__(self, what: str, raw: bytes = b"") -> None:
        super().__init__(what)
        self.raw = raw


class TooLong(Refused):
    """The prompt does not fit into the context of a slot."""


class NotFound(ServerError):
    """There is no such path, or no such model."""


def require_answer(status: int, headers: Mapping[str, str], raw: bytes, *, where: str) -> None:
    """Raises Transient, Refused, or, where going on makes no sense, ServerError, unless this may be an answer.

    where: the server and the path, for the message.
    """
    meant = meant_status(status, raw)
    if meant == 200:
        return
    what = f"HTTP status {status}: {error_message(raw)}"
    if meant not in {401, 403, 404, *_BUSY} and _is_overflow(raw):
        raise TooLong(f"prompt does not fit the context of a slot: {error_message(raw)}")
    if meant == _PAYMENT or (
        meant < 500 and any(sign in raw.decode(errors="replace") for sign in _NO_CREDIT)
    ):
        raise ServerError(
            f"the server at {where} with {meant}: {error_message(raw)}",
            hint=f"add credit and {SAME_COMMAND} (what is finished is kept)",
        )
    is_away = meant == 400 and any(sign in raw.decode(errors="replace").lower() for sign in _NOT_LOADED)
    if is_away or meant in _BUSY or (meant >= 500 and meant != 501):
        after = retry_after_s(headers.get("Retry-After")) if meant in {*_BUSY, 503} else None
        raise Transient(what, after, status=status if meant == 500 else meant)
    if meant in {401, 403, 404}:
        kind = NotFound if meant == 404 else ServerError
        raise kind(
            f"the server at {where} with {meant}: {error_message(raw)}",
            hint="check --model, --base-url and the API key",
        )
    raise Refused(what, raw if meant in REFUSING else b"")


def _is_overflow(raw: bytes) -> bool:
    text = raw.decode(errors="replace").lower()
    return any(sign in text for sign in _OVERFLOW)
