"""`doctor` says what would break a run and is seldom looked for."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from commands.doctor import special_file_lines
from tests.command_line import PROGRAM


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
