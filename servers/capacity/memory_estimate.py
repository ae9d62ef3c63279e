"""Estimate how much memory a server needs, and on how many cards, for the preflight report and for placing it.

For llama.cpp, the estimate uses the GGUF file, the context and the number of slots, with formulas from its sources:

- weights: the sizes of the tensors. With N layers on the GPU, the GPU holds the output layer (for any N >= 1) and the
  last N - 1 blocks. The input embedding stays with the processor; if the model has no separate output matrix, it is
  used twice (src/llama-model.cpp, load_tensors).
- KV cache: for each layer, cells x (row of keys + row of values). A row is the layer's KV heads x the head's length, in
  the cache's type; cells are the context, rounded up to 256 per slot (src/llama-kv-cache.cpp, src/llama-context.cpp).
  With MLA the keys hold everything, and there are no values. Sliding-window layers, if the file says which they are,
  hold window + batch cells (src/llama-kv-cache-iswa.cpp).
- compute buffers: what a batch of `-ub` tokens needs at its widest, fitted to llama-server's logs. The largest part is
  the logits of a whole batch, which builds from late 2026 no longer reserve. A batch is computed on the GPU also in the
  layers that stay with the processor, so there is room for the KV cache of one of them, in all slots.

An estimate means "at most about": it is slightly higher than what the server logs. `caveats` says if the architecture
isn't known well enough.
"""

from __future__ import annotations

import itertools
import math
import re
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

from servers.capacity.context_size import DEFAULT_CTX_SIZE
from servers.gguf import read_layout
from servers.llama_cpp import dashed
from servers.request import own_options
from servers.speculation.draft_model import draft_of
from servers.speculation.llama_options import ALIASES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from servers.models import Model
    from servers.request import ServerRequest

CELLS_STEP = 256
UBATCH = 512
ALL_LAYERS = -1
# CUDA's context (518 MiB) and what cuBLAS takes with the first batches: 701 MiB by NVML on an H100, CUDA 13.
GPU_OVERHEAD_BYTES = 768 << 20
HOST_OVERHEAD_BYTES = 256 << 20  # the program itself, and its input and output buffers
# ggml/src/ggml.c: bytes per value, for the types of a KV cache
CACHE_TYPES = {
    "f32": 4.0, "f16": 2.0, "bf16": 2.0, "q8_0": 34 / 32, "q4_0": 18 / 32, "q4_1": 20 / 32, "iq4_nl": 18 / 32,
    "q5_0": 22 / 32, "q5_1": 24 / 32,
}  # fmt: skip
WEIGHTS = (".safetensors", ".bin")
_BLOCK = re.compile(r"blk\.(\d+)\.")
_INPUT = ("token_embd.", "per_layer_token_embd.", "token_types.", "position_embd.")


@dataclass(frozen=True, kw_only=True)
class MemoryEstimate:
    """Sizes in bytes. gpu: on all cards together. caveats: sentences without a full stop."""

    weights_host_bytes: int = 0
    weights_gpu_bytes: int = 0
    kv_host_bytes: int = 0
    kv_gpu_bytes: int = 0
    compute_host_bytes: int = 0
    compute_gpu_bytes: int = 0
    caveats: tuple[str, ...] = ()

    @property
    def host_bytes(self) -> int:
        parts = self.weights_host_bytes + self.kv_host_bytes + self.compute_host_bytes
        return parts + HOST_OVERHEAD_BYTES

    @property
    def gpu_bytes(self) -> int:
        """Without GPU_OVERHEAD_BYTES, which each used card needs in addition."""
        return self.weights_gpu_bytes + self.kv_gpu_bytes + self.compute_gpu_bytes


@dataclass(frozen=True)
class _Shape:
    """The architecture as given in the file, by layer where layers differ."""

    layers: int
    embedding: int
    forward: int
    heads: int
    kv_heads: tuple[int, ...]
    key_length: int
    value_length: int
    vocabulary: int
    window: int
    windowed: tuple[bool, ...]
    caveats: tuple[str, ...]


