"""Judge solutions with the evaluation code of the package nvidia-livecodebench: run by the Python that has it.

stdin: {"timeout": SECONDS, "solutions": [{"code": ..., "inputs": [...], "outputs": [...], "fn_name": ...}, ...]};
stdout, last line: for each its list of results, as the official runner has them: true for a test that passed.
The solutions execute unprotected: only such that we wrote.
"""

from __future__ import annotations

import json
import sys

from livecodebench.evaluation.compute_code_generation_metrics import evaluate_generations


def main():
    asked = json.load(sys.stdin)
    samples = [
        {"input_output": json.dumps({name: one[name] for name in ("inputs", "outputs", "fn_name")})}
        for one in asked["solutions"]
    ]
    results, metadata = evaluate_generations(
        samples,
        [[one["code"]] for one in asked["solutions"]],
        num_process_evaluate=2,
        timeout=asked["timeout"],
    )
    order = range(len(samples))
    sys.stdout.write("\n" + json.dumps([[results[n][0], str(metadata[n][0])] for n in order]) + "\n")


if __name__ == "__main__":
    main()
