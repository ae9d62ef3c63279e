"""Run and sweep ids: they are safe as folder names, and can be found by their beginning."""

from __future__ import annotations

import contextlib
import datetime as dt
import difflib
import re
import secrets
from typing import TYPE_CHECKING

from results.durable import explained, sync_folder
from results.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_BENCHMARK_LENGTH = 32
_MODEL_LENGTH = 48  # so the whole id is well below the 255 bytes that file systems allow
_MODEL_HEAD = 28

ID_TIME = "%Y%m%dT%H%M%SZ"


def new_run_id(benchmark: str, model: str, now: dt.datetime) -> str:
    """An id such as `20261121T034600Z-human_eval-SmolLM2-135M-Q4_1-3f9a`. now: with a time zone.

    A long model name loses its middle, because the quantisation is at the end.
    """
    if now.tzinfo is None:
        raise ValueError("the time of a run needs a time zone")
    name = _safe(model) or "model"
    if len(name) > _MODEL_LENGTH:
        name = f"{name[:_MODEL_HEAD]}-{name[_MODEL_HEAD + 1 - _MODEL_LENGTH :]}"
    started = now.astimezone(dt.UTC).strftime(ID_TIME)
    return "-".join(
        (started, _safe(benchmark)[:_BENCHMARK_LENGTH] or "benchmark", name, secrets.token_hex(2))
    )


def new_folder(parent: Path, benchmark: str, model: str, now: dt.datetime, *, what: str = "run") -> Path:
    """Create a folder named by a new id, and `parent` if it is missing. Raises ResultsError."""
    with explained(f"make a {what}'s folder in", parent):
        parent.mkdir(parents=True, exist_ok=True)
        while True:
            folder = parent / new_run_id(benchmark, model, now)
            with contextlib.suppress(FileExistsError):
                folder.mkdir()
                break
        sync_folder(parent)
    return folder


def match_id(wanted: str, ids: Iterable[str], *, what: str = "run") -> str:
    """The only id that is `wanted` or begins with it; "last" is the newest. what: "run" or "sweep", for messages.

    Raises UsageError, which names candidates or similar ids.
    """
    known = sorted(set(ids))
    if wanted == "last" and known:
        return known[-1]
    if wanted in known:
        return wanted
    matching = [run_id for run_id in known if wanted and run_id.startswith(wanted)]
    if len(matching) == 1:
        return matching[0]
    if matching:
        raise UsageError(
            f"{wanted!r} matches {len(matching)} {what}s",
            hint="give more of the id: " + _some(matching),
        )
    close = [run_id for run_id in known if wanted and wanted.lower() in run_id.lower()]
    close = close or difflib.get_close_matches(wanted, known, n=3, cutoff=0.5)
    if close:
        hint = "did you mean " + _some(close)
    elif known:
        hint = "the latest are " + _some(known[-3:])
    else:
        hint = f"there are no {what}s yet; use another folder with --results-dir or $BENCH_RESULTS_DIR"
    raise UsageError(f"there is no {what} {wanted!r}", hint=hint)


def _some(run_ids: list[str]) -> str:
    shown = ", ".join(run_ids[:5])
    return shown if len(run_ids) <= 5 else f"{shown}, and {len(run_ids) - 5} more"


def _safe(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-.")
