"""The official evaluation code, as the package nvidia-livecodebench carries it, judges the same solutions."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from evaluation.benchmarks.lcb.data import load_data, read_tests
from evaluation.benchmarks.lcb.grading import grade, official_grade
from evaluation.loop.grader import Grader
from tests.evaluation.lcb_problems import FILE, by_id

PROGRAM = Path(__file__).parents[1] / "programs" / "official_lcb.py"
TIMEOUT_S = 2
# How many tests version 26.3 passes where LiveCodeBench itself, at the commit that is followed here, decides otherwise:
# its imitation of sys.stdin is another one, which can be iterated but read only once.
OTHER_STDIN = {("kiosk_a", "reads twice"): 0, ("kiosk_b", "iterates stdin"): 4}
# And where it believes an object that says it equals everything; here nothing that a solution made decides.
FOOLED = {("3202", "equal to everything"): 3}


@pytest.mark.tools
def test_verdicts_equal_those_of_the_official_code_test_by_test(tools_python):
    samples = load_data([FILE]).samples
    tests = {sample.task_id: read_tests(sample.data["place"]) for sample in samples}
    pairs = [(sample, attempt) for sample in samples for attempt in by_id()[sample.task_id].attempts]
    asked = {
        "timeout": TIMEOUT_S,
        "solutions": [
            {
                "code": attempt.code,
                "inputs": [test.input for test in tests[sample.task_id]],
                "outputs": [test.output for test in tests[sample.task_id]],
                "fn_name": sample.data["function"],
            }
            for sample, attempt in pairs
        ],
    }
    done = subprocess.run(
        [tools_python, PROGRAM],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    )
    official = [results for results, _ in json.loads(done.stdout.splitlines()[-1])]
    assert len(official) == len(pairs) > 70

    grader = Grader(level="auto", timeout_s=TIMEOUT_S)
    grader.open()
    try:
        for (sample, attempt), results in zip(pairs, official, strict=True):
            name, total = (sample.task_id, attempt.name), len(tests[sample.task_id])
            real = next((n for n, result in enumerate(results) if result is not True), len(results))
            arguments = (attempt.code, tests[sample.task_id], sample.data["function"], grader)
            imitated = official_grade(*arguments, first=total)
            assert real == {**OTHER_STDIN, **FOOLED}.get(name, imitated.passed_tests), (name, imitated.why)
            assert imitated.passed == (imitated.passed_tests == total) == attempt.official, (
                name,
                imitated.why,
            )
            if attempt.ours == attempt.official and name not in FOOLED:
                assert grade(*arguments).passed_tests == real, name
    finally:
        grader.close()
