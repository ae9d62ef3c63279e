"""What a GGUF file says of itself, and whether all of it is there.

Our own reader: a run needs a dozen facts before anything starts, and the `gguf` package reads every token of the
vocabulary into NumPy arrays for them (seconds for large vocabularies).
Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
"""

from __future__ import annotations

import mmap
import struct
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any

from results.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

MAGIC = b"GGUF"
VERSIONS = (2, 3)  # 1 had other sizes; llama.cpp reads it no more
DEFAULT_ALIGNMENT = 32
_LONGEST_STRING = 1 << 28  # a chat template has kilobytes: more is a broken length

_STRING, _ARRAY, _BOOL = 8, 9, 7
_SCALARS = {
    0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", _BOOL: "<?", 10: "<Q", 11: "<q", 12: "<d",
}  # fmt: skip

# enum llama_ftype, include/llama.h
FILE_TYPES = {
    0: "F32", 1: "F16", 2: "Q4_0", 3: "Q4_1", 7: "Q8_0", 8: "Q5_0", 9: "Q5_1", 10: "Q2_K", 11: "Q3_K_S",
    12: "Q3_K_M", 13: "Q3_K_L", 14: "Q4_K_S", 15: "Q4_K_M", 16: "Q5_K_S", 17: "Q5_K_M", 18: "Q6_K",
    19: "IQ2_XXS", 20: "IQ2_XS", 21: "Q2_K_S", 22: "IQ3_XS", 23: "IQ3_XXS", 24: "IQ1_S", 25: "IQ4_NL",
    26: "IQ3_S", 27: "IQ3_M", 28: "IQ2_S", 29: "IQ2_M", 30: "IQ4_XS", 31: "IQ1_M", 32: "BF16", 36: "TQ1_0",
    37: "TQ2_0", 38: "MXFP4_MOE",
}  # fmt: skip
_GUESSED = 1024  # LLAMA_FTYPE_GUESSED: not written in the file by its maker

