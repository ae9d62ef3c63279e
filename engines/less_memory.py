"""Lower the settings of a run that ran out of memory."""

from __future__ import annotations

import bisect
import dataclasses
from typing import TYPE_CHECKING, NamedTuple

from results.errors import UsageError
from results.sweep_place import Reduction
from servers.capacity.memory_estimate import estimate_server, fewest_cards

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from results.records import RunRecord
    from runner.spec import RunSpec
    from servers.request import ServerRequest

LEAST_CTX_SIZE = 1024  # tokens; a smaller context hardly holds a prompt and its answer


class Smaller(NamedTuple):
    """A server that needs less memory, and the setting that was lowered for it."""

    server: ServerRequest
    reduction: Reduction


def smaller(
    server: ServerRequest, asked: Mapping[str, object], where: str, cards_bytes: Sequence[int] = ()
) -> Smaller | None:
    """Move layers off the GPU: as many as the estimate says, or a quarter where it would move none. If none are left
    there, halve the context. None if neither works.

    asked: the settings of the plan that failed, including those that the user left open. where: memory ran out on the
    "device" or the "host"; on the host, moving layers off the GPU would only make it worse. cards_bytes: what is free
    on each card; empty if that isn't known. Layers go first because they only change how fast the model answers, not
    what it can read.
    """
    layers = server.gpu_layers
    total = server.model.header.layer_count if server.model and server.model.header else None
    if where == "device" and server.kind == "llama.cpp" and total:
        most = total + 1  # the output layer counts too
        on_gpu = most if layers is None or layers < 0 else min(layers, most)
        if on_gpu > 0:
            fewer = _that_fit(server, asked, on_gpu, cards_bytes)
            if fewer is None:
                fewer = max(0, on_gpu - max(1, total // 4))
            return Smaller(
                dataclasses.replace(server, gpu_layers=fewer),
                Reduction(setting="gpu_layers", before=on_gpu, after=fewer),
            )
    if server.perplexity is not None:  # its windows determine the result
        return None
    ctx_size = server.ctx_size or asked.get("ctx_size")
    if isinstance(ctx_size, int) and ctx_size // 2 >= LEAST_CTX_SIZE:
        half = ctx_size // 2
        return Smaller(
            dataclasses.replace(server, ctx_size=half),
            Reduction(setting="ctx_size", before=ctx_size, after=half),
        )
    return None


def _that_fit(
    server: ServerRequest, asked: Mapping[str, object], on_gpu: int, cards_bytes: Sequence[int]
) -> int | None:
    """The most layers below on_gpu that should fit on these cards, at least one; None if nothing is known, or on_gpu
    layers should fit too, so that the estimate is of no help.
    """
    ctx_size = {} if server.ctx_size is None else {"ctx_size": server.ctx_size}

    def too_many(layers: int) -> bool:
        found = estimate_server(server, {**asked, **ctx_size, "gpu_layers": layers})
        return found is not None and fewest_cards(found.gpu_bytes, cards_bytes) is None

    try:
        if not cards_bytes or not too_many(on_gpu):
            return None
        return bisect.bisect_left(range(1, on_gpu), 1, key=too_many) or None
    except (UsageError, OSError):  # the file is gone: the next start says so
        return None


def as_reduced(spec: RunSpec, record: RunRecord) -> RunSpec:
    """The run with the lowered settings from the record of its earlier try."""
    return lowered(spec, gpu_layers=record.config.get("gpu_layers"), ctx_size=record.config.get("ctx_size"))


def lowered(spec: RunSpec, *, gpu_layers: int | None, ctx_size: int | None) -> RunSpec:
    """The run with these settings for its server."""
    return spec.with_server(dataclasses.replace(spec.server, gpu_layers=gpu_layers, ctx_size=ctx_size))
