"""`certify`: what stands before --with runs twice, the rest once, and the verdict follows from the answers."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import time

import click
import pytest
from click.shell_completion import ShellComplete

import bench_runner as program
from choosing.asked_runs import AskedRuns
from choosing.certify import certify as certify_them
from commands.choosing.certify import _questions, certify
from results.errors import UsageError
from results.store.certificates import all_certificates, certificates_of
from results.store.run_folder import all_records
from tests.command_line import PROGRAM, ROOT, bench_runner, command_server
from tests.results.recorded_runs import P, record_run
from tests.sweep_runs import models, own_devices

pytestmark = pytest.mark.usefixtures("own_devices")
__all__ = ["own_devices"]

LIMIT = 12


@pytest.fixture
def model(tmp_path):
    (path,) = models(tmp_path / "m", "a")
    return path


def command(wrong: float, *options: object) -> tuple[str, ...]:
    """A server that answers this share of the problems wrongly, always the same ones."""
    return command_server("canonical_server.py", "--wrong", wrong, "--salt", "s", *options)


def words(model, results, plain, *fast, limit=LIMIT):
    asked = ("--benchmark", "human_eval", "--model", model, "--limit", limit, "--results-dir", results)
    return ("certify", *asked, *plain, "--with", *fast)


def everything(results):
    return all_records(results, warn=pytest.fail)


@pytest.mark.servers
def test_more_slots_that_change_nothing_are_identical_and_asking_again_runs_nothing(tmp_path, model):
    asked = words(model, tmp_path / "r", (*command(0.3), "--parallel", 1), "--parallel", 3, "--json")
    first = bench_runner(*asked)
    assert first.code == 0, first.err
    found = json.loads(first.out)
    assert found["verdict"] == "identical"
    assert found["acceleration"] == {"parallel": [1, 3]}
    assert found["changes"]["changed"] == found["noise"]["changed"] == 0
    runs = {record.run_id for _, record in everything(tmp_path / "r")}
    (trio,) = found["runs"]
    assert runs == {trio["plain"], trio["again"], trio["accelerated"]}
    again = bench_runner(*asked[:-1])
    assert again.code == 0, again.err
    assert {record.run_id for _, record in everything(tmp_path / "r")} == runs
    assert "identical: all 12 answers are the same, word for word" in again.out
    (kept,) = all_certificates(tmp_path / "r", warn=pytest.fail)
    assert certificates_of(tmp_path / "r", trio["accelerated_fingerprint"], warn=pytest.fail) == (kept,)


@pytest.mark.servers
def test_an_acceleration_that_loses_answers_is_damaging_and_named(tmp_path, model):
    done = bench_runner(*words(model, tmp_path / "r", command(0.0), *command(0.9)))
    assert done.code == 8, done.err
    assert "damaging: -" in done.out
    assert "from passed" in done.out
    shown = next(line for line in done.out.splitlines() if line.startswith("both answers"))
    compare = shlex.split(shown.removeprefix("both answers"))
    told = bench_runner(*compare[1:], "--results-dir", tmp_path / "r")
    assert told.code == 0, told.err


@pytest.mark.parametrize(
    ("fast", "said"),
    [
        ([], "changes nothing"),
        (["--parallel", "1"], "changes nothing"),
        (["--temperature", "0.7"], "changes what is asked"),
        (["--limit", "3"], "changes what is asked"),
        (["--model", "demo"], "of the same model"),
        (["--paralel", "4"], "there is no option --paralel"),
        (["--parallel", "x"], "not a whole number"),
        (["--parallel 4 'x"], "No closing quotation"),
    ],
)
def test_what_is_no_acceleration_is_refused(tmp_path, model, fast, said):
    from choosing.certify import require_certifiable

    asked = words(model, tmp_path / "r", (*command(0.3), "--parallel", 1), *fast)[1:]
    with pytest.raises((UsageError, click.UsageError)) as error:
        require_certifiable(questions(*map(str, asked))[0])
    assert said in error.value.message


@pytest.mark.servers
def test_an_acceleration_whose_server_fails_is_told_before_plain_decoding_is_repeated(tmp_path, model):
    fails = ("--server-command", "/bin/false {model} {port}")
    done = bench_runner(*words(model, tmp_path / "r", command(0.3), *fails))
    assert done.code == 6
    assert "failed: " in done.err
    assert len(everything(tmp_path / "r")) == 2
    assert not (tmp_path / "r" / "certificates").exists()


def test_a_benchmark_without_verdicts_is_refused(tmp_path, model):
    from choosing.certify import require_certifiable

    asked = ("--benchmark", "speed", "--model", str(model), "--with", "--parallel", "2")
    with pytest.raises(UsageError, match="has no verdict for each sample"):
        require_certifiable(questions(*asked)[0])


class Recorded:
    """Gives recorded runs: plain ones that solve all samples, and an accelerated one that does, too."""

    def __init__(self, results_dir):
        self.results_dir = results_dir
        folders = [record_run(results_dir, [P] * 60, model="a") for _ in range(3)]
        self.runs = [(folder, folder.read_record()) for folder in folders]

    def ask(self, wanted, *, copies=1, one_at_a_time):
        assert one_at_a_time
        if copies == 2:
            return tuple(AskedRuns(runs=tuple(self.runs[:2])) for _ in wanted)
        return tuple(AskedRuns(runs=(self.runs[2 * (number % 2)],)) for number, _ in enumerate(wanted))


def test_each_margin_has_a_certificate_of_its_own(tmp_path, model):
    asked = words(model, tmp_path / "r", (*command(0.3), "--parallel", 1), "--parallel", 3)[1:]
    questioned, _ = questions(*map(str, asked))
    source = Recorded(tmp_path / "r")
    made = [
        certify_them(questioned, source, margin_points=margin).certificate.certificate_id
        for margin in (3.0, 10.0, 3.0)
    ]
    assert made[0] == made[2] != made[1]
    kept = all_certificates(tmp_path / "r", warn=pytest.fail)
    assert sorted(each.margin_points for each in kept) == [3.0, 10.0]


def questions(*given):
    """What a command line asks for, and its other options."""
    with certify.make_context("certify", list(given)) as context:
        options = dict(context.params)
    fast = options.pop("fast")
    own = {name: options.pop(name) for name in ("margin_points", "as_json", "results_dir")}
    return _questions(options, fast), own


def test_quotes_and_server_options_are_taken_apart_as_meant():
    plain = ("--benchmark", "human_eval,gsm8k", "--parallel", "1", "--", "-t", "1")
    two, own = questions(*plain, "--with", "--json", "--parallel", "4", "--", "-fa", "on")
    assert own["as_json"]
    assert [each.plain["benchmark"] for each in two] == ["human_eval", "gsm8k"]
    assert (two[0].plain["parallel"], two[0].accelerated["parallel"]) == (1, 4)
    assert two[0].plain["server_args"] == ("-t", "1")
    assert two[0].accelerated["server_args"] == ("-t", "1", "-fa", "on")
    quoted, _ = questions(*plain, "--with", "--parallel 4 -- -fa on")
    assert quoted == two
    joined, _ = questions(*plain, "--with=--parallel 4 -- -fa on")
    assert joined == two


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        (["--with", "--par"], "--parallel"),
        (["--parallel", "1", "--with", "--spec-type", "draft-m"], "draft-mtp"),
        (["--wi"], "--with"),
    ],
)
def test_both_sides_are_completed(typed, offered):
    completion = ShellComplete(program.cli, {}, "bench_runner.py", "_X")
    found = completion.get_completions(["certify", *typed[:-1]], typed[-1])
    assert offered in {each.value for each in found}


@pytest.mark.servers
def test_killed_at_any_time_it_comes_to_the_same_end(tmp_path, model):
    asked = words(model, tmp_path / "r", command(0.3, "--delay", 0.05), *command(0.9, "--delay", 0.05))
    for seconds in (2.0, 3.5):
        with subprocess.Popen(
            [PROGRAM, *map(str, asked)],
            cwd=ROOT,
            stderr=subprocess.DEVNULL,
            env=os.environ,
            start_new_session=True,
        ) as program:
            time.sleep(seconds)
            program.send_signal(signal.SIGKILL)
    done = bench_runner(*asked)
    assert done.code == 8, done.err
    assert len(all_certificates(tmp_path / "r", warn=pytest.fail)) == 1
    finished = [record for _, record in everything(tmp_path / "r") if str(record.status) == "succeeded"]
    assert len(finished) == 3


@pytest.mark.servers
def test_a_draft_model_of_the_real_llama_server_is_certified(tmp_path, llama_server_binary, demo_model):
    """The demo model drafting for itself, at two bits: some of its tokens are accepted, and no answer is lost."""
    draft = tmp_path / "small-Q2_K.gguf"
    quantize = llama_server_binary.with_name("llama-quantize")
    subprocess.run(
        [quantize, "--allow-requantize", demo_model, draft, "Q2_K", "1"], check=True, capture_output=True
    )
    plain = (
        "--server-binary",
        llama_server_binary,
        "--parallel",
        1,
        "--max-tokens",
        32,
        "--prompt-style",
        "chat",
    )
    asked = words(demo_model, tmp_path / "r", plain, "--json", "--model-draft", draft, limit=1)
    at = asked.index("--with")
    done = bench_runner(*asked[:at], "--", "-t", 1, *asked[at:])
    assert done.code in {0, 9}, done.err
    found = json.loads(done.out)
    assert found["verdict"] == "identical" or found["first_changes"]
    assert 0 < found["accelerated_costs"][0]["draft_acceptance"] < 1
    assert found["acceleration"] == {"model_draft": [None, str(draft)]}
    assert found["settings"]["server_args"] == ["-t", "1"]
