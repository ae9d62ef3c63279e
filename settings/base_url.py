"""The address of a server, as a user writes it."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from results.errors import UsageError

_EXAMPLE = "such as http://127.0.0.1:8080"
_ENDPOINT = re.compile(r"/(chat/completions|completions|models)$")
_ABOUT = ("base_url",)


@dataclass(frozen=True, kw_only=True)
class BaseUrl:
    """A server's root, parsed where it enters and passed on in this form.

    url: the whole URL without /v1, an endpoint and final slashes. port: the scheme's if the text has none.
    """

    url: str
    scheme: str
    host: str
    port: int
    path: str

    def __str__(self) -> str:
        return self.url

    @property
    def is_local(self) -> bool:
        """Whether the server is on this machine: no proxy may be used then, and its processes can be found."""
        try:
            address = ipaddress.ip_address(self.host)
        except ValueError:
            return self.host == "localhost"
        return address.is_loopback or address.is_unspecified


def parse_base_url(text: str) -> BaseUrl:
    """Parse an address, with or without http://, /v1 and /chat/completions.

    Raises UsageError, which never repeats a password.
    """
    whole = text.strip() if "://" in text else f"http://{text.strip()}"
    try:
        url = urlsplit(whole)
        port = url.port
        host = url.hostname or ""
        host.encode("idna")
        is_address = url.scheme in {"http", "https"} and bool(host) and port != 0
    except ValueError:
        is_address = False
    if is_address and (url.username or url.password):
        raise UsageError(
            "--base-url must not contain a password",
            hint="set OPENAI_API_KEY in the environment",
            settings=_ABOUT,
        )
    if not is_address or re.search(r"[\s\0-\x1f\x7f]", whole) or not url.path.isascii():
        shown = f"...@{text.rpartition('@')[2]}" if "@" in text else text
        raise UsageError(f"--base-url is not the URL of a server: {shown!r}", hint=_EXAMPLE, settings=_ABOUT)
    if url.query or url.fragment:
        raise UsageError(
            f"--base-url {text} contains more than an address",
            hint="remove everything from ? or # on",
            settings=_ABOUT,
        )
    path = _ENDPOINT.sub("", url.path.rstrip("/")).removesuffix("/v1").rstrip("/")
    return BaseUrl(
        url=f"{url.scheme}://{url.netloc}{path}",
        scheme=url.scheme,
        host=host,
        port=port or (443 if url.scheme == "https" else 80),
        path=path,
    )
