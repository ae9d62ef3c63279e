"""Batch systems start programs under hard limits below ours: verdicts stay right, and the limit is named."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from sandbox import Limits, lowered, suspects
from sandbox.own_users import OwnUsers

ROOT = Path(__file__).parents[2]
# Its hard limits are set first, for itself and all that it starts, as those of a batch system are.
JUDGE = """
import json, os, resource, sys
from sandbox import Limits, Program, SandboxError, open_sandbox
import sandbox.bubblewrap, sandbox.landlock, sandbox.process_limits, sandbox.pool
level, limits, uid = sys.argv[1], json.loads(sys.argv[2]), int(sys.argv[3])
if uid:
    os.setgroups([]); os.setresgid(uid, uid, uid); os.setresuid(uid, uid, uid)
for name, most in limits.items():
    resource.setrlimit(getattr(resource, name), (most, most))
said = {}
try:
    with open_sandbox(level, 2) as box:
        said["hard_limits"] = box.describe().get("hard_limits")
        said["verdicts"] = [box.run(Program(code), Limits()).kind for code in sys.argv[4:]]
except SandboxError as error:
    said["error"], said["hint"] = error.message, error.hint
print(json.dumps(said))
"""
RIGHT, WRONG = "assert sum(range(10)) == 45", "assert sum(range(10)) == 46"
LEVELS = ("bubblewrap", "landlock", "process")


def judge(level: str, limits: dict[str, int], *programs: str, uid: int = 0) -> dict:
    done = subprocess.run(
        [sys.executable, "-c", JUDGE, level, json.dumps(limits), str(uid), *programs],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize(
    ("limits", "fields"),
    [
        (
            {"RLIMIT_NOFILE": 64, "RLIMIT_FSIZE": 1_024_000, "RLIMIT_NPROC": 12, "RLIMIT_CPU": 2},
            {"open_files": 64, "file_bytes": 1_024_000, "processes": 12, "cpu_s": 2},
        ),
        ({"RLIMIT_AS": 1_024_000_000}, {"memory_bytes": 1_024_000_000}),
        ({"RLIMIT_AS": 200_000_000}, {"memory_bytes": 200_000_000}),
    ],
    ids=["all but memory", "memory", "little memory"],
)
def test_programs_execute_under_the_lower_of_both_limits(level, limits, fields):
    said = judge(level, limits, RIGHT, WRONG, RIGHT)
    assert said == {"hard_limits": fields, "verdicts": ["passed", "wrong_answer", "passed"]}


@pytest.mark.parametrize("level", LEVELS)
def test_a_program_gets_no_more_than_the_hard_limit(level):
    """The limit is held, not only tolerated."""
    memory = "x = bytearray(900 << 20)"
    files = "import os\nheld = [os.dup(1) for _ in range(70)]"
    both = {"RLIMIT_AS": 500 << 20, "RLIMIT_NOFILE": 64}
    assert judge(level, both, memory, files)["verdicts"] == ["memory_limit", "exception"]
    assert judge(level, {"RLIMIT_CPU": 1}, "while True: pass", RIGHT)["verdicts"] == ["timeout", "passed"]


@pytest.mark.parametrize("level", LEVELS)
def test_where_nothing_can_be_started_the_limit_is_named_and_nothing_is_judged(level):
    """No verdict, rather than a wrong one; and no advice that leads elsewhere first."""
    said = judge(level, {"RLIMIT_NOFILE": 8}, RIGHT)
    assert "verdicts" not in said
    assert said["hint"].startswith("raise the hard limits")
    assert "8 open files instead of 128 (ulimit -n)" in said["hint"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("most", [4, 6, 8])
def test_a_user_who_may_start_no_process_more_is_told_so(level, most):
    """The kernel counts them by user, threads of the harness among them; for root it does not count at all."""
    somebody = OwnUsers(range(20_000, 59_000))  # no test beside this one has the same
    try:
        said = judge(level, {"RLIMIT_NPROC": most}, RIGHT, WRONG, uid=somebody.of(0))
    finally:
        somebody.close()
    if "error" in said:
        assert f"{most} processes and threads instead of 32 (ulimit -u)" in said["hint"]
    else:
        assert said["verdicts"] == ["passed", "wrong_answer"]


@pytest.mark.parametrize(
    ("name", "most", "words"),
    [
        ("RLIMIT_DATA", 300 << 20, "300 MiB of data instead of 2048 (ulimit -d)"),
        ("RLIMIT_STACK", 512 << 10, "0.5 MiB of stack instead of 8 (ulimit -s)"),
    ],
)
def test_limits_that_the_sandbox_has_not_itself_are_named_too(name, most, words):
    code = (
        "import resource, sandbox\n"
        f"resource.setrlimit(resource.{name}, ({most}, {most}))\n"
        "print(sandbox.lowered(sandbox.Limits(), {}))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == f"{[words]}\n"


def test_only_limits_that_are_lower_are_named():
    limits = Limits()
    assert lowered(limits, {}) == []
    assert lowered(limits, {"open_files": 128, "memory_bytes": 4 << 30}) == []
    assert lowered(limits, {"memory_bytes": 1 << 30}) == ["1024 MiB of memory instead of 2048 (ulimit -v)"]
    assert suspects(limits) == ""
