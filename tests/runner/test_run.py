"""One run from start to end, as a user starts it: what it leaves on disk, prints and returns."""

from __future__ import annotations

import json
import shutil
import sys

import pytest
from tinydb import where

from results.store.run_log import RunLog
from tests.command_line import bench_runner, command_server, lines, logged, only_run
from tests.evaluation.running_servers import OPENER, canonical_server

CANONICAL = command_server("canonical_server.py")


def run(results, *words, code=0, env=None):
    done = bench_runner("run", "--benchmark", "human_eval", "--results-dir", results, *words, env=env)
    assert done.code == code, done.err
    return done


def test_a_real_model_on_the_embedded_server(tmp_path, demo_model):
    """The record holds score, uncertainty, speed, what was asked of the server and what was in force."""
    done = run(
        tmp_path, "--limit", 2, "--max-tokens", 16, "--parallel", 2, "--ctx-size", 1024, "--json", "--", "-t", 1
    )  # fmt: skip
    line = (tmp_path / "benchmark_results.json").read_text().splitlines()[1]
    assert done.out.rstrip("\n") == line.rstrip(",")
    record = json.loads(done.out)
    assert json.loads((only_run(tmp_path) / "run.json").read_text()) == record
    assert (record["status"], record["benchmark"], record["model"]) == (
        "succeeded",
        "human_eval",
        demo_model.stem,
    )
    assert record["config"]["path"] == str(demo_model)
    assert set(record["results"]) == {"score", "time_taken", "raw_output"}
    score = record["score"]
    assert (score["samples"], score["completions"], sum(score["outcomes"].values())) == (2, 2, 2)
    assert score["outcomes"]["truncated"] == 2
    assert "raise --max-tokens" in score["warnings"][0]
    metric = score["metrics"]["pass@1"]
    assert metric["low"] <= metric["value"] <= metric["high"]
    assert score["details"]["sandbox"]["level"] == "bubblewrap"
    assert score["completion_tokens"] == sum(
        line["completion_tokens"] for line in lines(only_run(tmp_path) / "completions.jsonl")
    )
    assert record["model_identity"]["sha256"].startswith("b179c952")
    assert record["model_identity"]["quantization"] == "Q4_1"
    server = record["server"]
    assert server["kind"] == "embedded"
    assert server["asked"] == {"ctx_size": 1024, "parallel": 2}
    assert server["in_force"]["ctx_size"] == 1024
    assert server["in_force"]["threads"] == 1
    assert server["differences"] == []
    assert all(
        record["phases"][name] > 0 for name in ("load_s", "script_s", "generate_s", "execute_s", "stop_s")
    )
    assert record["host"]["memory_bytes"] > 0
    assert record["harness"]["version"]
    assert record["error"] is None
    telemetry = record["telemetry"]
    generate = telemetry["phases"]["generate"]
    assert generate["processes"]["cpu_s"] > 0
    assert generate["processes"]["peak_memory_bytes"] > 50_000_000
    assert generate["server"]["generation_tokens"] >= score["completion_tokens"]
    assert generate["server"]["generation_tokens_per_s"] > 0
    assert (telemetry["devices"], telemetry["energy_j"]) == ([], None) or telemetry["used"]
    assert telemetry["ticks"] == len(lines(only_run(tmp_path) / "telemetry.jsonl"))


@pytest.fixture(scope="module")
def ten(tmp_path_factory):
    """One run of ten problems, which are all solved: its results, and what it printed."""
    results = tmp_path_factory.mktemp("ten")
    return results, run(results, *CANONICAL, "--limit", 10)


def test_the_log_is_plain_json_and_read_by_tinydb(ten, tmp_path):
    shutil.copytree(ten[0], tmp_path, dirs_exist_ok=True)
    run(tmp_path, *CANONICAL, "--limit", 2)
    first, second = logged(tmp_path)
    assert first["results"]["score"] == 100.0
    found = RunLog(tmp_path / "benchmark_results.json").table().search(where("results")["score"] >= 90)
    assert [run["run_id"] for run in found] == [first["run_id"], second["run_id"]]


def test_a_table_at_the_end_and_plain_lines_meanwhile(ten):
    results, done = ten
    table = dict(line.split(maxsplit=1) for line in done.out.splitlines())
    assert table["score"].startswith("100.0 of 100  (95 % interval 72.2 to 100.0)")
    assert table["completions"] == "10"
    assert table["outcomes"] == "10 passed"
    assert "tokens/s" in table["speed"]
    assert table["phases"].startswith("load ")
    assert table["files"] == str(only_run(results))
    assert "\x1b" not in done.out + done.err
    assert "10/10 completions" in done.err


def test_the_runs_are_listed_and_shown(ten):
    results, _ = ten
    run_id = only_run(results).name
    assert bench_runner("list", "--results-dir", results).out.splitlines()[1].split("\t")[:6] == [
        run_id, "succeeded", "human_eval", "SmolLM2-135M-Instruct.Q4_1", "100.0", "10",
    ]  # fmt: skip
    shown = bench_runner("show", run_id[:20], "--results-dir", results)
    assert "100.0 of 100" in shown.out
    raw = bench_runner("show", run_id, "--raw", "--results-dir", results).out
    assert json.loads(raw.splitlines()[-1])["event"] == "summary"
    facts = bench_runner("show", run_id, "--json", "--results-dir", results).out
    assert json.loads(facts) == logged(results)[0]


