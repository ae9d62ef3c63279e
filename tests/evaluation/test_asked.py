"""How a model is asked, and what becomes of its answers, against servers as they really are."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from evaluation.benchmarks.human_eval.task import HumanEvalTask, load_data
from evaluation.loop.checkpoint import Journal
from evaluation.loop.requests import make_request
from evaluation.loop.runner import Runner
from evaluation.models.connection import build_connection_info
from evaluation.models.prompt_style import choose_style
from evaluation.models.providers import get_interface_for_provider
from evaluation.protocols import PromptStyle
from results.errors import ServerError
from tests.evaluation.probed_servers import ASK, STOPS, STYLES, message, says
from tests.evaluation.running_servers import OPENER, scripted_server
from tests.evaluation.thought_pairs import PAIRS, WORDS

TIMEOUT_S = 5.0

CASES = {path.stem: json.loads(path.read_text()) for path in (Path(__file__).parent / "cases").glob("*.json")}


def path_of(what):
    return f"style{list(STYLES).index(what)}"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    scenarios = {path_of(what): scenario for what, (scenario, *_) in STYLES.items()}
    with scripted_server(tmp_path_factory.mktemp("scenarios"), scenarios | CASES) as url:
        yield url


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    """The pauses between tries are the same, but shorter."""
    monkeypatch.setattr("evaluation.models.exchange._FIRST_BACKOFF_S", 0.001)
    monkeypatch.setattr("evaluation.models.exchange._LOADING_S", 0.01)
    monkeypatch.setattr("evaluation.rate_limits.limiter._FIRST_BACKOFF_S", 0.001)


def interface(url, **config):
    info = build_connection_info(
        "local", {"base_url": url, "model": "m", "rate_limit_patience": 60, **config}
    )
    return get_interface_for_provider(info, server_wait=5.0)


def style_of(url):
    async def main():
        async with interface(url) as reached:
            return await choose_style(reached, await reached.properties())

    return asyncio.run(main())


def asked(url):
    with OPENER.open(f"{url}/asked") as response:
        return json.load(response)


@pytest.mark.parametrize("what", STYLES)
def test_unknown_is_not_no(server, what):
    _, chosen, times, seen = STYLES[what]
    url = f"{server}/{path_of(what)}"
    if chosen is STOPS:
        with pytest.raises(ServerError, match=f"needs --prompt-style: .*{seen}") as stopped:
            style_of(url)
        assert "--prompt-style completion" in stopped.value.hint
    else:
        choice = style_of(url)
        assert choice.chosen is chosen
        assert seen in choice.observed
    requests = asked(url)
    assert sum(style == "chat" for style, *_ in requests) == times
    assert all(body["max_tokens"] in {64, 512} for *_, body in requests)


def test_a_wrong_key_ends_the_run(tmp_path):
    scenario = {"x": says({"_status": 401, "_raw": {"error": "no"}})}
    refused = pytest.raises(ServerError, match="rejected /v1/chat/completions with 401")
    with scripted_server(tmp_path / "s", scenario) as url, refused:
        style_of(f"{url}/x")


def test_a_thought_that_the_template_opened_is_known_from_the_probe(server):
    assert style_of(f"{server}/{path_of('a thought that ends in the longer probe')}").opens_thought
    assert not style_of(f"{server}/{path_of('reasoning')}").opens_thought


def play(folder, url, grader, *, style=None, limit, **config):
    """The completions of the first problems, and the style they were asked in."""
    data = load_data()

    async def main():
        async with interface(url, max_retries=0, **config) as reached, Journal(folder) as journal:
            finished = journal.open()
            choice = None if style else await choose_style(reached, await reached.properties())
            await reached.properties()
            task = HumanEvalTask(data, style=choice.chosen if choice else style, grader=grader)
            runner = Runner(
                task, reached, journal, sampling=reached.info.sampling, concurrency=4, on_progress=lambda _: None,
                opens_thought=bool(choice and choice.opens_thought),
            )  # fmt: skip
            asked = [
                (sample, make_request(task, sample, reached.info.sampling))
                for sample in task.get_samples(limit)
            ]
            return task.style, (await runner.run(asked, 1, finished)).completions

    return asyncio.run(main())


def outcomes(completions):
    return [(str(done.outcome), done.detail) for done in completions]


@pytest.mark.parametrize("case", ["props_lmstudio", "props_koboldcpp_null"])
def test_a_model_of_which_nothing_is_known_is_asked_in_a_chat(tmp_path, server, grader, case):
    style, completions = play(tmp_path, f"{server}/{case}", grader, limit=1)
    assert (style, outcomes(completions)) == (PromptStyle.CHAT, [("passed", "")])


def test_a_probe_that_is_always_refused_for_the_moment_stops_the_run(tmp_path, server, grader):
    with pytest.raises(ServerError, match=r"takes no more requests .*429.* try again in 1 s"):
        play(tmp_path, f"{server}/probe_busy", grader, limit=1, rate_limit_patience=0.5)


@pytest.mark.parametrize("style", [None, PromptStyle.CHAT])
@pytest.mark.parametrize("case", ["thinking_mistral", "thinking_harmony", "thinking_template_opens_think"])
def test_a_cut_thought_is_truncated_and_a_draft_in_a_thought_is_no_code(
    tmp_path, server, grader, case, style
):
    """The drafts of both would pass."""
    used, completions = play(tmp_path, f"{server}/{case}", grader, style=style, limit=2)
    assert used is PromptStyle.CHAT
    cut, ended = completions
    assert outcomes([cut]) == [("truncated", "cut while the model was still thinking")]
    assert outcomes([ended]) == [("failed", "no code in the answer")]
    assert "Is it right?" in ended.answer
    on_disk = Journal(tmp_path)
    assert {done.outcome for done in on_disk.open().values()} == {cut.outcome, ended.outcome}
    on_disk.close()


def thinker(opening, closing):
    """As the cases of thinking: a probe and an answer that are cut in the thought, and one that ends behind it."""
    cut, ended = (
        rule[1]["message"]["content"].removeprefix("[THINK]")
        for rule in CASES["thinking_mistral"]["chat"][1:]
    )
    draft, sorry = ended.split("[/THINK]")
    return {
        "chat": [
            ["2 + 2", message(f"{opening}Okay, the user asks for a sum. Let me think")],
            ["has_close_elements", message(f"{opening}{cut}")],
            ["", message(f"{opening}{draft}{closing}{sorry}", "stop")],
        ]
    }


@pytest.fixture(scope="module")
def thinkers(tmp_path_factory):
    scenarios = {f"whole{number}": thinker(*pair) for number, pair in enumerate(PAIRS.values())}
    scenarios |= {
        f"opened{number}": thinker("", closing) for number, (_, closing) in enumerate(PAIRS.values())
    }
    with scripted_server(tmp_path_factory.mktemp("thinkers"), scenarios) as url:
        yield url


THINKERS = {
    **{f"whole{number}": who for number, who in enumerate(PAIRS)},
    **{f"opened{number}": who for number, who in enumerate(PAIRS) if who not in WORDS},
}


@pytest.mark.parametrize("style", [None, PromptStyle.CHAT])
@pytest.mark.parametrize("path", THINKERS, ids=lambda path: f"{THINKERS[path]}, {path.rstrip('0123456789')}")
def test_no_draft_of_a_model_that_thinks_is_judged(tmp_path, thinkers, grader, path, style):
    """It writes both marks, or the chat template has the opening one."""
    used, completions = play(tmp_path, f"{thinkers}/{path}", grader, style=style, limit=2)
    assert used is PromptStyle.CHAT
    assert outcomes(completions) == [
        ("truncated", "cut while the model was still thinking"),
        ("failed", "no code in the answer"),
    ]


def test_parts_of_an_answer_are_read(tmp_path, server, grader):
    _, completions = play(tmp_path, f"{server}/content_parts", grader, style=PromptStyle.CHAT, limit=2)
    assert outcomes(completions) == [("passed", ""), ("failed", "no code in the answer")]
    assert completions[0].reasoning == "Sort, then look at neighbours."


def test_what_a_server_breaks_off_is_lost_and_a_content_filter_is_said(tmp_path, server, grader):
    _, completions = play(tmp_path, f"{server}/finish_abort", grader, style=PromptStyle.CHAT, limit=4)
    assert outcomes(completions) == [
        ("infrastructure_error", "the server broke off the answer (abort)"),
        ("infrastructure_error", "the server broke off the answer (abort)"),
        ("infrastructure_error", "the server broke off the answer (error)"),
        ("truncated", "cut by the server's content filter"),
    ]
    assert completions[0].answer.startswith("```python")
    assert {done.task_id for done in completions if done.loss} == {f"HumanEval/{n}" for n in range(3)}
    before = len(asked(f"{server}/finish_abort"))
    play(tmp_path, f"{server}/finish_abort", grader, style=PromptStyle.CHAT, limit=4)
    assert (
        len(asked(f"{server}/finish_abort")) == before + 3
    )  # they are asked for again, and the fourth is not


def test_a_full_context_is_told_from_the_limit_of_tokens(tmp_path, server, grader):
    url = f"{server}/cut_by_context"
    _, completions = play(tmp_path / "1", url, grader, style=PromptStyle.CHAT, limit=2, max_tokens=8192)
    assert (
        outcomes(completions) == [("truncated", "cut after 400 tokens by the context: raise --ctx-size")] * 2
    )
    _, completions = play(tmp_path / "2", url, grader, style=PromptStyle.CHAT, limit=1, max_tokens=400)
    assert (str(completions[0].cut), completions[0].detail) == ("length", "no code in the answer")


@pytest.mark.parametrize(
    ("usage", "reason", "cut"),
    [
        ({"prompt_tokens": 112, "completion_tokens": 400}, "length", "context"),
        ({"prompt_tokens": 112, "completion_tokens": 1023}, "length", "length"),
        ({"prompt_tokens": 112, "completion_tokens": 400, "total_tokens": 1136}, "length", "length"),  # xAI
        (
            {"prompt_tokens": 10, "completion_tokens": 10},
            "length",
            "length",
        ),  # counts of a server that does not count
        ({"completion_tokens": 400}, "length", "length"),
        (None, "length", "length"),
        (None, "model_length", "context"),
        ({"completion_tokens": 1}, "model_context_window_exceeded", "context"),
        ({"prompt_tokens": 112, "completion_tokens": 400}, "stop", "None"),
    ],
)
def test_the_counts_tell_what_cut_an_answer(tmp_path, grader, usage, reason, cut):
    scenario = {"chat": [["", {"message": {"content": "no"}, "finish_reason": reason, "usage": usage}]]}
    with scripted_server(tmp_path / "scenarios", {"x": scenario}) as url:
        _, (completion,) = play(tmp_path / "out", f"{url}/x", grader, style=PromptStyle.CHAT, limit=1)
    assert str(completion.cut) == cut
    assert ("raise --ctx-size" in completion.detail) is (cut == "context")


@pytest.mark.parametrize(
    ("owner", "advice"),
    [
        ("llamacpp", "raise --ctx-size"),
        ("vllm", "raise --ctx-size (--max-model-len of vLLM)"),
        ("library", "raise OLLAMA_CONTEXT_LENGTH, or num_ctx of the model"),
        ("organization_owner", "load the model with a longer context in LM Studio"),
        (None, "raise --ctx-size"),
    ],
)
def test_what_gives_a_larger_context_depends_on_the_server(tmp_path, owner, advice):
    full = {
        "message": {"content": "no"},
        "finish_reason": "length",
        "usage": {"prompt_tokens": 112, "completion_tokens": 400},
    }
    scenario = {"get": {"/v1/models": {"data": [{"id": "m", "owned_by": owner}]}}, "chat": [["", full]]}

    async def main(url):
        async with interface(url) as reached:
            await reached.check_connection(1, 5.0)
            return await reached.generate(ASK)

    with scripted_server(tmp_path / "scenarios", {"x": scenario}) as url:
        assert asyncio.run(main(f"{url}/x")).context_advice == advice


def test_counts_that_are_no_whole_numbers_lose_nothing(tmp_path, server, grader):
    url = f"{server}/usage_floats"
    _, completions = play(tmp_path, url, grader, style=PromptStyle.CHAT, limit=2)
    assert [done.completion_tokens for done in completions] == [10, 10]
    assert [type(done.prompt_tokens) for done in completions] == [int, int]
    before = len(asked(url))
    _, again = play(tmp_path, url, grader, style=PromptStyle.CHAT, limit=2)
    assert again == completions
    assert len(asked(url)) == before
