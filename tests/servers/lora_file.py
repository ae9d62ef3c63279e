"""A small LoRA adapter of rank 1, as llama.cpp's convert_lora_to_gguf.py lays it out."""

from __future__ import annotations

import json
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


def peft_folder(folder, model, *, rank: int = 8) -> None:
    """Write an adapter as PEFT does, for the query projections of a Hugging Face folder's first block."""
    config = json.loads((model / "config.json").read_text())
    hidden = config["hidden_size"]
    heads = config["num_attention_heads"]
    outside = heads * (config.get("head_dim") or hidden // heads)
    before = "base_model.model.model.layers.0.self_attn.q_proj"
    header, data = {}, b""
    for name, shape in (
        (f"{before}.lora_A.weight", (rank, hidden)),
        (f"{before}.lora_B.weight", (outside, rank)),
    ):
        count = shape[0] * shape[1]
        values = struct.pack(f"<{count}f", *(((number * 7919) % 13 - 6) / 6 for number in range(count)))
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [len(data), len(data) + len(values)]}
        data += values
    head = json.dumps(header).encode()
    folder.mkdir()
    (folder / "adapter_model.safetensors").write_bytes(struct.pack("<Q", len(head)) + head + data)
    peft = {"peft_type": "LORA", "task_type": "CAUSAL_LM", "r": rank, "lora_alpha": 2 * rank, "bias": "none",
            "lora_dropout": 0.0, "target_modules": ["q_proj"], "base_model_name_or_path": "x"}  # fmt: skip
    (folder / "adapter_config.json").write_text(json.dumps(peft))


def lora_for(model, **options) -> bytes:
    """An adapter for this GGUF file of a Llama."""
    pairs = read_layout(model).pairs
    return lora(pairs["llama.feed_forward_length"], pairs["llama.embedding_length"], **options)
