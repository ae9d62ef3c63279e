"""The options of sampling: sent when given, recorded always, refused where they mean nothing."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from evaluation.benchmarks.lcb.prompts import SYSTEM
from results.compare.comparability import forbidding, read_run_settings
from results.errors import UsageError
from results.records import RunRecord, RunStatus
from results.store.run_folder import RunFolder
from scripts.arguments import parse
from tests.command_line import bench_runner
from tests.evaluation.lcb_problems import FILE
from tests.evaluation.reference import MMLU, reference_server
from tests.evaluation.running_servers import canonical_server, posts

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
SETTINGS = ("--top-p", 0.9, "--top-k", 7, "--min-p", 0.1, "--repeat-penalty", 1.1, "--presence-penalty", 0.5)
CHAT = (
    "--reasoning-effort", "low", "--thinking-budget", 99, "--system-prompt", "Be brief.",
    "--chat-template-kwargs", '{"enable_thinking": false}',
)  # fmt: skip
RECORDED = {
    "top_p": 0.9, "top_k": 7, "min_p": 0.1, "repeat_penalty": 1.1, "presence_penalty": 0.5, "reasoning_effort": "low",
    "thinking_budget": 99, "system_prompt": "Be brief.", "chat_template_kwargs": {"enable_thinking": False},
}  # fmt: skip


def run(url, output, *options, script="run_human_eval", code=0):
    """Its events, and what it said to people."""
    words = ("--base-url", url, "--model", "m", "--output", output, *options)
    done = subprocess.run(
        [sys.executable, "-m", f"scripts.{script}", *map(str, words)],
        capture_output=True, text=True, cwd=ROOT, timeout=100, check=False,
    )  # fmt: skip
    assert done.returncode == code, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()], done.stderr


def pairs(words):
    return list(zip(words[::2], words[1::2], strict=True))


def settings(output):
    return json.loads((output / "settings.json").read_text())


def bodies(path):
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def test_what_is_given_is_sent_in_every_request_and_recorded(tmp_path):
    with canonical_server("--bodies", tmp_path / "bodies") as url:
        events, _ = run(url, tmp_path / "out", *SETTINGS, *CHAT, "--limit", 3)
    sent = bodies(tmp_path / "bodies")
    assert len(sent) == 4  # the probe is asked as all others
    for body in sent:
        assert body["messages"][0] == {"role": "system", "content": "Be brief."}
        assert (body["top_p"], body["top_k"], body["min_p"]) == (0.9, 7, 0.1)
        assert (body["repetition_penalty"], body["presence_penalty"]) == (1.1, 0.5)
        assert (body["reasoning_effort"], body["thinking_token_budget"]) == ("low", 99)
        assert body["chat_template_kwargs"] == {"enable_thinking": False}
    start = next(event for event in events if event["event"] == "start")
    for recorded in (settings(tmp_path / "out"), start["settings"], events[-1]["sampling"]):
        assert {name: recorded[name] for name in RECORDED} == RECORDED
        assert (recorded["temperature"], recorded["max_tokens"], recorded["seed"]) == (0.0, 1024, 0)


def test_a_benchmarks_own_system_text_stays_behind_it(tmp_path):
    with canonical_server("--bodies", tmp_path / "bodies") as url:
        run(url, tmp_path / "out", "--dataset", FILE, "--limit", 1, "--system-prompt", "Be brief.",
            "--prompt-style", "chat", script="run_lcb")  # fmt: skip
    assert bodies(tmp_path / "bodies")[-1]["messages"][0]["content"] == f"Be brief.\n\n{SYSTEM}"


def refusing(*parameters):
    return canonical_server(*(word for each in parameters for word in ("--refuse", each)))


def test_refused_defaults_cost_nothing_are_said_once_and_stay_known(tmp_path):
    output = tmp_path / "out"
    options = ("--concurrency", 16, "--prompt-style", "completion")
    with refusing("temperature=gemini", "seed=openai-unknown", "stop=pydantic") as url:
        events, said = run(url, output, *options, "--limit", 20)
        assert (events[-1]["outcomes"]["passed"], events[-1]["completions"]) == (20, 20)
        asked = posts(url)
        assert asked <= 20 + 3 * 16
        again, said_again = run(url, output, *options, "--limit", 30)
        assert posts(url) == asked + 10
    assert again[-1]["outcomes"]["passed"] == 30
    for name in ("seed", "stop", "temperature"):
        assert said.count(f"the server does not take {name}, which is left out from now on: ") == 1
        assert name not in said_again.split("WARNING")[0]
    for event in (events[-1], again[-1]):
        assert event["sampling"]["left_out"] == ["seed", "stop", "temperature"]
        assert "does not take seed, stop, temperature and used its own" in event["warnings"][-1]
    assert settings(output)["left_out"] == ["seed", "stop", "temperature"]


def test_what_was_learnt_is_on_disk_before_the_first_completion_it_is_true_of(tmp_path):
    """Else a killed run would be gone on with as if the temperature had held."""
    with refusing("temperature=openai") as url:
        run(url, tmp_path, "--prompt-style", "chat", "--limit", 1)
    older = min((tmp_path / name).stat().st_mtime_ns for name in ("settings.json", "completions.jsonl"))
    assert older == (tmp_path / "settings.json").stat().st_mtime_ns


def test_the_newer_name_of_the_limit_is_no_difference(tmp_path):
    with refusing("max_tokens=openai-newer") as url:
        events, said = run(url, tmp_path / "newer", "--limit", 2)
        asked = posts(url)
        run(url, tmp_path / "newer", "--limit", 3)
        assert posts(url) == asked + 1
    with canonical_server() as url:
        run(url, tmp_path / "older", "--limit", 3)
    assert said.count("the server takes max_tokens as max_completion_tokens") == 1
    assert events[-1]["sampling"]["sent_as"] == {"max_tokens": "max_completion_tokens"}
    assert events[-1]["warnings"] == []
    assert differences(tmp_path / "newer", tmp_path / "older") == ()


def differences(*folders):
    record = RunRecord(
        run_id="r", timestamp="2026-01-01T00:00:00+00:00", status=RunStatus.SUCCEEDED, benchmark="human_eval",
        model="m", config={},
    )  # fmt: skip
    return forbidding(record, record, *(read_run_settings(RunFolder(folder)) for folder in folders))


def test_runs_with_and_without_a_parameter_are_not_compared(tmp_path):
    with refusing("temperature=openai-value") as url:
        run(url, tmp_path / "without", "--limit", 2)
    with canonical_server() as url:
        run(url, tmp_path / "with", "--limit", 2)
        run(url, tmp_path / "top_k", "--limit", 2, "--top-k", 3)
    (difference,) = differences(tmp_path / "without", tmp_path / "with")
    assert (difference.name, difference.first, difference.second) == ("left_out", ["temperature"], None)
    (difference,) = differences(tmp_path / "top_k", tmp_path / "with")
    assert (difference.name, difference.first, difference.second) == ("top_k", 3, None)


def test_what_was_asked_for_and_is_refused_ends_the_run(tmp_path):
    with refusing("top_k=openai-unknown") as url:
        events, said = run(url, tmp_path, "--limit", 9, "--top-k", 5, "--prompt-style", "chat", code=2)
    assert events[-1]["kind"] == "usage"
    assert "the server refuses top_k (--top-k): Unrecognized request argument supplied: top_k" in said
    assert (tmp_path / "completions.jsonl").read_text() == ""


def test_a_model_that_takes_hardly_any_parameter_is_measured_by_the_harness_too(tmp_path):
    """OpenAI's models that think refuse the temperature and know the limit by its newer name only."""
    refuse = ("--refuse", "max_tokens=openai-newer", "--refuse", "temperature=openai-value")
    with canonical_server("--no-completions", *refuse) as url:
        done = bench_runner(
            "run", "--benchmark", "human_eval", "--limit", 3, "--base-url", url, "--model", "canonical",
            "--results-dir", tmp_path, "--json",
        )  # fmt: skip
    assert done.code == 0, done.err
    score = json.loads(done.out)["score"]
    assert score["outcomes"]["passed"] == 3
    assert score["details"]["sampling"]["left_out"] == ["temperature"]
    assert "the server does not take temperature" in score["warnings"][-1]


