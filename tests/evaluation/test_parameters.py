"""A default that a server refuses is left out and costs no answer; what was asked for is sent, or the run ends."""

from __future__ import annotations

import asyncio
import dataclasses
import json

import msgspec
import pytest

from evaluation.models.connection import build_connection_info
from evaluation.models.parameters import Parameters
from evaluation.models.providers import get_interface_for_provider, parameters_for
from evaluation.models.sampling import Sampling
from evaluation.protocols import PromptStyle, Request
from results.errors import UsageError
from tests.evaluation.running_servers import canonical_server

USER = "def add(x: int, y: int):"
LLAMA_CPP = {"default_generation_settings": {"n_ctx": 512}}


def ask(url, parameters, *, count=1, properties=None, system="", **fields):
    request = Request(
        task_id="t",
        index=0,
        style=PromptStyle.CHAT,
        system=system,
        user=USER,
        sampling=msgspec.structs.replace(parameters.sampling, seed=7),
        stop=("\nX",),
        **fields,
    )

    async def main():
        info = build_connection_info("local", {"base_url": url, "model": "m"})
        parameters.read_properties(properties or {})
        async with get_interface_for_provider(info, parameters=parameters) as interface:
            return await asyncio.gather(*(interface.generate(request) for _ in range(count)))

    return asyncio.run(main())


def bodies(path):
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def test_many_refused_at_once_lose_no_answer_and_no_attempt(tmp_path):
    """All requests of the start are in flight when the first refusal comes."""
    learnt = []
    parameters = Parameters(Sampling(), on_learnt=learnt.append)
    refuse = ("temperature=openai-value", "seed=gemini", "stop=openai", "max_tokens=openai-newer")
    options = [word for each in refuse for word in ("--refuse", each)]
    with canonical_server(*options, "--delay", 0.05, "--bodies", tmp_path / "bodies") as url:
        answers = ask(url, parameters, count=50)
        ask(url, parameters)
    assert [(answer.error, answer.attempts) for answer in answers] == [("", 1)] * 50
    assert all("def add" in answer.text for answer in answers)
    assert parameters.left_out == ("seed", "stop", "temperature")
    assert parameters.sent_as == {"max_tokens": "max_completion_tokens"}
    assert len(learnt) == 4
    last = bodies(tmp_path / "bodies")[-1]
    assert last.keys() == {"model", "stream", "messages", "max_completion_tokens"}
    assert last["max_completion_tokens"] == 1024


GIVEN = {
    "temperature": 0.5, "seed": 3, "top_p": 0.9, "top_k": 5, "min_p": 0.1, "repeat_penalty": 1.1,
    "presence_penalty": 0.5, "reasoning_effort": "low", "thinking_budget": 9, "chat_template_kwargs": {"x": 1},
}  # fmt: skip
NAMES = {"repeat_penalty": "repetition_penalty", "thinking_budget": "thinking_token_budget"}


@pytest.mark.parametrize("how", ["openai-unknown", "pydantic", "vllm"])
@pytest.mark.parametrize("name", GIVEN)
def test_what_was_asked_for_is_never_left_out(name, how):
    asked = Sampling(**{name: GIVEN[name]}, given={name: f"--{name}"})
    wire = NAMES.get(name, name)
    with (
        canonical_server("--refuse", f"{wire}={how}") as url,
        pytest.raises(UsageError, match=rf"the server refuses {wire} \(--{name}\): .*{wire}") as error,
    ):
        ask(url, Parameters(asked), count=5)
    assert error.value.exit_code == 2


def test_of_two_that_exclude_each_other_the_default_goes():
    said = b'{"error": {"message": "`temperature` and `top_p` cannot both be specified for this model."}}'
    parameters = Parameters(Sampling(top_p=0.9, given={"top_p": "--top-p"}))
    assert parameters.refuse(said, parameters.fields(parameters.sampling, {}))
    assert parameters.fields(parameters.sampling, {}) == {"top_p": 0.9, "max_tokens": 1024}


