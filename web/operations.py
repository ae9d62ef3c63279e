"""Whether the server works, and how it is used: for those who operate it, and the programs that watch it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Depends
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel, Field
from starlette.requests import Request  # noqa: TC002 - FastAPI reads the annotation at run time
from starlette.responses import Response

from web.access.caller import Caller, caller_of, may
from web.access.role import Role
from web.config import API_ROOT
from web.services import Services, ServicesDep  # noqa: TC001 - FastAPI reads the annotation at run time
from web.state_metrics import free_bytes

if TYPE_CHECKING:
    from collections.abc import Callable

logger = logging.getLogger(__name__)
router = APIRouter(tags=["operations"])
LEAST_FREE_BYTES = 1 << 30  # below it, jobs can soon not be written any more


class Health(BaseModel):
    """status: "ok" or "degraded". parts: what works, for those with a key; null for others."""

    status: str
    parts: dict[str, str] | None = Field(default=None)


@router.get("/health", responses={503: {"model": Health, "description": "Something doesn't work"}})
@router.get(f"{API_ROOT}/health", include_in_schema=False)
def health(request: Request, services: ServicesDep, response: Response) -> Health:
    """Whether everything works. 503 if it doesn't."""
    parts = {name: _state(name, check) for name, check in checks(services).items()}
    good = all(state == "ok" for state in parts.values())
    response.status_code = 200 if good else 503
    return Health(status="ok" if good else "degraded", parts=parts if caller_of(request) else None)


def checks(services: Services) -> dict[str, Callable[[], str]]:
    """A function for each part that says "ok" or what is wrong."""
    return {
        "database": lambda: _database(services),
        "results": lambda: "ok" if services.config.results_dir.is_dir() else "the results folder is missing",
        "disk": lambda: _disk(services),
        "worker": services.worker_state,
    }


def _database(services: Services) -> str:
    services.keys.get("health")
    return "ok"


def _disk(services: Services) -> str:
    free = free_bytes(services.config)
    return "ok" if free >= LEAST_FREE_BYTES else f"only {free >> 20} MiB are free"


def _state(name: str, check: Callable[[], str]) -> str:
    try:
        return check()
    except Exception:
        logger.exception("health: %s", name)
        return "fails; the server's log says why"


@router.get("/metrics", response_class=Response, include_in_schema=False)
@router.get(f"{API_ROOT}/metrics", response_class=Response, include_in_schema=False)
def metrics(request: Request, caller: Annotated[Caller, Depends(may(Role.READ))]) -> Response:
    """Everything that is counted, in Prometheus's text format."""
    del caller
    registry: Any = request.app.state.traffic.registry
    return Response(generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_LATEST})
