"""Compare two stores of the same runs by all that can be asked of them, and change runs in all ways that happen."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import msgspec

from results.errors import BenchError
from results.records import Completion, Outcome, RunStatus
from results.store.run_folder import RunFolder, all_folders
from results.store.run_store import GridOrder, GridQuery, RunOrder, RunQuery, SampleQuery
from tests.results.recorded_runs import F, P, X, record_run

if TYPE_CHECKING:
    import random
    from collections.abc import Callable
    from pathlib import Path

    from results.store.run_store import RunStore

OUTCOMES = [*Outcome]
MOST = 6  # runs that are looked at closely
DIFFICULTIES = ("easy", "hard", "")


def answers(store: RunStore) -> dict[str, Any]:
    """What the store says to every question."""
    runs = store.runs(RunQuery(archived=None, limit=500))
    ids = [row.run_id for row in runs.rows]
    found: dict[str, Any] = {"runs": runs, "benchmarks": store.benchmarks(), "skipped": dict(store.skipped())}
    for order in RunOrder:
        found[f"runs by {order}"] = store.runs(RunQuery(order=order, limit=3, cursor="1"))
    found["some"] = store.runs(RunQuery(model="*q4*", statuses=(RunStatus.SUCCEEDED,), text="human"))
    found["records"] = [(folder.run_id, record) for folder, record in store.records()]
    for each in found["benchmarks"]:
        name = each.benchmark
        found[f"{name} problems"] = (store.hardest(name), store.flipped(name, 3))
        found[f"{name} tags"] = tags = dict(store.tags(name))
        for tag in tags:
            found[f"{name} by {tag}"] = store.by_tag(name, tag)
    for order in GridOrder:
        asked = GridQuery(run_ids=(*ids[:5], "unknown"), order=order, per_page=5, page=2)
        found[f"grid by {order}"] = store.grid(asked)
    found["grid of hard ones"] = store.grid(GridQuery(run_ids=(*ids[:3],), tag="difficulty", value="hard"))
    for run_id in (*ids[:MOST], "unknown", *[*found["skipped"]][:MOST]):
        found[f"{run_id}"] = (store.row(run_id), store.record(run_id), store.folder(run_id))
        found[f"verdicts of {run_id}"] = _or_error(lambda run_id=run_id: [*store.verdicts(run_id)])
        found[f"outcomes of {run_id}"] = _or_error(
            lambda run_id=run_id: [store.outcomes(run_id), store.outcomes(run_id, "difficulty", "easy")]
        )
        found[f"samples of {run_id}"] = store.samples(run_id, SampleQuery())
        found[f"some samples of {run_id}"] = (
            store.samples(run_id, SampleQuery(outcome=F, limit=2, cursor="1")),
            store.samples(run_id, SampleQuery(tag="difficulty", value="easy", text="EVAL/1")),
        )
        for task in ("HumanEval/1", "HumanEval/99"):
            found[f"{task} of {run_id}"] = (
                store.sample(run_id, task), store.sample(run_id, task, 1), store.prompt(run_id, task),
            )  # fmt: skip
    return found


def _or_error(ask: Callable[[], Any]) -> Any:
    try:
        return ask()
    except BenchError as error:
        return error.message


def differences(one: RunStore, other: RunStore) -> list[str]:
    """The questions that they answer otherwise."""
    first, second = answers(one), answers(other)
    return [f"{name}: {first.get(name)!r:.400} | {second.get(name)!r:.400}"
            for name in {**first, **second} if first.get(name) != second.get(name)]  # fmt: skip


def change(results_dir: Path, drawn: random.Random) -> str:
    """Let something happen to the runs; returns what, in words."""
    there = [folder for folder in all_folders(results_dir) if not folder.path.is_symlink()]
    name = drawn.choice([*_CHANGES])
    if name == "a run" or not there:
        _new_run(results_dir, drawn)
        return "a run"
    _CHANGES[name](drawn.choice(there), drawn)
    return name


def lines(drawn: random.Random, *, count: int = 6, **facts: Any) -> bytes:
    """Lines of completions, some of which replace others."""
    found = []
    for _ in range(count):
        outcome = drawn.choice(OUTCOMES)
        difficulty = drawn.choice(DIFFICULTIES)
        number = drawn.randrange(12)
        completion = Completion(
            task_id=f"HumanEval/{number}" if number else "no slash ü",
            index=drawn.choice((0, 0, 0, 1)),
            outcome=outcome,
            passed=outcome is P,
            detail="why" if outcome is F else "",
            tags={"difficulty": difficulty, "kind": "x"} if difficulty else {},
            prompt_tokens=drawn.choice((None, 10)),
            completion_tokens=drawn.randrange(100),
            request_s=drawn.choice((None, 0.1, 1 / 3)),
            cost_usd=drawn.choice((None, 0.25)),
            near_time_limit=drawn.random() < 0.2,
            cached=drawn.random() < 0.1,
            **facts,
        )
        found.append(msgspec.json.encode(completion) + b"\n")
    return b"".join(found)


def _new_run(results_dir: Path, drawn: random.Random) -> RunFolder:
    status = drawn.choice((RunStatus.SUCCEEDED, RunStatus.SUCCEEDED, RunStatus.STARTED, RunStatus.FAILED))
    model = drawn.choice(("A-Q4_0", "B-Q8_0", "c"))
    folder = record_run(results_dir, [P, F, X], model=model, benchmark=drawn.choice(("human_eval", "other")))
    if status is not RunStatus.SUCCEEDED:
        _amend(folder, status=str(status), score=None)
    folder.completions.write_bytes(lines(drawn))
    if drawn.random() < 0.5:
        asked = [{"task_id": f"HumanEval/{n}", "sha256": "ab", "text": f"do {n}"} for n in range(5)]
        (folder.path / "prompts.jsonl").write_text("\n".join(map(json.dumps, asked)))
    return folder


def _amend(folder: RunFolder, **facts: Any) -> None:
    try:
        record = json.loads(folder.run_json.read_bytes()) | facts
    except ValueError:  # it was damaged
        return
    new = folder.run_json.with_suffix(".new")
    new.write_text(json.dumps(record))
    new.replace(folder.run_json)


def _append(folder: RunFolder, data: bytes) -> None:
    with folder.completions.open("ab") as file:
        file.write(data)


def _finish(folder: RunFolder, _drawn: random.Random) -> None:
    _amend(folder, status="succeeded", score={"score": 50.0, "completions": 7, "outcomes": {"passed": 3}})


def _hostile(folder: RunFolder, drawn: random.Random) -> None:
    results_dir = folder.path.parent
    path = results_dir / f"odd-{drawn.randrange(1000)}"
    what = drawn.randrange(4)
    if path.exists() or path.is_symlink():
        return
    if what == 0:
        path.symlink_to(folder.path)
        return
    path.mkdir()
    if what == 1:
        (path / "run.json").write_text("{nonsense")
    elif what == 2:
        (path / "run.json").write_text(json.dumps({"schema_version": 99, "run_id": path.name}))
    else:
        shutil.copy(folder.run_json, path / "run.json")


def _link_away(folder: RunFolder, _drawn: random.Random) -> None:
    if folder.completions.exists() and not folder.completions.is_symlink():
        folder.completions.rename(folder.path / "aside")
        folder.completions.symlink_to(folder.path / "aside")


_CHANGES: dict[str, Callable[[RunFolder, random.Random], object]] = {
    "a run": lambda folder, drawn: None,
    "more answers": lambda folder, drawn: _append(folder, lines(drawn)),
    "answers again": lambda folder, drawn: _append(folder, lines(drawn, count=2)),
    "a torn line": lambda folder, drawn: _append(folder, lines(drawn, count=1)[:-9]),
    "a line without its end": lambda folder, drawn: _append(folder, lines(drawn, count=1)[:-1]),
    "no JSON": lambda folder, drawn: _append(folder, b"[1]\nnull\n\xff\xfe\n\n"),
    "metrics": lambda folder, drawn: _append(folder, lines(drawn, count=1, metrics={"f1": 0.5})),
    "a contradiction": lambda folder, drawn: _append(
        folder, b'\n{"task_id":"HumanEval/1","outcome":"failed","passed":true}\n'
    ),
    "other answers": lambda folder, drawn: folder.completions.write_bytes(lines(drawn)),
    "fewer answers": lambda folder, drawn: folder.completions.write_bytes(
        folder.completions.read_bytes()[:200] if folder.completions.exists() else b""
    ),
    "it ends": _finish,
    "it goes on": lambda folder, drawn: _amend(folder, status="started", score=None),
    "a label": lambda folder, drawn: _amend(folder, remarks={"label": f"l{drawn.randrange(9)}"}),
    "archived": lambda folder, drawn: _amend(folder, remarks={"archived": drawn.random() < 0.7}),
    "another benchmark": lambda folder, drawn: _amend(folder, benchmark=drawn.choice(("other", "third"))),
    "deleted": lambda folder, drawn: shutil.rmtree(folder.path),
    "damaged": lambda folder, drawn: folder.run_json.write_text("{"),
    "hostile": _hostile,
    "a link": _link_away,
}
