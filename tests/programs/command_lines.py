"""Command lines of bench_runner.py, one after another, in children of an interpreter that has imported what they need.

Reads a JSON list of lists of words from stdin, and writes one of [exit code, stdout, stderr] each.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import traceback
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))
sys.argv = [str(ROOT / "bench_runner.py")]

import bench_runner  # noqa: E402 - from the checkout
import results.compare.comparison  # noqa: E402
import results.compare.leaderboard  # noqa: E402
import results.views.report.page  # noqa: E402, F401


def run(words: list[str]) -> tuple[int, str, str]:
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        pid = os.fork()
        if pid == 0:
            os.dup2(out.fileno(), 1)
            os.dup2(err.fileno(), 2)
            sys.argv[1:] = words
            os._exit(_main())
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        return code, *(_all(file) for file in (out, err))  # type: ignore[return-value]


def _main() -> int:
    try:
        bench_runner.follow_command_line()
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except BaseException:  # noqa: BLE001 - a traceback is what the test looks for
        traceback.print_exc()
        return 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
    return 0


def _all(file: object) -> str:
    file.seek(0)  # type: ignore[attr-defined]
    text: str = file.read().decode()  # type: ignore[attr-defined]
    return text


if __name__ == "__main__":
    print(json.dumps([run(words) for words in json.load(sys.stdin)]))
