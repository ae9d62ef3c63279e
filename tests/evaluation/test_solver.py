"""One answer from several requests: what is sent, what is kept, what is counted, and when it ends."""

from __future__ import annotations

import asyncio

from evaluation.loop.judging import judge
from evaluation.loop.solver import MOST_CALLS, MOST_CHARS, SingleRequest, ToolLoop
from evaluation.protocols import Answer, Judgement, PromptStyle, Request, Sample
from results.completion_lines import decode_completion
from results.json_text import encode
from results.messages import ToolCall
from results.records import Outcome

SAMPLE = Sample(task_id="t", data={})
REQUEST = Request(task_id="t", index=0, style=PromptStyle.CHAT, system="", user="go", prompt_sha256="1")
CALL = ToolCall(name="a", arguments="{}")


class Echo:
    """Tools that give back what they were called with, for so many requests."""

    def __init__(self, turns=5, ends_at=""):
        self._turns = turns
        self._ends_at = ends_at

    def turns(self, sample):
        return self._turns

    def results(self, sample, transcript):
        calls = transcript[-1].tool_calls
        if any(call.name == self._ends_at for call in calls):
            return None
        return [call.arguments for call in calls]


def calling(*calls, **fields):
    fields = {
        "finish_reason": "tool_calls",
        "prompt_tokens": 10,
        "completion_tokens": 5,
        "request_s": 0.5,
        **fields,
    }
    return Answer(tool_calls=calls or (CALL,), **fields)


def saying(text, **fields):
    return Answer(
        text=text, **{"finish_reason": "stop", "prompt_tokens": 20, "completion_tokens": 7, **fields}
    )


def solved(answers, solver=None):
    """The answer, and each request that it took."""
    asked, rest = [], iter(answers)

    async def ask(request):
        asked.append(request)
        return next(rest)

    return asyncio.run((solver or ToolLoop(Echo())).solve(SAMPLE, REQUEST, ask)), asked


def test_a_single_request_is_sent_and_its_answer_is_given_as_it_is():
    said = saying("4")
    answer, asked = solved([said], SingleRequest())
    assert answer is said
    assert asked == [REQUEST]


def test_the_model_gets_the_results_of_its_calls_until_it_calls_no_more():
    first = ToolCall(id="x", name="a", arguments='{"n": 1}')
    answer, asked = solved([calling(first, CALL), saying("done", request_s=0.25, attempts=3)])
    assert [len(request.turns) for request in asked] == [0, 3]
    said, one, two = asked[1].turns
    assert [call.id for call in said.tool_calls] == [
        "x",
        "call01001",
    ]  # one of the server, and one of our own
    assert (one.content, one.tool_call_id) == ('{"n": 1}', "x")
    assert (two.content, two.tool_call_id) == ("{}", "call01001")
    assert [message.role for message in answer.transcript] == ["assistant", "tool", "tool", "assistant"]
    assert answer.text == "done"
    assert (answer.prompt_tokens, answer.completion_tokens) == (30, 12)
    assert (answer.request_s, answer.attempts) == (0.75, 3)
    assert asked[1].prompt_sha256 == REQUEST.prompt_sha256


def test_what_one_request_does_not_tell_is_not_known_of_the_sum():
    answer, _ = solved([calling(), saying("done", completion_tokens=None, request_s=None)])
    assert (answer.prompt_tokens, answer.completion_tokens, answer.request_s) == (30, None, None)


def test_it_ends_after_the_turns_that_are_allowed():
    answer, asked = solved([calling() for _ in range(9)])
    assert len(asked) == 5
    assert answer.transcript[-1].tool_calls
    assert len(solved([calling()], ToolLoop(Echo(turns=1)))[1]) == 1


def test_it_ends_where_an_answer_was_cut_or_the_tools_end_it_or_the_server_failed():
    assert len(solved([calling(finish_reason="length")])[1]) == 1
    assert len(solved([calling(ToolCall(name="stop"))], ToolLoop(Echo(ends_at="stop")))[1]) == 1
    answer, asked = solved([calling(), Answer(error="gone")])
    assert (answer.error, len(asked)) == ("gone", 2)


def test_hostile_calls_are_bounded_and_written_in_one_line():
    huge = ToolCall(id="i" * 10**6, name="n" * 10**6, arguments="[" * 10**6)
    answer, _ = solved([calling(huge, *[CALL] * 10**4), saying("x" * 10**6)], ToolLoop(Echo()))
    first = answer.transcript[0]
    assert len(first.tool_calls) == MOST_CALLS
    assert len(first.tool_calls[0].arguments) == MOST_CHARS
    assert len(answer.transcript[-1].content) == MOST_CHARS


class Called:
    """A task that passes where a tool was called, and tells the text that it judged otherwise."""

    def calculate_metrics(self, prediction, expected, sample):
        return Judgement(passed=False, detail=f"said {prediction}")

    def judge_transcript(self, transcript, sample):
        return Judgement(passed=bool(transcript[0].tool_calls), detail=f"{len(transcript)} messages")


def test_the_transcript_is_what_is_judged_and_kept():
    answer, _ = solved([calling(), saying("")])
    completion = judge(Called(), SAMPLE, REQUEST, answer)
    assert completion.outcome is Outcome.PASSED  # the last text is empty, but something was called
    assert decode_completion(encode(completion)) == completion
    assert completion.transcript == answer.transcript


def test_nothing_said_and_nothing_called_is_no_answer():
    answer, _ = solved([saying("")])
    assert judge(Called(), SAMPLE, REQUEST, answer).outcome is Outcome.NO_ANSWER


def test_an_answer_without_a_transcript_is_judged_by_its_text():
    assert judge(Called(), SAMPLE, REQUEST, saying("4")).detail == "said 4"
