"""Through the command line: files that are none, names that are not UTF-8, folders that are not whole."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from tests.command_line import PROGRAM, Done, bench_runner, bench_runners, command_server, logged, only_run
from tests.results.recorded_runs import begin_sweep, place, record_run
from tests.servers.gguf_file import STRING, gguf

pytestmark = pytest.mark.slow

SERVER = command_server("canonical_server.py")
DEEP = b'{"a":' * 100_000


def named(folder: Path, name: bytes) -> Path:
    """A path whose name is these bytes."""
    return Path(os.fsdecode(os.fsencode(folder) + b"/" + name))


def a_model(path: Path) -> Path:
    path.write_bytes(gguf({"general.name": (STRING, ascii(path.name))}))
    return path


def run(results: Path, *words: object) -> Done:
    return bench_runner("run", "--benchmark", "human_eval", "--limit", 1, "--results-dir", results, *words)


def refused(done: Done, code: int, *said: str) -> None:
    """An error and what to do about it, instead of a traceback."""
    assert done.code == code, done.err
    assert "Traceback" not in done.err
    assert "\ntry: " in done.err
    assert all(words in done.err for words in said), done.err


@pytest.fixture
def model(tmp_path):
    return a_model(tmp_path / "a.gguf")


@pytest.mark.parametrize("name", ["benchmark_results.json", "benchmark_results.json.lock"])
@pytest.mark.parametrize("target", ["/dev/null", "fifo"])
def test_a_run_log_that_is_no_file_is_refused_and_stays_what_it_is(tmp_path, model, name, target):
    """As root, /dev/null was replaced by a file; a FIFO held the run for ever."""
    results = tmp_path / "r"
    results.mkdir()
    place = results / name
    os.mkfifo(place) if target == "fifo" else place.symlink_to(target)
    before = place.stat()
    refused(run(results, "--model", model, *SERVER), 6, name, "not a regular file")
    sweep = ("sweep", model, "--benchmark", "human_eval", "--results-dir", results, *SERVER)
    if name == "benchmark_results.json":
        refused(bench_runner(*sweep), 6, "not a regular file")
    assert (place.stat().st_ino, place.stat().st_mode) == (before.st_ino, before.st_mode)
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)
    assert not Path("/dev/null.lock").exists()
    assert [path.name for path in results.iterdir() if path.name != "sweeps"] == [name]


def test_a_run_log_that_is_a_link_is_written_through_and_knows_the_runs_beside_the_link(tmp_path, model):
    results, elsewhere = tmp_path / "r", tmp_path / "elsewhere"
    results.mkdir()
    elsewhere.mkdir()
    (results / "benchmark_results.json").symlink_to(elsewhere / "log.json")
    assert run(results, "--model", model, *SERVER).code == 0
    assert len(json.loads((elsewhere / "log.json").read_text())["runs"]) == 1
    (elsewhere / "log.json").unlink()
    assert run(results, "--model", model, *SERVER).code == 0
    assert len(json.loads((elsewhere / "log.json").read_text())["runs"]) == 2
    assert (results / "benchmark_results.json").is_symlink()


def test_a_file_of_a_run_that_is_none_ends_its_resumption_with_a_clear_error(tmp_path, model):
    whole, results = tmp_path / "whole", tmp_path / "r"
    assert run(whole, "--model", model, *SERVER).code == 0
    for name in ("completions.jsonl", "settings.json", "script.out", "server.log", "harness.lock"):
        shutil.copytree(whole, results)
        path = only_run(results) / name
        path.unlink(missing_ok=True)
        path.symlink_to("/dev/null")
        done = run(results, "--model", model, *SERVER, "--resume", "last")
        refused(done, 2 if name == "server.log" else 6, name, "it is not a regular file but a device")
        shutil.rmtree(results)
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)


FIFOS = [
    ("sweep", "f.yaml"),
    ("run", "--benchmark", "gsm8k", "--dataset", "f.jsonl"),
    ("run", "--benchmark", "mmlu", "--dataset", "f.csv"),
    ("run", "--benchmark", "lcb", "--dataset", "f.jsonl"),
    ("run", "--benchmark", "tasks", "--tasks", "f.yaml"),
    ("run", "--benchmark", "human_eval", "--parser", "./f.py"),
    ("run", "--script", "f.py"),
    ("run", "--benchmark", "human_eval", "--model", "f.gguf"),
    ("tasks", "validate", "f.yaml"),
]


def test_a_fifo_given_as_a_file_is_refused_at_once(tmp_path):
    """Nobody writes into it: whoever opened it would wait for ever."""
    for name in {Path(word).name for words in FIFOS for word in words if "f." in word}:
        os.mkfifo(tmp_path / name)
    commands = [(*words, *(SERVER if words[0] == "run" else ())) for words in FIFOS]
    for words, done in zip(FIFOS, bench_runners(*commands, cwd=tmp_path, timeout=60), strict=True):
        assert (done.code, "Traceback" in done.err) == (2, False), (words, done.err)
        assert "regular file" in done.err, words
    assert not (tmp_path / "benchmark_results").exists()


@pytest.mark.parametrize("option", ["--csv", "--parquet"])
def test_a_table_is_not_written_over_a_device(tmp_path, option):
    record_run(tmp_path)
    done = bench_runner("leaderboard", option, "/dev/null", "--results-dir", tmp_path)
    refused(done, 6, "/dev/null: it is not a regular file but a device")
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)


def test_what_a_script_leaves_as_a_fifo_is_no_result_file(tmp_path, model):
    script = tmp_path / "s.py"
    script.write_text('import os\nos.mkfifo(os.environ["BENCH_OUTPUT_DIR"] + "/results_1.json")\n')
    done = bench_runner("run", "--script", script, "--parser", "lm_eval", "--model", model, *SERVER,
                        "--results-dir", tmp_path / "r", timeout=60)  # fmt: skip
    assert (done.code, "Traceback" in done.err) == (5, False), done.err


OF_NOBODY = [
    ("run", "--benchmark", "human_eval", "--model", "~nobody-at-all/a.gguf"),
    ("run", "--benchmark", "gsm8k", "--dataset", "~nobody-at-all/a.jsonl"),
    ("run", "--script", "~nobody-at-all/a.py"),
    ("run", "--benchmark", "human_eval", "--parser", "~nobody-at-all/a.py"),
    ("run", "--benchmark", "human_eval", "--server-binary", "~nobody-at-all/llama-server"),
    ("list", "--results-dir", "~nobody-at-all/r"),
    ("sweep", "~nobody-at-all/a.yaml"),
    ("sweep", "~nobody-at-all/a.gguf", "--benchmark", "human_eval", "--dry-run"),
    ("sweep", "~nobody-at-all/*.gguf", "--benchmark", "human_eval", "--dry-run"),
    ("leaderboard", "--csv", "~nobody-at-all/a.csv"),
    ("tasks", "validate", "~nobody-at-all/a.yaml"),
]


def test_the_home_of_nobody_is_the_users_mistake_wherever_it_stands(tmp_path):
    for done in bench_runners(*OF_NOBODY, cwd=tmp_path):
        refused(done, 2, "~nobody-at-all has no home folder")
    assert not any(tmp_path.iterdir())


def test_the_home_of_nobody_in_a_manifest_is_told_with_its_line(tmp_path):
    manifest = tmp_path / "m.yaml"
    manifest.write_text("matrix:\n  benchmark: gsm8k\n  model: ~nobody-at-all/a.gguf\n")
    done = bench_runner("sweep", manifest, "--dry-run")
    assert (done.code, "Traceback" in done.err) == (2, False), done.err
    assert "m.yaml:3" in done.err
    assert "~nobody-at-all has no home folder" in done.err


def test_results_dir_of_the_environment_knows_home_too(tmp_path):
    record_run(tmp_path / "r", model="found")
    env = {"HOME": str(tmp_path), "BENCH_RESULTS_DIR": "~/r"}
    assert "found" in bench_runner("list", env=env).out
    refused(bench_runner("list", env={"BENCH_RESULTS_DIR": "~nobody-at-all/r"}), 2, "no home folder")


@pytest.mark.servers
def test_names_that_are_not_utf8_run_are_recorded_and_found_again(tmp_path):
    """Of the model, the results folder, the data set, the script and its parser; records are valid JSON."""
    folder = named(tmp_path, b"d\xff")
    folder.mkdir()
    model, results = a_model(named(folder, b"caf\xe9.gguf")), named(folder, b"r\xfe")
    done = run(results, "--model", model, *SERVER)
    assert done.code == 0, done.err
    (record,) = logged(results)
    assert record["model"] == r"caf\xe9"
    assert record["config"]["path"] == rf"{tmp_path}/d\xff/caf\xe9.gguf"
    assert rf"{tmp_path}/d\xff/r\xfe" in done.out
    again = run(rf"{tmp_path}/d\xff/r\xfe", "--model", record["config"]["path"], *SERVER, "--resume", "last")
    assert again.code == 0, again.err
    assert bench_runner("rerun", "last", "--results-dir", results).code == 0
    shown = bench_runner("show", "last", "--results-dir", results)
    assert r"caf\xe9" in shown.out
    script, parser = named(folder, b"s\xfd.py"), named(folder, b"p\xfd.py")
    script.write_text('print("{}")')
    parser.write_text(
        "from results.records import Score\n"
        "class P:\n def parse(self, output): return Score(score=50.0)\n"
        "PARSER = P()\n"
    )
    words = ("--script", script, "--parser", parser, "--model", model, *SERVER, "--results-dir", results)
    assert bench_runner("run", *words).code == 0
    assert bench_runner("rerun", "last", "--results-dir", results).code == 0


@pytest.mark.servers
def test_a_sweep_of_models_and_a_manifest_whose_names_are_not_utf8_goes_on_where_it_was(tmp_path):
    """The first ended with a traceback."""
    folder = named(tmp_path, b"d\xff")
    folder.mkdir()
    models = [a_model(named(folder, name)) for name in (b"caf\xe9.gguf", b"ok.gguf")]
    results = tmp_path / "r"
    manifest = named(folder, b"m\xfe.yaml")
    matrix = {"model": ["*.gguf"], "benchmark": "human_eval", "limit": 1, "server_command": SERVER[1]}
    manifest.write_text(json.dumps({"matrix": matrix}))
    options = ("--benchmark", "human_eval", "--limit", 1, *SERVER)
    for words in ((*models, *options), (folder / "*.gguf", *options), (manifest,)):
        done = bench_runner("sweep", *words, "--results-dir", results)
        assert done.code == 0, done.err
        assert r"caf\xe9" in done.out
        before = len(logged(results))
        done = bench_runner("sweep", "--resume", "last", "--results-dir", results)
        assert (done.code, len(logged(results))) == (0, before), done.err
        for command in ("status", "report", "rerun"):
            done = bench_runner(command, "last", "--results-dir", results)
            assert done.code == 0, done.err


def test_the_built_in_server_serves_a_model_whose_name_is_not_utf8(tmp_path, demo_model):
    model = named(tmp_path, b"caf\xe9 \x1b[31m.gguf")
    shutil.copy(demo_model, model)
    script = tmp_path / "s.py"
    script.write_text('import json; print(json.dumps({"score": 0.5}))')
    done = bench_runner(
        "run", "--script", script, "--parser", "json", "--model", model, "--results-dir", tmp_path / "r"
    )
    assert done.code == 0, done.err
    assert r"caf\xe9 \u001b[31m" in done.out


MISSING = ("run.json", "completions.jsonl", "settings.json", "telemetry.jsonl", "script.out", "harness.lock")


def damage(results: Path, run_id: str, sweep_id: str):
    """Each a name, and what does it."""
    run, sweep = results / run_id, results / "sweeps" / sweep_id
    for name in MISSING:
        yield f"{name} missing", lambda name=name: (run / name).unlink(missing_ok=True)
    for name in MISSING[:4]:
        for what, data in (
            ("empty", b""),
            ("deep", DEEP),
            ("not UTF-8", b'{"run_id":"\xff","benchmark":"\xff"}\n'),
        ):
            yield f"{name} {what}", lambda name=name, data=data: (run / name).write_bytes(data)
    yield "the run's folder missing", lambda: shutil.rmtree(run)
    yield "sweep.json deep", lambda: (sweep / "sweep.json").write_bytes(DEEP)
    yield "sweep.json missing", (sweep / "sweep.json").unlink
    yield "sweeps missing", lambda: shutil.rmtree(results / "sweeps")
    yield "everything missing", lambda: shutil.rmtree(results)


def test_no_command_ends_with_a_traceback_whatever_is_missing_or_damaged(tmp_path):
    """Every command over every kind of damage, in this process: what a user sees is in the next test."""
    from click.testing import CliRunner

    import bench_runner as program
    from results.errors import BenchError

    whole = tmp_path / "whole"
    sweep = begin_sweep(whole, ["a", "b"])
    runs = [record_run(whole, model=name, sweep=place(sweep, name)) for name in ("a", "b")]
    first, second = (run.run_id for run in runs)
    commands = (
        ("list",), ("show", first), ("show", first, "--raw"), ("show", first, "--json"), ("show", first, "--plot"),
        ("compare", first, second), ("compare", second, first), ("leaderboard",), ("leaderboard", "--sweep", "last"),
        ("leaderboard", "--csv", "-"), ("report", "last"), ("status",), ("status", "last"), ("cancel", "last"),
    )  # fmt: skip
    results = tmp_path / "r"
    for what, do in damage(results, first, sweep.sweep_id):
        shutil.rmtree(results, ignore_errors=True)
        shutil.copytree(whole, results)
        do()
        for words in commands:
            done = CliRunner().invoke(program.cli, [*words, "--results-dir", str(results)])
            ended = done.exception
            assert ended is None or isinstance(ended, BenchError | SystemExit), (what, words, done.exc_info)


@pytest.mark.parametrize(
    ("words", "code", "name"),
    [(("show", "--raw"), 6, "script.out"), (("show",), 6, "run.json"), (("rerun",), 6, "run.json")],
    ids=["raw", "show", "rerun"],
)
def test_a_run_that_is_not_whole_is_told_with_what_to_do(tmp_path, words, code, name):
    folder = record_run(tmp_path)
    (folder.path / name).unlink(missing_ok=True)
    refused(bench_runner(words[0], folder.run_id, *words[1:], "--results-dir", tmp_path), code, name)


def test_a_working_folder_that_was_removed_is_told(tmp_path):
    gone = tmp_path / "gone"
    gone.mkdir()
    script = f'cd "$1" && rmdir "$1" && exec {PROGRAM} list'
    done = subprocess.run(["sh", "-c", script, "sh", gone], capture_output=True, text=True, check=False)
    assert (done.returncode, "Traceback" in done.stderr) == (2, False)
    assert "has been removed" in done.stderr
