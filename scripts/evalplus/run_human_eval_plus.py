"""HumanEval+ against any OpenAI-compatible server: `python -m scripts.evalplus.run_human_eval_plus --help`."""

from __future__ import annotations

from results.leaving import leave
from scripts.evalplus.program import run

if __name__ == "__main__":
    leave(run("human_eval_plus"))
