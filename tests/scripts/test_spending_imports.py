"""A run on a server of one's own without a cap and a cache pays nothing for either, not even an import."""

import subprocess
import sys
from pathlib import Path

CODE = """
import sys
import scripts.session
from evaluation.models.connection import build_connection_info
from evaluation.spending.opening import SpendingAsked, open_spending
from pathlib import Path
info = build_connection_info("local", {"base_url": "http://127.0.0.1:1", "model": "m"})
assert open_spending(SpendingAsked(), info, Path("nowhere"), finished=(), warn=print) is None
heavy = {"genai_prices", "pydantic", "sqlite3", "evaluation.spending.budget", "evaluation.spending.paid_requests"}
print(sorted(heavy & set(sys.modules)))
"""


def test_nothing_is_loaded_for_what_was_not_asked_for():
    done = subprocess.run(
        [sys.executable, "-c", CODE],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
        check=True,
    )
    assert done.stdout == "[]\n"
