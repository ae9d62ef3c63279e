"""Tool calling on real servers: a real model calls tools, gets their results, and is told where it can't."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.command_line import bench_runner, lines, only_run

pytestmark = pytest.mark.servers
FIXTURES = Path(__file__).parents[1] / "evaluation" / "fixtures"
DATA = ("--dataset", FIXTURES / "tool_scenarios.yaml")


def run(folder, model, *words):
    done = bench_runner(
        "run", "--benchmark", "tools", "--model", model, *DATA, "--results-dir", folder, *words, timeout=170
    )
    return done, json.loads((only_run(folder) / "run.json").read_text())


@pytest.mark.timeout(180)
def test_a_small_model_calls_tools_through_llama_server_and_goes_on_with_what_they_give(
    tmp_path, demo_model, llama_server_binary
):
    """SmolLM2's own template knows no tools; one with two examples makes it call them."""
    template = FIXTURES / "tool_template.jinja"
    options = (
        "--max-tokens",
        "60",
        "--server-binary",
        llama_server_binary,
        "--",
        "--chat-template-file",
        template,
        "-t",
        "1",
    )
    done, record = run(tmp_path, demo_model, *options)
    assert done.code == 0, done.err
    assert record["score"]["warnings"] == []
    (completions,) = tmp_path.glob("*/completions.jsonl")
    kept = {line["task_id"]: line for line in lines(completions)}
    assert kept["tools/paris"]["passed"], kept["tools/paris"]
    assert not kept["tools/wrong"].get("passed")
    roles = [message["role"] for message in kept["tools/result"]["transcript"]]
    assert roles == ["assistant", "tool", "assistant"]
    assert kept["tools/result"]["transcript"][1]["content"] == '{"temperature": 21, "sky": "sunny"}'
    assert kept["tools/result"]["transcript"][1]["tool_call_id"]
    assert kept["tools/result"]["prompt_tokens"] > 2 * kept["tools/paris"]["prompt_tokens"]


def test_llama_server_without_jinja_takes_no_tools_and_the_error_says_what_to_do(
    tmp_path, demo_model, llama_server_binary
):
    options = ("--max-tokens", "60", "--server-binary", llama_server_binary, "--", "--no-jinja", "-t", "1")
    done, record = run(tmp_path, demo_model, *options)
    assert (done.code, record["status"]) == (4, "failed")
    assert "the server takes no tools" in done.err
    assert "--jinja" in done.err


def test_the_built_in_server_warns_that_the_template_shows_no_tools(tmp_path, demo_model):
    done, record = run(tmp_path, demo_model, "--limit", "1", "--max-tokens", "8", "--", "-t", "1")
    assert done.code == 0, done.err
    assert any(
        "the model's chat template has no place for tools" in each for each in record["score"]["warnings"]
    )
