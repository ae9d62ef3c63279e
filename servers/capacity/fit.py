"""What of a GGUF model fits on some cards and in some memory: context, slots, layers.

The sizes are those of `memory_estimate`, a little above what llama-server logs. Where `llama-fit-params` is at hand,
the KV cache is what llama.cpp itself says, at two lengths, between and beyond which it grows evenly; so it is right for
architectures whose file doesn't say which layers have a sliding window.

Several cards: llama.cpp gives each a run of layers in proportion to its free memory (load_tensors in
src/llama-model.cpp), and each needs compute buffers.
"""

from __future__ import annotations

import bisect
import dataclasses
import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from servers.capacity.llama_estimate import ask
from servers.capacity.memory_estimate import ALL_LAYERS, CELLS_STEP, GPU_OVERHEAD_BYTES, ModelMemory, measure

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from servers.capacity.memory_estimate import MemoryEstimate
    from servers.models import Model

KV_TYPES = ("f16", "q8_0", "q4_0")
SLOTS = (1, 2, 4, 8)
MOST_SLOTS = 256
USUAL_CTX_SIZE = 4096  # with less, layers are moved off the cards instead
_UNTRAINED = 1 << 20  # tokens: where to stop if nothing says how long the model was trained for
_PROBED = (8192, 65536)  # tokens: where the cache grows evenly; below, a sliding window is counted as full
_ROUNDED_BYTES = 1 << 20  # llama.cpp's estimates are in whole MiB


@dataclass(frozen=True, kw_only=True)
class Room:
    """Free bytes: of each card, and of the host."""

    cards: tuple[int, ...]
    host_bytes: int


@dataclass(frozen=True, kw_only=True)
class Fit:
    """The best that fits with one type of KV cache. ctx_size: tokens per slot; 0: nothing fits.

    gpu_layers: on the cards, of layer_count. bound: what keeps it from being more: the training, the memory, or a
    wish. cards_bytes: on each card, with the overhead; empty without cards.
    """

    kv_type: str
    parallel: int
    ctx_size: int
    gpu_layers: int
    layer_count: int
    bound: Literal["training", "memory", "wish"]
    memory: MemoryEstimate
    cards_bytes: tuple[int, ...] = ()

    @property
    def server_args(self) -> tuple[str, ...]:
        return kv_args(self.kv_type)


def kv_args(kv_type: str) -> tuple[str, ...]:
    """llama-server's options for a type of KV cache. A quantised one needs flash attention for its values."""
    if kv_type == "f16":
        return ()
    return ("--cache-type-k", kv_type, "--cache-type-v", kv_type, "--flash-attn", "on")


