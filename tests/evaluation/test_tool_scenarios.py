"""The scenarios of tool calling: right play passes each of them, and wrong play fails, for the reason that it has."""

from __future__ import annotations

import asyncio
import json
from collections import Counter

import pytest

from evaluation.benchmarks.tools.task import OWN_SCENARIOS, ToolTask, load_data
from evaluation.loop.judging import judge
from evaluation.models.replies import read_answer
from evaluation.protocols import Answer, PromptStyle, Request
from results.messages import ToolCall
from results.records import Outcome
from tests.evaluation.right_calls import calling, right_messages

CASES = {case.id: case for case in load_data(None).cases}
TASK = ToolTask(tuple(CASES.values()))
SAMPLES = {sample.task_id.removeprefix("tools/"): sample for sample in TASK.get_samples(None)}
CALLING = [case for case in CASES.values() if case.steps]
SILENT = [case for case in CASES.values() if not case.steps]


def answer_of(message):
    body = {"choices": [{"index": 0, "finish_reason": "stop", "message": message}]}
    return read_answer(json.dumps(body).encode(), PromptStyle.CHAT, 1.0)


def played(case, messages, task=TASK, sample=None):
    """The judged completion, and how many requests it took."""
    rest = iter(messages)
    requests = []

    async def ask(request):
        requests.append(request)
        message = next(rest)
        return message if isinstance(message, Answer) else answer_of(message)

    sample = sample or SAMPLES[case.id]
    prompt = task.get_prompt(sample)
    request = Request(
        task_id=sample.task_id, index=0, style=PromptStyle.CHAT, system=prompt.system, user=prompt.user,
        history=prompt.history, tools=prompt.tools,
    )  # fmt: skip
    answer = asyncio.run(task.solver.solve(sample, request, ask))
    return judge(task, sample, request, answer), len(requests)


def test_there_are_sixty_scenarios_and_some_of_each_category():
    counts = Counter(case.category for case in CASES.values())
    assert sum(counts.values()) >= 60
    assert set(counts) == {"single", "choose", "none", "parallel", "errors", "unknown", "turns"}
    assert min(counts.values()) >= 5
    assert max(len(case.steps) for case in CASES.values()) == 4  # and an answer: five turns
    assert OWN_SCENARIOS.exists()


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_right_play_passes(case):
    messages = right_messages(case)
    done, requests = played(case, messages)
    assert done.outcome is Outcome.PASSED, done.detail
    assert requests == len(messages)
    assert done.tags == {"category": case.category}
    assert done.completion.count("(") >= sum(map(len, case.steps))


@pytest.mark.parametrize("case", CALLING, ids=lambda case: case.id)
def test_what_is_wrong_with_the_calls_fails(case):
    right = right_messages(case)
    first = right[0]["tool_calls"]
    name, given = first[0]["function"]["name"], json.loads(first[0]["function"]["arguments"])
    others = [(call["function"]["name"], call["function"]["arguments"]) for call in first[1:]]
    argument = next(iter(given))
    for wrong, why in (
        ([calling(("no_such_tool", {}), *others)], "which it was not offered"),
        ([calling((name, "[1"), *others)], "not JSON"),
        ([calling((name, "[]"), *others)], "not an object"),
        ([calling((name, '{"a": NaN}'), *others)], "not a number"),
        ([calling((name, {**given, argument: {"no": "such value"}}), *others)], name),
        ([calling((name, {}), *others)], "required"),
        ([calling((name, {**given, "surplus": 1}), *others)], "not expected"),
        ([calling((name, given), (name, given), *others)], "instead of"),
        ([{"role": "assistant", "content": "Gladly."}], "it called nothing"),
    ):
        # What a model says to the results of a wrong call: nothing that helps it.
        done, _ = played(case, [*wrong, *[{"role": "assistant", "content": "done"}] * 5])
        assert done.outcome is Outcome.FAILED, wrong
        assert why in done.detail, (wrong, done.detail)


@pytest.mark.parametrize("case", SILENT, ids=lambda case: case.id)
def test_a_call_where_none_is_due_fails(case):
    tool = case.tools[0]
    done, requests = played(case, [calling((tool.name, {}))])
    assert (done.outcome, requests) == (Outcome.FAILED, 1)
    assert "no call was due" in done.detail
    text = {
        "role": "assistant",
        "content": f'<tool_call>{{"name": "{tool.name}", "arguments": {{}}}}</tool_call>',
    }
    assert played(case, [text])[0].outcome is Outcome.FAILED
    assert played(case, [{"role": "assistant", "content": " "}])[0].outcome is Outcome.NO_ANSWER


