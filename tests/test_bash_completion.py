"""A real bash, with the code that `completion bash` prints: what the Tab key makes of a line."""

from __future__ import annotations

import os
import pty
import re
import select
import shutil
import time

import pytest

from results.json_text import encode
from results.records import Completion, Outcome
from tests.command_line import PROGRAM, ROOT, bench_runner
from tests.results.recorded_runs import record_run
from tests.servers.gguf_file import gguf
from tests.servers.kept_models import keep_in_ollama

pytestmark = pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")


class Shell:
    """An interactive bash on a terminal of its own."""

    def __init__(self, folder, home):
        pid, self._terminal = pty.fork()
        if pid == 0:
            os.chdir(folder)
            env = {**os.environ, "HOME": str(home), "PS1": "$ ", "TERM": "dumb", "COLUMNS": "500"}
            os.execvpe("bash", ["bash", "--norc", "--noprofile", "-i"], env)
        self._pid = pid
        (home / "completion").write_text(bench_runner("completion", "bash").out)
        self.enter("bind 'set enable-bracketed-paste off'; bind 'set bell-style none'")
        self.enter(f"PATH={ROOT}:$PATH; source {home / 'completion'}; echo sourced", until="\nsourced")

    def enter(self, line, *, until="$ "):
        os.write(self._terminal, line.encode() + b"\n")
        return self._read(until)

    def completed(self, line):
        """The line after a Tab: bash prints it itself, as the words of an echo."""
        os.write(self._terminal, line.encode() + b"\t")
        os.write(self._terminal, b"\x01echo '<' \x05 '>'\n")
        said = ""
        while not (found := re.search(r"^< (.*) >\r$", said, re.MULTILINE)):
            said += self._read("\n")
        return found[1]

    def close(self):
        os.close(self._terminal)
        os.waitpid(self._pid, 0)

    def _read(self, until, seconds=60.0):
        said, deadline = "", time.monotonic() + seconds
        while until not in said:
            assert time.monotonic() < deadline, said
            if select.select([self._terminal], [], [], 0.1)[0]:
                said += os.read(self._terminal, 65536).decode(errors="replace")
        return said


@pytest.fixture(scope="module")
def shell(tmp_path_factory):
    home, folder = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("folder")
    keep_in_ollama(home, "qwen2.5:7b", gguf())
    (folder / "small model.gguf").write_bytes(gguf())
    (folder / "models").mkdir()
    (folder / "models" / "big.gguf").write_bytes(gguf())
    (folder / "notes.txt").touch()
    run = record_run(folder / "benchmark_results")
    line = Completion(task_id="a", outcome=Outcome.PASSED, passed=True, tags={"difficulty": "easy"})
    run.completions.write_bytes(encode(line) + b"\n")
    made = Shell(folder, home)
    yield made
    made.close()


@pytest.mark.parametrize(
    ("typed", "completed"),
    [
        ("run --model oll", "run --model ollama:qwen2.5:7b "),
        ("run --model ollama:qw", "run --model ollama:qwen2.5:7b "),
        ("run --model ollama:qwen2.5:", "run --model ollama:qwen2.5:7b "),
        ("run --model=ollama:qw", "run --model=ollama:qwen2.5:7b "),
        ("fit oll", "fit ollama:qwen2.5:7b "),
        ("run --model sm", "run --model small model.gguf "),  # as echo prints its words
        ("run --model models/b", "run --model models/big.gguf "),
        ("run --benchmark human", "run --benchmark human_eval "),
        ("leader", "leaderboard "),
        ("run --weights corr", "run --weights correctness="),
        ("run --weights correctness=40,spe", "run --weights correctness=40,speed="),
        ("rescore last --scorer small.py --weights sm", "rescore last --scorer small.py --weights small="),
        ("leaderboard --by dif", "leaderboard --by difficulty "),
    ],
)
def test_a_tab_completes(shell, typed, completed):
    assert shell.completed(f"{PROGRAM.name} {typed}").split() == f"{PROGRAM.name} {completed}".split()


def test_names_and_files_are_offered_together(shell):
    os.write(shell._terminal, f"{PROGRAM.name} run --model \t\t".encode())
    time.sleep(0.1)
    os.write(shell._terminal, b"\x15echo over\n")
    said = shell._read("\nover", 60)
    for word in ("demo", "ollama:qwen2.5:7b", "models/", "small"):
        assert word in said
    assert "notes.txt" not in said
