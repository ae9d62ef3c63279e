"""Refuse a run whose context, chosen for the benchmark's longest request, does not fit in this machine's memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from results.errors import UsageError
from servers.capacity.context_size import DEFAULT_CTX_SIZE, deepest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runner.machine import Machine
    from servers.capacity.memory_estimate import MemoryEstimate
    from servers.plan import LaunchPlan
    from servers.request import ServerRequest

_GIB = 1 << 30


def require_memory(server: ServerRequest, plan: LaunchPlan) -> None:
    """Raise UsageError with what would fit. A usual context is not checked: estimates are a little high, and the server
    knows best.
    """
    ctx_size = plan.asked.get("ctx_size")
    if server.longest is None or server.kind != "llama.cpp" or not isinstance(ctx_size, int):
        return
    if ctx_size > DEFAULT_CTX_SIZE:
        from pathlib import Path

        from runner.machine import this_machine

        require_memory_of(this_machine(Path.cwd()), server, plan.asked, ctx_size)


def require_memory_of(
    machine: Machine, server: ServerRequest, asked: Mapping[str, Any], ctx_size: int
) -> None:
    """Raise UsageError if slots with so many tokens don't fit in this machine's free memory."""
    from servers.llama_cpp import MIN_CTX_SIZE

    needed = _lacking(machine, server, asked, ctx_size)
    if needed is None:
        return
    low, high = 0, ctx_size // MIN_CTX_SIZE  # of MIN_CTX_SIZE tokens: what fits, and what doesn't
    while high - low > 1:
        middle = (low + high) // 2
        fits = _lacking(machine, server, asked, middle * MIN_CTX_SIZE) is None
        low, high = (middle, high) if fits else (low, middle)
    prompt = deepest(server, low * MIN_CTX_SIZE)
    longest = server.longest
    option = longest.option if longest else "--ctx-size"
    smaller = "fewer --gpu-layers, or a smaller cache: -- --cache-type-k q8_0 --cache-type-v q8_0"
    slots = asked.get("parallel", 1)
    raise UsageError(
        f"{slots} slot{'s' * (slots != 1)} of {ctx_size:,} tokens of context do not fit: {needed}",
        hint=f"{option} {prompt} is the most that fits; or {smaller}" if prompt > 0 else f"try {smaller}",
        settings=(longest.setting if longest else "ctx_size", "parallel", "model"),
    )


def _lacking(machine: Machine, server: ServerRequest, asked: Mapping[str, Any], ctx_size: int) -> str | None:
    """What is needed and what is free, as a sentence; None if it fits or isn't known."""
    from servers.capacity.memory_estimate import estimate_server, fewest_cards
    from servers.llama_cpp import find_binary

    gpus = machine.gpus if find_binary(server.server_binary) is not None else ()
    memory = estimate_server(server, {**asked, "ctx_size": ctx_size}, on_gpu=bool(gpus))
    if memory is None:
        return None
    rooms = machine.cards_bytes if gpus else ()
    free = machine.memory_available_bytes
    if asked.get("gpu_layers") is None or len(rooms) < len(
        gpus
    ):  # what doesn't fit on the cards stays with the host
        return _more_than(_whole(memory), sum(rooms) + free, "memory")
    if memory.gpu_bytes and fewest_cards(memory.gpu_bytes, rooms) is None:
        return _more_than(memory.gpu_bytes, 0, "GPU memory", free=sum(rooms))
    return _more_than(memory.host_bytes, free, "memory")


def _whole(memory: MemoryEstimate) -> int:
    return memory.gpu_bytes + memory.host_bytes


def _more_than(needed: int, room: int, what: str, *, free: int | None = None) -> str | None:
    if needed <= room:
        return None
    there = room if free is None else free
    return f"about {needed / _GIB:.1f} GiB of {what} are needed, and {there / _GIB:.1f} GiB are free"