def test_a_model_that_says_what_a_scenario_asks_must_say_it():
    case = CASES["all-my-money"]
    *calls, _ = right_messages(case)
    for text, passes in (("1,750 euros", True), ("1750.00", True), ("17500", False), ("It is much.", False)):
        done, _ = played(case, [*calls, {"role": "assistant", "content": text}])
        assert done.passed is passes, text


def test_steps_are_in_order_and_no_turn_takes_two_of_them():
    case = CASES["cheapest"]
    search, put, end = right_messages(case)
    both = {**search, "tool_calls": [*search["tool_calls"], *put["tool_calls"]]}
    assert "instead of 1" in played(case, [both, end])[0].detail
    assert "it called add_to_cart" in played(case, [put, search, end])[0].detail
    assert "missing" in played(case, [search, end])[0].detail
    again = played(case, [search, put, put, end])[0]
    assert "after all that was due" in again.detail
    chase = CASES["paper-chase"]
    assert "after all" in played(chase, [*right_messages(chase)[:4], right_messages(chase)[0]])[0].detail


def test_calls_that_do_not_depend_on_each_other_may_come_in_two_turns_unless_parallel_ones_are_asked():
    case = CASES["all-my-money"]
    both, end = right_messages(case)
    one, other = ({**both, "tool_calls": [call]} for call in both["tool_calls"])
    assert played(case, [one, other, end])[0].passed
    assert "1 call in one turn instead of 2" in played(CASES["both-accounts"], [one])[0].detail


def test_what_is_expected_is_shown_as_people_write_it():
    assert CASES["wake-me"].expected_text == 'set_alarm({"time": "06:15"})'
    assert CASES["warmer-city"].expected_text == (
        'get_weather({"city": "...Rome..."}); get_weather({"city": "...Milan..."}) then '
        'send_message({"recipient": "Lea", "text": "...Rome..."})'
    )
    assert CASES["thanks"].expected_text == "no call"


def test_a_default_may_be_said_and_another_value_may_not():
    case = CASES["weather-now"]
    assert played(case, [calling(("get_weather", {"city": "Oslo", "unit": "celsius"}))])[0].passed
    done, _ = played(case, [calling(("get_weather", {"city": "Oslo", "unit": "fahrenheit"}))])
    assert done.detail == "get_weather: unit is not expected"


def test_the_script_gives_results_by_arguments_and_by_number_of_calls():
    case = CASES["try-again"]
    once, twice, end = right_messages(case)
    done, _ = played(case, [once, twice, end])
    given = [message.content for message in done.transcript if message.role == "tool"]
    assert "temporarily" in given[0]
    assert "7" in given[1]
    unknown, _ = played(case, [calling(("set_wether", {})), end])
    assert unknown.transcript[1].content == '{"error": "there is no tool set_wether"}'
    other = calling(("track_order", {"order_id": "5"}))
    given = played(CASES["where-is-the-parcel"], [other])[0].transcript
    assert [message.role for message in given] == [
        "assistant"
    ]  # nothing is given back where there is no script


@pytest.mark.parametrize(
    "arguments",
    ["[" * 90_000, "{" * 50_000, '{"a":' * 20_000, '{"city": "' + "x" * 10**6 + '"}', "1" * 5000, '{"city": 1e999}',
     '{"city": "a", "city": "b"}', '{"city": "\ud83d"}', '{"city": -Infinity}', "\x00", "null", '"{}"',
     '{"city": ' + "9" * 5000 + "}", '{"city": ' + "[" * 900 + "]" * 900 + "}"],
    ids=lambda text: text[:20],
)  # fmt: skip
def test_hostile_arguments_are_one_failed_answer(arguments):
    done, _ = played(CASES["weather-now"], [Answer(finish_reason="tool_calls", tool_calls=(
        ToolCall(name="get_weather", arguments=arguments),
    ))])  # fmt: skip
    assert done.outcome is Outcome.FAILED
    assert len(done.detail) < 400


def test_an_answer_cut_within_a_call_is_truncated():
    message = Answer(
        finish_reason="length", tool_calls=(ToolCall(name="get_weather", arguments='{"city": "Os'),)
    )
    assert played(CASES["weather-now"], [message])[0].outcome is Outcome.TRUNCATED


def test_a_thought_before_the_answer_is_no_part_of_it():
    case = CASES["novel"]
    text = "<think>Austen, or was it Bronte?</think>I am not sure."
    assert "does not say" in played(case, [{"role": "assistant", "content": text}])[0].detail
    text = "<think>Shall I <tool_call>?</think>Jane Austen."
    assert played(case, [{"role": "assistant", "content": text}])[0].passed
