"""lm-eval's results: found under any name, and refused where they do not come from the model."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from parsers import registry
from parsers.contract import ScriptOutput
from results.errors import ParseError
from servers.effective import gives_prompt_logprobs
from servers.plan import LaunchPlan
from settings.base_url import parse_base_url
from tests.command_line import bench_runner, logged
from tests.evaluation.running_servers import raw_server

FIXTURES = Path(__file__).parent / "fixtures"
NO_LOGPROBS = "lm_eval_no_logprobs.json"
NAME = "arc_2026-11-26T03-22-41.395284.json"


def parse(folder, prompt_logprobs=None):
    return registry.get("lm_eval").parse(ScriptOutput("", "", folder, 0, prompt_logprobs))


def put(folder: Path, found: dict, name: str = NAME) -> None:
    (folder / name).write_text(json.dumps(found))


def choices(accuracy=0.25, normed=0.25, *, model="local-completions", kind="multiple_choice", **more) -> dict:
    """The results of one task of a hundred samples."""
    row = {"alias": "arc", "acc,none": accuracy, "acc_stderr,none": 0.04} | more
    if normed is not None:
        row |= {"acc_norm,none": normed, "acc_norm_stderr,none": "N/A"}
    found = {"results": {"arc": row}, "n-samples": {"arc": {"original": 100, "effective": 100}}}
    if kind:
        found["configs"] = {"arc": {"output_type": kind}}
    if model:
        found["config"] = {"model": model}
    return found


@pytest.mark.parametrize(
    "name",
    [
        "gsm8k_2026-08-21T10-00-00.000000.json",
        "gsm8k.json",
        "results_2026-08-21T10-00-00.000000.json",
        "a/b.json",
    ],
)
def test_it_is_found_under_any_name(tmp_path, name):
    """`--output_path DIR/gsm8k.json` names it, with the time behind."""
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    shutil.copy(FIXTURES / "lm_eval_results.json", path)
    (tmp_path / "run.json").write_text('{"results": {"score": null}}')
    (tmp_path / "newer.json").write_text('{"results": {"total": {"count": 1}}, "samples": []}')
    assert parse(tmp_path).score == pytest.approx(55)


def test_what_every_answer_scored_0_is_refused_by_its_figures(tmp_path):
    """Real results of a server that gives the log-probability of the generated token only: a perplexity of 1."""
    shutil.copy(FIXTURES / NO_LOGPROBS, tmp_path / NAME)
    with pytest.raises(ParseError, match="lastword does not come from the model: perplexity is exactly 1"):
        parse(tmp_path)


def test_what_every_answer_scored_0_is_refused_by_its_samples(tmp_path):
    """--log_samples of the same."""
    shutil.copy(FIXTURES / "lm_eval_no_logprobs_samples.jsonl", tmp_path / f"samples_arc_{NAME[4:-5]}.jsonl")
    put(tmp_path, choices())
    with pytest.raises(ParseError, match="every log-likelihood of its samples is 0"):
        parse(tmp_path, prompt_logprobs=True)
    real = (
        (tmp_path / f"samples_arc_{NAME[4:-5]}.jsonl")
        .read_text()
        .replace('["0", "True"]', '["-3.5", "False"]')
    )
    (tmp_path / f"samples_arc_{NAME[4:-5]}.jsonl").write_text(real)
    assert parse(tmp_path, prompt_logprobs=True).score == 25


@pytest.mark.parametrize(
    "found",
    [
        choices(),
        choices(0.31, 0.31),  # the first choice is right more often than another
        choices(1.0, None),  # truthfulqa_mc1: it always is
        choices(0.25, None, kind="", model=""),  # without `configs`
        choices(0.2433, 0.2433, kind="", model=""),
    ],
)
def test_choices_on_a_server_without_log_probabilities_of_prompts_are_refused(tmp_path, found):
    put(tmp_path, found)
    with pytest.raises(ParseError, match="the server gives no log-probabilities of a prompt") as error:
        parse(tmp_path, prompt_logprobs=False)
    assert "vLLM" in error.value.hint


@pytest.mark.parametrize(
    "found",
    [
        choices(kind="generate_until"),
        choices(model="local-chat-completions"),
        choices(model="hf"),  # not through our server
        choices(0.61, 0.65, kind="", model=""),
    ],
)
def test_what_no_prompt_decided_counts_on_every_server(tmp_path, found):
    put(tmp_path, found)
    assert not parse(tmp_path, prompt_logprobs=False).warnings


def test_a_group_is_refused_with_its_tasks(tmp_path):
    found = choices()
    found["results"] = {"mmlu": {"acc,none": 0.25}, "arc": found["results"]["arc"]}
    found["group_subtasks"] = {"mmlu": ["arc"]}
    put(tmp_path, found)
    with pytest.raises(ParseError, match="does not come from the model"):
        parse(tmp_path, prompt_logprobs=False)


def test_chance_is_doubted_where_the_server_was_not_asked_and_not_where_it_has_them(tmp_path):
    put(tmp_path, choices())
    assert "arc: exactly at chance" in parse(tmp_path).warnings[0]
    assert not parse(tmp_path, prompt_logprobs=True).warnings
    put(tmp_path, choices(0.26, 0.31))
    assert not parse(tmp_path).warnings


def reply(logprobs, status=200) -> dict:
    return {"json": {"choices": [{"text": "x", "logprobs": logprobs}]}, "status": status}


@pytest.mark.parametrize(
    ("answer", "gives"),
    [
        (reply({"content": [{"token": "-", "logprob": -0.06}]}), False),  # llama.cpp
        (reply({"token_logprobs": [-0.1]}), False),
        (reply({"token_logprobs": [None, -8.8, -1.5, -13.5, -2.0]}), True),  # vLLM
        (reply({"token_logprobs": "many"}), False),
        (reply(None), False),
        ({"json": []}, None),
        ({"json": {"error": {"message": "Only no echo is supported"}}, "status": 400}, False),
        ({"json": {}, "status": 429}, None),
        ({"text": "<html>"}, None),
    ],
)
def test_a_server_is_asked_whether_it_gives_them(tmp_path, answer, gives):
    with raw_server(tmp_path, {"/v1/completions": answer}) as url:
        plan = LaunchPlan(kind="attach", argv=(), base_url=parse_base_url(url))
        assert gives_prompt_logprobs(plan, "m") is gives


def test_the_refusal_through_the_command_line(tmp_path):
    put(tmp_path, choices(), "arc.json")
    script = tmp_path / "eval.py"
    script.write_text(
        "import os, shutil\n"
        f"shutil.copy({str(tmp_path / 'arc.json')!r}, os.environ['BENCH_OUTPUT_DIR'] + '/arc.json')\n"
    )
    scenario = {
        "/v1/models": {"json": {"data": [{"id": "m"}]}},
        "/v1/completions": reply({"content": [{"token": "-", "logprob": -0.06}]}),
    }
    with raw_server(tmp_path, scenario) as url:
        done = bench_runner("run", "--base-url", url, "--script", script, "--parser", "lm_eval",
                            "--results-dir", tmp_path / "results")  # fmt: skip
    assert done.code == 5, done.err
    assert "no log-probabilities of a prompt" in done.err
    (run,) = logged(tmp_path / "results")
    assert (run["results"]["score"], run["error"]["kind"]) == (None, "parse")
