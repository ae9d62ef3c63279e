"""`doctor` says what would break a run and is seldom looked for."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from commands.doctor import found_line, parquet_line, special_file_lines
from servers.discovery import Found
from tests.command_line import PROGRAM, ROOT


def test_devices_that_are_none_are_told_with_how_to_make_them_anew(tmp_path):
    """As root, a program that replaces its output file replaces /dev/null too."""
    for name in ("zero", "full", "random"):
        (tmp_path / name).symlink_to(f"/dev/{name}")
    (tmp_path / "null").write_text("what programs threw away")
    (tmp_path / "urandom").symlink_to("/dev/zero")
    null, urandom, shm = special_file_lines(tmp_path)
    assert "broken" in null
    assert f"{tmp_path}/null is not the usual device" in null
    assert f"mknod -m 666 {tmp_path}/null c 1 3" in null
    assert f"{tmp_path}/urandom is not" in urandom
    assert "shm is not a writable folder" in shm


def test_where_all_is_well_it_is_one_line():
    (line,) = special_file_lines()
    assert "ok" in line
    assert "null, zero, full, random, urandom, shm in /dev" in line


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can put a file over /dev/null")
def test_it_says_so_also_where_dev_null_is_a_file(tmp_path):
    (tmp_path / "file").touch()
    over = f"mount --bind {tmp_path / 'file'} /dev/null || exit 77; exec {PROGRAM} doctor"
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", over], capture_output=True, text=True, check=False, timeout=100
    )
    if done.returncode == 77:
        pytest.skip(f"no mount here: {done.stderr}")
    assert done.returncode == 0, done.stderr
    assert "/dev/null is not the usual device" in done.stdout
    assert Path("/dev/null").is_char_device()


def test_hard_limits_below_the_sandboxs_own_are_said():
    done = subprocess.run(
        ["sh", "-c", f"ulimit -n 64; exec {PROGRAM} doctor"], capture_output=True, text=True, check=True
    )
    (line,) = [line for line in done.stdout.splitlines() if " bubblewrap " in line]
    assert "under hard limits: 64 open files instead of 128 (ulimit -n)" in line


def test_it_is_one_screen_and_what_is_optional_is_not_missing(demo_model):
    """Of an ordinary machine: llama.cpp is installed along, and bubblewrap or Landlock work."""
    env = {**os.environ, "PATH": "/usr/bin:/bin"}
    env.pop("LLAMA_SERVER", None)
    done = subprocess.run([PROGRAM, "doctor"], capture_output=True, text=True, check=True, env=env)
    lines = done.stdout.splitlines()
    assert len(lines) <= 40
    assert [line for line in lines if len(line) > 240] == []
    assert [line for line in lines if line.startswith("  missing")] == []
    assert any(line.startswith("  optional vllm") for line in lines)


def test_without_the_reader_of_parquet_the_command_that_installs_it_stands_there():
    assert parquet_line(has_reader=True).startswith("  ok       Parquet")
    line = parquet_line(has_reader=False)
    assert line.startswith("  optional Parquet")
    assert line.endswith("-m pip install 'bench-runner[parquet]'")


def test_what_the_chosen_sandbox_does_not_stop_stands_below_it_in_short_lines():
    sentences = ("What it does not stop:", "It can see whether any file exists. " * 8)
    first, *more = found_line(
        Found("landlock", ok=True, version="7", note="chosen", more=sentences)
    ).splitlines()
    assert first == "  ok       landlock  7  chosen"
    assert " ".join(" ".join(more).split()) == " ".join(sentences).strip()
    assert all(line.startswith(" " * 13) and len(line) <= 100 for line in more)


def test_make_keeps_pip_quiet():
    """It tells of its newer versions, and warns of root and of what setuptools warns of, also with --quiet."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("PIP_")}
    done = subprocess.run(
        ["make", "--silent", "--eval=shown: ; @env", "shown"],
        cwd=ROOT, env=env, capture_output=True, text=True, check=True,
    )  # fmt: skip
    recipes = (ROOT / "Makefile").read_text()
    assert recipes.count("pip install") == recipes.count("pip install --quiet --quiet") > 0
    assert {"PIP_DISABLE_PIP_VERSION_CHECK=1", "PIP_ROOT_USER_ACTION=ignore"} <= {*done.stdout.splitlines()}
