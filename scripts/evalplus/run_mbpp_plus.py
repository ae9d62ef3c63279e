"""MBPP+ against any OpenAI-compatible server: `python -m scripts.evalplus.run_mbpp_plus --help`."""

from __future__ import annotations

from results.leaving import leave
from scripts.evalplus.program import run

if __name__ == "__main__":
    leave(run("mbpp_plus"))
