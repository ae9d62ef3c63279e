"""How many layers go after memory ran out: as many as the estimate says, else a quarter."""

from __future__ import annotations

import dataclasses

import pytest

from engines.less_memory import smaller
from servers.capacity.memory_estimate import GPU_OVERHEAD_BYTES, estimate
from servers.models import resolve
from servers.request import ServerRequest

ASKED = {"ctx_size": 8192, "parallel": 8, "gpu_layers": 80}


@pytest.fixture
def server(demo_model):
    """A server with all 31 layers of its model on the card."""
    return ServerRequest(model=resolve(str(demo_model)), gpu_layers=80, ctx_size=8192)


def needed(server, layers):
    found = estimate(server.model, ctx_size=8192, parallel=8, gpu_layers=layers)
    return found.gpu_bytes + GPU_OVERHEAD_BYTES


@pytest.mark.parametrize("layers", [1, 7, 20, 30])
def test_at_once_to_the_most_layers_that_should_fit(server, layers):
    """Each try loads the model, and fewer layers than need be are slower for the whole run."""
    less = smaller(server, ASKED, "device", [needed(server, layers)])
    assert (less.reduction.before, less.reduction.after, less.server.gpu_layers) == (31, layers, layers)


def test_a_context_that_was_lowered_before_counts(server):
    lowered = dataclasses.replace(server, ctx_size=4096)
    cards = [needed(server, 20)]
    assert smaller(lowered, ASKED, "device", cards).reduction.after > 20


def test_where_the_estimate_is_of_no_help_a_quarter_goes(server, tmp_path):
    """It says that all of them fit, or none, or can't be made."""
    for cards in ([needed(server, 31)], [1 << 20], []):
        assert smaller(server, ASKED, "device", cards).reduction.after == 24
    gone = tmp_path / "gone.gguf"
    gone.write_bytes(server.model.path.read_bytes())
    moved = dataclasses.replace(server, model=resolve(str(gone)))
    gone.unlink()
    assert smaller(moved, ASKED, "device", [needed(server, 20)]).reduction.after == 24


def test_two_tries_with_the_same_room_still_go_down(server):
    cards = [needed(server, 20)]
    first = smaller(server, ASKED, "device", cards)
    second = smaller(first.server, ASKED, "device", cards)
    assert (first.reduction.after, second.reduction.after) == (20, 13)
