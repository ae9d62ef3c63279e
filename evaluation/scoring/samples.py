"""A run's coding tasks with what stands before their completions, and their reference solutions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from evaluation.scoring.contract import CodingSample

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from evaluation.benchmarks.evalplus.data import Problem
    from evaluation.benchmarks.tasks.file import CodingTask


def coding_samples(
    benchmark: str, options: Mapping[str, Any], *, say: Callable[[str], None]
) -> tuple[dict[str, CodingSample], str]:
    """By task id, with the data set's sha256. options: the benchmark's own settings, as its script takes them.

    Raises BenchError for data that can't be read.
    """
    samples, sha256 = _READERS[benchmark](options, say)
    return {sample.task_id: sample for sample in samples}, sha256


Read = tuple["Iterable[CodingSample]", str]


def _human_eval(_: Mapping[str, Any], __: Callable[[str], None]) -> Read:
    from evaluation.benchmarks.human_eval.task import load_data

    data = load_data()
    return (of_human_eval(sample.task_id, sample.data) for sample in data.samples), data.sha256


def of_human_eval(task_id: str, problem: Mapping[str, Any]) -> CodingSample:
    return CodingSample(
        benchmark="human_eval",
        task_id=task_id,
        data=problem,
        before=problem["prompt"],
        reference=f"{problem['prompt']}{problem['canonical_solution']}",
        entry_point=problem["entry_point"],
    )


def _mbpp(options: Mapping[str, Any], _: Callable[[str], None]) -> Read:
    from evaluation.benchmarks.mbpp.data import load_data

    data = load_data(
        _path(options.get("dataset")),
        subset=options.get("mbpp_set") or "full",
        challenge=options.get("mbpp_tests") == "all",
    )
    return (of_mbpp(sample.task_id, sample.data) for sample in data.samples), data.sha256


def of_mbpp(task_id: str, problem: Mapping[str, Any]) -> CodingSample:
    return CodingSample(
        benchmark="mbpp",
        task_id=task_id,
        data=problem,
        reference=str(problem["code"]),
        entry_point=str(problem["entry_point"]),
    )


def _tasks(options: Mapping[str, Any], _: Callable[[str], None]) -> Read:
    from evaluation.benchmarks.tasks.file import read_task_file
    from evaluation.benchmarks.tasks.task import STARTER_SET

    file = read_task_file(_path(options.get("tasks")) or STARTER_SET)
    return map(of_task, file.tasks), file.sha256


def of_task(task: CodingTask) -> CodingSample:
    from evaluation.benchmarks.tasks.prompts import beginning

    return CodingSample(
        benchmark="tasks",
        task_id=task.id,
        data=task,
        before="" if task.function is None else beginning(task),
        reference=task.reference_solution,
        entry_point=task.function or "",
        tags={"difficulty": task.difficulty},
    )


def _evalplus(benchmark: str) -> Callable[[Mapping[str, Any], Callable[[str], None]], Read]:
    def read(options: Mapping[str, Any], say: Callable[[str], None]) -> Read:
        from evaluation.benchmarks.evalplus.data import read_problems
        from evaluation.benchmarks.evalplus.released import fetch_release

        data = read_problems(_path(options.get("dataset")) or fetch_release(benchmark, say=say), benchmark)
        return (of_evalplus(benchmark, problem) for problem in data.problems), data.sha256

    return read


def of_evalplus(benchmark: str, problem: Problem) -> CodingSample:
    return CodingSample(
        benchmark=benchmark,
        task_id=problem.task_id,
        data=problem,
        before="" if benchmark == "mbpp_plus" else problem.prompt,
        reference=problem.reference,
        entry_point=problem.entry_point,
    )


def _path(value: Any) -> Path | None:
    from results.files import user_path

    return user_path(value) if value else None


_READERS: Mapping[str, Callable[[Mapping[str, Any], Callable[[str], None]], Read]] = {
    "human_eval": _human_eval,
    "mbpp": _mbpp,
    "tasks": _tasks,
    "human_eval_plus": _evalplus("human_eval_plus"),
    "mbpp_plus": _evalplus("mbpp_plus"),
}
