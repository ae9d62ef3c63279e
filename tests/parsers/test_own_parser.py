"""`--parser ./mine.py`: the page that shows how is followed word by word, and a wrong file is told at once."""

from __future__ import annotations

import sys

import pytest

from parsers import registry
from parsers.contract import ScriptOutput
from results.errors import ParseError, UsageError
from tests.command_line import ENDINGS, ROOT, bench_runner, command_server, logged, only_run, signalled
from tests.evaluation.running_servers import canonical_server
from tests.pages import blocks, follow

pytestmark = pytest.mark.slow

PAGE = "docs/parsers.md"
HEADING = "A parser of your own"


@pytest.fixture
def folder(tmp_path, demo_model):
    """Where the page's reader stands: with a model, a script of theirs, and the page's parser."""
    parser, _ = blocks(PAGE, HEADING, "python")
    (tmp_path / "right_answers.py").write_text(parser)
    (tmp_path / "my_eval.py").write_text("print('right answers: 1 of 4')\nprint('right answers: 3 of 4')\n")
    (tmp_path / "X.gguf").symlink_to(demo_model)
    return tmp_path


def test_the_pages_parser_reads_a_score_and_can_be_tried_again(folder):
    (command,) = blocks(PAGE, HEADING, "sh")
    done = follow(command, folder, folder)
    assert done.code == 0, done.err
    (run,) = logged(folder / "results")
    assert (run["benchmark"], run["results"]["score"], run["score"]["samples"]) == ("my_eval", 75, 4)
    metric = run["score"]["metrics"]["accuracy"]
    assert metric["low"] < 0.75 < metric["high"]
    assert run["config"]["parser"] == str(folder / "right_answers.py")
    (folder / "try_it.py").write_text(blocks(PAGE, HEADING, "python")[1])
    words = [sys.executable, "try_it.py", "right_answers.py", str(only_run(folder / "results"))]
    tried = follow(f"PYTHONPATH={ROOT} " + " ".join(words), folder, folder)
    assert tried.out.startswith("Score(score=75.0"), tried.err


def test_output_that_the_pages_parser_does_not_know_is_exit_code_5(folder):
    (folder / "my_eval.py").write_text("print('no answers at all')")
    words = ("--script", folder / "my_eval.py", "--parser", folder / "right_answers.py")
    with canonical_server() as url:
        done = bench_runner("run", *words, "--base-url", url, "--results-dir", folder / "results")
    assert done.code == 5, done.err
    assert "no answers at all" in done.err
    assert "evalplus" in done.err


def own(tmp_path, body, before=""):
    path = tmp_path / "mine.py"
    path.write_text(
        f"from results.records import Metric, Score\n{before}\n"
        f"class Mine:\n    name = 'mine'\n    def parse(self, output):\n        {body}\nPARSER = Mine()\n"
    )
    return path


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("return 1 / 0", r"mine\.py, line 6: ZeroDivisionError: division by zero"),
        ("return {'score': 1}", "returned dict, not a Score"),
        ("return Score(score=150.0)", "a score of 150.0, not a percentage"),
        ("return Score(score=float('nan'))", "a score of nan"),
        ("return Score(score='high')", "a Score that does not fit into a record"),
        ("return Score(score=1.0, details={'x': object()})", "a Score that does not fit into a record"),
        (
            "return Score(score=1.0, metrics={'x': Metric(value=75.0)})",
            "a metric 'x' of 75.0, not a fraction",
        ),
    ],
)
def test_a_faulty_parser_is_a_parse_error_with_its_place(tmp_path, body, said):
    """The run behind it may have taken hours: its record must not be lost to a traceback."""
    with pytest.raises(ParseError, match=said):
        registry.get(str(own(tmp_path, body))).parse(ScriptOutput("", "", tmp_path, 0))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "no such file"),
        ("PARSER = None", r"defines no PARSER with a method parse"),
        ("x = 1\nraise ValueError('no')", r"mine\.py, line 2: ValueError: no"),
        ("def f(:", r"mine\.py, line 1: SyntaxError"),
    ],
)
def test_a_file_that_is_no_parser_is_told_before_anything_starts(tmp_path, text, said):
    path = tmp_path / "mine.py"
    if text is not None:
        path.write_text(text)
    with pytest.raises(UsageError, match=said):
        registry.get(str(path))


def test_a_wrong_file_starts_nothing(tmp_path):
    done = bench_runner(
        "run", "--script", __file__, "--parser", tmp_path / "none.py", "--results-dir", tmp_path / "results"
    )
    assert done.code == 2
    assert "no such file" in done.err
    assert not (tmp_path / "results").exists()


WAIT = "import time; open(__file__ + '.here', 'w').close(); time.sleep(60)"


@pytest.mark.parametrize(("number", "code"), ENDINGS)
def test_a_signal_while_the_file_is_loaded_ends_the_command(tmp_path, number, code):
    path = own(tmp_path, "return Score(score=1.0)", before=WAIT)
    done = signalled(number, "run", "--script", "/bin/true", "--parser", path, "--results-dir", tmp_path / "results",
                     when=lambda _: (tmp_path / "mine.py.here").exists())  # fmt: skip
    assert (done.code, "Traceback" in done.err) == (code, False), done.err
    assert f"stopped by {number.name}" in done.err


@pytest.mark.parametrize(("number", "code"), ENDINGS)
def test_a_signal_while_the_file_parses_interrupts_the_run(tmp_path, number, code):
    """It is no fault of the parser, and the run can go on."""
    done = parse_until_signalled(tmp_path, number, WAIT)
    assert (done.code, "Traceback" in done.err) == (code, False), done.err
    (run,) = logged(tmp_path / "results")
    assert (run["status"], run["error"]["kind"]) == ("interrupted", "interrupted")


@pytest.mark.parametrize(("number", "code"), ENDINGS)
def test_a_parser_that_swallows_a_signal_does_not_keep_the_command_from_ending(tmp_path, number, code):
    done = parse_until_signalled(
        tmp_path, number, f"try: {WAIT}\n        except: pass\n        time.sleep(60)"
    )
    assert (done.code, "Traceback" in done.err) == (code, False), done.err


def parse_until_signalled(tmp_path, number, body):
    return signalled(number, "run", "--script", "/bin/true", *command_server("fake_server.py"), "--parser",
                     own(tmp_path, body), "--results-dir", tmp_path / "results",
                     when=lambda _: (tmp_path / "mine.py.here").exists())  # fmt: skip
