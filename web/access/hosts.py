"""By which names the server may be reached, and from which origin a request may come.

Without this, a page of anybody's could send a browser here: by a name of theirs that they let resolve to this machine
(DNS rebinding), or by a form.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

LOOPBACK = frozenset({"localhost", "127.0.0.1", "[::1]"})
_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?)(?::([0-9]{1,5}))?")
_SAFE_PATH = re.compile(r"/(?![/\\])[^\x00-\x20\x7f\\]*")


def split_host(text: str) -> tuple[str, str] | None:
    """The name and the port ("" if there is none) of a Host header, in small letters; None if it is none."""
    match = _HOST.fullmatch(text.lower())
    return (match[1], match[2] or "") if match else None


class Hosts:
    """The names that the server answers to: those of loopback, by any port, for tunnels; and the operator's, which
    stand for every port unless they have one.
    """

    def __init__(self, allowed: Iterable[str]) -> None:
        self._allowed = frozenset(name.lower() for name in allowed)

    def __contains__(self, host: str) -> bool:
        parts = split_host(host)
        if parts is None:
            return False
        name, _port = parts
        return name in LOOPBACK or name in self._allowed or host.lower() in self._allowed


def foreign_origin(headers: Mapping[str, str], own: str) -> str | None:
    """Why a request that changes something doesn't come from our own pages; None if it does.

    own: our origin as the browser names it, such as `http://127.0.0.1:8765`. Browsers send Origin with every POST;
    `null` stands for a sandboxed frame or a file. Other ports of this machine are the same site, so SameSite cookies
    don't keep them out; this does.
    """
    site = headers.get("sec-fetch-site", "same-origin").lower()
    if site != "same-origin":
        return f"a page of another origin sent it (Sec-Fetch-Site: {site[:20]})"
    origin = headers.get("origin")
    if origin is None:
        return (
            None
            if "sec-fetch-site" in headers
            else "it has no Origin; with a session's cookie, one is needed"
        )
    if origin.lower() != own.lower():
        return f"its Origin is not {own}"
    return None


def embedded(headers: Mapping[str, str], method: str) -> bool:
    """Whether another site's page, or one of another port, asks for something to show or load it within itself.

    Links from elsewhere are followed: they navigate, to a document of its own.
    """
    site = headers.get("sec-fetch-site", "none").lower()
    if site in {"none", "same-origin"}:
        return False
    navigates = headers.get("sec-fetch-mode", "").lower() == "navigate"
    return not (navigates and headers.get("sec-fetch-dest", "").lower() == "document" and method == "GET")


def own_path(text: str) -> str:
    """A path of ours to go on to, from a request; `/` for anything that could lead elsewhere."""
    return text if _SAFE_PATH.fullmatch(text) else "/"
