"""What evalplus itself says of solutions; runs with the Python that has it, as the current user, unprotected.

    python tests/tools/evalplus_verdicts.py FOLDER

FOLDER has HumanEvalPlus.jsonl, MbppPlus.jsonl and solutions.json: [[task_id, name, code], ...]. It gets verdicts.json:
[[task_id, name, base status, plus status], ...].
"""

import json
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

folder = Path(sys.argv[1]).resolve()
os.environ["HUMANEVAL_OVERRIDE_PATH"] = str(folder / "HumanEvalPlus.jsonl")
os.environ["MBPP_OVERRIDE_PATH"] = str(folder / "MbppPlus.jsonl")
os.environ["XDG_CACHE_HOME"] = str(folder / "cache")

from evalplus.data import get_human_eval_plus, get_mbpp_plus  # noqa: E402
from evalplus.eval._special_oracle import MBPP_OUTPUT_NOT_NONE_TASKS  # noqa: E402
from evalplus.evaluate import check_correctness, get_groundtruth  # noqa: E402

data = {"humaneval": get_human_eval_plus(), "mbpp": get_mbpp_plus()}
expected = {
    "humaneval": get_groundtruth(data["humaneval"], "own_human_eval", []),
    "mbpp": get_groundtruth(data["mbpp"], "own_mbpp", MBPP_OUTPUT_NOT_NONE_TASKS),
}


def verdict(solution):
    task_id, name, code = solution
    dataset = "mbpp" if task_id.startswith("Mbpp/") else "humaneval"
    found = check_correctness(dataset, 0, data[dataset][task_id], code, expected[dataset][task_id])
    return [task_id, name, found["base"][0], found["plus"][0]]


solutions = json.loads((folder / "solutions.json").read_text())
with ThreadPoolExecutor(4) as pool:
    verdicts = list(pool.map(verdict, solutions))
(folder / "verdicts.json").write_text(json.dumps(verdicts))