def estimate_server(
    server: ServerRequest, asked: Mapping[str, Any], *, on_gpu: bool = True
) -> MemoryEstimate | None:
    """What the server needs with these settings (`LaunchPlan.asked`). on_gpu: whether it can use a GPU.

    For a user's own command the context is unknown, so the default is assumed. None if there is no model file here.
    Raises UsageError and OSError if it can't be read.
    """
    model = server.model
    if model is None:
        return None
    if model.kind != "gguf":
        weights = sum(path.stat().st_size for path in model.files() if path.suffix in WEIGHTS)
        caveats = ("for a Hugging Face folder only the weights are counted",)
        return MemoryEstimate(weights_gpu_bytes=weights, caveats=caveats) if weights else None
    layers = asked.get("gpu_layers")
    trained = (model.header.context_length if model.header else None) or DEFAULT_CTX_SIZE
    ctx_size = min(trained, DEFAULT_CTX_SIZE) if server.kind == "command" else trained
    given = (each for each in own_options(server) if each.value is not None and each.option not in ALIASES)
    own = itertools.chain.from_iterable((each.option, str(each.value)) for each in given)
    found = estimate(
        model,
        ctx_size=asked.get("ctx_size", ctx_size),
        parallel=max(asked.get("parallel", 1), 1),
        gpu_layers=0 if not on_gpu else ALL_LAYERS if layers is None else layers,  # None means as many as fit
        extra_args=(*own, *server.extra_args),
    )
    found = _with_draft(found, server, asked, ctx_size=ctx_size, on_gpu=on_gpu)
    adapters = sum(file.stat().st_size for adapter in server.lora or () for file in adapter.files())
    if found is None or not adapters:
        return found
    if found.weights_gpu_bytes:  # beside the layers that they change
        return replace(found, weights_gpu_bytes=found.weights_gpu_bytes + adapters)
    return replace(found, weights_host_bytes=found.weights_host_bytes + adapters)


def _with_draft(
    found: MemoryEstimate | None,
    server: ServerRequest,
    asked: Mapping[str, Any],
    *,
    ctx_size: int,
    on_gpu: bool,
) -> MemoryEstimate | None:
    """Plus what the draft model needs: its weights, and a KV cache and buffers for the same context and slots."""
    draft = draft_of(server)
    if found is None or draft is None:
        return found
    layers = server.options.get("gpu_layers_draft")
    more = estimate(
        draft,
        ctx_size=asked.get("ctx_size", ctx_size),
        parallel=max(asked.get("parallel", 1), 1),
        gpu_layers=0 if not on_gpu else ALL_LAYERS if layers is None else layers,
    )
    if more is None:
        return found
    both = {
        field.name: getattr(found, field.name) + getattr(more, field.name)
        for field in fields(found)
        if field.name != "caveats"
    }
    caveats = (*found.caveats, *(f"of the draft model: {each}" for each in more.caveats))
    return MemoryEstimate(**both, caveats=caveats)


def fewest_cards(needed_bytes: int, rooms_bytes: Sequence[int | None]) -> int | None:
    """How many cards hold it, roomiest first; None if all together don't. A card of unknown size counts as enough."""
    room = 0
    for count, each in enumerate(sorted(rooms_bytes, key=_or_endless, reverse=True), 1):
        if each is None:
            return count
        room += max(each - GPU_OVERHEAD_BYTES, 0)
        if needed_bytes <= room:
            return count
    return None


def _or_endless(room_bytes: int | None) -> float:
    return math.inf if room_bytes is None else room_bytes


def estimate(
    model: Model, *, ctx_size: int, parallel: int, gpu_layers: int, extra_args: Sequence[str] = ()
) -> MemoryEstimate | None:
    """The estimate for a GGUF file; None for other models. Raises UsageError if the file can't be read.

    ctx_size: tokens per slot. gpu_layers: -1 for all. extra_args: the server's, which may set types and sizes.
    """
    measured = measure(model)
    if measured is None:
        return None
    return measured.estimate(
        ctx_size=ctx_size, parallel=parallel, gpu_layers=gpu_layers, extra_args=extra_args
    )


