"""The address of a server, as a user writes it."""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import msgspec

from results.errors import UsageError

if TYPE_CHECKING:
    from urllib.parse import SplitResult

_EXAMPLE = "such as http://127.0.0.1:8080"
_ENDPOINT = re.compile(r"/(chat/completions|completions|messages|models)$")
_VERSION = re.compile(r"/v\d+(alpha|beta)?\d*(/|$)")
_API = "/v1"
_ABOUT = ("base_url",)


class BaseUrl(msgspec.Struct, frozen=True, kw_only=True):
    """A server's root, parsed where it enters and passed on in this form.

    url: the whole URL without /v1, an endpoint and final slashes. port: the scheme's if the text has none. api: where
    the API lies below it: /v1, or nothing where the URL leads to it already, such as .../v1beta/openai.
    """

    url: str
    scheme: str
    host: str
    port: int
    path: str
    api: str = _API

    def __str__(self) -> str:
        return self.url

    @property
    def api_url(self) -> str:
        """Where /chat/completions lies."""
        return self.url + self.api

    @property
    def written(self) -> str:
        """A text that names the same API whoever reads it."""
        if not self.path:
            return self.url if self.api else f"{self.url}/chat/completions"
        return self.api_url

    @property
    def is_local(self) -> bool:
        """Whether the server is on this machine: no proxy may be used then, and its processes can be found."""
        address = _address(self.host)
        if address is None:
            return self.host == "localhost"
        return address.is_loopback or address.is_unspecified


def parse_base_url(text: str) -> BaseUrl:
    """Parse the address of a server, with or without http://, /v1 and /chat/completions.

    The API of a server lies at /v1 below it, unless the address names another version, such as .../v1beta/openai.
    Raises UsageError, which never repeats a password.
    """
    url, host, port = _split(text)
    path = _ENDPOINT.sub("", url.path.rstrip("/")).rstrip("/")
    root = path.removesuffix(_API).rstrip("/")
    elsewhere = root == path and _VERSION.search(path)
    return _made(url, host, port, root, "" if elsewhere else _API)


def parse_api_url(text: str) -> BaseUrl:
    """Parse the address of a provider's API, which stays as it is written; without a path it is /v1.

    An address that ends in /chat/completions names its API exactly. Raises UsageError like `parse_base_url`.
    """
    url, host, port = _split(text)
    whole = url.path.rstrip("/")
    path = _ENDPOINT.sub("", whole).rstrip("/")
    root = path.removesuffix(_API).rstrip("/")
    return _made(url, host, port, root, _API if root != path or not whole else "")


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _split(text: str) -> tuple[SplitResult, str, int | None]:
    whole = text.strip() if "://" in text else f"http://{text.strip()}"
    try:
        url = urlsplit(whole)
        port = url.port
        host = url.hostname or ""
        if _address(host) is None:  # what encodes other names takes 2 ms to load
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
    return url, host, port


def _made(url: SplitResult, host: str, port: int | None, path: str, api: str) -> BaseUrl:
    return BaseUrl(
        url=f"{url.scheme}://{url.netloc}{path}",
        scheme=url.scheme,
        host=host,
        port=port or (443 if url.scheme == "https" else 80),
        path=path,
        api=api,
    )
