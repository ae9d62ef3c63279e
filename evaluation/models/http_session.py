"""The HTTP session to a server: its key, patience, proxies and certificates."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

import aiohttp

if TYPE_CHECKING:
    from evaluation.models.connection import ConnectionInfo

_ANTHROPIC_VERSION = "2023-06-01"  # of its API, without which no request is taken


def open_session(info: ConnectionInfo, *, keep_alive: bool = True) -> aiohttp.ClientSession:
    """As many requests at once as one likes. keep_alive: connections serve more than one request."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, force_close=not keep_alive, ssl=_certificates(info)),
        headers=_key_header(info),
        timeout=aiohttp.ClientTimeout(total=info.timeout),
        trust_env=not info.is_loopback,
    )


def no_answer(error: Exception, session: aiohttp.ClientSession) -> str:
    """Why a request got no answer, in a line."""
    if (
        isinstance(error, TimeoutError)
        and not isinstance(error, aiohttp.ClientError)
        and session.timeout.total
    ):
        return f"no answer within {session.timeout.total:g} s (--request-timeout)"
    return f"no answer: {str(error) or type(error).__name__}"


def _key_header(info: ConnectionInfo) -> dict[str, str]:
    if info.facts.api == "anthropic":
        return {"anthropic-version": _ANTHROPIC_VERSION, "x-api-key": info.api_key}
    if not info.api_key:
        return {}
    return {"Authorization": f"Bearer {info.api_key}"}


def _certificates(info: ConnectionInfo) -> ssl.SSLContext | bool:
    """Read now: what aiohttp itself read while it was imported may be none, see `evaluation.models.providers`."""
    if not info.needs_certificates:
        return True
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context
