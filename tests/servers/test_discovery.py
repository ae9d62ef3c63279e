"""What `doctor` and the record say of this machine is what is there, and a broken program is not called good."""

from __future__ import annotations

from importlib.metadata import version

import pytest

from servers.discovery import servers_found


@pytest.fixture
def path(tmp_path, monkeypatch):
    """The only folder on PATH, and nothing in the working folder."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.delenv("LLAMA_SERVER", raising=False)
    monkeypatch.delenv("LLAMA_PERPLEXITY", raising=False)
    monkeypatch.chdir(tmp_path)
    return folder


def program(path, name, script):
    (path / name).write_text(script)
    (path / name).chmod(0o755)


def test_the_embedded_server_of_our_own_environment_is_found(path):
    llama_server, perplexity, embedded, vllm = servers_found()
    assert (embedded.ok, embedded.version) == (True, version("xllamacpp"))
    assert (llama_server.ok, perplexity.ok, vllm.ok) == (False, False, False)
    assert (llama_server.optional, perplexity.optional, vllm.optional) == (True, True, True), (
        "a run works without them"
    )
    assert "--perplexity-binary" in perplexity.note
    assert "LLAMA_SERVER" in llama_server.note
    assert "--server-binary" in vllm.note


@pytest.mark.parametrize(
    ("script", "told"),
    [
        ("echo 'version: 11434 (abc1234)' >&2; echo 'built with GNU 12 for x86_64' >&2", "11434 (abc1234)"),
        ("echo 'load_backend: loaded CPU backend' >&2; echo 'version: 0.6.0-dev' >&2", "0.6.0-dev"),
        ("printf 'version: caf\\351\\n'", "caf\ufffd"),
        ("echo something", "something"),
        (":", "?"),
    ],
)
def test_a_llama_server_tells_its_version(path, script, told):
    program(path, "llama-server", f"#!/bin/sh\n{script}\n")
    found = servers_found()[0]
    assert (found.ok, found.version, found.path, found.note) == (True, told, str(path / "llama-server"), "")


@pytest.mark.parametrize(
    "script",
    [
        "#!/bin/sh\nkill -ILL $$\n",
        "#!/bin/sh\necho version: 1; exit 127\n",
        "#!/no/such/interpreter\n",
        "\x7fELF nonsense",
    ],
    ids=["built for another CPU", "library missing", "interpreter missing", "no program"],
)
def test_a_llama_server_that_dies_when_asked_is_not_ok(path, script):
    program(path, "llama-server", script)
    found = servers_found()[0]
    assert (found.ok, found.version) == (False, "")
    assert "can't be run" in found.note


def test_llama_perplexity_is_found_beside_llama_server(path, tmp_path, monkeypatch):
    build = tmp_path / "elsewhere"
    build.mkdir()
    program(build, "llama-server", "#!/bin/sh\necho version: 7\n")
    program(build, "llama-perplexity", "#!/bin/sh\necho version: 8\n")
    monkeypatch.setenv("LLAMA_SERVER", str(build / "llama-server"))
    found = servers_found()[1]
    assert (found.ok, found.version, found.path) == (True, "8", str(build / "llama-perplexity"))


def test_a_wrong_llama_server_in_the_environment_is_told(path, monkeypatch):
    monkeypatch.setenv("LLAMA_SERVER", "/no/llama-server")
    found = servers_found()[0]
    assert not found.ok
    assert not found.optional
    assert found.note == "$LLAMA_SERVER /no/llama-server: no such program"


def test_the_version_of_vllm_is_known_without_starting_it(path, tmp_path):
    (tmp_path / "lib" / "python3.11" / "site-packages" / "vllm-0.11.0.dist-info").mkdir(parents=True)
    program(path, "vllm", "#!/bin/sh\nexec sleep 60\n")
    found = servers_found()[3]
    assert (found.ok, found.version, found.path) == (True, "0.11.0", str(path / "vllm"))
