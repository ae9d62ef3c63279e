"""Read the log-probabilities that `llama-perplexity --kl-divergence-base FILE` writes, from a file or while it writes.

The format (llama.cpp, tools/perplexity/perplexity.cpp), in the byte order of the machine: the magic, then n_ctx,
n_vocab and n_chunks as 32-bit integers, then the tokens of all chunks. Then, for each chunk, a row for each scored
position: the scale and the smallest log-probability as two floats, and one 16-bit number for each token of the
vocabulary. A token's log-probability is scale * number + smallest. The smallest is at most 16 below the largest: less
likely tokens are raised to it. Scored is the second half of each chunk, so that every token has a context.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

from results.errors import ScriptError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MAGIC = b"_logits_"
HEADER_BYTES = len(MAGIC) + 12
# A damaged header must not cost the memory.
_MOST = 1 << 24  # of each of its numbers
_MOST_TOKENS_BYTES = 1 << 30


class BadLogitsError(ScriptError):
    """The file is none of llama-perplexity's, is damaged, or ends too early."""


@dataclass(frozen=True)
class LogitsHeader:
    """The sizes of a file. n_ctx: tokens in a chunk."""

    n_ctx: int
    n_vocab: int
    n_chunks: int

    @property
    def scored(self) -> int:
        """Scored positions in a chunk."""
        return self.n_ctx - 1 - self.n_ctx // 2

    @property
    def row_words(self) -> int:
        """16-bit words of a row: four for scale and smallest, and an even number for the vocabulary."""
        return 4 + 2 * ((self.n_vocab + 1) // 2)

    @property
    def tokens_bytes(self) -> int:
        return 4 * self.n_ctx * self.n_chunks

    @property
    def chunk_bytes(self) -> int:
        return 2 * self.row_words * self.scored

    @property
    def file_bytes(self) -> int:
        return HEADER_BYTES + self.tokens_bytes + self.n_chunks * self.chunk_bytes

    def encode(self) -> bytes:
        return MAGIC + struct.pack("<3i", self.n_ctx, self.n_vocab, self.n_chunks)


class LogitsReader:
    """Reads one file from its beginning. name: what it is, for errors.

    tokens: a row for each chunk. Raises BadLogitsError, here and in `chunk`.
    """

    def __init__(self, file: BinaryIO, name: str) -> None:
        self._file = file
        self._name = name
        self.header = header = self._read_header()
        import numpy as np

        tokens = self._read(header.tokens_bytes, "the tokens")
        self.tokens: NDArray[np.int32] = np.frombuffer(tokens, "<i4").reshape(header.n_chunks, header.n_ctx)
        if self.tokens.size and not 0 <= int(self.tokens.min()) <= int(self.tokens.max()) < header.n_vocab:
            raise BadLogitsError(
                f"{name} is damaged: it has tokens outside its vocabulary of {header.n_vocab}",
                hint="remove it, so that it is made again",
            )
        self._chunks_read = 0

    def chunk(self) -> bytes:
        """The rows of the next chunk."""
        self._chunks_read += 1
        return self._read(self.header.chunk_bytes, f"chunk {self._chunks_read} of {self.header.n_chunks}")

    def has_more(self) -> bool:
        """Whether anything follows what was read."""
        return bool(self._file.read(1))

    def rows(self, chunk: bytes) -> NDArray[np.uint16]:
        """A chunk as a row for each scored position, without the word that fills up an odd vocabulary."""
        import numpy as np

        whole = np.frombuffer(chunk, "<u2").reshape(self.header.scored, self.header.row_words)
        return whole[:, : 4 + self.header.n_vocab]

    def _read_header(self) -> LogitsHeader:
        start = self._read(HEADER_BYTES, "the header")
        if not start.startswith(MAGIC):
            raise BadLogitsError(
                f"{self._name} is not a file of log-probabilities: it begins with {start[:8]!r}",
                hint="it is the one that llama-perplexity writes with --kl-divergence-base",
            )
        header = LogitsHeader(*struct.unpack("<3i", start[len(MAGIC) :]))
        wrong = any(not 0 < size <= _MOST for size in (header.n_ctx, header.n_vocab, header.n_chunks))
        if wrong or header.scored < 1 or header.tokens_bytes > _MOST_TOKENS_BYTES:
            raise BadLogitsError(
                f"{self._name} has an impossible header: {header}", hint="remove it, so that it is made again"
            )
        return header

    def _read(self, size_bytes: int, what: str) -> bytes:
        data = self._file.read(size_bytes)
        if len(data) < size_bytes:
            raise BadLogitsError(
                f"{self._name} ends in {what}: {size_bytes - len(data):,} of its {size_bytes:,} bytes are missing",
                hint="remove it, so that it is made again",
            )
        return data
