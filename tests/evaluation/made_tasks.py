"""Tasks of one's own, made for tests."""

from __future__ import annotations

from evaluation.benchmarks.tasks.file import CodingTask, TaskCase


def make(number, difficulty="easy", **fields):
    return CodingTask(
        **{
            "id": f"t{number}",
            "difficulty": difficulty,
            "prompt": "p",
            "function": None,
            "cases": (TaskCase(input="", expected_output="x"),),
            "metadata": {},
            **fields,
        }
    )
