"""Style, scripts and their licences, from memory, under addresses that change with their content."""

from __future__ import annotations

import gzip
import hashlib
from functools import cache
from pathlib import Path
from typing import NamedTuple

from fastapi import APIRouter
from starlette.requests import Request  # noqa: TC002 - FastAPI reads the annotation at run time
from starlette.responses import Response

from results.views.report.page import TEMPLATES as REPORT

router = APIRouter(include_in_schema=False)
_STATIC = Path(__file__).parent / "static"
_CSS, _SCRIPT, _TEXT = "text/css", "text/javascript", "text/plain"
# The only files that are served. The style begins with a report's, so that both look alike.
_FILES: dict[str, tuple[str, tuple[Path, ...]]] = {
    "site.css": (
        _CSS,
        (REPORT / "page.css", _STATIC / "site.css", _STATIC / "answers.css", _STATIC / "work.css"),
    ),
    "icon.svg": ("image/svg+xml", (_STATIC / "icon.svg",)),
    "site.js": (_SCRIPT, (_STATIC / "site.js",)),
    "jobs.js": (_SCRIPT, (_STATIC / "jobs.js",)),
    "machine.js": (_SCRIPT, (_STATIC / "machine.js",)),
    "charts.js": (_SCRIPT, (_STATIC / "charts.js",)),
    "uplot.js": (_SCRIPT, (_STATIC / "vendor" / "uplot-1.6.32.min.js",)),
    "uplot.css": (_CSS, (_STATIC / "vendor" / "uplot-1.6.32.min.css",)),
    "uplot.LICENSE": (_TEXT, (_STATIC / "vendor" / "uplot-1.6.32.LICENSE",)),
}


@router.get("/static/{name}")
def static_file(name: str, request: Request) -> Response:
    """One of the files; anybody may have them, since the page of a login needs them."""
    found = files().get(name)
    if found is None:
        return Response("no such file\n", status_code=404, media_type="text/plain")
    kind, content, digest = found.kind, found.content, found.digest
    kept = "public, max-age=31536000, immutable" if request.query_params.get("v") == digest else "no-cache"
    headers = {"cache-control": kept, "etag": f'"{digest}"', "vary": "Accept-Encoding"}
    if request.headers.get("if-none-match") == f'"{digest}"':
        return Response(status_code=304, headers=headers)
    if "gzip" in request.headers.get("accept-encoding", "").lower():  # nothing secret is in them
        return Response(found.packed, media_type=kind, headers=headers | {"content-encoding": "gzip"})
    return Response(content, media_type=kind, headers=headers)


def address_of(name: str) -> str:
    """The address of a file, for a page. Raises KeyError for one that isn't served."""
    return f"/static/{name}?v={files()[name].digest}"


class StaticFile(NamedTuple):
    """packed: the same content, gzipped."""

    kind: str
    content: bytes
    packed: bytes
    digest: str


@cache
def files() -> dict[str, StaticFile]:
    """By name, read once."""
    found = {}
    for name, (kind, paths) in _FILES.items():
        content = b"\n".join(path.read_bytes() for path in paths)
        digest = hashlib.sha256(content).hexdigest()[:12]
        found[name] = StaticFile(kind, content, gzip.compress(content, mtime=0), digest)
    return found
