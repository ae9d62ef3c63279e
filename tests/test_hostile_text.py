"""Through the command line: text from elsewhere neither steers a terminal nor passes for a line of ours.

Names of models, labels, servers' errors, scripts' messages and logs may hold anything; it is written out where it is
shown, and stays as it is in records and with --json.
"""

from __future__ import annotations

import csv
import io
import json
import os
import pty
import re
import select
import subprocess
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import msgspec
import pytest
from markdown_it import MarkdownIt
from rich.cells import cell_len

import bench_runner as program
from results.compare.flipped_verdicts import FlippedVerdict
from results.records import (
    Outcome,
    decode_record,
)
from results.views.flips_text import print_flips
from tests.command_line import PROGRAM, bench_runner, bench_runners, command_server
from tests.hostile_runs import write_hostile_runs
from tests.hostile_text import CONTROL, EVIL, HONEST, harmless
from tests.results.recorded_runs import F, P, begin_sweep, place, record_run
from tests.servers.gguf_file import STRING, gguf

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow

OUR_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
WIDTH = 120


def on_a_terminal(*words: object, width: int = WIDTH) -> str:
    """What a person sees of it, stdout and stderr together, without the colours that are ours."""
    ours, theirs = pty.openpty()
    os.environ["COLUMNS"] = str(width)
    try:
        with subprocess.Popen(
            [PROGRAM, *map(str, words)],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env={**os.environ, "TERM": "xterm"},
        ) as process:
            os.close(theirs)
            data = bytearray()
            while select.select([ours], [], [], 60)[0]:
                try:
                    part = os.read(ours, 65536)
                except OSError:  # the other end is closed
                    break
                if not part:
                    break
                data += part
            process.wait()
    finally:
        os.close(ours)
        del os.environ["COLUMNS"]
    return OUR_COLOURS.sub("", data.decode()).replace("\r\n", "\n")


