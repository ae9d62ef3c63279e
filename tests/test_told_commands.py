"""Each command that a hint tells to type is one, and does what the hint says."""

from __future__ import annotations

import ast
import contextlib
import re
import shlex

import click
import pytest

import bench_runner
from results.errors import BenchError
from results.records import RunStatus
from results.store.continuing import in_harness, to_continue
from tests.command_line import ROOT, command_server, logged
from tests.command_line import bench_runner as typed
from tests.results.recorded_runs import begin_sweep, place, record_run
from tests.sweep_runs import models, own_devices

pytestmark = pytest.mark.slow

__all__ = ["own_devices"]
TOLD = ("commands", "documents", "engines", "evaluation", "parsers", "processes", "results", "runner", "sandbox",
        "scripts", "servers", "settings", "sweeps", "telemetry", "web")  # fmt: skip
_QUOTED = re.compile(r"`([^`]+)`")
_NAMED = re.compile(r"bench_runner\.py ([^`;,()]+)")
_AFTER = re.compile(r" (continues|shows|lists|prints|to continue|takes|makes)\b.*|\s\s.*")


def commands_told() -> set[str]:
    """Every command line of ours in the texts of the program, with X for what is filled in."""
    found: set[str] = set()
    for path in (ROOT / "bench_runner.py", *(file for name in TOLD for file in (ROOT / name).rglob("*.py"))):
        tree = ast.parse(path.read_text())
        docstrings = {
            id(node.body[0].value)
            for node in ast.walk(tree)
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
            if node.body and isinstance(node.body[0], ast.Expr)
        }
        parts = {
            id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values
        }
        for node in ast.walk(tree):
            if id(node) in docstrings | parts:
                continue
            if isinstance(node, ast.JoinedStr):
                texts = (str(part.value) if isinstance(part, ast.Constant) else "X" for part in node.values)
                text = "".join(texts)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                text = node.value
            else:
                continue
            for line in text.splitlines():
                found |= {_AFTER.sub("", words) for words in (*_QUOTED.findall(line), *_NAMED.findall(line))}
    return {words.removeprefix("./").removeprefix("bench_runner.py ").strip() for words in found}


def parsed(words: list[str]) -> None:
    """By the command's own parser; nothing is run."""
    command: click.Command = bench_runner.cli
    context = click.Context(command)
    while isinstance(command, click.Group):
        found = command.get_command(context, words.pop(0))
        assert found is not None
        command = found
    with contextlib.suppress(click.exceptions.Exit):  # --help
        command.make_context(command.name, words)


def test_each_command_that_a_text_tells_to_type_is_one():
    """Its name, its options and the number of its words."""
    names = set(bench_runner.cli.list_commands(click.Context(bench_runner.cli)))
    told = {words for words in commands_told() if len(words.split()) > 1 and words.split()[0] in names}
    told = {words for words in told if not words.count("'") % 2 and not words.count('"') % 2}  # whole ones
    assert len(told) > 15, told
    wrong = {}
    for words in sorted(told):
        try:
            parsed(shlex.split(words.partition(" | ")[0].replace("...", "X")))
        except (click.ClickException, BenchError) as error:
            wrong[words] = str(error)
    assert wrong == {}


def test_a_hint_says_how_what_was_begun_goes_on(tmp_path):
    sweep = begin_sweep(tmp_path, ["a"])
    alone = record_run(tmp_path).read_record()
    in_sweep = record_run(tmp_path, sweep=place(sweep, "a")).read_record()
    judged = record_run(tmp_path, rejudged_from="r").read_record()
    again = "fix that and run the same command again"
    assert to_continue(alone) == f"run the same command with --resume {alone.run_id}"
    assert in_harness(again, alone) == f"fix that and run the same command with --resume {alone.run_id}"
    assert to_continue(in_sweep) == f"run `sweep --resume {sweep.sweep_id}`"
    assert in_harness(again, in_sweep) == f"fix that and run `sweep --retry-failed {sweep.sweep_id}`"
    assert to_continue(judged) == f"run `rejudge {judged.run_id}`"
    cut = record_run(tmp_path, status=RunStatus.INTERRUPTED).read_record()
    assert cut.score is not None
    assert to_continue(cut) == f"run `rescore {cut.run_id}`"
    unfinished = record_run(tmp_path, status=RunStatus.INTERRUPTED, score=None).read_record()
    assert to_continue(unfinished) == f"run the same command with --resume {unfinished.run_id}"


@pytest.mark.servers
@pytest.mark.usefixtures("own_devices")
def test_what_a_run_says_of_going_on_works_with_the_same_command(tmp_path):
    """Also with --label and --reuse, which a shell loop has; and a sweep's run stays in its sweep."""
    results = tmp_path / "r"
    server = command_server("canonical_server.py", "--salt", "x", "--lost-if", "x=1.0")
    words = ("--benchmark", "human_eval", "--results-dir", results, "--limit", 2, *server)
    failed = typed("run", *words, "--label", "first")
    assert failed.code == 4, failed.err
    (record,) = logged(results)
    hint = failed.err.partition("try: ")[2]
    assert f"run the same command with --resume {record['run_id']}" in hint
    assert record["error"]["hint"] in hint
    for more in (("--label", "first"), ("--reuse",)):
        again = typed("run", *words, *more, "--resume", record["run_id"])
        assert again.code == 4, again.err
    assert len(logged(results)) == 1
    (model,) = models(tmp_path / "m", "a")
    swept = typed("sweep", model, *words)
    assert swept.code == 7, swept.err
    of_sweep = logged(results)[1]
    assert f"run `sweep --retry-failed {of_sweep['sweep']['sweep_id']}`" in of_sweep["error"]["hint"]
    typed("run", "--model", model, *words, "--resume", of_sweep["run_id"])
    assert logged(results)[1]["resumed"] == 1
    assert logged(results)[1]["sweep"] == of_sweep["sweep"]