def test_the_probe_is_greedy_only_where_the_server_lets_it(tmp_path):
    """A temperature that was asked for must not be lost to a refusal of the probe's own."""
    with canonical_server("--refuse", "temperature=openai-value", "--bodies", tmp_path / "bodies") as url:
        events, _ = run(url, tmp_path / "out", "--limit", 2, "--temperature", 1)
    assert [body.get("temperature") for body in bodies(tmp_path / "bodies")] == [0.0, None, 1.0, 1.0]
    assert "left_out" not in events[-1]["sampling"]


def test_a_resume_with_another_setting_is_refused_and_an_older_folder_goes_on(tmp_path):
    """Folders of before these settings were there have none of them, which is the same as none given."""
    with canonical_server() as url:
        run(url, tmp_path / "older", "--limit", 1)
        older = settings(tmp_path / "older")
        for name in (*RECORDED, "left_out", "sent_as"):
            assert older.pop(name) is None
        path = tmp_path / "older" / "settings.json"
        path.write_text(json.dumps(older))
        run(url, tmp_path / "new", "--limit", 1)
        assert differences(path.parent, tmp_path / "new") == ()
        run(url, path.parent, "--limit", 2)
        events, _ = run(url, path.parent, "--limit", 3, "--min-p", 0.1, code=6)
    assert "min_p was None and is now 0.1" in events[-1]["message"]


