"""Which addresses of the dashboard are pages of a site, and in which file each stands."""

from __future__ import annotations

import hashlib
import re
from urllib.parse import parse_qsl, urlsplit

from results.store.run_id import RUN_ID

STARTS = ("/", "/rankings", "/tradeoffs", "/history", "/runs", "/tasks", "/help")
# What a page of a site may be asked by. Other views of the same facts (another order, a filter) are left out, since
# every combination would be a file.
_QUERIES: tuple[tuple[re.Pattern[str], frozenset[str]], ...] = (
    (re.compile(r"/"), frozenset({"benchmark"})),
    (re.compile(r"/(rankings|tradeoffs|history)"), frozenset({"benchmark", "tag", "model", "what"})),
    (re.compile(r"/runs"), frozenset({"cursor", "page"})),
    (re.compile(r"/tasks"), frozenset({"benchmark", "page", "cursor"})),
    (re.compile(r"/compare"), frozenset({"a", "b"})),
    (re.compile(r"/runs/[^/]+"), frozenset({"cursor", "page"})),
    (re.compile(r"/runs/[^/]+/samples(/.+)?"), frozenset({"task_id", "index"})),
    (re.compile(r"/help"), frozenset()),
)
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,100}")
_STATIC = "/static/"


def is_file(address: str) -> bool:
    """Whether it is a style, a script or the like."""
    return address.startswith(_STATIC)


def page_of(address: str) -> str | None:
    """The address without its fragment, if it is a page of the site; None for any other."""
    parts = urlsplit(address)
    if parts.scheme or parts.netloc or not parts.path.startswith("/"):
        return None
    if is_file(parts.path):
        return parts.path
    names = {name for name, _ in parse_qsl(parts.query, keep_blank_values=True)}
    for path, allowed in _QUERIES:
        if path.fullmatch(parts.path):
            if not names <= allowed or (parts.path == "/compare" and names != {"a", "b"}):
                return None
            return f"{parts.path}?{parts.query}" if parts.query else parts.path
    return None


def file_of(address: str) -> str:
    """The file of a page or a static file, with `/` between its folders. Different addresses have different files."""
    parts = urlsplit(address)
    if is_file(parts.path):
        return parts.path.removeprefix("/")
    folders = [_plain(part) for part in parts.path.strip("/").split("/") if part]
    name = f"index-{_digest(parts.query)}.html" if parts.query else "index.html"
    return "/".join([*folders, name])


def link(start: str, to: str) -> str:
    """How the file `start` refers to the file `to`."""
    up = "../" * start.count("/")
    return f"{up}{to}"


def _plain(part: str) -> str:
    """A folder's name. Of two that differ only in capitals, some file systems would make one."""
    is_plain = RUN_ID.fullmatch(part) or (_PLAIN.fullmatch(part) and part == part.lower())
    return part if is_plain else f"{_letters(part)}-{_digest(part)}"


def _letters(part: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "-", part).strip("-.")[:60] or "page"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:10]
