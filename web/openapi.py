"""The API's own description, as programs read it: what FastAPI knows, with our errors and keys."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel

if TYPE_CHECKING:
    from fastapi import FastAPI

_ABOUT = (
    "Runs benchmarks of language models on the operator's machines, and compares what came out. Every request but "
    "`/health` needs a key: `Authorization: Bearer KEY`. Times are ISO 8601, UTC; durations are seconds."
)
_BY_FASTAPI = ("HTTPValidationError", "ValidationError")
_OPEN = ("/health",)


class Mistake(BaseModel):
    """A mistake in a request. field: such as `config.model`."""

    field: str
    what: str


class ErrorAnswer(BaseModel):
    """Every answer but a good one. detail: what is wrong, in words. errors: each mistake of a request that has several.
    retry_after: whole seconds.
    """

    detail: str
    errors: list[Mistake] | None = None
    retry_after: int | None = None


_ERRORS = {
    400: "A mistake in the request; every one is told",
    401: "No key, or a wrong one",
    403: "The key's role is too low, or another site's page sent it",
    404: "There is no such thing",
    405: "The address doesn't take that method",
    409: "It doesn't fit with what is there",
    413: "The body is too long",
    421: "The server doesn't answer to that host's name",
    429: "Too many; `retry_after` says when to ask again",
    500: "An error of ours, under an id in the server's log",
    503: "The database can't be reached just now",
}
RESPONSES: dict[int | str, dict[str, Any]] = {
    status: {"model": ErrorAnswer, "description": text} for status, text in _ERRORS.items()
}


def describe(app: FastAPI) -> None:
    """Give the app this description; it is made when it is first asked for."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            found = get_openapi(
                title=app.title, version=app.version, description=_ABOUT, routes=app.routes,
            )  # fmt: skip
            app.openapi_schema = _ours(found)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign] # FastAPI's documented way


def _ours(schema: dict[str, Any]) -> dict[str, Any]:
    parts = schema.setdefault("components", {})
    for name in _BY_FASTAPI:
        parts.get("schemas", {}).pop(name, None)
    parts["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
    for path, operations in schema["paths"].items():
        for operation in operations.values():
            operation["responses"].pop("422", None)  # ours is 400
            operation["security"] = [] if path in _OPEN else [{"key": []}]
    return schema
