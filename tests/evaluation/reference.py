"""Start the program that knows the answers of the GSM8K and MMLU fixtures."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from pathlib import Path

PROGRAM = Path(__file__).parents[1] / "programs" / "reference_server.py"
FIXTURES = Path(__file__).parent / "fixtures"
GSM8K = FIXTURES / "gsm8k.jsonl"
MMLU = FIXTURES / "mmlu_test.jsonl"


@contextlib.contextmanager
def reference_server(*options):
    """Give its URL while it runs."""
    with subprocess.Popen(
        [sys.executable, PROGRAM, *map(str, options)], stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield f"http://127.0.0.1:{json.loads(process.stdout.readline())['port']}"
        finally:
            process.kill()


def rows(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
