"""Stands where a job's `bench_runner.py sweep` is, and does what the manifest's "odd" says instead.

    python tests/programs/odd_harness.py sweep MANIFEST ...

Each start is a line of `started` beside the manifest. "die": it ends with code 3; "refuse": it prints an error and ends
with code 2; "sleep": it works until it is asked to end; "wait": the same, but it says that it waits for a device;
"stubborn": it ignores being asked, and so does a daemon of it that has left its session.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

manifest = next(Path.cwd().glob("*.json")) if len(sys.argv) < 3 else Path(sys.argv[2])
if not manifest.exists():  # resumed by the sweep's id
    (manifest,) = (path for path in Path.cwd().glob("*.json") if path.name != "starts.json")
odd = json.loads(manifest.read_text())["odd"]
with Path("started").open("a") as started:
    started.write(f"{os.getpid()} {' '.join(sys.argv[1:])}\n")
if odd == "die":
    print("it had a bad day", flush=True)
    sys.exit(3)
if odd == "refuse":
    print("error: this can't work\ntry: something else", flush=True)
    sys.exit(2)
if odd == "wait":
    print("waiting for a device that another run is using", flush=True)
if odd == "stubborn":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    daemon = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(100)"
    subprocess.Popen([sys.executable, "-S", "-c", daemon], start_new_session=True)
Path("up").touch()
time.sleep(100)
