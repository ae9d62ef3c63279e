"""The interface that fits a connection."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from evaluation.models.parameters import Parameters

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from evaluation.models.connection import ConnectionInfo
    from evaluation.models.exchange import Spending
    from evaluation.models.openai_interface import OpenAIInterface
    from evaluation.rate_limits.limiter import RateLimiter


def get_interface_for_provider(
    info: ConnectionInfo,
    *,
    parameters: Parameters | None = None,
    server_wait: float = 120.0,
    on_outage: Callable[[bool], None] = lambda _down: None,
    on_wait: Callable[[str], None] = lambda _said: None,
    spending: Spending | None = None,
) -> OpenAIInterface:
    """The interface to a provider; close it when done.

    parameters: of the requests, where more is known of them than the connection's sampling. server_wait: seconds that a
    dead server is waited for. on_outage: called with True when it is found dead and with False when it is back.
    on_wait: is told, in a sentence, of a long wait for a rate limit.
    spending: of what requests cost and which need not be sent; None: all are sent.
    """
    with contextlib.nullcontext() if info.needs_certificates else _no_certificates():
        from evaluation.models.openai_interface import OpenAIInterface

    return OpenAIInterface(
        info,
        parameters=parameters or Parameters(info.sampling),
        server_wait=server_wait,
        on_outage=on_outage,
        limiter=None if info.is_loopback else _rate_limiter(info, on_wait),
        make_limiter=lambda: _rate_limiter(info, on_wait),
        spending=spending,
    )


def _rate_limiter(info: ConnectionInfo, on_wait: Callable[[str], None]) -> RateLimiter:
    from evaluation.rate_limits.limiter import RateLimiter

    return RateLimiter(info.base_url, patience_s=info.rate_limit_patience, on_wait=on_wait)


@contextlib.contextmanager
def _no_certificates() -> Iterator[None]:
    """OpenSSL finds none. While it is imported, aiohttp reads all that the system has: a fifth of a script's start."""
    hidden = {name: os.environ.get(name) for name in ("SSL_CERT_FILE", "SSL_CERT_DIR")}
    os.environ.update(dict.fromkeys(hidden, os.devnull))
    try:
        yield
    finally:
        for name, value in hidden.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
