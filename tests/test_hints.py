"""What users type wrongly (mistakes.py) is answered with what is wrong, where, and one thing to try.

All in this process, over one folder of files and one of results, neither of which any of them may change.
"""

from __future__ import annotations

import ast
import contextlib
import json
import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import BaseRequestHandler
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

import bench_runner
from results import errors
from results.errors import BenchError
from results.records import ErrorRecord, RunStatus
from tests.command_line import ROOT, command_server
from tests.command_line import bench_runner as typed
from tests.mistakes import CASES, FILES, GOOD, RUN, Wrong
from tests.results.recorded_runs import F, P, begin_sweep, place, record_run
from tests.servers.gguf_file import gguf

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ENOUGH = 80


@pytest.fixture(scope="module")
def here(tmp_path_factory) -> Path:
    """Files, results in r/, and results that can't be read."""
    folder = tmp_path_factory.mktemp("typed")
    for name, content in FILES.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    results = folder / "r"
    sweep = begin_sweep(results, ["a", "b"])
    record_run(results, [P] * 8, model="Big-Q8_0", sweep=place(sweep, "a"))
    record_run(results, [P] * 4 + [F] * 4, model="Big-Q4_K_M")
    record_run(results, [P] * 8, model="Other-7B", settings={"temperature": 0.7})
    record_run(results, model="Speed", benchmark="speed", score=None, no_verdicts=True)
    failed = ErrorRecord(kind="server", message="it died")
    record_run(results, model="Failed", status=RunStatus.FAILED, score=None, error=failed)
    newer = record_run(folder / "newer").run_json
    newer.write_text(json.dumps(json.loads(newer.read_text()) | {"schema_version": 99}))
    record_run(folder / "corrupt").run_json.write_text("{torn")
    return folder


def everything(folder: Path) -> dict[str, bytes]:
    """All files but locks and the run log, which is made of the others."""
    made = {"benchmark_results.json"}
    files = (
        path
        for path in folder.rglob("*")
        if path.is_file() and path.suffix != ".lock" and path.name not in made
    )
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def refused(words: list[str]) -> BenchError:
    """What the command ends with."""
    done = CliRunner().invoke(
        bench_runner.cli, words, obj=contextlib.nullcontext, prog_name="bench_runner.py"
    )
    assert isinstance(done.exception, BenchError), (done.output, done.exc_info)
    return done.exception


def said(error: BenchError, case: Wrong, here: Path) -> None:
    facts = {"here": here, "port": "{port}"}
    assert error.exit_code == case.code
    assert case.message.partition("{}")[0] in error.message
    assert case.hint.replace("{here}", str(facts["here"])) in error.hint
    assert error.hint


def test_there_are_enough_of_them_and_no_command_lacks_one():
    assert len(CASES) >= ENOUGH
    without = {"doctor", "schema"}  # they take no words
    named = {case.words.split()[0] for case in CASES}
    assert set(bench_runner.cli.list_commands(None)) - without <= named


@pytest.mark.parametrize("case", CASES, ids=[case.words for case in CASES])
def test_a_mistake_says_what_to_try(here, monkeypatch, case):
    monkeypatch.chdir(here)
    monkeypatch.setenv("BENCH_RESULTS_DIR", "r")
    broken = next((here / "corrupt").glob("2*")).name
    before = everything(here)
    said(refused(case.words.replace("{broken}", broken).split()), case, here)
    assert everything(here) == before


# Errors without a hint of their own: the caller adds the option or the line, and a hint, or nobody sees them.
ADDED_BY_CALLERS = {
    "commands/standard_streams.py", "engines/server_group.py", "evaluation/models/connection.py",
    "evaluation/models/sampling.py", "processes/process.py", "results/records.py", "results/store/merging.py",
    "results/store/run_log_storage.py", "results/store/sweep_folder.py", "results/store/verdicts.py",
    "runner/spec_json.py", "settings/scoring/weights.py",
    "settings/values.py", "sweeps/manifest/options.py", "sweeps/manifest/reader.py",
    "web/catalogue/manifest.py", "web/catalogue/values.py",
}  # fmt: skip


