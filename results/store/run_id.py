"""Run and sweep ids: they are safe as folder names, and begin with the time."""

from __future__ import annotations

import contextlib
import datetime as dt
import hashlib
import re
import secrets
from typing import TYPE_CHECKING

from results.durable import explained, sync_folder

if TYPE_CHECKING:
    from pathlib import Path

_BENCHMARK_LENGTH = 32
_MODEL_LENGTH = 48  # so the whole id is well below the 255 bytes that file systems allow
_MODEL_HEAD = 28

RUN_ID = re.compile(r"\d{8}T\d{6}Z-[A-Za-z0-9_][A-Za-z0-9._-]{0,180}")
ID_TIME = "%Y%m%dT%H%M%SZ"
_NEXT = dt.timedelta(seconds=1 / 256)  # the step of an id's last digits


def new_run_id(benchmark: str, model: str, now: dt.datetime) -> str:
    """An id such as `20261121T034600Z-human_eval-SmolLM2-135M-Q4_1-3f9a`. now: with a time zone.

    The last four digits are the fraction of the second, in 256ths, and a random number: runs of one model that start in
    the same second sort by their start, so that `last` is the last one. A long model name loses its middle, because the
    quantisation is at the end.
    """
    if now.tzinfo is None:
        raise ValueError("the time of a run needs a time zone")
    name = _safe(model) or "model"
    if len(name) > _MODEL_LENGTH:
        name = f"{name[:_MODEL_HEAD]}-{name[_MODEL_HEAD + 1 - _MODEL_LENGTH :]}"
    started = now.astimezone(dt.UTC).strftime(ID_TIME)
    ending = f"{now.microsecond * 256 // 1_000_000:02x}{secrets.token_hex(1)}"
    return "-".join((started, _safe(benchmark)[:_BENCHMARK_LENGTH] or "benchmark", name, ending))


def id_of_another(run_id: str, content: bytes) -> str:
    """Another id for a run, if its own is taken: with other last digits, the same ones for the same content."""
    head, _, _ = run_id.rpartition("-")
    return f"{head}-{hashlib.sha256(content).hexdigest()[:6]}"


def new_folder(parent: Path, benchmark: str, model: str, now: dt.datetime, *, what: str = "run") -> Path:
    """Create a folder named by a new id, and `parent` if it is missing. Raises ResultsError."""
    with explained(f"make a {what}'s folder in", parent):
        parent.mkdir(parents=True, exist_ok=True)
        while True:
            folder = parent / new_run_id(benchmark, model, now)
            with contextlib.suppress(FileExistsError):
                folder.mkdir()
                break
            now += _NEXT
        sync_folder(parent)
    return folder


def _safe(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-.")
