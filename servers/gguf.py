"""Read the facts in a GGUF file's header, and check that the file is complete.

We have our own reader because a run needs only a dozen facts before it starts, and the `gguf` package reads every token
of the vocabulary into NumPy arrays (seconds for large vocabularies).
Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
"""

from __future__ import annotations

import mmap
import os
import struct
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any

from results.errors import UsageError
from results.files import open_to_read
from servers.gguf_kinds import not_a_model

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from servers.gguf_kinds import NotAModel

MAGIC = b"GGUF"
VERSIONS = (2, 3)  # 1 had other sizes; llama.cpp no longer reads it
DEFAULT_ALIGNMENT = 32
# Real headers have up to some 20 MB, including the vocabulary. The limits keep a damaged length from costing minutes.
_LONGEST_HEADER_BYTES = 1 << 28
_MOST_TENSORS = 1 << 17
_MOST_PAIRS = 1 << 16
_MOST_DIMENSIONS = 4  # GGML_MAX_DIMS
_MOST_KEPT = 1 << 14  # numbers in an array: per-layer arrays are short, per-token ones are not needed

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
    37: "TQ2_0", 38: "MXFP4_MOE", 39: "NVFP4", 40: "Q1_0", 41: "Q2_0",
}  # fmt: skip
_GUESSED = 1024  # LLAMA_FTYPE_GUESSED: the type isn't in the file