@dataclass(frozen=True)
class ModelMemory:
    """What a GGUF file says about the memory that it needs, for several estimates. tensors: bytes by name."""

    shape: _Shape
    tensors: Mapping[str, int]

    def estimate(
        self, *, ctx_size: int, parallel: int, gpu_layers: int, extra_args: Sequence[str] = ()
    ) -> MemoryEstimate:
        """See `estimate`."""
        shape, tensors = self.shape, self.tensors
        on_gpu = shape.layers + 1 if gpu_layers == ALL_LAYERS else min(gpu_layers, shape.layers + 1)
        first = shape.layers + 1 - on_gpu  # the first block on the GPU
        weights_gpu = _weights_on_gpu(tensors, first, shape.layers) if on_gpu else 0
        rows = _kv_bytes(shape, ctx_size, parallel, extra_args)
        stays = _has(extra_args, "-nkvo", "--no-kv-offload") or not on_gpu
        kv_gpu = 0 if stays else round(sum(rows[first:]))
        compute = _compute_bytes(shape, ctx_size, parallel, extra_args)
        copied = 0 if stays or _has(extra_args, "--no-op-offload") else round(max(rows[:first], default=0))
        twice = tensors.get("token_embd.weight", 0) if "output.weight" not in tensors and on_gpu else 0
        return MemoryEstimate(
            weights_host_bytes=sum(tensors.values()) - weights_gpu + twice,
            weights_gpu_bytes=weights_gpu,
            kv_host_bytes=round(sum(rows)) - kv_gpu,
            kv_gpu_bytes=kv_gpu,
            compute_host_bytes=compute if not on_gpu else _ubatch(extra_args) * shape.embedding * 4 * 4,
            compute_gpu_bytes=compute + copied if on_gpu else 0,
            caveats=(*shape.caveats, *_of_arguments(extra_args)),
        )

    def layers_bytes(
        self, *, ctx_size: int, parallel: int, gpu_layers: int, extra_args: Sequence[str] = ()
    ) -> list[float]:
        """Weights and KV cache of each layer on a GPU, in their order; the output layer is the last."""
        layers = self.shape.layers
        on_gpu = layers + 1 if gpu_layers == ALL_LAYERS else min(gpu_layers, layers + 1)
        rows = _kv_bytes(self.shape, ctx_size, parallel, extra_args)
        weights: dict[int, int] = {}
        for name, size in self.tensors.items():
            if block := _BLOCK.match(name):
                weights[int(block[1])] = weights.get(int(block[1]), 0) + size
        found = [weights.get(number, 0) + rows[number] for number in range(layers + 1 - on_gpu, layers)]
        return [*found, float(_weights_on_gpu(self.tensors, layers, layers))] if on_gpu else []

    @property
    def has_experts(self) -> bool:
        return any("_exps." in name for name in self.tensors)

    @property
    def layer_count(self) -> int:
        """Blocks and the output layer, as llama.cpp counts them."""
        return self.shape.layers + 1


def measure(model: Model) -> ModelMemory | None:
    """Read a GGUF file; None for other models. Raises UsageError if it can't be read."""
    if model.kind != "gguf":
        return None
    layouts = [read_layout(file) for file in model.files()]
    tensors = {name: size for layout in layouts for name, size in layout.tensor_bytes.items()}
    shape = _shape(layouts[0].pairs, next((layout.vocabulary for layout in layouts if layout.vocabulary), 0))
    return ModelMemory(shape, tensors)


def _weights_on_gpu(tensors: Mapping[str, int], first: int, layers: int) -> int:
    found = 0
    for name, size in tensors.items():
        block = _BLOCK.match(name)
        if block:
            found += size if int(block[1]) >= first and int(block[1]) < layers else 0
        elif not name.startswith(_INPUT):
            found += size
    if "output.weight" not in tensors:
        found += tensors.get("token_embd.weight", 0)
    return found


