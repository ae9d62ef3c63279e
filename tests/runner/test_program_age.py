"""A program counts as changed when its file does, or a link on the way to it."""

from __future__ import annotations

import time

import pytest

from runner.program_age import changed_s
from servers.plan import LaunchPlan
from settings.base_url import parse_base_url


def age(program) -> float:
    plan = LaunchPlan(
        kind="llama.cpp", argv=(str(program),), base_url=parse_base_url("http://127.0.0.1:1"), model_name="x"
    )
    found = changed_s(plan)
    assert found is not None
    return found


@pytest.fixture
def builds(tmp_path):
    for name in ("b9", "b10"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "llama-server").write_text(name)
    return tmp_path


@pytest.mark.parametrize("how", ["file", "folder", "chain"])
def test_a_link_that_points_to_an_older_build_is_a_change(builds, how):
    latest = builds / "latest"
    target = "{}/llama-server" if how == "file" else "{}"
    latest.symlink_to(target.format("b10"))
    program = latest if how == "file" else latest / "llama-server"
    if how == "chain":
        (builds / "mine").symlink_to("latest")
        program = builds / "mine" / "llama-server"
    before = age(program)
    time.sleep(0.02)
    began = time.time() - 0.01
    (builds / "new").symlink_to(target.format("b9"))
    (builds / "new").replace(latest)
    assert before < began < age(program)
    assert age(builds / "b9" / "llama-server") < began