# enum ggml_type -> (values per block, bytes per block), ggml/src/ggml.c
_BLOCKS = {
    0: (1, 4), 1: (1, 2), 2: (32, 18), 3: (32, 20), 6: (32, 22), 7: (32, 24), 8: (32, 34), 9: (32, 36),
    10: (256, 84), 11: (256, 110), 12: (256, 144), 13: (256, 176), 14: (256, 210), 15: (256, 292),
    16: (256, 66), 17: (256, 74), 18: (256, 98), 19: (256, 50), 20: (32, 18), 21: (256, 110), 22: (256, 82),
    23: (256, 136), 24: (1, 1), 25: (1, 2), 26: (1, 4), 27: (1, 8), 28: (1, 8), 29: (256, 56), 30: (1, 2),
    34: (256, 54), 35: (256, 66), 39: (32, 17), 40: (64, 36), 41: (128, 18), 42: (64, 18),
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class GgufHeader:
    """The facts in the header; None for those that it doesn't have.

    quantization: llama.cpp's name of the file's type, such as "Q4_K_M". context_length: tokens in training.
    head_count_kv: the largest, if layers differ. split_no: 0 for the first part. not_a_model: what the file is, if it
    isn't a language model.
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
    not_a_model: NotAModel | None


@dataclass(frozen=True, kw_only=True)
class GgufLayout:
    """The contents of a file. pairs: its metadata without long arrays; tensor_bytes: by name, including padding.

    vocabulary: number of tokens, from the embedding's size; None if this file has no embedding.
    """

    pairs: Mapping[str, Any]
    tensor_bytes: Mapping[str, int]
    vocabulary: int | None


def read_header(path: Path) -> GgufHeader:
    """Read the header, and check that the file is long enough for its tensors.

    Raises UsageError if it can't be read, isn't a GGUF file, has a version that llama.cpp doesn't read, or is
    truncated.
    """
    contents, size_bytes = _read(path)
    needed = contents.needed_bytes
    if needed > size_bytes:
        raise UsageError(
            f"{path} is truncated: {needed - size_bytes:,} of {needed:,} bytes are missing",
            hint="fetch the file again; its download was probably cut short",
        )
    return _facts(contents)


def read_layout(path: Path) -> GgufLayout:
    """Read the layout. Raises UsageError like `read_header`, but accepts a truncated file."""
    contents, size_bytes = _read(path)
    ordered = sorted(contents.tensors, key=lambda tensor: tensor[2])
    ends = [offset for _, _, offset in ordered[1:]] + [size_bytes - contents.data_at]
    embedding = next((shape for name, shape, _ in ordered if name == "token_embd.weight"), None)
    return GgufLayout(
        pairs=contents.pairs,
        tensor_bytes={name: end - at for (name, _, at), end in zip(ordered, ends, strict=False)},
        vocabulary=embedding[-1] if embedding else None,
    )


def _read(path: Path) -> tuple[_Contents, int]:
    """The contents, and the file's size in bytes."""
    try:
        with open_to_read(path) as file:
            start = file.read(8)
            _require_gguf(path, start)
            size_bytes = file.seek(0, os.SEEK_END)
            mapped = min(size_bytes, _LONGEST_HEADER_BYTES)
            with mmap.mmap(file.fileno(), mapped, access=mmap.ACCESS_READ) as data:
                return _contents(_Reader(data)), size_bytes
    except OSError as error:
        raise UsageError(
            f"{path} can't be read: {error.strerror or error}", hint="give a regular file that you may read"
        ) from error
    except (struct.error, _Broken, OverflowError) as error:
        raise UsageError(
            f"{path} is a truncated or damaged GGUF file: its header can't be read to the end",
            hint="fetch the file again",
        ) from error


_SERVED = "llama.cpp serves .gguf files; vLLM serves Hugging Face folders (--server vllm)"
_PAGE = (
    ", it is a web page",
    "fetch the file itself (at huggingface.co: /resolve/ instead of /blob/), or give --model hf:OWNER/NAME/FILE.gguf",
)
_OTHERS = {  # by how they begin, in lower case
    b"pk\x03\x04": (", it is a ZIP archive", "unpack it, and give the .gguf file in it"),
    b"version ": (", it is a Git LFS pointer", "fetch the file itself: `git lfs pull` in its folder"),
    b"<!doctyp": _PAGE,
    b"<html": _PAGE,
}


def _require_gguf(path: Path, start: bytes) -> None:
    if not start:
        raise UsageError(f"{path} is empty", hint="fetch the file again")
    if start[:4] != MAGIC:
        what, hint = next(
            (told for beginning, told in _OTHERS.items() if start.lower().startswith(beginning)),
            ("", _SERVED),
        )
        raise UsageError(f"{path} is not a GGUF file{what}", hint=hint)
    if len(start) < 8:
        raise _Broken
    version = int.from_bytes(start[4:8], "little")
    if version not in VERSIONS:
        swapped = int.from_bytes(start[4:8], "big") in VERSIONS
        what = "of a big-endian machine" if swapped else f"of version {version}, which llama.cpp can't read"
        raise UsageError(
            f"{path} is a GGUF file {what}", hint="convert the model again, or fetch another file"
        )


class _Broken(Exception):
    """A length in the header is impossible."""


class _Reader:
    """Walks the mapped file. Raises struct.error at its end, and OverflowError for an impossible position."""

    def __init__(self, data: mmap.mmap) -> None:
        self.data = data
        self.at = 0

    def scalar(self, form: str) -> Any:
        value = struct.unpack_from(form, self.data, self.at)[0]
        self.at += struct.calcsize(form)
        return value

    def string(self) -> str:
        length = self.scalar("<Q")
        return self.data[self.at : self._over(length)].decode("utf-8", "replace")

    def value(self, kind: int) -> Any:
        """Read a value. Arrays of strings (the vocabulary) and long arrays are skipped and give None."""
        if kind == _STRING:
            return self.string()
        if kind != _ARRAY:
            return self.scalar(_form(kind))
        inner, count = self.scalar("<I"), self.scalar("<Q")
        if inner == _STRING:
            self._skip_strings(count)
            return None
        form = _form(inner)  # no nested arrays; llama.cpp doesn't support them either
        start, end = self.at, self._over(count * struct.calcsize(form))
        return struct.unpack(f"<{count}{form[1]}", self.data[start:end]) if count <= _MOST_KEPT else None

    def _over(self, length: int) -> int:
        """Skip so many bytes, which must exist. Returns the position after them."""
        if length > len(self.data) - self.at:
            raise _Broken
        self.at += length
        return self.at

    def _skip_strings(self, count: int) -> None:
        """Skip strings. This is the only hot loop here: a vocabulary with its merges has up to a million."""
        at, data, length_at = self.at, self.data, struct.Struct("<Q").unpack_from
        for _ in range(count):
            at += 8 + length_at(data, at)[0]
        self._over(at - self.at)


def _form(kind: int) -> str:
    try:
        return _SCALARS[kind]
    except KeyError:
        raise _Broken from None


@dataclass(frozen=True)
class _Contents:
    """tensors: name, shape, offset from data_at. needed_bytes: the least size of the file."""

    pairs: dict[str, Any]
    tensors: list[tuple[str, list[int], int]]
    data_at: int
    needed_bytes: int


def _contents(reader: _Reader) -> _Contents:
    reader.at = 8
    tensor_count, pair_count = reader.scalar("<Q"), reader.scalar("<Q")
    if tensor_count > _MOST_TENSORS or pair_count > _MOST_PAIRS:
        raise _Broken
    pairs: dict[str, Any] = {}
    for _ in range(pair_count):
        key = reader.string()
        pairs[key] = reader.value(reader.scalar("<I"))
    tensors, tensors_end = [], 0
    for _ in range(tensor_count):
        name = reader.string()
        dimensions = reader.scalar("<I")
        if dimensions > _MOST_DIMENSIONS:
            raise _Broken
        shape = [reader.scalar("<Q") for _ in range(dimensions)]
        kind, offset = reader.scalar("<I"), reader.scalar("<Q")
        tensors.append((name, shape, offset))
        values, block_bytes = _BLOCKS.get(kind, (1, 0))  # for a newer type, only the position is known
        tensors_end = max(tensors_end, offset + prod(shape) // values * block_bytes)
    alignment = _number(pairs, "general.alignment") or DEFAULT_ALIGNMENT
    data_at = -(-reader.at // alignment) * alignment
    return _Contents(pairs, tensors, data_at, data_at + tensors_end if tensors_end else reader.at)


def _number(pairs: dict[str, Any], key: str) -> int:
    """A count; 0 if it is missing or of another type."""
    value = pairs.get(key)
    return value if isinstance(value, int) and value > 0 else 0


def _facts(contents: _Contents) -> GgufHeader:
    pairs = contents.pairs
    architecture = str(pairs.get("general.architecture", ""))

    def own(name: str) -> int | None:
        value = pairs.get(f"{architecture}.{name}")
        if isinstance(value, tuple):
            value = max(value, default=None)
        return value if isinstance(value, int) else None

    file_type = pairs.get("general.file_type")
    template = pairs.get("tokenizer.chat_template")
    name = pairs.get("general.name")
    names = [tensor for tensor, _, _ in contents.tensors]
    split_no, split_count = _number(pairs, "split.no"), _number(pairs, "split.count")
    return GgufHeader(
        architecture=architecture,
        name=name if isinstance(name, str) and name else None,
        quantization=FILE_TYPES.get(file_type & ~_GUESSED) if isinstance(file_type, int) else None,
        parameter_count=sum(prod(shape) for _, shape, _ in contents.tensors),
        context_length=own("context_length"),
        layer_count=own("block_count"),
        embedding_length=own("embedding_length"),
        head_count=own("attention.head_count"),
        head_count_kv=own("attention.head_count_kv"),
        chat_template=template if isinstance(template, str) and template else None,
        split_no=split_no,
        split_count=split_count,
        # A later part has tensors and little else.
        not_a_model=None if split_no else not_a_model(pairs, names, is_part=split_count > 1),
    )
