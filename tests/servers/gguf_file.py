"""A small GGUF file to order, as llama.cpp's converter lays it out."""

from __future__ import annotations

import struct

U32, F32, BOOL, STRING, ARRAY, U64 = 4, 6, 7, 8, 9, 10
FORMS = {U32: "<I", F32: "<f", BOOL: "<?", U64: "<Q"}
Q4_0, ALIGNMENT = 2, 32
LLAMA = {
    "general.architecture": (STRING, "llama"),
    "general.file_type": (U32, 2),
    "llama.context_length": (U32, 2048),
    "llama.block_count": (U32, 2),
    "llama.embedding_length": (U32, 64),
    "llama.attention.head_count": (U32, 4),
    "llama.attention.head_count_kv": (ARRAY, (U32, [2, 1])),
    "tokenizer.ggml.tokens": (ARRAY, (STRING, ["<s>", "a", "b"])),
    "tokenizer.chat_template": (STRING, "{{ messages }}"),
}


def gguf(
    pairs: dict | None = None,
    *,
    version: int = 3,
    tensors: int = 2,
    names: list[str] | None = None,
    base: dict = LLAMA,
) -> bytes:
    """pairs: key -> (type, value), on top of a tiny Llama's. Each tensor holds 64 x 2 values of type Q4_0.

    names: of the tensors, in the place of as many blocks.
    """
    pairs = {**base, **(pairs or {})}
    names = [f"blk.{number}.weight" for number in range(tensors)] if names is None else names
    tensors = len(names)
    out = b"GGUF" + struct.pack("<IQQ", version, tensors, len(pairs))
    for key, (kind, value) in pairs.items():
        out += string(key) + struct.pack("<I", kind) + encoded(kind, value)
    tensor_bytes = 64 * 2 // 32 * 18
    step = -(-tensor_bytes // ALIGNMENT) * ALIGNMENT
    for number, name in enumerate(names):
        out += string(name) + struct.pack("<IQQIQ", 2, 64, 2, Q4_0, number * step)
    if not tensors:
        return out
    return out + b"\0" * (-len(out) % ALIGNMENT) + b"\1" * ((tensors - 1) * step + tensor_bytes)


def encoded(kind: int, value: object) -> bytes:
    if kind == STRING:
        return string(value)
    if kind == ARRAY:
        inner, items = value
        return struct.pack("<IQ", inner, len(items)) + b"".join(encoded(inner, item) for item in items)
    return struct.pack(FORMS[kind], value)


def string(text: str) -> bytes:
    data = text.encode()
    return struct.pack("<Q", len(data)) + data
