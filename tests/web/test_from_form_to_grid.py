"""In a real Chromium, from the form to the grid with a real job on the demo model, and a job that is cancelled."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.web.serve_process import Serve

pytestmark = pytest.mark.web


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    python, chromium = os.environ.get("BROWSER_PYTHON"), os.environ.get("CHROMIUM")
    if python == "none":
        pytest.skip("no Chromium")
    if not python or not chromium:
        pytest.fail("run these tests by `make test-web`")
    with Serve(tmp_path_factory.mktemp("results"), "--port", 0) as serve:
        program = Path(__file__).with_name("use_site.py")
        done = subprocess.run([python, program, chromium, serve.link], capture_output=True, check=False)
        assert done.returncode == 0, done.stderr.decode() + serve.said()
        assert serve.stop() == 0, serve.said()
    return json.loads(done.stdout)


def test_a_mistake_is_told_before_anything_starts(seen):
    assert "'one' is not a whole number" in seen["mistake"]
    assert seen["kept"] == ["one", True]
    assert seen["checked"].startswith("1 run, ")


def test_the_job_runs_and_its_page_follows_it(seen):
    assert seen["told"] == "Loading the model"
    assert seen["status"] == "completed"
    assert seen["lead"].startswith("Score ")
    assert "ready after" in seen["log"]


def test_a_click_in_the_grid_opens_the_answer(seen):
    assert seen["cell"] in {"solved", "wrong", "no answer", "cut at the token limit"}
    assert seen["answer"] == "HumanEval/0"
    assert seen["prompt"] > 0


def test_a_job_is_cancelled_by_keyboard_and_tried_again_without_scripts(seen):
    assert seen["second"] != seen["job"]
    assert seen["outline"] != "none"
    assert seen["without_scripts"] in {"cancelled", "cancelling"}


def test_the_browser_has_nothing_to_complain_of(seen):
    assert [each for each in seen["complaints"] if "400 (Bad Request)" not in each] == []
    assert seen["cookies"] == [[True, "Strict"]]