@pytest.mark.parametrize("given", [{}, {"max_tokens": "--max-tokens"}])
@pytest.mark.parametrize("how", ["too-large", "openai-unknown"])
def test_an_answer_always_has_a_limit(given, how):
    """Without one, or with one that the server passes over, runs could not be compared."""
    with (
        canonical_server("--refuse", f"max_tokens={how}") as url,
        pytest.raises(UsageError, match=r"the server refuses max_tokens \(--max-tokens\)"),
    ):
        ask(url, Parameters(Sampling(given=given)))


@pytest.mark.parametrize(
    "said",
    ["max_tokens must be at least 128 tokens", "`max_tokens` must be greater than `thinking.budget_tokens`"],
)
def test_a_probe_whose_limit_is_too_small_says_nothing_of_the_limit_that_was_asked_for(said):
    raw = json.dumps({"error": {"message": said}}).encode()
    parameters = Parameters(Sampling(max_tokens=8192, given={"max_tokens": "--max-tokens"}))
    fields = parameters.fields(parameters.sampling, {"max_tokens": 64}, {"max_tokens"})
    assert not parameters.refuse(raw, fields, {"max_tokens"})
    assert parameters.left_out == ()
    with pytest.raises(UsageError, match=r"the server refuses max_tokens \(--max-tokens\)"):
        parameters.refuse(raw, fields)


def test_a_limit_that_is_too_large_under_its_newer_name_too_ends_it():
    refuse = ("--refuse", "max_tokens=openai-newer", "--refuse", "max_completion_tokens=too-large")
    with canonical_server(*refuse) as url, pytest.raises(UsageError, match="too large: 1024"):
        ask(url, Parameters(Sampling()))


def test_each_server_is_told_in_its_own_words(tmp_path):
    asked = Sampling(**{**GIVEN, "system_prompt": "Be brief."}, given=dict.fromkeys(GIVEN, "--x"))
    with canonical_server("--bodies", tmp_path / "bodies") as url:
        ask(url, Parameters(asked))
        ask(url, Parameters(asked), properties=LLAMA_CPP)
    other, llama_cpp = bodies(tmp_path / "bodies")
    alike = {name: value for name, value in GIVEN.items() if name not in NAMES and name != "seed"} | {
        "seed": 7
    }
    assert {name: other[name] for name in alike} == alike
    assert (other["repetition_penalty"], other["thinking_token_budget"]) == (1.1, 9)
    assert {name: llama_cpp[name] for name in alike} == alike
    assert (llama_cpp["repeat_penalty"], llama_cpp["thinking_budget_tokens"]) == (1.1, 9)
    assert not {"repetition_penalty", "thinking_token_budget", "system_prompt"} & llama_cpp.keys()


def test_what_was_not_asked_for_is_not_sent(tmp_path):
    with canonical_server("--bodies", tmp_path / "bodies") as url:
        ask(url, Parameters(Sampling()))
    (body,) = bodies(tmp_path / "bodies")
    assert body.keys() == {"model", "stream", "messages", "temperature", "max_tokens", "seed", "stop"}


def test_a_template_without_levels_of_effort_is_known_before_anything_is_asked():
    caps = {**LLAMA_CPP, "chat_template_caps": {"supports_reasoning_effort": False}}
    for effort in ("low", "max"):
        asked = Sampling(reasoning_effort=effort, given={"reasoning_effort": "--reasoning-effort"})
        with pytest.raises(UsageError, match=f"no levels of reasoning effort: {effort}"):
            Parameters(asked).read_properties(caps)
        for properties in (LLAMA_CPP, {"chat_template_caps": {"supports_reasoning_effort": False}}, {}):
            Parameters(asked).read_properties(properties)
    Parameters(Sampling(reasoning_effort="none", given={"reasoning_effort": "x"})).read_properties(caps)


@pytest.mark.parametrize(
    "properties", [{}, {"error": "Unexpected endpoint"}, {"default_generation_settings": None}]
)
def test_a_server_that_is_not_llama_cpp_is_not_taken_for_it(properties):
    parameters = Parameters(Sampling(repeat_penalty=1.1, given={"repeat_penalty": "--repeat-penalty"}))
    parameters.read_properties(properties)
    assert "repetition_penalty" in parameters.fields(parameters.sampling, {})


