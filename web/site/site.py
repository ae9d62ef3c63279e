"""Write the leaderboard, runs and samples of some runs as a site that needs no server."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections import deque
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from fastapi import FastAPI

from results import __version__
from results.durable import explained
from results.errors import BenchError, ResultsError, UsageError
from web.access.answers import handle_errors
from web.app import ROUTERS
from web.config import ServeConfig
from web.opening import open_services, read_runs
from web.site.addresses import STARTS, file_of, link, page_of
from web.site.asking import Asker
from web.site.rewriting import addresses_in, rewritten

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from results.store.run_folder import RunFolder

MARK = ".bench-runner-site"  # says that a folder is a site, which another one may replace
MOST_PAGES = 100_000
_HTML = "text/html"


@dataclass(frozen=True)
class Written:
    """What was written. hidden: keys and passwords that were replaced."""

    pages: int
    size_bytes: int
    hidden: int


def require_place(place: Path) -> None:
    """Raises UsageError if something else than a site is there."""
    with explained("read", place):
        if place.is_dir() and any(place.iterdir()) and not (place / MARK).exists():
            raise UsageError(f"{place} isn't empty and is no site", hint="name a new folder")
        if place.exists() and not place.is_dir():
            raise UsageError(f"{place} is not a folder", hint="name a new folder")


def write_site(
    runs: Sequence[RunFolder], place: Path, *, progress: Callable[[int, int], None] = lambda *_: None
) -> Written:
    """Write the site of these runs into `place`, in place of an earlier one. progress: called with the pages that are
    written and those that are known of.

    The values of the environment's keys and passwords are replaced, and logs are left out, as in an archive. Raises
    UsageError and ResultsError, with an earlier site untouched.
    """
    place = place.absolute()
    require_place(place)
    with explained("write", place):
        place.parent.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(prefix=f".{place.name}-", dir=place.parent))
    try:
        with tempfile.TemporaryDirectory(prefix="bench-site-") as copied:
            hidden = _copy(runs, Path(copied))
            pages, size = _write_pages(Path(copied), made / "site", progress)
        with explained("write", place):
            if place.exists():
                place.rename(made / "before")
            try:
                (made / "site").rename(place)
            except OSError:
                with contextlib.suppress(FileNotFoundError):  # there was none
                    (made / "before").rename(place)
                raise
    finally:
        shutil.rmtree(made, ignore_errors=True)
    return Written(pages, size, hidden)


def _copy(runs: Sequence[RunFolder], into: Path) -> int:
    """The runs as somebody else would get them. Returns how many secrets were hidden."""
    from results.store.archive_file import PAGES, unpack, write_archive

    archive = into / "runs.zip"
    hidden = write_archive(archive, runs, dict.fromkeys(PAGES, ""), created="", harness=__version__)
    unpack(archive, into)
    archive.unlink()
    return hidden


def _write_pages(results_dir: Path, site: Path, progress: Callable[[int, int], None]) -> tuple[int, int]:
    """Number and bytes of all files."""
    with explained("write", site):
        site.mkdir()
        (site / MARK).write_text(f"{__version__}\n", encoding="utf-8")
    pages = _ask_for_all(results_dir, site, progress)
    for address in pages:
        path = site / file_of(address)
        if path.suffix == ".html":
            with explained("write", path):
                html = path.read_text(encoding="utf-8")
                path.write_text(rewritten(html, partial(_link, file_of(address), pages)), encoding="utf-8")
    return len(pages), sum((site / file_of(address)).stat().st_size for address in pages)


def _ask_for_all(results_dir: Path, site: Path, progress: Callable[[int, int], None]) -> set[str]:
    """Write every page that can be reached into its file, as the application gives it. Returns their addresses."""
    known = dict.fromkeys(STARTS)
    waiting = deque(known)
    written: set[str] = set()
    with _reading_app(results_dir) as app, Asker(app) as asker:
        while waiting:
            address = waiting.popleft()
            answer = asker.get(address)
            if answer.status >= 500:
                raise BenchError(
                    f"the page {address} can't be made (status {answer.status})",
                    hint="what is printed above says why; it is a mistake of this program, so please report it",
                )
            if answer.status != 200:
                continue
            path = site / file_of(address)
            with explained("write", path):
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(answer.body)
            written.add(address)
            if answer.kind == _HTML:
                found = filter(None, map(page_of, addresses_in(answer.body.decode())))
                new = [each for each in dict.fromkeys(found) if each not in known]
                known.update(dict.fromkeys(new))
                waiting += new
            if len(known) > MOST_PAGES:
                raise ResultsError(
                    f"the site would have more than {MOST_PAGES:,} pages", hint="name fewer runs to export"
                )
            progress(len(written), len(known))
    return written


def _link(own: str, pages: set[str], address: str) -> str | None:
    """How the file `own` refers to that address; None if the site doesn't have it."""
    page = page_of(address)
    if page is None or page not in pages:
        return None
    fragment = urlsplit(address).fragment
    return link(own, file_of(page)) + (f"#{fragment}" if fragment else "")


@contextlib.contextmanager
def _reading_app(results_dir: Path) -> Iterator[FastAPI]:
    """The pages alone, for whoever has the application itself: without its door."""
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    handle_errors(app)
    for router in ROUTERS:
        app.include_router(router)
    with open_services(ServeConfig(results_dir=results_dir, state_dir=results_dir / ".serve")) as services:
        read_runs(services)
        app.state.services = services
        yield app
