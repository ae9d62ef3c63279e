"""The user's keys: no server that is launched here gets one that is not its own, and no record or message holds one."""

from __future__ import annotations

import json
import shlex

import pytest

from servers.http_probe import request
from settings.base_url import parse_base_url
from tests.command_line import bench_runner, command_server, logged, only_run
from tests.evaluation.running_servers import raw_server
from tests.sweep_runs import own_devices

pytestmark = pytest.mark.slow

__all__ = ["own_devices"]

KEYS = {
    "OPENAI_API_KEY": "sk-of-another-service",
    "ANTHROPIC_API_KEY": "sk-ant",
    "HF_TOKEN": "hf_0123",
    "MY_PASSWORD": "pw-0123",
}
SECRET = "sk-9876543210"


def run(results, *words, code=0, env=None):
    done = bench_runner(
        "run", "--benchmark", "human_eval", "--limit", 1, "--results-dir", results, *words, env=env
    )
    assert done.code == code, done.err
    return done


def in_files(folder, text):
    return [str(path) for path in folder.rglob("*") if path.is_file() and text.encode() in path.read_bytes()]


def telling_command(folder, *options, before=""):
    """A server that writes its environment and the heads of requests into files, then serves."""
    _, command = command_server("raw_server.py", *options)
    program = folder / "serve.sh"
    program.write_text(
        f'#!/bin/sh\nenv > {folder}/env.txt\n{before}\nexec {command.split(" --port")[0]} "$@"\n'
    )
    program.chmod(0o755)
    scenario = folder / "scenario.json"
    answer = {"choices": [{"message": {"content": "x"}, "text": "x", "finish_reason": "stop"}]}
    scenario.write_text(json.dumps({"*": {"json": answer}}))
    return f"{program} {scenario} --port {{port}}"


def test_a_launched_server_gets_no_key_of_the_user_s(tmp_path):
    """Neither in its environment nor in a header: they are for other services."""
    command = telling_command(tmp_path)
    heads = tmp_path / "heads.txt"
    script = tmp_path / "look.py"
    script.write_text(
        "import json, os, urllib.request\n"
        "opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))\n"
        "asked = opener.open(os.environ['BENCH_BASE_URL'] + '/asked').read()\n"
        f"open({str(heads)!r}, 'wb').write(asked)\n"
        "print(json.dumps({'score': 1, 'key': os.environ['OPENAI_API_KEY']}))\n"
    )
    run(tmp_path / "r", "--server-command", command, "--script", script, "--parser", "json", env=KEYS)
    environment, asked = (tmp_path / "env.txt").read_text(), heads.read_text()
    assert "/v1/completions" in asked
    for name, key in KEYS.items():
        assert f"{name}=" not in environment
        assert key not in environment + asked
    assert logged(tmp_path / "r")[0]["score"]["details"]["key"] == "none"


def test_a_server_gets_the_variable_that_its_command_names(tmp_path):
    command = f"sh -c {shlex.quote('K=$MY_PASSWORD exec ' + telling_command(tmp_path))}"
    run(tmp_path / "r", "--server-command", command, env=KEYS)
    environment = (tmp_path / "env.txt").read_text()
    assert "MY_PASSWORD=pw-0123" in environment
    assert "K=pw-0123" in environment
    assert "OPENAI_API_KEY" not in environment
    assert in_files(tmp_path / "r", "pw-0123") == []


def test_an_attached_server_gets_its_key(tmp_path):
    answer = {"choices": [{"message": {"content": "x"}, "text": "x"}], "data": [{"id": "m"}]}
    with raw_server(tmp_path, {"*": {"json": answer}}) as url:
        run(tmp_path / "r", "--base-url", url, env=KEYS)
        heads = [
            head
            for _, path, head, _ in request(parse_base_url(url), "/asked").json()
            if path == "/v1/completions"
        ]
    assert heads
    assert all("Authorization: Bearer sk-of-another-service" in head for head in heads)


@pytest.mark.parametrize(
    "form", ["--api-key {}", "--api-key={}", "--hf-token '{}'", "-H 'Authorization: Bearer {}'"]
)
def test_a_key_in_a_server_s_command_is_in_no_record_and_no_message(tmp_path, form):
    option, command = command_server("canonical_server.py")
    words = (option, f"{command} {form.format(SECRET)}")  # which that server doesn't know
    done = run(tmp_path / "r", *words, code=3)
    assert "command:" in done.err
    assert SECRET not in done.err + done.out
    assert "***" in done.err
    (record,) = logged(tmp_path / "r")
    assert SECRET not in json.dumps(record)
    assert "***" in json.dumps(record["config"]["server_command"])
    assert "***" in json.dumps(record["server"]["command"])
    assert in_files(tmp_path / "r", SECRET) in ([], [str(only_run(tmp_path / "r") / "server.log")])


def test_a_key_that_the_command_gives_is_sent_and_hidden(tmp_path):
    """Also where the server prints it."""
    option, command = command_server("fake_server.py", "--print", f"api_key={SECRET}", "--crash-after", 1)
    words = (option, f"{command} --api-key {SECRET} --model-name {{name}}", "--max-restarts", 0)
    done = run(tmp_path / "r", *words, "--prompt-style", "chat", code=3)
    assert "rejected the API key" not in done.err
    assert "exit code 7" in done.err
    assert SECRET not in done.err + json.dumps(logged(tmp_path / "r"))
    again = bench_runner("rerun", "last", "--results-dir", tmp_path / "r")
    assert again.code == 2
    assert "does not hold the key that --server-command had" in again.err


def test_a_key_that_can_not_be_sent_is_told(tmp_path):
    with raw_server(tmp_path, {"*": {"json": {"data": [{"id": "m"}]}}}) as url:
        done = run(tmp_path / "r", "--base-url", url, code=2, env={"OPENAI_API_KEY": "k\x1bey"})
    assert "OPENAI_API_KEY can't be sent" in done.err


@pytest.mark.usefixtures("own_devices")
def test_a_sweep_keeps_no_key(tmp_path):
    """It keeps its manifest: a key that is written there would stay on the disk."""
    manifest = tmp_path / "m.yaml"
    _, command = command_server("canonical_server.py")
    for form in (f"--api-key {SECRET}", "--api-key ${THE_KEY}"):
        manifest.write_text(
            f"runs: [{{benchmark: human_eval, limit: 1, server_command: '{command} {form}'}}]\n"
        )
        done = bench_runner("sweep", manifest, "--results-dir", tmp_path / "r", env={"THE_KEY": SECRET})
        if SECRET in form:
            assert done.code == 2
            assert "server_command: holds a key, and a sweep keeps its manifest on disk" in done.err
        else:
            assert done.code == 7  # that server does not know the option
        assert SECRET not in done.err.replace(str(manifest), "")
        assert [path for path in in_files(tmp_path / "r", SECRET) if not path.endswith("server.log")] == []
