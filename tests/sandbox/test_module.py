"""`python -m sandbox`, which `doctor` asks: does it work here, and if not, what to do."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def ask(*options):
    return subprocess.run(
        [*options, sys.executable, "-m", "sandbox"], cwd=ROOT, capture_output=True, text=True, check=False
    )


def test_it_says_with_what_programs_are_executed():
    done = ask()
    assert done.returncode == 0, done.stdout
    assert json.loads(done.stdout)["level"] == "bubblewrap"


def test_where_user_namespaces_are_forbidden_it_says_so_and_what_to_do():
    """Here by a limit of a namespace of its own, which has one user; elsewhere by AppArmor."""
    forbid = 'echo 0 > /proc/sys/user/max_user_namespaces; exec "$@"'
    done = ask("unshare", "--user", "--map-current-user", "--keep-caps", "sh", "-c", forbid, "sh")
    assert done.returncode == 4, done.stdout
    said = json.loads(done.stdout)
    assert "bubblewrap" in said["error"] or "bwrap" in said["error"]
    assert said["hint"]
