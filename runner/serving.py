"""Where a run's server comes from: launched for it alone, or from whoever has one for several runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

from servers.launch import plan as make_plan

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from servers.plan import LaunchPlan
    from servers.request import ServerRequest
    from servers.supervisor import Server


class Held(NamedTuple):
    """A server that is ready. is_new: it was started for this run, and not for one before it."""

    server: Server
    is_new: bool


class Serving(Protocol):
    """Gives a run its server and takes it back."""

    def plan(self, request: ServerRequest, *, nonce: str) -> LaunchPlan:
        """As `servers.launch.plan`, or the plan of the server that runs already."""

    def will_start(self, plan: LaunchPlan) -> bool:
        """Whether `acquire` starts a server."""

    def acquire(self, launch: Callable[[], Server], *, log_path: Path) -> Held:
        """What `launch` starts, or the server that runs already; raises what `launch` raises.

        log_path: of the run, which shall have what the server prints during it.
        """

    def release(self, server: Server, error: BaseException | None) -> float | None:
        """The run is done with it, or failed with `error`. The seconds that stopping took; None: it stays up."""


class OwnServer:
    """Each run has a server of its own."""

    def plan(self, request: ServerRequest, *, nonce: str) -> LaunchPlan:
        return make_plan(request, nonce=nonce)

    def will_start(self, plan: LaunchPlan) -> bool:
        return bool(plan.argv)

    def acquire(self, launch: Callable[[], Server], *, log_path: Path) -> Held:
        del log_path  # where it is launched to write
        return Held(launch(), is_new=True)

    def release(self, server: Server, error: BaseException | None) -> float | None:
        del error
        return server.stop()
