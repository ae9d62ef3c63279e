"""Start the server that streams tokens by the clock."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import urllib.request
from pathlib import Path

PROGRAM = Path(__file__).parents[1] / "programs" / "timed_server.py"
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@contextlib.contextmanager
def timed_server(*options):
    """Give its URL while it runs."""
    with subprocess.Popen(
        [sys.executable, PROGRAM, *map(str, options)], stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield f"http://127.0.0.1:{json.loads(process.stdout.readline())['port']}"
        finally:
            process.kill()


def asked(url):
    """The requests for an answer that the server has seen: [prompt, max_tokens] each."""
    with OPENER.open(url + "/asked") as response:
        return json.load(response)
