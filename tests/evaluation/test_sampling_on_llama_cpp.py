"""The settings of sampling do on a real llama.cpp what they are named for."""

from __future__ import annotations

import asyncio

import pytest

from evaluation.models.connection import build_connection_info
from evaluation.models.parameters import Parameters
from evaluation.models.providers import get_interface_for_provider
from evaluation.models.sampling import Sampling
from evaluation.protocols import PromptStyle, Request
from results.errors import UsageError
from servers.llama_cpp import EMBEDDED
from servers.plan import LaunchPlan
from servers.ports import free_port
from servers.supervisor import launch
from settings.base_url import parse_base_url

# As models have it that think: the prompt opens the thought, unless thinking is off.
THINKING = """\
{%- for message in messages %}{{- '<|im_start|>' + message.role + '\\n' }}\
{%- if message.role == 'assistant' and message.reasoning_content %}\
{{- '<think>\\n' + message.reasoning_content + '\\n</think>\\n\\n' }}{%- endif %}\
{{- message.content + '<|im_end|>\\n' }}{%- endfor %}\
{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}\
{%- if enable_thinking is defined and enable_thinking is false %}{{- '<think>\\n\\n</think>\\n\\n' }}\
{%- else %}{{- '<think>\\n' }}{%- endif %}{%- endif %}
"""
WILD = {"temperature": 2.0, "top_k": 0, "top_p": 1.0, "min_p": 0.0}


@pytest.fixture(scope="module")
def server_of(demo_model, tmp_path_factory):
    """A function: options -> a running server, as a context manager."""

    def start(*options):
        port = free_port()
        argv = (*EMBEDDED, "-m", str(demo_model), "--port", str(port), "-t", "1", "-c", "1024", *options)
        made = LaunchPlan(kind="embedded", argv=argv, base_url=parse_base_url(f"http://127.0.0.1:{port}"))
        log = tmp_path_factory.mktemp("log") / "server.log"
        return launch(made, log_path=log, ready_timeout_s=60)

    return start


@pytest.fixture(scope="module")
def url(server_of):
    with server_of() as server:
        yield server.plan.base_url.url


@pytest.fixture(scope="module")
def thinking_url(server_of, tmp_path_factory):
    template = tmp_path_factory.mktemp("template") / "thinking.jinja"
    template.write_text(THINKING)
    with server_of("--chat-template-file", str(template)) as server:
        yield server.plan.base_url.url


def answer(url, **settings):
    """To always the same request."""
    settings = {"max_tokens": 16, "seed": 1, **settings}
    sampling = Sampling(**settings, given={name: f"--{name}" for name in settings})
    request = Request(
        task_id="t", index=0, style=PromptStyle.CHAT, system=sampling.system(""),
        user="Tell me about the sea.", sampling=sampling,
    )  # fmt: skip

    async def main():
        parameters = Parameters(sampling)
        info = build_connection_info("local", {"base_url": url, "model": "m", "timeout": 60})
        async with get_interface_for_provider(info, parameters=parameters) as interface:
            parameters.read_properties(await interface.properties())
            found = await interface.generate(request)
        assert parameters.left_out == ()
        return found

    found = asyncio.run(main())
    assert found.error == ""
    return found


@pytest.mark.parametrize("only_the_likeliest", [{"top_k": 1}, {"min_p": 1.0}, {"top_p": 1e-6}])
def test_at_any_temperature_the_likeliest_token_alone_is_greedy(url, only_the_likeliest):
    greedy = answer(url, max_tokens=8).text
    assert answer(url, **WILD, max_tokens=8).text != greedy
    assert answer(url, **{**WILD, **only_the_likeliest}, max_tokens=8).text == greedy


def test_penalties_change_a_greedy_answer(url):
    """The name of the one is llama.cpp's own: under vLLM's it would be passed over without a word."""
    greedy = answer(url).text
    assert answer(url, repeat_penalty=1.8).text != greedy
    assert answer(url, repeat_penalty=1.0, presence_penalty=0.0).text == greedy
    assert answer(url, presence_penalty=2.0).text != greedy


def test_a_system_prompt_reaches_the_model(url):
    asked, plain = answer(url, system_prompt="You are a pirate.", max_tokens=8), answer(url, max_tokens=8)
    assert (asked.text != plain.text, asked.prompt_tokens != plain.prompt_tokens) == (True, True)


def test_a_variable_of_the_template_turns_thinking_off(thinking_url):
    thinking = answer(thinking_url)
    assert thinking.reasoning
    for off in ({"chat_template_kwargs": {"enable_thinking": False}}, {"reasoning_effort": "none"}):
        found = answer(thinking_url, **off)
        assert (bool(found.text), found.reasoning) == (True, "")


def test_a_thought_ends_at_its_budget(thinking_url):
    long, short = answer(thinking_url), answer(thinking_url, thinking_budget=3)
    assert len(short.reasoning) < 20 < len(long.reasoning)
    assert short.text


def test_a_level_that_the_template_does_not_know_is_refused_before_it_is_asked(thinking_url):
    with pytest.raises(UsageError, match="no levels of reasoning effort: high would change nothing"):
        answer(thinking_url, reasoning_effort="high")
