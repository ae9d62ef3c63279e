"""The cache of base logits: what a reference model predicts for a text, as llama-perplexity writes it.

Each is made once for a model, text, window, limit, build and settings, under a name that ends in the hash of these. One
is a folder with two files: `logits` in llama.cpp's own format, which its own `--kl-divergence` reads too, and
`base.json`, what it is and a checksum of each chunk. The folder is made under a hidden name and renamed once it is
whole and on disk, so that a crash leaves either a whole one or one that the next writer removes. The cache is bounded:
the one unused for longest goes first.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import re
import shutil
import zlib
from typing import TYPE_CHECKING, Self

import msgspec

from evaluation.benchmarks.kld.logits_file import BadLogitsError, LogitsHeader, LogitsReader
from results.durable import replace_file, sync_folder
from results.errors import ScriptError
from results.files import open_to_read, read_file
from results.folders import cache_folder, size_bytes_of
from results.json_text import NOT_THAT_JSON, encode
from results.locks import lock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from io import BufferedWriter
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

LIMIT_BYTES = 32 << 30
_SPARE_BYTES = 256 << 20  # of the disk, which others need as well
_LOOK_S = 0.3
_LOGITS, _FACTS = "logits", "base.json"
_GIB, _MIB = 1 << 30, 1 << 20


class NoRoomError(ScriptError):
    """Base logits can't be kept: too large for the bound or the disk, or the disk fails. It fails one run, not the
    results of others.
    """


class BaseKey(msgspec.Struct, frozen=True, kw_only=True):
    """What determines base logits. options: the settings of the program that change its predictions.

    build: of the program. limit: the most chunks; None: all of the text.
    """

    model_sha256: str
    text_sha256: str
    window: int
    limit: int | None
    build: str
    options: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        return hashlib.sha256(encode(self)).hexdigest()[:16]


class BaseFacts(msgspec.Struct, frozen=True, kw_only=True):
    """`base.json`. crc32: of each chunk. perplexity: the program's own figure, in full precision."""

    key: BaseKey
    model: str
    n_vocab: int
    n_chunks: int
    crc32: tuple[int, ...]
    perplexity: float | None = None

    @property
    def header(self) -> LogitsHeader:
        return LogitsHeader(self.key.window, self.n_vocab, self.n_chunks)


class BaseLogits:
    """One that is whole, open for reading; chunk by chunk, each checked. It may leave the cache meanwhile."""

    def __init__(self, folder: Path, facts: BaseFacts) -> None:
        self.facts = facts
        self._folder = folder
        self._file = open_to_read(folder / _LOGITS)
        self._chunks_read = 0
        try:
            self._reader = LogitsReader(self._file, f"the base logits of {facts.model}")
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._file.close()

    @property
    def tokens(self) -> NDArray[np.int32]:
        return self._reader.tokens

    def rows(self) -> NDArray[np.uint16]:
        """The next chunk's. Raises BadLogitsError if it is damaged; it is made again next time then."""
        try:
            chunk = self._reader.chunk()
        except BadLogitsError:
            self._discard()
            raise
        if zlib.crc32(chunk) != self.facts.crc32[self._chunks_read]:
            self._discard()
            raise BadLogitsError(
                f"the base logits of {self.facts.model} are damaged on disk: {self._folder}",
                hint="they are removed; run it again to make them anew, and check the disk if it happens again",
            )
        self._chunks_read += 1
        return self._reader.rows(chunk)

    def _discard(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)


class BaseWriter:
    """Writes one chunk after another of a new one. Raises NoRoomError, for a full disk too."""

    def __init__(self, folder: Path, key: BaseKey, model: str) -> None:
        self._folder = folder
        self._key = key
        self._model = model
        self._header: LogitsHeader | None = None
        self._crc32: list[int] = []
        self._file: BufferedWriter | None = None

    def begin(self, header: LogitsHeader, tokens: NDArray[np.int32]) -> None:
        self._header = header
        with _explained(self._folder):
            self._file = (self._folder / _LOGITS).open("xb")
        self._write(header.encode() + tokens.astype("<i4").tobytes())

    def add(self, chunk: bytes) -> None:
        self._write(chunk)
        self._crc32.append(zlib.crc32(chunk))

    def finish(self, perplexity: float | None) -> BaseFacts:
        """Put all of it on disk."""
        if self._header is None or self._file is None or len(self._crc32) != self._header.n_chunks:
            raise RuntimeError("it is not whole")
        facts = BaseFacts(
            key=self._key,
            model=self._model,
            n_vocab=self._header.n_vocab,
            n_chunks=self._header.n_chunks,
            crc32=tuple(self._crc32),
            perplexity=perplexity,
        )
        with _explained(self._folder):
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
            replace_file(self._folder / _FACTS, encode(facts))
        return facts

    def close(self) -> None:
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._file.close()

    def _write(self, data: bytes) -> None:
        if self._file is None:
            raise RuntimeError("it has not begun")
        with _explained(self._folder):
            self._file.write(data)


