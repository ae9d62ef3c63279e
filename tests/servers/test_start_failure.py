"""A start failure tells its cause and one thing to try, from what servers print."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from processes.process import Exit
from results.errors import ServerExited
from servers.ports import PortHolder
from servers.start_failure import exhausted_memory, explain
from servers.supervisor import launch

BLOCKS = Path(__file__).with_name("start_failures.txt").read_text().strip().split("\n\n")[1:]
REAL = [(lines, *words.split(" | ")[:2]) for words, _, lines in (block.partition("\n") for block in BLOCKS)]


@pytest.mark.parametrize(("printed", "message", "hint"), REAL)
def test_what_servers_print_is_understood(printed, message, hint):
    log = f"I srv llama_server: initializing ...\n{printed}\nE srv llama_server: exiting due to an error\n"
    told = explain(Exit(1, None), log, 8080, None)
    assert told.message.startswith("the server ended before it was ready (exit code 1): ")
    assert message in told.message
    assert hint in told.hint
    out = any(sign in told.message for sign in ("ran out of memory", "no room for the context"))
    assert told.out_of_memory == ("host" if "this machine" in told.message else "device" if out else "")
    assert exhausted_memory(log) == told.out_of_memory


@pytest.mark.parametrize(
    "printed",
    [
        "E srv         start: couldn't bind HTTP server socket, hostname: 127.0.0.1, port: 18912",
        "OSError: [Errno 98] Address already in use",
        "[Errno 98] error while attempting to bind on address ('127.0.0.1', 8080): address already in use",
    ],
)
def test_a_taken_port_is_told_with_its_holder(printed):
    told = explain(Exit(1, None), printed, 8080, PortHolder(4711, "ollama"))
    assert told.message.endswith("port 8080 is in use by process 4711 (ollama)")
    assert (
        "in use by a process of another user"
        in explain(Exit(1, None), printed, 8080, PortHolder(None, "")).message
    )


@pytest.mark.parametrize("ended", [Exit(None, signal.SIGILL), Exit(128 + signal.SIGILL, None)])
def test_a_binary_for_another_cpu_is_told_also_through_a_wrapper_script(ended):
    assert "built for another CPU" in explain(ended, "load_backend: loaded CPU backend", 1, None).message


def test_the_kernels_kill_for_memory_is_told():
    told = explain(Exit(None, signal.SIGKILL), "loading tensors", 1, None)
    assert "memory ran out" in told.message
    assert told.out_of_memory == "host"


def test_an_unknown_cause_is_not_guessed():
    told = explain(Exit(1, None), "something else", 8080, None)
    assert told.message == "the server ended before it was ready (exit code 1)"
    assert told.hint.endswith("run the command by hand")
    assert explain(Exit(0, None), " \n", 8080, None).hint.startswith("it printed nothing; check ")


def test_an_illegal_instruction_in_a_real_start(fake_plan, log):
    plan = fake_plan("--die-by", str(int(signal.SIGILL)), "--load-seconds", "60")
    with pytest.raises(ServerExited, match=r"killed by SIGILL.*built for another CPU") as caught:
        launch(plan, log_path=log, ready_timeout_s=20)
    assert caught.value.log_tail


def test_the_port_taken_by_ourselves_in_a_real_start(fake_plan, log):
    """The kind of server that prints its error and exits; the holder is looked up after it."""
    plan = fake_plan(
        "--print", "E srv start: couldn't bind HTTP server socket", "--exit-code", "1", "--load-seconds", "60"
    )
    with pytest.raises(ServerExited, match=f"port {plan.base_url.port} is in use") as caught:
        launch(plan, log_path=log, ready_timeout_s=20)
    assert str(os.getpid()) not in caught.value.message
