"""`python -m sandbox`, which `doctor` asks: which levels work here, what they don't stop, and if not, what to do."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from sandbox import LEVELS

ROOT = Path(__file__).parents[2]


def ask(*options):
    done = subprocess.run(
        [*options, sys.executable, "-m", "sandbox"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return done.returncode, json.loads(done.stdout)


def test_it_says_of_each_level_how_it_is():
    code, said = ask()
    assert (code, said["auto"]) == (0, "bubblewrap")
    assert ["auto", *said["levels"]] == list(LEVELS)
    for name, found in said["levels"].items():
        assert found["ok"] or found["error"], name
        assert not found["ok"] or found["level"] == name
    assert said["levels"]["bubblewrap"]["not_stopped"] == []
    assert Path(said["levels"]["bubblewrap"]["path"]).name == "bwrap"
    assert said["levels"]["landlock"]["not_stopped"] != []
    assert "is not a sandbox" in said["levels"]["process"]["warning"]


@pytest.mark.parametrize("uid", [1000, 0])
def test_where_user_namespaces_are_forbidden_it_says_so_and_what_to_do(uid):
    """Here by a limit of a namespace of its own, which has one user; elsewhere by AppArmor."""
    forbid = 'echo 0 > /proc/sys/user/max_user_namespaces; exec "$@"'
    before = [
        "unshare",
        "--user",
        f"--map-user={uid}",
        f"--map-group={uid}",
        "--keep-caps",
        "sh",
        "-c",
        forbid,
        "sh",
    ]
    code, said = ask(*before)
    bubblewrap = said["levels"]["bubblewrap"]
    assert "bubblewrap" in bubblewrap["error"] or "bwrap" in bubblewrap["error"]
    assert bubblewrap["hint"]
    # Root would have to become an ordinary user, and there is none.
    assert (code, said["auto"]) == ((4, None) if uid == 0 else (0, "landlock"))
