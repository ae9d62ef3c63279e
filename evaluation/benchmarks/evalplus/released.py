"""EvalPlus's data as its project releases it on GitHub: fetched once, or put there by hand."""

from __future__ import annotations

import collections
import http.client
import queue
import threading
import time
import urllib.error
import urllib.request
import zlib
from typing import TYPE_CHECKING, Any

from evaluation.data.hub import by_hand_folder
from evaluation.data.hub_data import HubData
from evaluation.data.packed import unpacked
from evaluation.data.pins import forget_pin, keep_pin, new_pin, read_pin, verify
from results.durable import explained, replace_file
from results.errors import ScriptError
from results.folders import cache_folder

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

RELEASES = {
    "human_eval_plus": ("HumanEvalPlus", "v0.1.10"),
    "mbpp_plus": ("MbppPlus", "v0.2.0"),
}  # of evalplus 0.3.1
_PATH = "/evalplus/{folder}_release/releases/download/{version}/{name}.jsonl.gz"
_TIMEOUT_S = 60.0
_MOST_BYTES = 1 << 30
_SUFFIXES = (".jsonl", ".gz")
_PIECE_BYTES = 1 << 16


def fetch_release(
    benchmark: str, *, say: Callable[[str], None], root: str = "https://github.com", most_s: float = 900.0
) -> Path:
    """The file of a benchmark: put there by hand, fetched earlier, or fetched now. It is pinned at its first use.

    Raises BenchError, also if it is not the one that was pinned.

    say: told before anything is fetched. root: where the releases are. most_s: how long the fetching may
    take as a whole.
    """
    name, version = RELEASES[benchmark]
    by_hand, kept = by_hand_folder() / "evalplus", _kept(benchmark)
    if (here := local_release(benchmark)) is not None:
        return _pinned(benchmark, here)
    url = root + _PATH.format(folder=name.lower(), version=version, name=name)
    say(f"fetching {url}")
    try:
        data = _downloaded(url, most_s)
        collections.deque(unpacked(data), maxlen=0)  # else it is no such file, or a part of one
    except (OSError, EOFError, zlib.error, http.client.HTTPException, ValueError) as error:
        if isinstance(error, urllib.error.HTTPError):
            error.close()
        raise ScriptError(
            f"the data of {benchmark} could not be fetched from {url}: {_why(error)}",
            hint=f"fetch it elsewhere and put it into {by_hand}, or give it with --dataset FILE",
        ) from error
    with explained("write", kept):
        kept.parent.mkdir(parents=True, exist_ok=True)
        replace_file(kept, data)
    return _pinned(benchmark, kept)


def local_release(benchmark: str) -> Path | None:
    """The file that is here: the one that was put there by hand, or else the one that was fetched."""
    by_hand, name = by_hand_folder() / "evalplus", RELEASES[benchmark][0]
    places = (by_hand / f"{name}.jsonl", by_hand / f"{name}.jsonl.gz", _kept(benchmark))
    return next((path for path in places if path.is_file()), None)


def forget_release(benchmark: str) -> None:
    """Remove what was fetched, and what is remembered of it. Raises ResultsError."""
    kept = _kept(benchmark)
    for suffix in _SUFFIXES:
        forget_pin(_asked(benchmark, suffix))
    with explained("remove", kept):
        kept.unlink(missing_ok=True)


def release_facts(benchmark: str) -> dict[str, Any]:
    """The data set as `data list` shows it: its repository on GitHub, whether its file is here, and what is pinned."""
    name, version = RELEASES[benchmark]
    path = local_release(benchmark)
    pin = read_pin(_asked(benchmark, path.suffix)) if path is not None else None
    return {
        "suite": benchmark,
        "task": "",
        "repository": _asked(benchmark).repository,
        "config": "",
        "split": "",
        "names": [f"{name}.jsonl.gz"],
        "revision": version,
        "here": path is not None,
        "commit": None,
        "files": None
        if pin is None
        else [
            {"name": file.name, "size_bytes": file.size_bytes, "sha256": file.sha256} for file in pin.files
        ],
    }


def _asked(benchmark: str, suffix: str = ".gz") -> HubData:
    """As the pins know it; packed and unpacked, it is two files."""
    name, version = RELEASES[benchmark]
    return HubData(
        f"github.com/evalplus/{name.lower()}_release",
        files=(f"{name}.jsonl{'.gz' if suffix == '.gz' else ''}",),
        revision=version,
    )


def _pinned(benchmark: str, path: Path) -> Path:
    asked = _asked(benchmark, path.suffix)
    pin = read_pin(asked)
    if pin is not None:
        verify(pin, [path])
    else:
        keep_pin(asked, new_pin(asked, "", [(asked.files[0], path)]))
    return path


def _kept(benchmark: str) -> Path:
    name, version = RELEASES[benchmark]
    return cache_folder() / "evalplus" / f"{name}-{version}.jsonl.gz"


def _downloaded(url: str, most_s: float) -> bytes:
    """Raises OSError, http.client.HTTPException or ValueError.

    The time-out of a connection is one of each read, and a server that drips keeps that; so it is read in a thread, for
    which nobody waits any longer than `most_s`.
    """
    ends = time.monotonic() + most_s
    found: queue.SimpleQueue[bytes | Exception] = queue.SimpleQueue()

    def read() -> None:
        data = bytearray()
        try:
            with urllib.request.urlopen(url, timeout=_TIMEOUT_S) as answer:  # noqa: S310 - of GitHub
                while piece := answer.read1(_PIECE_BYTES):
                    data += piece
                    if len(data) > _MOST_BYTES:
                        raise ValueError(f"it has more than {_MOST_BYTES:,} bytes")
                    if time.monotonic() > ends:
                        return
            found.put(bytes(data))
        except Exception as error:  # noqa: BLE001 - raised where it is waited for
            found.put(error)

    threading.Thread(target=read, name="download", daemon=True).start()
    try:
        got = found.get(timeout=most_s)
    except queue.Empty:
        raise TimeoutError(f"it was not there after {most_s:g} s") from None
    if isinstance(got, Exception):
        raise got
    return got


def _why(error: Exception) -> str:
    reason = error.reason if isinstance(error, urllib.error.URLError) else error
    return (str(reason).splitlines() or [type(error).__name__])[0]
