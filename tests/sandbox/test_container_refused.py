"""Where no container can be had the error says why and what to do. No engine is needed for that."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from sandbox import SandboxError, open_sandbox

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def image(monkeypatch):
    monkeypatch.setenv("BENCH_SANDBOX_IMAGE", "python:3.12-slim")


def refusal() -> SandboxError:
    with pytest.raises(SandboxError) as caught:
        open_sandbox("container")
    return caught.value


def test_without_an_image(monkeypatch):
    monkeypatch.delenv("BENCH_SANDBOX_IMAGE")
    error = refusal()
    assert error.message == "no container image is given"
    assert error.hint.startswith("BENCH_SANDBOX_IMAGE=")


def test_where_no_engine_runs(monkeypatch, tmp_path):
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nobody.sock")
    error = refusal()
    assert error.message.startswith(f"no container engine answers at unix://{tmp_path}/nobody.sock")
    assert "systemctl start docker" in error.hint


def test_where_something_else_answers(monkeypatch, tmp_path):
    with socket.socket(socket.AF_UNIX) as closed:
        closed.bind(str(tmp_path / "closed.sock"))  # and nobody listens
        monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/closed.sock")
        assert refusal().message.startswith("no container engine answers")


def test_an_engine_on_another_machine(monkeypatch):
    monkeypatch.setenv("DOCKER_HOST", "tcp://192.0.2.1:2375")
    assert refusal().message == "DOCKER_HOST=tcp://192.0.2.1:2375 is not a socket of this machine"


OPEN = """
import sys
PREPARE
from sandbox import SandboxError, open_sandbox
try:
    open_sandbox("container")
except SandboxError as error:
    print(error.message, "|", error.hint)
"""


def said_in_a_process_of_its_own(prepare: str, prefix: tuple[str, ...] = ()) -> tuple[str, str]:
    command = [*prefix, sys.executable, "-B", "-c", OPEN.replace("PREPARE", prepare)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, cwd=ROOT)
    if "Permission denied" in done.stderr and "sandbox" not in done.stderr:
        pytest.skip("an ordinary user can't read this interpreter or this folder")
    assert done.stdout, done.stderr
    message, _, hint = done.stdout.strip().partition(" | ")
    return message, hint


def test_without_the_package():
    message, hint = said_in_a_process_of_its_own("sys.modules['docker'] = None")
    assert message == "the Python package 'docker' is missing"
    assert hint.endswith("-m pip install 'bench-runner[container]'")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_without_the_right_to_use_the_engine(monkeypatch, tmp_path):
    with socket.create_server(str(tmp_path / "engine.sock"), family=socket.AF_UNIX):
        (tmp_path / "engine.sock").chmod(0o660)
        monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/engine.sock")
        prefix = ("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups")
        message, hint = said_in_a_process_of_its_own("", prefix)
    assert message.endswith("does not accept this user"), message
    assert "rootless" in hint
