"""Endpoints whose 400 tells every mistake: of the request's form, and what the catalogue finds beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool

from web.access.answers import mistakes_of
from web.catalogue.manifest import manifest_document
from web.catalogue.mistakes import MOST_TOLD, Mistake, RequestRefused
from web.catalogue.request import RunRequest
from web.errors import ApiError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable

    from starlette.requests import Request
    from starlette.responses import Response

    from web.config import ServeConfig


class EveryMistake(APIRoute):
    """The route of an endpoint that takes a RunRequest."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """FastAPI's own, with a second look at what it refuses."""
        answer = super().get_route_handler()

        async def handler(request: Request) -> Response:
            try:
                return await answer(request)
            except RequestValidationError as error:
                config = request.app.state.services.config
                beside = await run_in_threadpool(mistakes_beside, error, config)
                if not beside:
                    raise
                raise refused(Mistake(*each) for each in (*mistakes_of(error), *beside)) from error

        return handler


def mistakes_beside(error: RequestValidationError, config: ServeConfig) -> tuple[Mistake, ...]:
    """What the catalogue finds in the request without the fields of wrong form."""
    body, wrong = error.body, error.errors()
    if not isinstance(body, dict) or len(wrong) > MOST_TOLD:
        return ()
    for each in wrong:
        if each["loc"][:1] == ("body",):
            body = _without(body, each["loc"][1:])
    try:
        request = RunRequest.model_validate(
            {name: value for name, value in body.items() if name in RunRequest.model_fields}
        )
        manifest_document(request, config)
    except RequestRefused as refusal:
        return tuple(each for each in refusal.mistakes if each.field)  # what is missing may have been removed
    except ValidationError:
        pass
    return ()


def refused(mistakes: Iterable[Mistake]) -> ApiError:
    """A 400 with every mistake, each on a line and as an item of `errors`."""
    found = tuple(dict.fromkeys(mistakes))
    lines = "\n".join(map(str, found))
    detail = lines if len(found) == 1 else f"{len(found)} mistakes:\n{lines}"
    return ApiError(400, detail, mistakes=tuple((each.field, each.what) for each in found))


def _without(body: dict[str, Any], path: tuple[int | str, ...]) -> dict[str, Any]:
    """The same without a field; without the field that has it, if it is an item of a list, or a choice of types."""
    name, *rest = path or ("",)
    inner = body.get(str(name))
    if rest and isinstance(inner, dict):
        return {**body, str(name): _without(inner, tuple(rest))}
    return {each: value for each, value in body.items() if each != name}
