"""`delete` asks, and says what it freed."""

from __future__ import annotations

import os
import pty
import subprocess

from results.store.run_folder import all_folders
from tests.command_line import PROGRAM, bench_runner
from tests.results.recorded_runs import record_run


def answered(answer, *words):
    """The output of the command on a terminal where that is typed."""
    ours, theirs = pty.openpty()
    try:
        os.write(ours, answer)
        done = subprocess.run(
            [PROGRAM, *map(str, words)], stdin=theirs, capture_output=True, text=True, timeout=60, check=False
        )
    finally:
        os.close(ours)
        os.close(theirs)
    return done


def test_it_asks_first(tmp_path):
    kept, gone = record_run(tmp_path, model="Big-Q8_0"), record_run(tmp_path, model="Big-Q2_K")
    unasked = bench_runner("delete", "last", "--results-dir", tmp_path)
    assert (unasked.code, "nobody can be asked" in unasked.err) == (2, True)
    no = answered(b"n\n", "delete", "*Q2_K*", "--results-dir", tmp_path)
    assert "Delete 1 run (" in no.stderr
    assert (no.returncode, all_folders(tmp_path)) == (0, (kept, gone))
    yes = answered(b"y\n", "delete", "*Q2_K*", "--results-dir", tmp_path)
    assert (yes.returncode, all_folders(tmp_path)) == (0, (kept,))
    assert "deleted 1 run, freed " in yes.stdout
    sure = bench_runner("delete", "last", "--yes", "--results-dir", tmp_path)
    assert (sure.code, all_folders(tmp_path)) == (0, ())