def test_going_on_with_a_parameter_that_was_left_out_is_refused(tmp_path):
    with refusing("temperature=openai-value") as url:
        run(url, tmp_path, "--limit", 1)
        events, _ = run(url, tmp_path, "--limit", 2, "--temperature", 0, code=6)
    assert "left_out was " in events[-1]["message"]


@pytest.mark.parametrize("option", pairs(CHAT))
def test_what_only_a_chat_has_is_refused_for_a_text(tmp_path, option):
    with canonical_server() as url:
        events, _ = run(url, tmp_path / "out", "--prompt-style", "completion", *option, code=2)
        assert posts(url) == 0
    assert (
        events[-1]["message"] == f"{option[0]} needs a chat, but the prompt style is completion: as asked for"
    )
    assert not (tmp_path / "out").exists()


def test_a_model_that_turns_out_to_be_none_for_chats_gets_no_system_prompt(tmp_path):
    with canonical_server("--no-chat") as url:
        events, _ = run(url, tmp_path, "--system-prompt", "Be brief.", code=2)
        assert posts(url) == 2  # in a chat, and whether it completes texts
    assert "style is completion: no chat answer: " in events[-1]["message"]
    assert "--prompt-style chat" in events[-1]["hint"]


@pytest.mark.parametrize("option", pairs(SETTINGS + CHAT))
def test_speed_has_no_use_for_them(tmp_path, option):
    events, _ = run("http://127.0.0.1:1", tmp_path, *option, script="run_speed", code=2)
    assert events[-1]["message"].startswith(f"{option[0]} does not apply to speed")


def test_probabilities_are_not_drawn_and_written_answers_are(tmp_path):
    with reference_server("--logprobs", "list") as url:
        common = ("--dataset", MMLU, "--limit", 2)
        events, _ = run(url, tmp_path / "a", *common, "--top-p", 0.5, script="run_mmlu", code=2)
        assert events[-1]["message"] == "--top-p does not apply to answers by log-probabilities"
        run(url, tmp_path / "b", *common, "--top-p", 0.5, "--answer-by", "letter", script="run_mmlu")
        run(url, tmp_path / "c", *common, "--system-prompt", "Be brief.", script="run_mmlu")
    assert settings(tmp_path / "b")["top_p"] == 0.5