class BaseCache:
    """The folder of all base logits. limit_bytes: of all together. say: tells a person what takes long."""

    def __init__(self, limit_bytes: int, say: Callable[[str], None], folder: Path | None = None) -> None:
        self._limit_bytes = limit_bytes
        self._say = say
        self._folder = folder or cache_folder() / "base_logits"

    @contextlib.asynccontextmanager
    async def claim(self, key: BaseKey) -> AsyncIterator[None]:
        """Keep others from making the same one; waits for one that does. Raises NoRoomError."""
        with _explained(self._folder):
            self._folder.mkdir(parents=True, exist_ok=True)
        told = False
        while True:
            with contextlib.ExitStack() as held:
                with _explained(self._folder):
                    ours = held.enter_context(lock(self._folder / f"{key.digest}.lock", within_s=0))
                if ours is not None:
                    yield
                    return
            if not told:
                self._say("waiting for another run that makes the same base logits")
                told = True
            await asyncio.sleep(_LOOK_S)

    def find(self, key: BaseKey) -> BaseLogits | None:
        """One that is there and whole, from then on the one used last; None otherwise."""
        for folder in self._folder.glob(f"[!.]*-{key.digest}"):
            facts = _facts(folder)
            with contextlib.suppress(OSError, BadLogitsError):
                if facts is not None and facts.key == key and _is_whole(folder, facts):
                    with contextlib.suppress(OSError):  # it can be read, even if it can't be touched
                        os.utime(folder / _FACTS)
                    return BaseLogits(folder, facts)
        return None

    @contextlib.contextmanager
    def writer(self, key: BaseKey, model: str) -> Iterator[BaseWriter]:
        """Make one; claimed. It is in the cache after the block, which ends with the writer's `finish`."""
        name = f"{_plain_name(model)}-{key.window}x{key.limit or 'all'}-{key.digest}"
        temporary, final = self._folder / f".{name}", self._folder / name
        with _explained(self._folder):
            for stale in (temporary, final):
                if stale.exists():
                    shutil.rmtree(stale)
            temporary.mkdir()
        writer = BaseWriter(temporary, key, model)
        try:
            yield writer
            with _explained(self._folder):
                temporary.rename(final)
                sync_folder(self._folder)
        finally:
            writer.close()
            shutil.rmtree(temporary, ignore_errors=True)

    def make_room(self, size_bytes: int) -> None:
        """Delete the ones unused for longest until another of that size fits into the cache and on the disk.

        Raises NoRoomError if it can't.
        """
        if size_bytes > self._limit_bytes:
            raise NoRoomError(
                f"the base logits need {size_text(size_bytes)}, and the cache may hold {size_text(self._limit_bytes)}",
                hint="use a smaller --limit (fewer windows) or --kld-window, or raise --kld-cache-size",
            )
        with _explained(self._folder):
            self._remove_stale()
            kept = sorted(self._kept(), key=_last_used)
            sizes = {folder: size_bytes_of(folder) for folder in kept}
            while kept and (
                sum(sizes[folder] for folder in kept) + size_bytes > self._limit_bytes
                or self._free_bytes() < size_bytes + _SPARE_BYTES
            ):
                oldest = kept.pop(0)
                self._say(f"removing older base logits to make room: {oldest.name}")
                shutil.rmtree(oldest, ignore_errors=True)
            free = self._free_bytes()
        if free < size_bytes + _SPARE_BYTES:
            raise NoRoomError(
                f"the base logits need {size_text(size_bytes)} in {self._folder}, and {size_text(free)} are free there",
                hint="free some space, use a smaller --limit (fewer windows), or set XDG_CACHE_HOME to another disk",
            )

    def _free_bytes(self) -> int:
        return shutil.disk_usage(self._folder).free

    def _kept(self) -> list[Path]:
        return [each for each in self._folder.iterdir() if each.is_dir() and not each.name.startswith(".")]

    def _remove_stale(self) -> None:
        """What killed writers left: hidden folders whose locks nobody holds. One that can't be locked stays."""
        for folder in self._folder.glob(".*-*"):
            lock_path = self._folder / f"{folder.name.rpartition('-')[2]}.lock"
            with contextlib.suppress(OSError), lock(lock_path, within_s=0) as ours:
                if ours is not None:
                    shutil.rmtree(folder, ignore_errors=True)


def size_text(size_bytes: float) -> str:
    """Such as "1.3 GiB"."""
    return f"{size_bytes / _GIB:.1f} GiB" if size_bytes >= _GIB / 10 else f"{size_bytes / _MIB:.1f} MiB"


@contextlib.contextmanager
def _explained(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise NoRoomError(
            f"the base logits can't be kept in {folder}: {error.strerror or error}",
            hint="free some space there, or set XDG_CACHE_HOME to a folder on another disk",
        ) from error


def _facts(folder: Path) -> BaseFacts | None:
    try:
        return msgspec.json.decode(read_file(folder / _FACTS), type=BaseFacts)
    except (OSError, *NOT_THAT_JSON):
        return None


def _is_whole(folder: Path, facts: BaseFacts) -> bool:
    header = facts.header
    return (
        header.scored > 0
        and len(facts.crc32) == header.n_chunks > 0
        and (folder / _LOGITS).stat().st_size == header.file_bytes
    )


def _last_used(folder: Path) -> float:
    try:
        return (folder / _FACTS).stat().st_mtime
    except OSError:
        return 0.0


def _plain_name(model: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.-]+", "_", model).lstrip("._-")[:80] or "model"
