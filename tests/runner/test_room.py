"""What a benchmark's longest request needs is chosen, or refused with what would fit, before a server starts."""

from __future__ import annotations

import dataclasses

import pytest

from engines.shared_server import server_key
from results.errors import UsageError
from runner.machine import Gpu, Machine
from runner.request import build_spec
from runner.room import require_memory_of
from servers.launch import plan
from settings.asked import Asked
from tests.servers.gguf_file import U32, gguf

MIB = 1 << 20
SMALL = Machine(
    memory_total_bytes=600 * MIB, memory_available_bytes=500 * MIB, gpus=(), disk_free_bytes=1 << 40
)


@pytest.fixture
def request_for(tmp_path, monkeypatch):
    """A function: settings of a speed benchmark -> what its server is asked for; 512 bytes of KV cache a token."""
    monkeypatch.setenv("PATH", str(tmp_path))  # no llama-server
    path = tmp_path / "model.gguf"
    path.write_bytes(gguf({"llama.context_length": (U32, 1 << 20)}))

    def make(**given):
        return build_spec(Asked({"benchmark": "speed", "model": str(path), **given})).server

    return make


def asked(request):
    found = plan(request, nonce="0").asked
    return found["ctx_size"], found["parallel"]


def test_context_and_slots_follow_from_depths(request_for):
    assert asked(request_for(depths="0,32k")) == (32768 + 128 + 128, 1)  # in steps of 256
    assert asked(request_for(depths="8k", output_tokens="1k", concurrencies="1,3")) == (9472, 3)
    assert asked(request_for(depths="8k", parallel=2)) == (8448, 2)
    assert asked(request_for(depths="1k")) == (4096, 1)
    assert asked(request_for()) == (4096, 4)
    assert asked(request_for(prompt_tokens="8k")) == (8448, 4)


def test_runs_whose_requests_fit_the_usual_context_share_a_server(request_for):
    small, usual = request_for(prompt_tokens="1k"), dataclasses.replace(request_for(), longest=None)
    assert server_key(small) == server_key(usual)
    assert server_key(request_for(prompt_tokens="8k")) != server_key(usual)
    assert server_key(request_for(depths="8k")) != server_key(request_for(depths="16k"))


def test_what_memory_cannot_hold_is_refused_with_what_fits(request_for):
    def refused(machine, request):
        made = plan(request, nonce="0").asked
        with pytest.raises(UsageError, match="do not fit: about") as error:
            require_memory_of(machine, request, made, made["ctx_size"])
        return int(error.value.hint.split()[1])

    request = request_for(depths="900k")
    most = refused(SMALL, request)
    assert 100_000 < most < 900 * 1024
    fitting = request_for(depths=str(most))
    require_memory_of(SMALL, fitting, plan(fitting, nonce="0").asked, most + 128)
    assert refused(SMALL, request_for(depths="900k", parallel=2)) < most
    roomier = dataclasses.replace(SMALL, memory_available_bytes=4 << 30)
    require_memory_of(roomier, request, plan(request, nonce="0").asked, 900 * 1024)


def test_layers_asked_for_must_fit_on_the_cards(request_for, tmp_path):
    server = tmp_path / "llama-server"
    server.write_text("#!/bin/sh\n")
    server.chmod(0o755)
    roomy = dataclasses.replace(SMALL, memory_available_bytes=64 << 30)
    with_card = dataclasses.replace(roomy, gpus=(Gpu("card", 1 << 30, 700 * MIB),))
    left_open = request_for(depths="900k", server_binary=str(server))
    require_memory_of(
        with_card, left_open, {"parallel": 1, "ctx_size": 921600}, 921600
    )  # the rest is the host's
    all_layers = request_for(depths="900k", server_binary=str(server), gpu_layers=-1)
    with pytest.raises(UsageError, match="of GPU memory are needed"):
        require_memory_of(
            with_card, all_layers, {"parallel": 1, "ctx_size": 921600, "gpu_layers": -1}, 921600
        )