def _shape(pairs: Mapping[str, Any], vocabulary: int) -> _Shape:
    architecture = str(pairs.get("general.architecture", ""))

    def number(name: str, otherwise: int = 0) -> int:
        value = pairs.get(f"{architecture}.{name}")
        if isinstance(value, tuple):
            value = max(value, default=None)
        return value if isinstance(value, int) and value >= 0 else otherwise

    layers, embedding, heads = (
        number(name) for name in ("block_count", "embedding_length", "attention.head_count")
    )
    by_layer = pairs.get(f"{architecture}.attention.head_count_kv")
    kv_heads = (
        by_layer if isinstance(by_layer, tuple) else (number("attention.head_count_kv", heads),) * layers
    )
    length = embedding // heads if heads else 0
    value_length = number("attention.value_length", length)
    if number("attention.key_length_mla") and number("attention.value_length_mla"):
        value_length = 0
    window = number("attention.sliding_window")
    pattern = pairs.get(f"{architecture}.attention.sliding_window_pattern")
    windowed = tuple(bool(each) for each in pattern) if isinstance(pattern, tuple) and window else ()
    caveats = []
    if window and not windowed:
        caveats.append("layers with a sliding window may need less: the file doesn't say which ones they are")
    if number("attention.key_length_mla") and number("attention.value_length_mla"):
        caveats.append(
            "latent attention (MLA): builds of llama.cpp from before May 2025 need a larger KV cache"
        )
    if any(key.startswith(f"{architecture}.ssm.") for key in pairs) or architecture.startswith("rwkv"):
        caveats.append("the state of its recurrent layers is not counted")
    if not (layers and heads):
        caveats.append(
            "the KV cache is not counted: the file doesn't say how many layers and heads there are"
        )
    return _Shape(
        layers=layers,
        embedding=embedding,
        forward=max(number("feed_forward_length"), number("expert_feed_forward_length")),
        heads=heads,
        kv_heads=tuple(kv_heads)[:layers] + (0,) * (layers - len(kv_heads)),
        key_length=number("attention.key_length", length),
        value_length=value_length,
        vocabulary=vocabulary or number("vocab_size"),
        window=window,
        windowed=windowed if len(windowed) >= layers else (False,) * layers,
        caveats=tuple(caveats),
    )


def _kv_bytes(shape: _Shape, ctx_size: int, parallel: int, args: Sequence[str]) -> list[float]:
    """Bytes of the KV cache by layer."""
    key_bytes = CACHE_TYPES.get(_value(args, "-ctk", "--cache-type-k") or "f16", 2.0)
    value_bytes = CACHE_TYPES.get(_value(args, "-ctv", "--cache-type-v") or "f16", 2.0)
    cells = _padded(ctx_size)
    full = _has(args, "--swa-full")
    windowed_cells = cells if full else min(cells, _padded(shape.window + _ubatch(args)))
    row = shape.key_length * key_bytes + shape.value_length * value_bytes
    return [
        heads * row * parallel * (windowed_cells if is_windowed else cells)
        for heads, is_windowed in zip(shape.kv_heads, shape.windowed, strict=True)
    ]


def _compute_bytes(shape: _Shape, ctx_size: int, parallel: int, args: Sequence[str]) -> int:
    """Bytes for a whole batch: logits, a layer's activations at its widest, and the attention's mask and scores."""
    tokens, cells = _ubatch(args), _padded(ctx_size)
    activations = 4 * shape.forward + 4 * shape.embedding + 2 * shape.heads * shape.key_length
    flash = (_value(args, "-fa", "--flash-attn") or "auto") not in {"off", "0", "false"}
    attention = 2 * cells if flash else (shape.heads + 2) * 4 * cells
    if _has(args, "-kvu", "--kv-unified"):
        attention *= parallel
    return tokens * (4 * shape.vocabulary + 4 * activations + attention)


def _of_arguments(args: Sequence[str]) -> list[str]:
    found = []
    if _has(args, "-ot", "--override-tensor", "-cmoe", "--cpu-moe", "-ncmoe", "--n-cpu-moe"):
        found.append("tensors that the arguments keep on the processor are counted as on the GPU")
    if _has(args, "-md", "--model-draft", "--mmproj", "--spec-type", "--lora"):
        found.append("the draft model, vision part or adapter in the arguments is not counted")
    return found


def _ubatch(args: Sequence[str]) -> int:
    text = _value(args, "-ub", "--ubatch-size") or ""
    return int(text) if text.isdigit() else UBATCH


def _padded(cells: int) -> int:
    return -(-cells // CELLS_STEP) * CELLS_STEP


def _has(args: Sequence[str], *names: str) -> bool:
    return any(dashed(word).partition("=")[0] in names for word in args)


def _value(args: Sequence[str], *names: str) -> str | None:
    """The value of the last of these options, or None."""
    found = None
    for index, word in enumerate(args[:-1]):
        if dashed(word) in names:
            found = args[index + 1]
    return found
