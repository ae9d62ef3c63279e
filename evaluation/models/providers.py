"""The interface that fits a connection."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evaluation.models.openai_interface import OpenAIInterface
from evaluation.models.parameters import Parameters

if TYPE_CHECKING:
    from collections.abc import Callable

    from evaluation.models.connection import ConnectionInfo


def get_interface_for_provider(
    info: ConnectionInfo,
    *,
    parameters: Parameters | None = None,
    server_wait: float = 120.0,
    on_outage: Callable[[bool], None] = lambda _down: None,
) -> OpenAIInterface:
    """The interface to a provider; close it when done.

    parameters: of the requests, where more is known of them than the connection's sampling. server_wait: seconds that a
    dead server is waited for. on_outage: called with True when it is found dead and with False when it is back.
    """
    return OpenAIInterface(
        info,
        parameters=parameters or Parameters(info.sampling),
        server_wait=server_wait,
        on_outage=on_outage,
    )
