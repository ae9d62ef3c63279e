"""The recorded verdicts of lm-eval's filters are those of lm-eval itself."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.evaluation.lm_eval_answers import FIXTURE


@pytest.mark.tools
def test_lm_eval_still_says_what_is_recorded(tools_python):
    script = Path(__file__).with_name("lm_eval_answers.py")
    done = subprocess.run([tools_python, script], capture_output=True, check=True, timeout=300)
    assert json.loads(done.stdout) == json.loads(FIXTURE.read_bytes())
