"""A run that meets a full disk is recorded for what it became, and goes on once there is space."""

from __future__ import annotations

import json
import subprocess
import sys

from tests.command_line import PROGRAM, Done, bench_runner, logged, only_run
from tests.evaluation.running_servers import canonical_server

# No file grows beyond the limit, as on a disk that is full: the error is of the same kind, and needs no root.
LIMITED = """
import os, resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), resource.RLIM_INFINITY))
os.execv(sys.argv[2], sys.argv[2:])
"""
LIMIT_BYTES = 64 << 10  # room for the record, the log and the prompts, not for the answers


def limited(*words: object) -> Done:
    command = [sys.executable, "-c", LIMITED, str(LIMIT_BYTES), PROGRAM, *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    return Done(done.returncode, done.stdout, done.stderr)


def test_a_resumed_run_that_fills_the_disk_is_not_recorded_as_what_it_was_before(tmp_path):
    """Only a refused resume leaves the old record: this one has more completions now, and did not succeed."""
    with canonical_server() as url:
        run = ("run", "--benchmark", "human_eval", "--results-dir", tmp_path, "--base-url", url)
        assert bench_runner(*run, "--limit", 2).code == 0
        run_id = only_run(tmp_path).name
        full = limited(*run, "--limit", 60, "--resume", run_id)
        assert full.code == 6, full.err
        assert "File too large" in full.err
        (record,) = logged(tmp_path)
        assert (record["status"], record["error"]["kind"], record["resumed"]) == ("failed", "results", 1)
        assert json.loads((only_run(tmp_path) / "run.json").read_text()) == record
        finished = (only_run(tmp_path) / "completions.jsonl").read_bytes().count(b"\n")
        assert 2 < finished < 60
        assert list((tmp_path / ".unlogged").iterdir()) == []
        again = bench_runner(*run, "--limit", 60, "--resume", run_id)
    assert again.code == 0, again.err
    (record,) = logged(tmp_path)
    assert (record["status"], record["results"]["score"], record["resumed"]) == ("succeeded", 100.0, 2)
