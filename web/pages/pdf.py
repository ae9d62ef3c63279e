"""A view as PDF. WeasyPrint runs in a process of its own, which fetches nothing and has little time and memory."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from results.errors import ResultsError, UsageError
from results.extras import install_command
from web.errors import ApiError
from web.pages.table import whole_text
from web.pages.templating import environment

if TYPE_CHECKING:
    from web.pages.view import View

ROOT = Path(__file__).resolve().parents[2]
WAIT_S = 60.0
ASK_AGAIN_S = 15.0
_ONE_AT_A_TIME = threading.BoundedSemaphore(1)  # each takes a core and some 150 MB


def pdf(view: View) -> bytes:
    """The PDF. Raises UsageError without WeasyPrint, ApiError (429) while another one is made, ResultsError where it
    needs too long or too much memory.
    """
    if not has_weasyprint():
        raise UsageError("PDF needs WeasyPrint, which is not installed", hint=install_command("pdf"))
    # Without waiting: whoever waits holds one of the few threads in which all requests are answered.
    if not _ONE_AT_A_TIME.acquire(blocking=False):
        raise ApiError(
            429,
            "another PDF is being made; try again in a moment, or take Markdown or CSV",
            retry_after_s=ASK_AGAIN_S,
        )
    try:
        return made_pdf(environment().get_template("pdf.html.jinja").render(view=view, whole_text=whole_text))
    finally:
        _ONE_AT_A_TIME.release()


def made_pdf(html: str, *, timeout_s: float = WAIT_S) -> bytes:
    """A PDF of the page. Raises ResultsError."""
    command = [sys.executable, "-P", "-m", "web.pages.pdf_process"]
    environment = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}
    try:
        done = subprocess.run(
            command, input=html.encode(), capture_output=True, timeout=timeout_s, cwd="/", env=environment,
            check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise ResultsError(
            f"the PDF was not ready after {timeout_s:g} s", hint="filter the view to fewer rows, or take CSV"
        ) from error
    if done.returncode or not done.stdout.startswith(b"%PDF-"):
        raise ResultsError(
            "the PDF could not be made: it needs more time or memory than it may have",
            hint="filter the view to fewer rows, or take CSV",
            log_tail=done.stderr.decode("utf-8", "replace")[-2000:],
        )
    return done.stdout


def has_weasyprint() -> bool:
    """Whether the extra is installed."""
    try:
        return importlib.util.find_spec("weasyprint") is not None
    except ValueError:  # it is kept out on purpose
        return False
