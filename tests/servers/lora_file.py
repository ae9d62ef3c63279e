"""A small LoRA adapter of rank 1, as llama.cpp's convert_lora_to_gguf.py lays it out."""

from __future__ import annotations

import struct

from servers.gguf import read_layout
from tests.servers.gguf_file import ALIGNMENT, F32, STRING, encoded, string

_F32_TENSOR = 0


def lora(
    inside: int, outside: int, *, strength: float = 1.0, block: int = 0, architecture: str = "llama"
) -> bytes:
    """An adapter of the tensor ffn_down of one block, which has so many inputs and outputs."""
    pairs = {
        "general.architecture": (STRING, architecture),
        "general.type": (STRING, "adapter"),
        "adapter.type": (STRING, "lora"),
        "adapter.lora.alpha": (F32, 1.0),
    }
    down = [strength * (1 + number % 7) / 100 for number in range(inside)]
    up = [(-1) ** number * (1 + number % 5) / 10 for number in range(outside)]
    tensors = [
        (f"blk.{block}.ffn_down.weight.lora_a", (inside, 1), down),
        (f"blk.{block}.ffn_down.weight.lora_b", (1, outside), up),
    ]
    head = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(pairs))
    for key, (kind, value) in pairs.items():
        head += string(key) + struct.pack("<I", kind) + encoded(kind, value)
    data = b""
    for name, shape, values in tensors:
        head += string(name) + struct.pack("<IQQIQ", 2, *shape, _F32_TENSOR, len(data))
        data += struct.pack(f"<{len(values)}f", *values)
        data += b"\0" * (-len(data) % ALIGNMENT)
    return head + b"\0" * (-len(head) % ALIGNMENT) + data


def lora_for(model, **options) -> bytes:
    """An adapter for this GGUF file of a Llama."""
    pairs = read_layout(model).pairs
    return lora(pairs["llama.feed_forward_length"], pairs["llama.embedding_length"], **options)