def test_a_server_that_someone_else_runs_is_used_and_left_alone(tmp_path):
    with canonical_server() as url:
        run(tmp_path, "--base-url", url, "--limit", 2)
        with OPENER.open(url + "/health") as health:
            assert health.status == 200
    (record,) = logged(tmp_path)
    assert (record["server"]["kind"], record["server"]["command"]) == ("attach", [])
    assert record["model"] == "canonical"


def test_most_answers_cut_off_is_said_loudly(tmp_path):
    """By a server that ends all answers at the limit; of a real model's, the record says the same above."""
    done = run(tmp_path, *command_server("fake_server.py"), "--limit", 3)
    assert "WARNING" in done.out
    assert "raise --max-tokens" in done.out


def test_prompts_that_do_not_fit_are_not_counted_as_wrong_in_silence(tmp_path):
    server = command_server("canonical_server.py", "--mode", "overflow")
    done = run(tmp_path, *server, "--limit", 2, "--prompt-style", "chat", code=4)
    assert "context" in done.err
    (record,) = logged(tmp_path)
    assert record["status"] == "failed"


def test_the_api_key_is_in_no_record_log_or_process_list(tmp_path, demo_model):
    secret = "sk-very-secret-1234567890"
    words = ("--limit", 1, "--max-tokens", 4, "--parallel", 1, "--prompt-style", "completion", "--", "-t", 1)
    run(tmp_path, *words, env={"LLAMA_API_KEY": secret})
    assert logged(tmp_path)[0]["status"] == "succeeded"
    for path in tmp_path.rglob("*"):
        if path.is_file():
            assert secret.encode() not in path.read_bytes(), path


def test_a_script_of_somebody_else(tmp_path):
    """It gets the facts as placeholders and as environment variables; the user's own key is not sent."""
    script = tmp_path / "evaluate it.py"
    script.write_text(
        "import json, os, sys\n"
        "facts = {name: value for name, value in os.environ.items() if name.startswith(('BENCH_', 'OPENAI_'))}\n"
        "print(json.dumps({'score': 50.0, 'samples': 4, 'args': sys.argv[1:], **facts}))\n"
    )
    results = tmp_path / "results"
    words = (
        "--script", script, "--script-args", "--url {base_url} --n {limit} '{{x}}'", "--parser", "json", "--limit", 4,
    )  # fmt: skip
    with canonical_server() as url:
        run(results, "--base-url", url, *words)
        run(results, "--base-url", url, *words, env={"OPENAI_API_KEY": "sk-for-this-server"})
    first, second = logged(results)
    details = first["score"]["details"]
    assert first["score"]["score"] == 50.0
    assert details["args"] == ["--url", url, "--n", "4", "{x}"]
    assert details["OPENAI_BASE_URL"] == url + "/v1"
    assert (details["BENCH_BASE_URL"], details["BENCH_MODEL"], details["BENCH_LIMIT"]) == (
        url,
        "canonical",
        "4",
    )
    assert details["OPENAI_API_KEY"] == "none"
    assert second["score"]["details"]["OPENAI_API_KEY"] == "sk-for-this-server"


def script(tmp_path, text):
    path = tmp_path / "script.py"
    path.write_text(text)
    return ("--script", path, "--parser", "json")


BAD_SCRIPTS = [
    ("pass", 5, "printed nothing"),
    ("print('no score here')", 5, "has no line that is a JSON object"),
    ("import sys; print('boom', file=sys.stderr); sys.exit(3)", 4, "exit code 3"),
    ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", 4, "SIGSEGV"),
    ("import time\nwhile True: time.sleep(1)", 4, "still running after 1 s"),
    (
        "import os, time\nos.ftruncate(1, 1 << 31)\ntime.sleep(99)",
        4,
        "printed more than 1 GiB",
    ),  # without a disk
]


@pytest.mark.parametrize(("text", "code", "message"), BAD_SCRIPTS)
def test_a_script_that_misbehaves_is_told(tmp_path, text, code, message):
    """And the run is in the log as failed, with the reason; nothing of the script is left."""
    results = tmp_path / "results"
    timeout = ("--script-timeout", 1) if "sleep(1)" in text else ()
    with canonical_server() as url:
        done = run(results, "--base-url", url, *script(tmp_path, text), *timeout, code=code)
    assert message in done.err
    (record,) = logged(results)
    assert record["status"] == "failed"
    assert message in record["error"]["message"]
    assert str(only_run(results)) in done.err
    assert len(json.dumps(record)) < 100_000


def test_output_that_is_not_utf_8_is_kept_and_read(tmp_path):
    text = "import sys; sys.stdout.buffer.write(b'caf\\xe9 \\xff\\x00\\n{\"score\": 7.5}\\n')"
    results = tmp_path / "results"
    with canonical_server() as url:
        run(results, "--base-url", url, *script(tmp_path, text))
    assert logged(results)[0]["results"]["score"] == 7.5
    assert (only_run(results) / "script.out").read_bytes().startswith(b"caf\xe9 \xff\x00")


def test_a_path_without_an_extension_or_permission_is_still_run(tmp_path):
    path = tmp_path / "evaluate"
    path.write_text(f"#!{sys.executable}\nprint('{{\"score\": 1}}')\n")
    path.chmod(0o755)
    with canonical_server() as url:
        run(tmp_path / "r", "--base-url", url, "--script", path, "--parser", "json")
    assert logged(tmp_path / "r")[0]["results"]["score"] == 1
