"""A limit on open files is told with its value, wherever it is met; a traceback would only say where."""

from __future__ import annotations

import errno
import os
import resource
import subprocess

import pytest

from results.durable import explained
from results.errors import ResultsError
from results.open_files import too_many
from tests.command_line import PROGRAM, logged


def test_only_too_many_open_files_is_told_so():
    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    assert f"may have {soft} at a time (ulimit -n)" in too_many(OSError(errno.EMFILE, "x")).message
    assert "this machine" in too_many(OSError(errno.ENFILE, "x")).message
    assert too_many(OSError(errno.ENOENT, "x")) is None
    assert too_many(RuntimeError("x")) is None


def test_a_file_of_results_that_could_not_be_opened_is_told_with_the_limit(tmp_path):
    full = OSError(errno.EMFILE, os.strerror(errno.EMFILE))
    words = r"cannot write .*: too many open files: .* \(ulimit -n\)"
    with pytest.raises(ResultsError, match=words) as error, explained("write", tmp_path):
        raise full
    assert "ulimit -n 1024" in error.value.hint


def test_a_run_under_a_low_limit_names_it_and_is_recorded(tmp_path):
    command = f"ulimit -n 12; exec {PROGRAM} run --benchmark human_eval --limit 1 --results-dir {tmp_path}"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "error: too many open files: this program may have 12 at a time (ulimit -n)" in done.stderr
    assert "Traceback" not in done.stderr
    (record,) = logged(tmp_path)
    assert (record["status"], record["error"]["kind"]) == ("failed", "usage")