def test_a_refused_system_prompt_is_named():
    asked = Sampling(system_prompt="Be brief.", given={"system_prompt": "--system-prompt"})
    parameters = Parameters(asked)
    said = b'{"error": {"message": "System role not supported"}}'
    with pytest.raises(UsageError, match=r"--system-prompt\): System role not supported"):
        parameters.refuse(said, parameters.fields(parameters.sampling, {}))
    assert not Parameters(Sampling()).refuse(said, {})


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"top_p": 1.1}, "top_p: 1.1 is out of range: more than 0, at most 1"),
        ({"top_k": -1}, "top_k: -1 is out of range: 0 to "),
        ({"min_p": float("nan")}, "min_p: nan is out of range"),
        ({"repeat_penalty": 0}, "repeat_penalty: 0 is out of range: more than 0, at most 10"),
        ({"presence_penalty": -3}, "presence_penalty: -3 is out of range: -2 to 2"),
        ({"thinking_budget": -1}, "thinking_budget: -1 is out of range"),
        ({"thinking_budget": 1024}, "leaves none of 1024 for the answer"),
    ],
)
def test_a_value_that_no_server_takes_is_named(settings, message):
    with pytest.raises(UsageError, match=message):
        Sampling(**settings)


def test_what_a_provider_s_row_says_is_where_a_run_begins(tmp_path):
    """OpenAI's newer name for the limit first, and the older one where what answers there does not know it."""
    info = build_connection_info(
        "openai",
        {"base_url": "http://h", "model": "m", "api_key": "k", "provider_params": {"service_tier": "flex"}},
    )
    parameters = parameters_for(info)
    assert parameters.fields(Sampling(), {}) == {
        "temperature": 0.0, "max_completion_tokens": 1024, "service_tier": "flex",
    }  # fmt: skip
    refuse = ("--refuse", "max_completion_tokens=openai-unknown")
    with canonical_server(*refuse, "--delay", 0.05, "--bodies", tmp_path / "bodies") as url:
        answers = ask(url, parameters, count=20)
    assert all("def add" in answer.text for answer in answers)
    assert bodies(tmp_path / "bodies")[-1]["max_tokens"] == 1024
    assert parameters.sent_as == {}


def test_a_limit_that_is_too_large_by_either_name_ends_it():
    info = build_connection_info("openai", {"base_url": "http://h", "model": "m", "api_key": "k"})
    refuse = ("--refuse", "max_tokens=openai-newer", "--refuse", "max_completion_tokens=too-large")
    with canonical_server(*refuse) as url, pytest.raises(UsageError, match="too large: 1024"):
        ask(url, parameters_for(info))


def test_a_refused_parameter_that_passed_through_ends_it():
    parameters = Parameters(Sampling(), extra={"num_ctx": 1})
    with (
        canonical_server("--refuse", "num_ctx=openai-unknown") as url,
        pytest.raises(UsageError, match=r"the server refuses num_ctx \(--provider-params\)"),
    ):
        ask(url, parameters)


@pytest.mark.parametrize(
    ("temperature", "given", "left_out"),
    [(0.5, {}, ("seed",)), (0.5, {"seed": "--seed"}, ()), (0.0, {"seed": "--seed"}, ()), (0.0, {}, ())],
)
def test_a_seed_that_a_provider_lacks_is_left_out_and_said_where_it_matters(temperature, given, left_out):
    """Unless it was asked for. Where answers are greedy it changes nothing, so such runs are compared with others."""
    info = build_connection_info("gemini", {"model": "m", "api_key": "k"})
    info = dataclasses.replace(info, sampling=Sampling(temperature=temperature, seed=1, given=given))
    parameters = parameters_for(info)
    assert ("seed" in parameters.fields(info.sampling, {"seed": 7})) is bool(given)
    assert parameters.left_out == left_out


def test_what_openrouter_may_leave_out_in_silence_is_said():
    def warned(config):
        info = build_connection_info("openrouter", {"model": "m", "api_key": "k-of-nobody", **config})
        return parameters_for(info).warnings

    (warning,) = warned({"temperature": 0.7, "max_tokens": 100})
    assert "leaves out temperature without a word" in warning
    assert "require_parameters" in warning
    assert warned({"max_tokens": 100}) == []
    strict = {"provider": {"require_parameters": True}}
    assert warned({"temperature": 0.7, "provider_params": strict}) == []