class Fitting:
    """Answers what fits for one model. Raises UsageError if the model's file can't be read."""

    def __init__(self, model: Model, room: Room, *, estimator: Path | None = None) -> None:
        measured = measure(model)
        if measured is None or model.path is None:
            raise TypeError("only for GGUF files")
        self._memory: ModelMemory = measured
        self._path = model.path
        self._room = room
        self._estimator = estimator
        self._evenly: dict[str, tuple[float, float] | None] = {}
        self.trained = model.header.context_length if model.header else None
        self.by_llama = False

    @property
    def layer_count(self) -> int:
        return self._memory.layer_count

    @property
    def caveats(self) -> tuple[str, ...]:
        """What isn't known well of this architecture, as sentences without a full stop. Ask after the fits."""
        found = self._memory.estimate(ctx_size=CELLS_STEP, parallel=1, gpu_layers=0).caveats
        known = ("sliding window", "recurrent", "latent") if self.by_llama else ()
        caveats = [each for each in found if not any(word in each for word in known)]
        if self._memory.has_experts and self._room.cards:
            caveats.append(
                "mixture of experts: -- --n-cpu-moe N, which keeps experts in RAM, is not considered"
            )
        return tuple(caveats)

    def largest_context(self, kv_type: str, parallel: int, *, gpu_layers: int | None = None) -> Fit:
        """The longest context, with all layers on the cards if these then have room for the usual context, else with as
        many as they have room for. gpu_layers: exactly so many.
        """
        limit = self.trained or _UNTRAINED
        if gpu_layers is not None:
            layers = self.layer_count if gpu_layers == ALL_LAYERS else min(gpu_layers, self.layer_count)
        else:
            layers = self._most_layers(kv_type, parallel, min(USUAL_CTX_SIZE, limit))
        ctx_size = _most(
            lambda steps: self._fits(kv_type, parallel, steps * CELLS_STEP, layers), limit // CELLS_STEP
        )
        ctx_size *= CELLS_STEP
        return self._fit(kv_type, parallel, ctx_size, layers, limit=limit)

    def most_slots(self, kv_type: str, ctx_size: int, *, gpu_layers: int | None = None) -> Fit:
        """The most slots with so many tokens each; `parallel` is 0 if not even one fits."""
        layers = (
            self.layer_count if gpu_layers in {None, ALL_LAYERS} else min(gpu_layers or 0, self.layer_count)
        )
        if not self._room.cards:
            layers = 0
        elif gpu_layers is None:
            layers = self._most_layers(kv_type, 1, ctx_size)
        slots = _most(lambda count: self._fits(kv_type, count, ctx_size, layers), MOST_SLOTS)
        fit = self._fit(kv_type, slots, ctx_size, layers, limit=None)
        return dataclasses.replace(fit, bound="memory" if slots < MOST_SLOTS else "wish")

    def _fit(self, kv_type: str, parallel: int, ctx_size: int, layers: int, *, limit: int | None) -> Fit:
        at_limit = limit is not None and ctx_size + CELLS_STEP > limit
        return Fit(
            kv_type=kv_type,
            parallel=parallel,
            ctx_size=ctx_size,
            gpu_layers=layers,
            layer_count=self.layer_count,
            bound="training" if at_limit and self.trained else "wish" if at_limit else "memory",
            memory=self._estimate(kv_type, max(parallel, 1), max(ctx_size, CELLS_STEP), layers),
            cards_bytes=self._cards(kv_type, max(parallel, 1), max(ctx_size, CELLS_STEP), layers),
        )

    def _most_layers(self, kv_type: str, parallel: int, ctx_size: int) -> int:
        if not self._room.cards:
            return 0
        return _most(lambda layers: self._fits_cards(kv_type, parallel, ctx_size, layers), self.layer_count)

    def _fits(self, kv_type: str, parallel: int, ctx_size: int, layers: int) -> bool:
        memory = self._estimate(kv_type, parallel, ctx_size, layers)
        return memory.host_bytes <= self._room.host_bytes and self._fits_cards(
            kv_type, parallel, ctx_size, layers
        )

    def _fits_cards(self, kv_type: str, parallel: int, ctx_size: int, layers: int) -> bool:
        needed = self._cards(kv_type, parallel, ctx_size, layers)
        return all(size <= free for size, free in zip(needed, self._room.cards, strict=True))

    def _estimate(self, kv_type: str, parallel: int, ctx_size: int, layers: int) -> MemoryEstimate:
        memory = self._memory.estimate(
            ctx_size=ctx_size, parallel=parallel, gpu_layers=layers, extra_args=kv_args(kv_type)
        )
        factor = self._factor(kv_type, parallel, ctx_size, memory)
        return dataclasses.replace(
            memory,
            kv_host_bytes=round(memory.kv_host_bytes * factor),
            kv_gpu_bytes=round(memory.kv_gpu_bytes * factor),
        )

    def _cards(self, kv_type: str, parallel: int, ctx_size: int, layers: int) -> tuple[int, ...]:
        """Bytes on each card."""
        rooms = self._room.cards
        if not rooms or not layers:
            return (0,) * len(rooms)
        args = kv_args(kv_type)
        each = self._memory.layers_bytes(
            ctx_size=ctx_size, parallel=parallel, gpu_layers=layers, extra_args=args
        )
        memory = self._estimate(kv_type, parallel, ctx_size, layers)
        plain = sum(each)  # less or more than with llama.cpp's own KV cache
        factor = (memory.weights_gpu_bytes + memory.kv_gpu_bytes) / plain if plain else 1.0
        ends = list(itertools.accumulate(room / sum(rooms) for room in rooms))
        found = [0.0] * len(rooms)
        for number, size in enumerate(each):
            found[min(bisect.bisect_right(ends, number / len(each)), len(rooms) - 1)] += size * factor
        return tuple(
            round(size) + memory.compute_gpu_bytes + GPU_OVERHEAD_BYTES if size else 0 for size in found
        )

    def _factor(self, kv_type: str, parallel: int, ctx_size: int, memory: MemoryEstimate) -> float:
        """llama.cpp's own size of the KV cache, as a multiple of ours; 1 if it isn't known."""
        ours = memory.kv_host_bytes + memory.kv_gpu_bytes
        evenly = self._probed(kv_type)
        if evenly is None or not ours:
            return 1.0
        fixed, per_token = evenly
        return parallel * (fixed + per_token * ctx_size) / ours

    def _probed(self, kv_type: str) -> tuple[float, float] | None:
        """Bytes of one slot's cache: fixed, and per token; None if llama.cpp doesn't say."""
        if kv_type not in self._evenly:
            self._evenly[kv_type] = self._probe(kv_type)
        return self._evenly[kv_type]

    def _probe(self, kv_type: str) -> tuple[float, float] | None:
        if self._estimator is None:
            return None
        short, long = (
            ask(self._estimator, self._path, ctx_size=length, parallel=1, extra_args=kv_args(kv_type))
            for length in _PROBED
        )
        if short is None or long is None:
            return None
        self.by_llama = True
        per_token = (long.context_bytes - short.context_bytes) / (_PROBED[1] - _PROBED[0])
        return short.context_bytes + _ROUNDED_BYTES - per_token * _PROBED[0], per_token


def all_fits(
    fitting: Fitting,
    *,
    kv_types: Sequence[str] = KV_TYPES,
    slots: Sequence[int] = SLOTS,
    ctx_size: int | None = None,
    gpu_layers: int | None = None,
) -> list[Fit]:
    """For each type of KV cache, the longest context for each number of slots; or the most slots of a given context."""
    if ctx_size is not None:
        return [fitting.most_slots(kv_type, ctx_size, gpu_layers=gpu_layers) for kv_type in kv_types]
    return [
        fitting.largest_context(kv_type, count, gpu_layers=gpu_layers)
        for kv_type in kv_types
        for count in slots
    ]


def _most(fits: Callable[[int], bool], limit: int) -> int:
    """The largest number up to the limit that fits, if all smaller ones do; 0 if none does."""
    low, high = 0, limit + 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low
