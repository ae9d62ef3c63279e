"""What is printed for people, and how tables stand."""

from __future__ import annotations

import ast
import io
from pathlib import Path

import pytest
from rich.console import Console

from results.errors import Interrupted, UsageError
from results.views.terminal import Fact, aligned, explain, print_table, say, say_facts

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[3]
HEADER = ("run", "score", "speed", "note")
ROWS = [["a", "9.5", "100.0 (90.1 to 110.2)", ""], ["a longer name", "100.0", "8.0 (7.5 to 8.9)", "2 notes"]]


def drawn(width: int, **facts: object) -> list[str]:
    out = io.StringIO()
    Console(file=out, width=width, highlight=False).print(aligned(HEADER, ROWS, width=width, **facts))
    return [line.rstrip() for line in out.getvalue().splitlines()]


def test_numbers_end_below_one_another_and_words_begin_so():
    assert drawn(80) == [
        "run            score                  speed  note",
        "a                9.5  100.0 (90.1 to 110.2)",
        "a longer name  100.0       8.0 (7.5 to 8.9)  2 notes",
    ]


def test_a_column_with_a_word_in_it_is_aligned_as_numbers_where_that_is_asked_for():
    lines = drawn(80, numbers={"note"})
    assert lines[0].endswith("  note")
    assert lines[0].index("note") > drawn(80)[0].index("note")


@pytest.mark.parametrize("width", [20, 30, 40])
def test_a_narrow_terminal_cuts_no_number_and_loses_nothing(width):
    lines = drawn(width)
    assert max(map(len, lines)) <= width
    assert any("100.0" in line.split() for line in lines)
    assert "".join("".join(lines).split()).count("alongername") <= 1
    for letters in ("longer", "notes"):
        assert set(letters) <= set("".join(lines))


IDS = ("20261120T080000Z", "20261121T080000Z")
RUNS = [
    [run_id, "succeeded", f"{model}-Instruct-Q4_K_M", "12.5", "164"]
    for run_id, model in zip(IDS, ("Qwen", "Phi"), strict=True)
]


def drawn_runs(width: int) -> str:
    out = io.StringIO()
    header = ("run", "status", "model", "score", "completions")
    Console(file=out, width=width, highlight=False).print(aligned(header, RUNS, width=width))
    return out.getvalue()


def test_a_short_id_stays_whole_where_others_have_room():
    """So that it can be copied."""
    for width in (70, 80, 120):
        assert all(run_id in drawn_runs(width) for run_id in IDS)


@pytest.mark.parametrize("width", range(20, 100, 5))
def test_no_column_vanishes_because_another_may_not_be_folded(width):
    shown = drawn_runs(width)
    assert max(map(len, shown.splitlines())) <= width
    letters = sorted(letter for row in RUNS for text in row for letter in text)
    header = sorted("runstatusmodelscorecompletions")
    assert sorted("".join(shown.split())) == sorted([*letters, *header])


def test_where_nobody_watches_a_row_is_a_line_with_tabs(capsys):
    print_table(HEADER, [["a\tb\nc", "1", "", "\x1b[31m"]])
    assert capsys.readouterr().out == "run\tscore\tspeed\tnote\na b c\t1\t\t\\u001b[31m\n"


def test_further_lines_are_indented(capsys):
    """Else one in a message from elsewhere would pass for a line of ours."""
    say("one\nerror: forged\rtwo")
    say_facts([Fact("na\nme", "text\nerror: forged")], width=8)
    explain(
        UsageError(
            "wrong\nerror: forged", hint="do\ntry: that", log_tail="l\nerror: forged", command=("a\nb",)
        )
    )
    shown = capsys.readouterr()
    assert shown.out == "one\n    error: forged\n    two\nna\\nme   text\n         error: forged\n"
    assert shown.err == (
        "last lines of its log:\n  | l\n  | error: forged\ncommand: 'a\n    b'\n"
        "error: wrong\n    error: forged\ntry: do\n    try: that\n"
    )


def test_an_interruption_is_not_called_an_error(capsys):
    """Whoever pressed Ctrl-C made no mistake, and wants to know how to go on."""
    assert explain(Interrupted(2, "stopped by SIGINT", hint="go on with --resume last")) == 130
    assert capsys.readouterr().err == "interrupted: stopped by SIGINT\ntry: go on with --resume last\n"


MACHINE = {
    "csv_text",
    "dumps",
    "encode",
    "encode_indented",
    "plan_json",
    "encode_record",
    "rstrip",
    "samples_csv_text",
    "source",
    "to_json",
}  # JSON, CSV, shell code
DOORS = {"results/views/terminal.py", "results/views/run_text.py", "runner/display.py"}


def test_the_harness_prints_through_one_door():
    """What is printed past it might steer the terminal: only constants, and text for machines, which is exact."""
    past = []
    for room in ("commands", "choosing", "engines", "results", "runner", "sweeps", "web", "bench_runner.py"):
        files = [ROOT / room] if room.endswith(".py") else sorted((ROOT / room).rglob("*.py"))
        for path in files:
            for node in ast.walk(ast.parse(path.read_bytes())):
                if not isinstance(node, ast.Call) or ast.unparse(node.func) not in {"print", "click.echo"}:
                    continue
                (said,) = node.args or [ast.Constant("")]
                name = ast.unparse(said.func).rpartition(".")[2] if isinstance(said, ast.Call) else ""
                if not isinstance(said, ast.Constant) and name not in MACHINE:
                    past.append(f"{path.relative_to(ROOT)}:{node.lineno}")
    assert [place for place in past if place.partition(":")[0] not in DOORS] == []


LEADERS = ("model", "score (95 %)", "against the best", "samples", "tokens/s", "J/solved", "run")
LEADING = [
    [
        f"SmolLM2-135M-Instruct-{kind}",
        f"{score} ({score - 8} to {score + 9.5})",
        rank,
        "164",
        "105.0",
        "",
        run_id,
    ]
    for kind, score, rank, run_id in (
        ("Q8_0", 75.5, "best", IDS[0]),
        ("Q4_K_M", 73.0, "not distinguishable (p = 1.00)", IDS[1]),
    )
]


def drawn_leaders(width: int) -> list[str]:
    out = io.StringIO()
    Console(file=out, width=width, highlight=False).print(aligned(LEADERS, LEADING, width=width))
    return [line.rstrip() for line in out.getvalue().splitlines()]


@pytest.mark.parametrize("width", [96, 110, 140])
def test_lines_end_between_words_or_inside_a_long_name_after_a_hyphen(width):
    """Nobody can read "interrupte" over "d", or copy half a name of a quantisation."""
    lines = drawn_leaders(width)
    assert max(map(len, lines)) <= width
    words = {word for line in lines for word in line.split()}
    assert {"distinguishable", "samples", *IDS} <= words
    assert any("Q4_K_M" in word for word in words)
    assert any("(67.5 to 85.0)" in line for line in lines)


def test_a_wide_terminal_folds_nothing():
    assert len(drawn_leaders(160)) == 1 + len(LEADING)


def test_a_narrow_terminal_leaves_out_what_matters_least_and_says_so(monkeypatch, capsys):
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "76")
    print_table(LEADERS, LEADING, optional=("samples", "tokens/s", "J/solved"))
    lines = capsys.readouterr().out.splitlines()
    assert "samples" not in lines[0] + lines[1]
    assert "J/solved" not in "\n".join(lines)  # it was empty
    assert "tokens/s" in lines[0] + lines[1]
    assert "too narrow for: samples (--wide shows all)" in lines[-1]