# enum ggml_type -> (values a block, bytes a block), ggml/src/ggml.c
_BLOCKS = {
    0: (1, 4), 1: (1, 2), 2: (32, 18), 3: (32, 20), 6: (32, 22), 7: (32, 24), 8: (32, 34), 9: (32, 36),
    10: (256, 84), 11: (256, 110), 12: (256, 144), 13: (256, 176), 14: (256, 210), 15: (256, 292),
    16: (256, 66), 17: (256, 74), 18: (256, 98), 19: (256, 50), 20: (32, 18), 21: (256, 110), 22: (256, 82),
    23: (256, 136), 24: (1, 1), 25: (1, 2), 26: (1, 4), 27: (1, 8), 28: (1, 8), 29: (256, 56), 30: (1, 2),
    34: (256, 54), 35: (256, 66), 39: (32, 17),
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class GgufHeader:
    """What the file says; None: it doesn't.

    quantization: the file's type in llama.cpp's words, such as "Q4_K_M". context_length: tokens in training.
    head_count_kv: where layers differ, the largest. split_no: 0 for the first part. is_mmproj: the part of a
    vision model that sees, not a model by itself.
    """

    architecture: str
    name: str | None
    quantization: str | None
    parameter_count: int
    context_length: int | None
    layer_count: int | None
    embedding_length: int | None
    head_count: int | None
    head_count_kv: int | None
    chat_template: str | None
    split_no: int
    split_count: int
    is_mmproj: bool


def read_header(path: Path) -> GgufHeader:
    """Read the header, and check that the file is as long as its tensors say.

    Raises UsageError when it can't be read, is no GGUF file, of a version that llama.cpp doesn't read, or truncated.
    """
    try:
        with path.open("rb") as file:
            start = file.read(8)
            _require_gguf(path, start)
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                return _header(path, _Reader(data), len(data))
    except OSError as error:
        raise UsageError(f"{path} can't be read: {error.strerror or error}") from error
    except (struct.error, _Broken, UnicodeDecodeError) as error:
        raise UsageError(
            f"{path} is a truncated or damaged GGUF file: its header can't be read to the end",
            hint="fetch the file again",
        ) from error


def _require_gguf(path: Path, start: bytes) -> None:
    if not start:
        raise UsageError(f"{path} is empty", hint="fetch the file again")
    if start[:4] != MAGIC:
        what = {b"PK\x03\x04": ", it is a ZIP archive", b"vers": ", it is a Git LFS pointer"}.get(
            start[:4], ""
        )
        raise UsageError(
            f"{path} is not a GGUF file{what}",
            hint="llama.cpp serves .gguf files; vLLM serves Hugging Face folders (--server vllm)",
        )
    if len(start) < 8:
        raise _Broken
    version = int.from_bytes(start[4:8], "little")
    if version not in VERSIONS:
        swapped = int.from_bytes(start[4:8], "big") in VERSIONS
        what = "of a big-endian machine" if swapped else f"of version {version}, which llama.cpp doesn't read"
        raise UsageError(
            f"{path} is a GGUF file {what}", hint="convert the model anew, or fetch another file"
        )


class _Broken(Exception):
    """A length in the header that can't be true."""


class _Reader:
    """Walks over the mapped file; struct.error at its end."""

    def __init__(self, data: mmap.mmap) -> None:
        self.data = data
        self.at = 0

    def scalar(self, form: str) -> Any:
        value = struct.unpack_from(form, self.data, self.at)[0]
        self.at += struct.calcsize(form)
        return value

    def string(self) -> str:
        length = self.scalar("<Q")
        if length > min(_LONGEST_STRING, len(self.data) - self.at):
            raise _Broken
        text = self.data[self.at : self.at + length]
        self.at += length
        return text.decode("utf-8", "replace")

    def value(self, kind: int) -> Any:
        """Arrays: their numbers, None for the others (the vocabulary), which are only walked over."""
        if kind == _STRING:
            return self.string()
        if kind != _ARRAY:
            return self.scalar(_form(kind))
        inner, count = self.scalar("<I"), self.scalar("<Q")
        if count > len(self.data) - self.at:
            raise _Broken
        if inner == _STRING:
            self._skip_strings(count)
            return None
        if inner == _ARRAY:
            for _ in range(count):
                self.value(_ARRAY)
            return None
        form = f"<{count}{_form(inner)[1]}"
        values = struct.unpack_from(form, self.data, self.at)
        self.at += struct.calcsize(form)
        return values

    def _skip_strings(self, count: int) -> None:
        """The one hot loop here: a vocabulary has up to a million strings with its merges."""
        at, data, length_at = self.at, self.data, struct.Struct("<Q").unpack_from
        for _ in range(count):
            at += 8 + length_at(data, at)[0]
        self.at = at


def _form(kind: int) -> str:
    try:
        return _SCALARS[kind]
    except KeyError:
        raise _Broken from None


def _header(path: Path, reader: _Reader, size_bytes: int) -> GgufHeader:
    reader.at = 8
    tensor_count, pair_count = reader.scalar("<Q"), reader.scalar("<Q")
    pairs: dict[str, Any] = {}
    for _ in range(pair_count):
        key = reader.string()
        pairs[key] = reader.value(reader.scalar("<I"))
    parameter_count, tensors_end = 0, 0
    for _ in range(tensor_count):
        reader.string()
        shape = [reader.scalar("<Q") for _ in range(reader.scalar("<I"))]
        kind, offset = reader.scalar("<I"), reader.scalar("<Q")
        parameter_count += prod(shape)
        values, block_bytes = _BLOCKS.get(kind, (1, 0))  # of a newer type only the place is known
        tensors_end = max(tensors_end, offset + prod(shape) // values * block_bytes)
    alignment = pairs.get("general.alignment") or DEFAULT_ALIGNMENT
    needed = -(-reader.at // alignment) * alignment + tensors_end
    if needed > size_bytes:
        raise UsageError(
            f"{path} is truncated: {needed - size_bytes:,} of {needed:,} bytes are missing",
            hint="fetch the file again; a download that was cut short looks like this",
        )
    return _facts(pairs, parameter_count)


def _facts(pairs: dict[str, Any], parameter_count: int) -> GgufHeader:
    architecture = str(pairs.get("general.architecture", ""))

    def own(name: str) -> int | None:
        value = pairs.get(f"{architecture}.{name}")
        if isinstance(value, tuple):
            value = max(value, default=None)
        return value if isinstance(value, int) else None

    file_type = pairs.get("general.file_type")
    template = pairs.get("tokenizer.chat_template")
    name = pairs.get("general.name")
    return GgufHeader(
        architecture=architecture,
        name=name if isinstance(name, str) and name else None,
        quantization=FILE_TYPES.get(file_type & ~_GUESSED) if isinstance(file_type, int) else None,
        parameter_count=parameter_count,
        context_length=own("context_length"),
        layer_count=own("block_count"),
        embedding_length=own("embedding_length"),
        head_count=own("attention.head_count"),
        head_count_kv=own("attention.head_count_kv"),
        chat_template=template if isinstance(template, str) and template else None,
        split_no=int(pairs.get("split.no") or 0),
        split_count=int(pairs.get("split.count") or 0),
        is_mmproj=architecture == "clip" or pairs.get("general.type") == "mmproj",
    )
