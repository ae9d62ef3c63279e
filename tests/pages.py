"""What a page of the documentation shows, so that a test can follow it word by word."""

from __future__ import annotations

import os
import re
import subprocess
from typing import TYPE_CHECKING

from tests.command_line import ROOT, Done

if TYPE_CHECKING:
    from pathlib import Path

_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(page: str, heading: str, language: str) -> list[str]:
    """The code blocks of a language under a heading, up to the next heading of the same depth or above."""
    text = (ROOT / page).read_text()
    start = re.search(rf"^(#+) {re.escape(heading)}$", text, re.MULTILINE)
    assert start, f"{page} has no heading {heading!r}"
    rest = text[start.end() :]
    end = re.search(
        rf"^#{{1,{len(start[1])}}} ", _BLOCK.sub(lambda found: " " * len(found[0]), rest), re.MULTILINE
    )
    return [code for kind, code in _BLOCK.findall(rest[: end.start()] if end else rest) if kind == language]


def follow(command: str, folder: Path, home: Path, **env: str) -> Done:
    """A command of a page in bash, as somebody at `home` would give it in `folder`; runs go to `folder`/results."""
    environment = {
        **os.environ,
        "HOME": str(home),
        "BENCH_RESULTS_DIR": str(folder / "results"),
        **env,
    }
    done = subprocess.run(
        ["bash", "-c", command.replace("./bench_runner.py", str(ROOT / "bench_runner.py"))],
        cwd=folder,
        env=environment,
        capture_output=True,
        check=False,
    )
    return Done(done.returncode, done.stdout.decode(), done.stderr.decode())
