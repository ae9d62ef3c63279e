"""Fake servers to order, on free ports."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from servers.plan import LaunchPlan
from servers.ports import free_port
from settings.base_url import parse_base_url

FAKE_SERVER = Path(__file__).parents[1] / "programs" / "fake_server.py"


@pytest.fixture
def fake_plan():
    """A function: options of tests/programs/fake_server.py -> the plan that launches it."""

    def plan(*options: str, port: int | None = None, **fields: object) -> LaunchPlan:
        port = port or free_port()
        argv = (sys.executable, "-I", "-S", str(FAKE_SERVER), "--port", str(port), *options)
        defaults = {"kind": "command", "argv": argv, "model_name": "fake"}
        return LaunchPlan(base_url=parse_base_url(f"http://127.0.0.1:{port}"), **{**defaults, **fields})

    return plan


@pytest.fixture
def log(tmp_path):
    return tmp_path / "server.log"
