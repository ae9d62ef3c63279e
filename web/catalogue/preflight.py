"""What `sweep --dry-run` says of a request: by a process of its own, within a time, a few at once."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from results.errors import BenchError, ResultsError, UsageError
from results.json_text import encode
from web.catalogue.manifest import manifest_document
from web.catalogue.posting import NAME, refused_by
from web.working.devices import find_devices
from web.working.job_environment import job_environment

if TYPE_CHECKING:
    from web.catalogue.request import RunRequest
    from web.config import ServeConfig

PATIENCE_S = 90.0
MOST_AT_ONCE = 2
ASK_AGAIN_S = 30  # who found no place
_PROGRAM = Path(__file__).resolve().parents[2] / "bench_runner.py"
_places = threading.BoundedSemaphore(MOST_AT_ONCE)


class PreflightBusy(BenchError):
    """As many are at work as may be."""


def preflight_report(
    request: RunRequest, config: ServeConfig, *, patience_s: float = PATIENCE_S
) -> dict[str, Any]:
    """The report as `sweep --dry-run --json` prints it. Nothing is started but benchmarks' checks of their data.

    Raises RequestRefused with every mistake, PreflightBusy, and ResultsError if it takes too long.
    """
    document = manifest_document(request, config)
    # Without waiting: whoever waits holds one of the few threads in which all requests are answered.
    if not _places.acquire(blocking=False):
        raise PreflightBusy("too many checks run already", hint="try again in a minute")
    try:
        return _asked(encode(document).decode(), request, config, patience_s)
    finally:
        _places.release()


def _asked(text: str, request: RunRequest, config: ServeConfig, patience_s: float) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="bench-preflight-") as folder:
        file = Path(folder) / "manifest.json"
        file.write_text(text, encoding="utf-8")
        command = (
            *(sys.executable, str(_PROGRAM), "sweep", str(file), "--dry-run", "--json"),
            *("--results-dir", str(config.results_dir)),
        )
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=folder,
            env=job_environment(text, mark="preflight", device=_one_jobs_device()),
            start_new_session=True,
        )
        try:
            output, errors = process.communicate(timeout=patience_s)
        except subprocess.TimeoutExpired:
            raise ResultsError(
                f"the check did not end within {patience_s:g} s",
                hint="fetch the data first: `bench_runner.py data fetch NAME`",
            ) from None
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            with process:
                pass
    output = re.sub(rf"{re.escape(str(file))}(:\d+)?".encode(), NAME.encode(), output)  # it has one line
    try:
        found = json.loads(output)
    except ValueError:
        raise refused_by(
            _said(errors.decode("utf-8", "replace").replace(str(file), NAME)), request, config
        ) from None
    return {**_without_engine(found), "needs": [_need(each) for each in found["needs"]]}


@functools.cache
def _one_jobs_device() -> dict[str, str | None]:
    """A job gets one GPU, so a model that needs two must be told not to fit. Loading drivers takes seconds: once."""
    return find_devices().shown_first()


def _without_engine(report: dict[str, Any]) -> dict[str, Any]:
    """What an engine found is a finding like others; names of machines are the operator's."""
    engine = report.pop("engine", None)
    if engine is None:
        return report
    more = [
        {"level": each["level"], "index": None, "text": each["text"]}
        for each in engine["findings"]
        if not each["place"]
    ]
    return {**report, "findings": [*report["findings"], *more]}


def _need(need: dict[str, Any]) -> dict[str, Any]:
    """Without how the memory was estimated, which the table of `sweep --dry-run` doesn't show either."""
    return {name: value for name, value in need.items() if name != "memory"}


def _said(text: str) -> UsageError:
    """What the program printed on stderr, as an error again."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    kept = [line for line in lines if not line.startswith(("note: ", "warning: "))] or ["it can't be checked"]
    return UsageError("\n".join([kept[0].removeprefix("error: "), *kept[1:]]), hint="")