def test_log_probabilities_that_are_refused_are_recorded(tmp_path):
    with reference_server("--logprobs", "refused") as url:
        events, _ = run(url, tmp_path, "--dataset", MMLU, "--limit", 3, script="run_mmlu")
    assert events[-1]["answers_by"] == {"generation": 3}
    assert settings(tmp_path)["left_out"] == ["logprobs"]


def parsed(*words, benchmark="lcb"):
    required = ("--base-url", "http://h", "--model", "m", "--output", "o")
    return parse([*required, *map(str, words)], benchmark=benchmark, about="")


@pytest.mark.parametrize(("benchmark", "n_samples"), [("lcb", 10), ("human_eval", 200)])
def test_one_word_is_the_authors_own_sampling(benchmark, n_samples):
    found = parsed("--as-published", benchmark=benchmark)
    assert found.n_samples == n_samples
    assert (found.sampling.temperature, found.sampling.top_p) == (0.2, 0.95)
    # llama-server takes the forty likeliest, and leaves the unlikely out, unless it is told not to.
    assert (found.sampling.top_k, found.sampling.min_p) == (0, 0.0)
    assert found.sampling.given == dict.fromkeys(("temperature", "top_p"), "--as-published")


def test_as_published_is_sent_and_what_a_server_lacks_anyway_may_be_missing(tmp_path):
    with canonical_server("--refuse", "top_k=openai-unknown", "--bodies", tmp_path / "bodies") as url:
        events, _ = run(
            url,
            tmp_path / "out",
            "--as-published",
            "--limit",
            1,
            "--prompt-style",
            "chat",
            "--concurrency",
            4,
        )
    assert events[-1]["completions"] == 200
    last = bodies(tmp_path / "bodies")[-1]
    assert (last["temperature"], last["top_p"], last["min_p"]) == (0.2, 0.95, 0.0)
    assert settings(tmp_path / "out")["left_out"] == ["top_k"]


@pytest.mark.parametrize("benchmark", ["gsm8k", "tasks", "speed"])
def test_a_benchmark_without_published_sampling_says_so(benchmark):
    with pytest.raises(UsageError, match=f"{benchmark} has no published sampling of its own"):
        parsed("--as-published", benchmark=benchmark)


@pytest.mark.parametrize("option", ["--temperature", "--top-p", "--n-samples", "--top-k"])
def test_as_published_leaves_nothing_of_it_to_choose(option):
    with pytest.raises(UsageError, match=f"{option} can't be combined with --as-published"):
        parsed("--as-published", option, 1)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--top-p", 1.5), "argument --top-p: 1.5 is out of range: more than 0, at most 1"),
        (("--top-p", "x"), "argument --top-p: 'x' is not a number"),
        (("--top-k", -1), "-1 is out of range: 0 to "),
        (("--top-k", 1.5), "'1.5' is not a whole number"),
        (("--repeat-penalty", 0), "0.0 is out of range: more than 0, at most 10"),
        (("--presence-penalty", 2.5), "2.5 is out of range: -2 to 2"),
        (("--reasoning-effort", "huge"), "'huge' is not one of none, minimal, low"),
        (("--thinking-budget", 2048), "leaves none of 1024 for the answer"),
        (("--system-prompt", " "), "is empty"),
        (("--chat-template-kwargs", "{"), "is not valid JSON"),
        (("--chat-template-kwargs", "[1]"), "is not a JSON object"),
    ],
)
def test_a_value_that_can_mean_nothing_is_named(words, message):
    with pytest.raises(UsageError, match=re.escape(message)):
        parsed(*words)


def test_numbers_below_zero_are_values_and_no_options():
    assert parsed("--presence-penalty", "-1.5").sampling.presence_penalty == -1.5