def test_every_error_is_raised_with_a_hint():
    """Parsers' get one from the run."""
    kinds = {
        name for name, each in vars(errors).items() if isinstance(each, type) and issubclass(each, BenchError)
    }
    without = []
    for room in sorted(path.parent for path in ROOT.glob("*/__init__.py")):
        for path in room.rglob("*.py"):
            name = path.relative_to(ROOT).as_posix()
            if name.startswith(("tests/", "parsers/")) or name in ADDED_BY_CALLERS:
                continue
            for node in ast.walk(ast.parse(path.read_bytes())):
                raised = (
                    isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in kinds
                )
                if raised and not {"hint", None} & {keyword.arg for keyword in node.keywords}:
                    without.append(f"{name}:{node.lineno}")
    assert without == []


class _Answering(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.answer({"data": [{"id": "a"}]} if self.path == "/v1/models" else None)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        message = {"role": "assistant", "content": "4"}
        self.answer({"choices": [{"message": message, "finish_reason": "stop"}]})

    def answer(self, found: object) -> None:
        body = json.dumps(found).encode()
        self.send_response(404 if found is None else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


class _Silent(BaseRequestHandler):
    def handle(self) -> None:
        self.request.recv(1)


@pytest.fixture
def url() -> Iterator[str]:
    """A server that has one model."""
    with served(_Answering) as found:
        yield found


@contextlib.contextmanager
def served(handler: type[BaseRequestHandler]) -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize(
    "case",
    [
        Wrong("--benchmark human_eval --model b --base-url {url}", 2, "does not list the model 'b'", "it offers a"),
        Wrong("--script fails.py --base-url {url}", 4, "the script failed: exit code 3", ""),
        Wrong("--script silent.py --parser json --base-url {url}", 5, "has no line that is a JSON object", ""),
        Wrong("--benchmark human_eval --base-url {https}", 3, "no server answers", "it speaks http: --base-url {url}"),
    ],
    ids=lambda case: case.words,
)  # fmt: skip
def test_so_does_one_that_a_server_or_a_script_shows(tmp_path, monkeypatch, url, case):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BENCH_RESULTS_DIR", "r")
    (tmp_path / "fails.py").write_text("raise SystemExit(3)")
    (tmp_path / "silent.py").write_text("print('hello')")
    words = case.words.replace("{url}", url).replace("{https}", url.replace("http:", "https:"))
    said(refused(["run", *words.split()]), case._replace(hint=case.hint.replace("{url}", url)), tmp_path)


def test_a_program_that_is_no_server_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BENCH_RESULTS_DIR", "r")
    (tmp_path / "llama-server").write_text("#!/bin/sh\necho hello\n")
    (tmp_path / "llama-server").chmod(0o755)
    (tmp_path / "good.gguf").write_bytes(gguf())
    error = refused(f"{GOOD} --server-binary ./llama-server".split())
    said(error, Wrong("", 3, "ended before it was ready (exit code 0)", "run the command by hand"), tmp_path)
    assert error.log_tail == "hello"
    with served(_Silent) as url:
        error = refused(f"{RUN} --base-url {url}".split())
    said(error, Wrong("", 3, "no server answers", "speaks no HTTP"), tmp_path)
    assert f"{os.getpid()}" in error.hint


def test_it_is_printed_so():
    done = typed("leaderbord")
    assert (done.code, done.out) == (2, "")
    assert done.err == (
        "error: there is no command 'leaderbord'\n"
        "try: did you mean leaderboard? see `bench_runner.py --help`\n"
    )


def test_what_a_script_advises_says_how_a_run_is_resumed(tmp_path, monkeypatch):
    """Run alone, a script continues with the same command; a run needs --resume as well."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BENCH_RESULTS_DIR", "r")
    (tmp_path / "good.gguf").write_bytes(gguf())
    serving = command_server("canonical_server.py", "--mode", "overflow")
    error = refused([*GOOD.split(), "--limit", "2", *serving])
    run = next((tmp_path / "r").glob("2*")).name
    said(error, Wrong("", 4, "none of 2 completions", f"run the same command with --resume {run}"), tmp_path)
