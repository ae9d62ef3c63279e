"""What a refused or failed request is answered: JSON for programs, a page for people."""

from __future__ import annotations

import logging
import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from results.errors import BenchError, NotComparable, UsageError
from results.plain_text import plain
from web.access.error_page import error_page
from web.config import API_ROOT
from web.database.trouble import DatabaseUnavailable
from web.errors import ApiError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from fastapi import FastAPI
    from starlette.requests import Request

_FOR_PROGRAMS = (API_ROOT, "/health", "/metrics")
_OUR_WORDS = {404: "nothing has this address", 405: "this address doesn't take that method"}
# By the kind of an error; others of bad usage are 400.
_STATUSES = {
    NotComparable.kind: 409,
    "no_such_job": 404,
    "wrong_status": 409,
    "idempotency_key_reused": 409,
    "queue_full": 429,
    DatabaseUnavailable.kind: 503,
}
MOST_MISTAKES = 50
_PLACES = frozenset({"body", "query", "path", "header"})
# In our words, by pydantic's name of the mistake; others begin with "Input should", "String should" and the like.
_WHAT = {
    "missing": "is missing",
    "extra_forbidden": "is not a field here",
    "model_attributes_type": "must be a JSON object, sent as application/json",
    "dict_type": "must be an object",
    "int_parsing": "must be a whole number",
    "float_parsing": "must be a number",
    "bool_parsing": "must be true or false",
}
_SHOULD = re.compile(r"^(Input|String|Value|List|Dictionary|Tuple|Set|Data) should ")
_UNREADABLE = "There was an error parsing the body"  # FastAPI's, of what is nested too deeply
logger = logging.getLogger(__name__)


def is_for_programs(path: str) -> bool:
    """Whether a path is the API's, so that its answers are JSON, rather than a page's."""
    return any(path == root or path.startswith(f"{root}/") for root in _FOR_PROGRAMS)


def answer(
    request: Request,
    status: int,
    detail: str,
    *,
    headers: Mapping[str, str] | None = None,
    mistakes: Iterable[tuple[str, str]] = (),
    retry_after: int | None = None,
    error_id: str = "",
) -> Response:
    """The answer to a request that failed. detail: text for its sender; it is escaped in a page."""
    found = tuple(mistakes)
    if not is_for_programs(request.url.path):
        shown = error_page(
            request, status, plain_paragraph(detail), retry_after=retry_after, error_id=error_id
        )
        shown.headers.update(headers or {})
        return shown
    body: dict[str, Any] = {"detail": detail}
    if found:
        body["errors"] = [{"field": field, "what": what} for field, what in found]
    if retry_after is not None:
        body["retry_after"] = retry_after
    return JSONResponse(body, status, headers=dict(headers or {}))


def plain_paragraph(text: str) -> str:
    """Text without control characters, its lines kept."""
    return "\n".join(map(plain, text.splitlines()))


def answer_error(request: Request, error: ApiError | HTTPException) -> Response:
    """The answer to an error that says its status. Starlette's own texts become ours."""
    detail = str(error.detail)
    if not isinstance(error, ApiError) and detail == HTTPStatus(error.status_code).phrase:
        detail = _OUR_WORDS.get(error.status_code, detail)
    if detail == _UNREADABLE:
        detail = (
            "the body can't be read: it is nested too deeply, or not in the form that its Content-Type says"
        )
    ours = error if isinstance(error, ApiError) else None
    return answer(
        request,
        error.status_code,
        detail,
        headers=error.headers,
        mistakes=ours.mistakes if ours else (),
        retry_after=ours.retry_after if ours else None,
    )


def mistakes_of(error: RequestValidationError) -> list[tuple[str, str]]:
    """Every mistake of a request: its field, such as `config.model`, and what is wrong, without what was given."""
    return [(_field(each), _what(each)) for each in error.errors()[:MOST_MISTAKES]]


def _field(error: Mapping[str, Any]) -> str:
    loc: tuple[int | str, ...] = error["loc"]
    parts = [part for part in loc if part not in _PLACES]
    if not parts or error["type"] == "json_invalid":
        return str(loc[0])
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in parts)
    return plain(text.removeprefix("."))[:200]


def _what(error: Mapping[str, Any]) -> str:
    if error["type"] == "json_invalid":
        why = (error.get("ctx") or {}).get("error", "")
        return f"is not JSON, at character {error['loc'][-1]}: {plain(str(why))[:200]}"
    if error["type"] in _WHAT:
        return _WHAT[error["type"]]
    text = _SHOULD.sub("must ", plain(str(error["msg"])).removeprefix("Value error, "))
    return text[:1].lower() + text[1:500]


async def _validation(request: Request, error: RequestValidationError) -> Response:
    found = mistakes_of(error)
    lines = [f"{field}: {what}" for field, what in found]
    detail = lines[0] if len(lines) == 1 else "\n".join([f"{len(lines)} mistakes:", *lines])
    return answer(request, 400, detail, mistakes=found)


async def _raised(request: Request, error: HTTPException) -> Response:
    return answer_error(request, error)


async def _usage(request: Request, error: BenchError) -> Response:
    """A mistake that the code below noticed, by its kind. It may have `mistakes`, and `retry_after_s`."""
    detail = f"{error.message}; try: {error.hint}" if error.hint else error.message
    status = _STATUSES.get(error.kind, 400)
    if status >= 500:
        logger.error("%s %s: %s", request.method, plain(request.url.path)[:200], error.message)
        detail = "the database can't be reached just now; nothing was changed"
    shown = ApiError(
        status,
        detail,
        mistakes=tuple(getattr(error, "mistakes", ())),
        retry_after_s=getattr(error, "retry_after_s", 5.0 if status == 503 else None),
    )
    return answer_error(request, shown)


def handle_errors(app: FastAPI) -> None:
    """Give the app these answers. What isn't foreseen is left to the door, which gives it an id."""
    handlers: dict[type[Exception], Any] = {
        RequestValidationError: _validation,
        HTTPException: _raised,
        UsageError: _usage,
        NotComparable: _usage,
        DatabaseUnavailable: _usage,
    }
    for kind, handler in handlers.items():
        app.add_exception_handler(kind, handler)