@pytest.fixture(scope="module")
def results(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("hostile")
    write_hostile_runs(folder)
    return folder


def commands(results: Path, out: Path) -> dict[tuple[str, ...], int]:
    """Every command, in all the ways that show text; with the exit code."""
    first, second, failed, honest = sorted(path.name for path in results.glob("*Z-*"))[:4]
    evil = f"{EVIL}".replace("\0", "")
    model = out / f"{evil.replace('/', '')}.gguf"
    model.write_bytes(gguf({"general.name": (STRING, EVIL)}))
    return {
        ("list",): 0,
        ("show", first): 0,
        ("show", failed): 0,
        ("show", honest): 0,
        ("show", evil): 2,
        ("show", first, "--plot"): 0,
        ("compare", first, second): 0,
        ("inspect", first): 0,
        ("inspect", second, "--failed"): 0,
        ("inspect", first, evil): 2,
        ("compare", first, honest): 9,
        ("compare", first, second, "--fail-if-worse"): 8,
        ("compare", first, second, f"--fail-if-worse={evil}"): 2,
        ("label", first, evil): 2,
        ("label", evil): 2,
        ("note", first, evil): 0,
        ("note", first): 0,
        ("archive", evil): 2,
        ("archive", f"*{evil}"): 2,
        ("archive", first): 0,
        ("list", "--archived"): 0,
        ("archive", first, "--undo"): 0,
        ("delete", evil): 2,
        ("delete", first, second): 2,  # nobody can be asked
        ("prune", "--keep", evil): 2,
        ("prune", "--older-than", evil): 2,
        ("prune", "--keep", "last=1"): 0,
        ("merge", evil): 2,
        ("merge", str(results)): 6,  # one run is broken
        ("export", "--per-sample", "-"): 0,
        ("export", evil, "--per-sample", "-"): 2,
        ("export", first, "--archive", str(out / "a.zip")): 0,
        ("export", first, "--archive", str(out / f"{evil.replace('/', '')}.zip")): 0,
        ("compare", first, second, "--show", "HumanEval/1"): 0,
        ("compare", first, second, "--show", evil): 2,
        ("inspect", first, "HumanEval/1"): 0,
        ("inspect", first, "--brief"): 0,
        ("inspect", first, "--flipped", second): 0,
        ("show", f"last{evil}"): 2,
        ("list", "--archived", "--wide"): 0,
        ("label", first): 0,
        ("note", honest, evil): 0,
        ("export", first, "--per-sample", "-"): 0,
        ("export", first, "--per-sample", f"{evil}.txt"): 2,
        ("models", evil): 2,
        ("fit", str(model)): 0,
        ("fit", str(model), "--kv-type", evil): 2,
        ("fit", str(model), "--vram", evil): 2,
        ("leaderboard",): 0,
        ("leaderboard", "--status", "any"): 0,
        ("leaderboard", "--csv", "-"): 0,
        ("leaderboard", "--benchmark", evil): 2,
        ("leaderboard", "--sort", evil): 2,
        ("report", "last"): 0,
        ("report", "last", "--csv", str(out / "r.csv"), "--output", str(out)): 0,
        ("status",): 0,
        ("status", "last"): 0,
        ("status", evil): 2,
        ("cancel", "last"): 2,
        ("attach", "last"): 2,
        ("attach", evil): 2,
        ("retry", evil): 2,
        ("rerun", evil): 2,
        ("rejudge", evil): 2,
        ("rejudge", failed): 2,
        ("rejudge", honest): 2,
        ("rescore", evil): 2,
        ("rescore", failed): 2,
        ("rescore", honest): 2,
        ("rescore", honest, "--weights", evil): 2,
        ("rescore", honest, "--scorer", evil): 2,
        ("rescore", honest, "--speed-baseline", evil): 2,
        ("sweep", evil): 2,
        ("sweep", "--resume", "last"): 2,
        ("run", "--benchmark", evil): 2,
        ("run", "--benchmark", "human_eval", "--model", evil): 2,
        ("run", f"--{evil}"): 2,
        ("certify", "--benchmark", "human_eval", "--model", evil, "--with", "--parallel", "2"): 2,
        ("certify", "--benchmark", evil, "--with", evil): 2,
        ("certify", "--benchmark", "human_eval", "--model", str(model), "--with", f"--{evil}"): 2,
        ("certify", "--benchmark", "human_eval", "--model", str(model), "--with", "--model-draft", evil): 2,
        ("certify", "--benchmark", "human_eval", "--model", str(model), "--with", "--spec-type", evil): 2,
        ("recommend", evil, "--benchmark", "human_eval"): 2,
        ("recommend", str(model), "--benchmark", evil): 2,
        ("watch-build", "--benchmark", "human_eval", "--baseline", evil): 2,
        ("optimise", "--benchmark", "human_eval"): 2,
        ("optimise", "--benchmark", evil, "--optimizer", "gepa"): 2,
        ("optimise", "--benchmark", "human_eval", "--optimizer", evil): 2,
        ("run", "--benchmark", "human_eval", "--prompt", evil): 2,
        ("keys", "add", evil): 2,
        ("index", evil): 2,
        ("index", "rebuild"): 0,
        ("index", "check"): 0,
        ("keys", "revoke", evil): 2,
        ("keys", "log", "--user", evil): 0,
        ("serve", "--config", f"{evil}.yaml"): 2,
        ("worker", "--config", f"{evil}.yaml"): 2,
        ("serve", "--allowed-host", evil): 2,
        ("serve", "--proxy", evil): 2,
        ("tasks", "validate", f"{evil}.yaml"): 2,
        ("cache", evil): 2,
        ("data", "fetch", evil): 2,
        ("suites", "show", evil): 2,
        ("suites", "validate", f"{evil}.yaml"): 2,
        ("engines", "check", f"{evil}.yaml"): 2,
        ("engines", "check", "--hosts", evil): 2,
        ("completion", evil): 2,
        ("fit", evil): 2,
        ("models",): 0,
        ("doctor",): 0,
        ("schema",): 0,
        (evil,): 2,
    }


WITHOUT_RESULTS = {
    "tasks", "suites", "data", "cache", "completion", "doctor", "engines", "fit", "models", "schema"
}  # fmt: skip


def test_every_command_is_walked(results, tmp_path):
    """A new command is put into the list above."""
    walked = {words[0] for words in commands(results, tmp_path)}
    assert set(program.cli.list_commands(None)) <= walked


def test_no_command_lets_hostile_text_through(results, tmp_path):
    known = set(program.cli.list_commands(None)) - WITHOUT_RESULTS
    walked = commands(results, tmp_path)
    each = [(*words, *(("--results-dir", results) if words[0] in known else ())) for words in walked]
    for (words, code), done in zip(walked.items(), bench_runners(*each), strict=True):
        assert done.code == code, (words, done.err)
        assert "Traceback" not in done.err, (words, done.err)
        is_csv = {"--csv", "--per-sample"} & set(words)
        harmless(done.out, lines=not is_csv)  # a text of several lines stands in quotes there
        harmless(done.err)


def test_what_a_rejudgement_says_of_answers_is_harmless(results, capsys):
    """A model wrote what is quoted there, and a program why it failed."""
    record = next(path for path in sorted(results.glob("*Z-*"))).joinpath("run.json")
    told = decode_record(record.read_bytes(), where="")
    flip = FlippedVerdict(
        task_id=EVIL, index=1, was=Outcome.FAILED, now=Outcome.PASSED,
        why_was=EVIL, why_now=EVIL, taken_was=EVIL[:20], taken_now="B",
    )  # fmt: skip
    print_flips([flip, msgspec.structs.replace(flip, taken_now=EVIL[:20])], told, told, at_most=9)
    shown = capsys.readouterr().out
    assert "2 verdicts" in shown
    harmless(shown)


@pytest.mark.parametrize("width", [40, WIDTH])
@pytest.mark.parametrize(
    "words",
    [("list",), ("leaderboard",), ("status", "last"), ("show", "2"), ("report", "last")],
    ids=" ".join,
)
def test_nor_on_a_terminal_where_tables_are_aligned_and_fit(results, words, width):
    first = min(path.name for path in results.glob("*Z-*"))
    shown = on_a_terminal(
        *(first if word == "2" else word for word in words), "--results-dir", results, width=width
    )
    harmless(shown, tabs=False)
    assert "Traceback" not in shown
    if words[0] in {"list", "leaderboard", "status"}:
        table = [line for line in shown.splitlines() if "  " in line.strip()]
        assert max(map(cell_len, table)) <= width


def test_what_a_script_printed_is_word_for_word_where_it_is_piped_and_harmless_on_a_terminal(results):
    first = min(path.name for path in results.glob("*Z-*"))
    words = ("show", first, "--raw", "--results-dir", results)
    piped = subprocess.run([PROGRAM, *words], capture_output=True, check=True).stdout
    assert piped == EVIL.encode() + b"\xff\n"
    shown = on_a_terminal(*words)
    assert not CONTROL.search(shown)
    assert "\\u001b]0;owned" in shown


def test_honest_text_stays_as_it_is(results):
    assert HONEST in bench_runner("list", "--results-dir", results).out
    assert HONEST in bench_runner("leaderboard", "--results-dir", results).out


def test_reports_are_harmless_in_editors_and_browsers_too(results, tmp_path):
    done = bench_runner(
        "report", "last", "--csv", tmp_path / "r.csv", "--output", tmp_path, "--results-dir", results
    )
    assert done.code == 0, done.err
    for name in ("report.md", "report.html", "r.csv"):
        text = (tmp_path / name).read_text(encoding="utf-8")
        assert not CONTROL.search(text), (name, ascii(CONTROL.search(text)))
        harmless(text, lines=name == "report.md")
    rows = list(csv.DictReader(io.StringIO((tmp_path / "r.csv").read_text())))
    assert len(rows) == 2
    cells = [cell for row in rows for cell in row.values()]
    assert not any(re.match(r"[=+@\t\r]|-(?![\d.])", cell) for cell in cells)
    assert rows[0]["model"].startswith("'=x")
    assert json.loads(rows[0]["settings_json"])[EVIL] == EVIL  # still JSON, and the same


class _Tags(HTMLParser):
    """Names of elements, and where links and pictures lead."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.targets: set[str] = set()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        self.targets |= {value or "" for name, value in attrs if name in {"href", "src"} or name[:2] == "on"}


def test_no_text_becomes_an_element_of_a_report(results, tmp_path):
    """The same elements and links as in a report whose texts are honest, in the page and in what renders Markdown."""
    plain = tmp_path / "plain"
    sweep = begin_sweep(plain, ["a", "b"])
    for number, outcomes in enumerate(([P] * 8, [F] * 8)):
        record_run(plain, outcomes, model=f"m{number}", sweep=place(sweep, "ab"[number]))
    for name, folder in (("evil", results), ("honest", plain)):
        done = bench_runner("report", "last", "--output", tmp_path / name, "--results-dir", folder)
        assert done.code == 0, done.err
    evil, honest = (_Tags((tmp_path / name / "report.html").read_text()) for name in ("evil", "honest"))
    assert evil.names - honest.names <= {
        "a",
        "details",
        "summary",
        "pre",
        "ins",
        "del",
        "mark",
        "code",
        "ol",
        "li",
        "dl",
    }
    assert not [target for target in evil.targets if "//" in target or "javascript" in target]
    markdown = MarkdownIt("commonmark", {"html": True}).enable("table")
    shown = _Tags(markdown.render((tmp_path / "evil" / "report.md").read_text()))
    assert not shown.names & {"b", "script", "img", "a"}, shown.names


def test_a_table_of_completions_has_no_formula(results, tmp_path):
    path = tmp_path / "s.csv"
    done = bench_runner("export", "--per-sample", path, "--results-dir", results)
    assert done.code == 0, done.err
    rows = [*csv.DictReader(io.StringIO(path.read_text()))]
    assert {"'=x"} == {row["detail"][:3] for row in rows if row["detail"]}
    assert not [cell for row in rows for cell in row.values() if re.match(r"[=+@\t\r]|-(?![\d.])", cell)]
    assert not CONTROL.search(path.read_text())


def test_json_is_exact(results):
    first = min(path.name for path in results.glob("*Z-*"))
    shown = bench_runner("show", first, "--json", "--results-dir", results).out
    assert json.loads(shown)["model"] == f"{EVIL} 0"


SERVER = """
import sys
print({text!r}, flush=True)
sys.exit(1)
"""
SCRIPT = """
import json, sys
print({text!r}, file=sys.stderr)
print(json.dumps({{"event": "error", "kind": "script", "message": {text!r}, "hint": {text!r}}}), flush=True)
sys.exit(4)
"""


def test_what_servers_and_scripts_say_when_they_fail_is_harmless(tmp_path):
    """The last lines of logs, the exact command line, the message and its hint; on a terminal too."""
    model = tmp_path / f"{EVIL}.gguf".replace("\0", "").replace("/", "")
    model.write_bytes(gguf({"general.name": (STRING, "x")}))
    (tmp_path / "server.py").write_text(SERVER.format(text=EVIL))
    (tmp_path / "script.py").write_text(SCRIPT.format(text=EVIL))
    dying = ("--server-command", f"python3 {tmp_path / 'server.py'} --port {{port}}")
    answering = command_server("canonical_server.py")
    results = ("--results-dir", tmp_path / "r")
    for words, code in (
        (("--benchmark", "human_eval", *dying), 3),
        (("--script", tmp_path / "script.py", "--parser", "json", *answering), 4),
    ):
        done = bench_runner("run", "--model", model, *words, *results)
        assert done.code == code, done.err
        assert "\\u001b]0;owned" in done.err
        harmless(done.out + done.err)
        harmless(
            on_a_terminal("run", "--model", model, *words, *results)
            .replace("\x1b[?25l", "")
            .replace("\x1b[?25h", "")
        )
    sweep = ("sweep", model, "--benchmark", "human_eval", *dying, *results)
    for words in ((*sweep, "--dry-run"), sweep):
        done = bench_runner(*words)
        assert "Traceback" not in done.err
        harmless(done.out + done.err)
    for record in (json.loads(path.read_text()) for path in (tmp_path / "r").glob("*Z-*/run.json")):
        assert "\x1b]0;owned" in record["model"]  # as it came
