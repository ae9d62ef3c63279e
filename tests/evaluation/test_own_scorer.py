"""Scorers of a user's own that misbehave: each is named, and costs nothing but its part."""

from __future__ import annotations

import asyncio

import pytest

from evaluation.scoring.contract import CodingSample, Solution
from evaluation.scoring.own import OwnScorer
from results.errors import BenchError
from results.records import Completion, Outcome


def solution(task_id="T/0"):
    return Solution(
        sample=CodingSample(benchmark="tasks", task_id=task_id, data=None, reference="pass\n"),
        completion=Completion(
            task_id=task_id, completion="x = 1\n", outcome=Outcome.FAILED, metrics={"weighted": 0.5}
        ),
    )


def values(path, solutions, **patience):
    async def measured():
        async with OwnScorer(path, **patience) as scorer:
            return [found.value async for _, found in scorer.measure(solutions)]

    return asyncio.run(measured())


@pytest.fixture
def scorer(tmp_path):
    def written(code):
        (tmp_path / "mine.py").write_text(code)
        return tmp_path / "mine.py"

    return written


BODY = "def score(solution):\n    "


@pytest.mark.parametrize(
    ("code", "code_of_exit", "said"),
    [
        (f"import os\n{BODY}os._exit(0)\n", 4, "score ended its process with exit code 0 on the answer to T/0"),
        (f"import os\n{BODY}os.abort()\n", 4, "score ended its process with signal 6 on the answer to T/0"),
        ("import os\nos._exit(0)\n", 2, "ended its process with exit code 0 while it was loaded"),
        ("raise KeyboardInterrupt\n", 2, "line 1: KeyboardInterrupt"),
        (f"{BODY}raise KeyboardInterrupt\n", 4, "line 2: on the answer to T/0: KeyboardInterrupt"),
        (f"{BODY}raise type('E', (Exception,), {{'__str__': 1}})\n", 4, "E: its text can't be told"),
        (f"{BODY}return 10**400\n", 4, "score gave 1000"),
        (f"{BODY}return type('V', (), {{'__repr__': 1}})()\n", 4, "score gave an object of V on"),
        (f"{BODY}return type('F', (float,), {{'__ge__': lambda *_: 1}})(500)\n", 4, "score gave 500.0 on"),
        (f"{BODY}return -1e-9\n", 4, "score gave -1e-09 on"),
    ],
)  # fmt: skip
def test_what_goes_wrong_is_told_by_the_files_name(scorer, code, code_of_exit, said):
    path = scorer(code)
    with pytest.raises(BenchError) as caught:
        values(path, [solution()])
    assert str(path) in caught.value.message
    assert (said in caught.value.message, caught.value.exit_code) == (True, code_of_exit), (
        caught.value.message
    )


def test_one_that_hangs_is_ended_and_told(scorer):
    with pytest.raises(BenchError, match=r"score gave nothing within 0\.2 s on the answer to T/0"):
        values(scorer(f"import time\n{BODY}time.sleep(3600)\n"), [solution()], call_s=0.2)
    with pytest.raises(BenchError, match=r"was not loaded within 0\.2 s"):
        values(scorer("import time\ntime.sleep(3600)\n"), [solution()], load_s=0.2)


def test_it_changes_nothing_and_what_it_prints_is_no_answer(scorer, capfd):
    path = scorer(
        "import sys, threading, time\n"
        "threading.Thread(target=time.sleep, args=(3600,)).start()\n"
        f"{BODY}solution.completion.metrics['weighted'] = 1.0\n"
        "    solution.sample.tags['a'] = 'b'\n"
        "    print('{\"value\": 99}', flush=True)\n"
        "    sys.stdout = None\n"
        "    return 50\n"
    )
    given = solution()
    assert values(path, [given, given]) == [50, 50]
    assert given.completion.metrics == {"weighted": 0.5}
    assert not given.sample.tags
    assert not capfd.readouterr().out


def test_numbers_of_numpy_are_numbers(scorer):
    assert values(scorer(f"import numpy\n{BODY}return numpy.float32(12.5)\n"), [solution()]) == [12.5]
