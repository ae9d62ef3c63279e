"""A race stops what can't win, on the same samples in the same order, and goes on where it was interrupted."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess

import pytest

from tests.command_line import PROGRAM, bench_runner, command_server, lines, logged, wait_for
from tests.sweep_runs import models as model_files
from tests.sweep_runs import own_devices, resume, status

WRONG = {"good": 0.1, "bad": 0.9, "poor": 0.7}
pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("own_devices")]
__all__ = ["own_devices"]


@pytest.fixture
def models(tmp_path):
    return model_files(tmp_path, *WRONG)


def server(*options):
    shares = [word for name, share in WRONG.items() for word in ("--wrong-if", f"{name}.gguf={share}")]
    option, command = command_server("canonical_server.py", "--salt", "{model}", *shares, *options)
    return option, command.replace("'{model}'", "{model}")


def by_model(results):
    return {record["model"]: record for record in logged(results)}


def answered(results, record):
    return {line["task_id"] for line in lines(results / record["run_id"] / "completions.jsonl")}


RACE = ("--benchmark", "human_eval", "--race", "--limit", 60)


@pytest.fixture(scope="module")
def calm(tmp_path_factory):
    """A race that nothing disturbed: its results, and what it said."""
    folder = tmp_path_factory.mktemp("calm")
    (folder / "tmp").mkdir()
    done = bench_runner(
        "sweep", *model_files(folder / "m", *WRONG), *server(), *RACE, "--results-dir", folder / "r",
        env={"TMPDIR": str(folder / "tmp")},
    )  # fmt: skip
    assert done.code == 0, done.err
    return folder / "r", done.err


def test_the_better_one_wins_and_the_others_stop_early(calm):
    results, said = calm
    found = by_model(results)
    assert found["good"]["sweep"]["race_result"]["end"] == "winner"
    for loser in ("bad", "poor"):
        result = found[loser]["sweep"]["race_result"]
        assert result["end"] in {"beaten", "behind"}, said
        assert (result["samples"], result["total"], result["by"]) == (20, 60, "good human_eval")
        assert len(answered(results, found[loser])) == 20
        assert answered(results, found[loser]) <= answered(results, found["good"]), "the same samples"
    assert "winner after" in said
    assert " of 20 solved; stopped after 20 of 60 samples: " in said
    again = bench_runner("sweep", "--resume", "last", "--results-dir", results)
    assert again.code == 0, again.err
    assert by_model(results) == found, "a race that is over does nothing more"


@pytest.mark.servers
def test_an_interrupted_race_ends_like_an_undisturbed_one(tmp_path, models, calm):
    """Slow answers, so that the kill finds the race in its midst."""
    wild = tmp_path / "wild"
    slow = [*models, *server("--delay", 0.15), *RACE, "--results-dir", wild]
    process = subprocess.Popen(
        [PROGRAM, "sweep", *map(str, slow)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    wait_for(lambda: list(wild.glob("*-bad-*/completions.jsonl")))
    process.send_signal(signal.SIGKILL)
    process.communicate()
    done = bench_runner("sweep", "--resume", "last", "--results-dir", wild)
    assert done.code == 0, done.err
    ends = [
        {name: record["sweep"]["race_result"] for name, record in by_model(each).items()}
        for each in (calm[0], wild)
    ]
    assert ends[0] == ends[1]


@pytest.mark.servers
def test_one_that_fails_is_withdrawn_and_the_others_race_on(tmp_path, models):
    results = tmp_path / "r"
    program = tmp_path / "serve.sh"
    program.write_text('#!/bin/sh\ncase "$1" in *poor.gguf) exit 1;; esac\nshift; exec "$@"\n')
    program.chmod(0o755)
    option, command = server()
    words = (option, f"{program} {{model}} {command}", *RACE)
    done = bench_runner("sweep", *models, *words, "--results-dir", results)
    assert done.code == 7, done.err
    found = by_model(results)
    assert found["poor"]["status"] == "failed"
    assert found["poor"]["sweep"]["race_result"]["end"] == "withdrawn"
    assert found["good"]["sweep"]["race_result"]["end"] == "winner"


@pytest.mark.servers
def test_one_that_lost_answers_is_asked_again_and_then_not_decided(tmp_path, models):
    """It would have been beaten, had its lost answers been wrong ones; the one that is as good lost none."""
    results = tmp_path / "r"
    option, command = server("--lost-if", "poor.gguf=0.6")
    command = command.replace("poor.gguf=0.7", "poor.gguf=0.1")
    words = ("--benchmark", "human_eval", "--race", "--prompt-style", "chat", "--results-dir", results)
    done = bench_runner("sweep", *models, option, command, *words)
    assert done.code == 0, done.err
    found = by_model(results)
    result = found["poor"]["sweep"]["race_result"]
    assert (result["end"], result["samples"]) == ("undecided", 21)
    assert 4 <= result["lost"] <= 20
    assert found["poor"]["resumed"] == 1, "what was lost was asked for once more"
    assert found["good"]["sweep"]["race_result"]["end"] == "in_front", "the other may be as good"
    assert f"undecided, because {result['lost']} answers were lost" in done.err
    assert (
        "Not decided by the race because too many answers were lost: poor"
        in bench_runner("report", "last", "--results-dir", results).out
    )


@pytest.mark.servers
def test_equal_ones_make_no_winner_and_where_all_fail_there_is_none(tmp_path, models):
    """Also with fewer samples than a first round has."""
    option, command = command_server("canonical_server.py", "--wrong", 0.5)
    words = ("--benchmark", "human_eval", "--race", "--limit", 6, "--results-dir")
    done = bench_runner("sweep", *models[:2], option, command, *words, tmp_path / "equal")
    assert done.code == 0, done.err
    ends = [record["sweep"]["race_result"]["end"] for record in logged(tmp_path / "equal")]
    assert ends == ["in_front", "not_beaten"]
    assert "in front after 6 of 6 samples" in done.err
    failed = bench_runner("sweep", *models[:2], option, "sh -c 'exit 3' {port}", *words, tmp_path / "failed")
    assert failed.code == 7, failed.err
    assert resume(tmp_path / "failed").code == 7
    assert len(logged(tmp_path / "failed")) == 2


@pytest.mark.servers
def test_a_race_of_one_goes_on_where_it_was_interrupted(tmp_path, models):
    """Where the others can't run, or are copies, nothing is raced; what is left is done all the same."""
    results = tmp_path / "r"
    shutil.copy(models[0], tmp_path / "good-copy.gguf")
    (tmp_path / "goodbye.gguf").write_bytes(b"no model")
    process = subprocess.Popen(
        [PROGRAM, "sweep", str(tmp_path / "good*.gguf"), *server("--delay", 0.3), "--benchmark", "human_eval", "--race",
         "--limit", "8", "--results-dir", str(results)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    wait_for(lambda: any(path.stat().st_size for path in results.glob("*-good-*/completions.jsonl")))
    process.kill()
    process.communicate()
    done = resume(results)
    assert done.code == 7, done.err
    assert status(results) == {
        "good human_eval": "succeeded", "good-copy human_eval": "succeeded", "goodbye human_eval": "failed",
    }  # fmt: skip
    assert sorted(record["model"] for record in logged(results)) == ["good-copy", "goodbye.gguf"]


@pytest.mark.parametrize(
    ("words", "why"),
    [(("--benchmark", "speed"), "no verdict for each sample"), (("--n-samples", 2), "several completions")],
)
def test_what_cannot_be_raced_is_refused_before_anything_starts(tmp_path, models, words, why):
    words = words if "--benchmark" in words else ("--benchmark", "human_eval", *words)
    done = bench_runner("sweep", *models, "--race", *words, "--results-dir", tmp_path / "r")
    assert done.code == 2
    assert why in done.err
    assert not (tmp_path / "r").exists()
    assert json.dumps(done.out) == '""'


@pytest.mark.servers
@pytest.mark.timeout(600)
def test_quantisations_of_a_real_model_race_on_a_real_server(tmp_path, demo_model, llama_server_binary):
    """One sample more than a first round has; short ones, since a small machine reads long prompts for minutes."""
    quantize = llama_server_binary.with_name("llama-quantize")
    files = []
    for kind in ("Q2_K", "Q4_K_M", "Q8_0"):
        files.append(tmp_path / f"demo-{kind}.gguf")
        command = [quantize, "--allow-requantize", demo_model, files[-1], kind, "1"]
        subprocess.run(command, check=True, capture_output=True)
    results, tasks = tmp_path / "r", tmp_path / "tasks.json"
    each = {"difficulty": "easy", "test_cases": [{"input": "", "expected_output": "1"}]}
    written = [{"id": f"print_{number}", "prompt": f"Print {number}.", **each} for number in range(21)]
    tasks.write_text(json.dumps({"version": "1", "tasks": written}))
    done = bench_runner(
        "sweep", *files, "--benchmark", "tasks", "--tasks", tasks, "--max-tokens", 8, "--race",
        "--prompt-style", "chat",
        "--server-binary", llama_server_binary, "--server-arg=-t", "--server-arg=1", "--results-dir", results,
        timeout=550,
    )  # fmt: skip
    assert done.code == 0, done.err
    ends = [record["sweep"]["race_result"]["end"] for record in logged(results)]
    assert len(ends) == 3
    assert ends.count("winner") <= 1
    assert set(ends) <= {"winner", "in_front", "not_beaten", "beaten", "behind"}, ends
    kinds = {record["model_identity"]["quantization"] for record in logged(results)}
    assert kinds == {"Q2_K", "Q4_K_M", "Q8_0"}
