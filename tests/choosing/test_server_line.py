"""The command to copy is the one that was measured, without what bench_runner adds to watch and measure it."""

from __future__ import annotations

from choosing.recommendation.server_line import server_line
from results.records import ServerFacts

MEASURED = (
    "/opt/llama-server", "-m", "/m/a b.gguf", "--host", "127.0.0.1", "--port", "40001", "-c", "65536", "-np", "2",
    "-ngl", "999", "--alias", "a b-1f2e", "--metrics", "--slots", "-lv", "4", "--cache-ram", "0",
    "--cache-type-k", "q8_0", "--cache-type-v", "q8_0", "--flash-attn", "on", "-t", "1",
)  # fmt: skip
USED = (
    "-m", "/m/a b.gguf", "-c", "65536", "-np", "2", "-ngl", "999", "--cache-type-k", "q8_0",
    "--cache-type-v", "q8_0", "--flash-attn", "on", "-t", "1",
)  # fmt: skip


def test_address_name_and_supervision_are_left_out():
    assert server_line(ServerFacts(kind="llama.cpp", command=MEASURED)) == ("/opt/llama-server", *USED)


def test_the_built_in_one_becomes_llama_server():
    embedded = ("/usr/bin/python3", "-P", "/x/embedded.py", *MEASURED[1:])
    assert server_line(ServerFacts(kind="embedded", command=embedded)) == ("llama-server", *USED)


def test_what_the_user_gave_stays():
    """It is what was measured, whatever bench_runner would have given by itself."""
    for own in (("--cache-ram", "0"), ("-lv", "4", "--slots", "--metrics")):
        server = ServerFacts(kind="llama.cpp", command=(*MEASURED, *own))
        assert server_line(server, [*own]) == ("/opt/llama-server", *USED, *own)
    assert server_line(ServerFacts(kind="llama.cpp", command=MEASURED), ["-t", "1"])[-2:] == ("-t", "1")
