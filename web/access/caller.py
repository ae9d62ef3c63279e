"""Who asks, and whether their role is enough."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fastapi import Request  # noqa: TC002 - FastAPI reads the annotation at run time

from web.errors import ApiError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from web.access.role import Role


@dataclass(frozen=True)
class Caller:
    """Who asks. key_id: of the key that they gave, or that their session began with; "link" for the printed link."""

    user: str
    role: Role
    key_id: str


def may(role: Role) -> Callable[[Request], Awaitable[Caller]]:
    """A dependency that gives the caller: `caller: Annotated[Caller, Depends(may(Role.RUN))]`.

    Raises ApiError: 401 without a key, 403 if the key's role is too low.
    """

    async def get_caller(request: Request) -> Caller:
        caller = caller_of(request)
        if caller is None:
            raise ApiError(401, "a key is needed")
        if not caller.role.includes(role):
            raise ApiError(403, f"your key may only {caller.role}; this needs one with the role {role}")
        return caller

    return get_caller


def caller_of(request: Request) -> Caller | None:
    """Who asks; None on the few paths that need no key, where none was given."""
    found: Caller | None = getattr(request.state, "caller", None)
    return found
