"""A command whose stdin, stdout or stderr is closed, or whose reader went away, does its work all the same."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.command_line import PROGRAM, bench_runner, command_server, logged

pytestmark = pytest.mark.slow

CLOSED = {"stdin": "<&-", "stdout": ">&-", "stderr": "2>&-", "all": "<&- >&- 2>&-"}
RUN = ("run", "--benchmark", "human_eval", "--limit", 2, *command_server("canonical_server.py"))


def in_shell(redirection: str, *words: object) -> subprocess.CompletedProcess[str]:
    command = ["sh", "-c", f'exec "$@" {redirection}', "sh", PROGRAM, *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)


@pytest.mark.parametrize("redirection", CLOSED.values(), ids=CLOSED)
def test_a_run_succeeds_with_closed_streams(tmp_path, redirection):
    """Nor does what was meant for one of them end up in a file of the run, or in the other one."""
    done = in_shell(redirection, *RUN, "--json", "--results-dir", tmp_path)
    assert done.returncode == 0, done.stderr
    (record,) = logged(tmp_path)
    assert record["status"] == "succeeded"
    if ">&-" not in redirection.replace("2>&-", ""):
        assert json.loads(done.stdout) == record
    for log in tmp_path.glob("*/*.log"):
        assert "generating" not in log.read_text()


@pytest.mark.parametrize("redirection", CLOSED.values(), ids=CLOSED)
def test_the_exit_code_says_what_happened_with_closed_streams(tmp_path, redirection):
    assert in_shell(redirection, "list", "--results-dir", tmp_path).returncode == 0
    assert in_shell(redirection, "show", "nothing", "--results-dir", tmp_path).returncode == 2


def without_reader(stream: str, *words: object) -> tuple[int, str]:
    """The exit code, and what the other stream said."""
    read, write = os.pipe()
    os.close(read)
    other = "stderr" if stream == "stdout" else "stdout"
    with subprocess.Popen(
        [PROGRAM, *map(str, words)], text=True, **{stream: write, other: subprocess.PIPE}
    ) as process:
        os.close(write)
        said = "".join(process.communicate(timeout=100)[other == "stderr"] or "")
    return process.returncode, said


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_a_run_goes_on_when_nobody_reads_what_it_says(tmp_path, stream):
    """As in `run ... 2>&1 | head -1`."""
    code, said = without_reader(stream, *RUN, "--results-dir", tmp_path)
    assert (code, "Traceback" in said) == (0, False), said
    (record,) = logged(tmp_path)
    assert record["status"] == "succeeded"


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_other_commands_end_quietly_when_nobody_reads_what_they_say(tmp_path, stream):
    for words, expected in ((("--help",), 0), (("schema",), 0), (("list",), 0), (("show", "nothing"), 2)):
        code, said = without_reader(stream, *words)
        assert (code, "Traceback" in said, "BrokenPipe" in said) == (expected, False, False), said


def test_a_reader_that_goes_away_in_the_midst(tmp_path):
    done = bench_runner("schema")
    assert len(done.out) > 8 << 10
    piped = subprocess.run(
        ["bash", "-o", "pipefail", "-c", f"{PROGRAM} schema | head -c 10"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (piped.returncode, piped.stdout, piped.stderr) == (0, done.out[:10], "")


@pytest.mark.skipif(not Path("/dev/full").is_char_device(), reason="no /dev/full here")
def test_output_that_a_full_disk_cuts_off_is_an_error():
    """Unlike a reader that went away, whoever reads that file later does not know."""
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [PROGRAM, "schema"], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
        assert (done.returncode, done.stderr) == (
            6,
            "error: cannot write to stdout: No space left on device\n",
        )
        done = subprocess.run([PROGRAM, "schema"], stdout=subprocess.PIPE, stderr=full, check=False)
        assert done.returncode == 0
