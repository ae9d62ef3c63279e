# ruff: noqa: E501 - tables of cases
"""What becomes of one answer: cut, filtered, broken off, empty, or such that judging it fails."""

from __future__ import annotations

import ast
import errno
import itertools
import json

import msgspec
import pytest

from evaluation.loop.judging import judge, without_open_thoughts
from evaluation.loop.summary import warnings
from evaluation.protocols import Answer, Judgement, PromptStyle, Request, Sample
from results.errors import ScriptError
from results.json_text import encode
from results.records import Completion, Cut, Loss, Outcome

SAMPLE = Sample(task_id="t/0", data={}, expected="4")
CHAT, COMPLETION = PromptStyle.CHAT, PromptStyle.COMPLETION


class Fours:
    """A task whose right answers hold a four; what it is given to raise, it raises."""

    def __init__(self, raises=None):
        self._raises = raises

    def calculate_metrics(self, prediction, expected, sample):
        if self._raises is not None:
            self._raises(prediction)
        right = expected in prediction
        return Judgement(
            passed=right, completion=prediction, detail="" if right else "no four", ended="####" in prediction
        )


def judged(text="", style=CHAT, *, raises=None, **answer):
    request = Request(task_id="t/0", index=0, style=style, system="", user="2 + 2")
    return judge(Fours(raises), SAMPLE, request, Answer(text=text, **answer))


FULL = {
    "finish_reason": "length",
    "context_advice": "raise --ctx-size",
    "completion_tokens": 400,
    "generated_tokens": 400,
}
CONTEXT = "cut after 400 tokens by the context: raise --ctx-size"
THINKING = "cut while the model was still thinking"
FILTERED = "cut by the server's content filter"


@pytest.mark.parametrize(
    ("answer", "outcome", "cut", "detail"),
    [
        ({"text": "4", "finish_reason": "stop"}, "passed", None, ""),
        ({"text": "4", "finish_reason": "length"}, "passed", "length", ""),
        ({"text": "3", "finish_reason": "stop"}, "failed", None, "no four"),
        ({"text": "3", "finish_reason": "max_tokens"}, "truncated", "length", "no four"),
        ({"text": "#### 3", "finish_reason": "length"}, "failed", "length", "no four"),
        ({"text": "", "finish_reason": "stop"}, "no_answer", None, "empty answer"),
        ({"text": " \n", "finish_reason": "length"}, "truncated", "length", "empty answer"),
        ({"text": "", "reasoning": "4", "finish_reason": "stop"}, "no_answer", None, "nothing was said after the thought: does the reasoning parser of the server fit the model?"),
        ({"text": "", "reasoning": "4", "finish_reason": "length"}, "truncated", "length", THINKING),
        ({"text": "<think>4", "finish_reason": "length"}, "truncated", "length", THINKING),
        ({"text": "<think>4", "finish_reason": "stop"}, "truncated", None, THINKING),
        ({"text": "[THINK]4[/THINK]3", "finish_reason": "stop"}, "failed", None, "no four"),
        ({"text": "4. But wait, let me check", "finish_reason": "length"}, "truncated", "length", THINKING),
        ({"text": "#### 4. But wait, let me check", "finish_reason": "length"}, "passed", "length", ""),
        ({"text": "4. But wait, let me check", "finish_reason": "stop"}, "passed", None, ""),
        ({"text": "3", **FULL}, "truncated", "context", CONTEXT),
        ({"text": "4", **FULL}, "passed", "context", ""),
        ({"text": "", **FULL}, "truncated", "context", CONTEXT),
        ({"text": "", "reasoning": "so", **FULL}, "truncated", "context", f"{CONTEXT} (the model was still thinking)"),
        ({"text": "3", "finish_reason": "model_length"}, "truncated", "context", "cut by the context: raise --ctx-size"),
        ({"text": "3", "finish_reason": "content_filter"}, "truncated", "content_filter", FILTERED),
        ({"text": "4", "finish_reason": "content_filter"}, "passed", "content_filter", ""),
        ({"text": "", "finish_reason": "SAFETY"}, "no_answer", "content_filter", "the server's content filter held the answer back"),
        ({"text": "4", "finish_reason": "abort"}, "infrastructure_error", None, "the server broke off the answer (abort)"),
        ({"text": "4", "finish_reason": "cancelled"}, "infrastructure_error", None, "the server broke off the answer (cancelled)"),
        ({"error": "HTTP status 500, 5 times"}, "infrastructure_error", None, "HTTP status 500, 5 times"),
    ],
)  # fmt: skip
def test_an_answer_is_judged_by_how_it_ended(answer, outcome, cut, detail):
    completion = judged(**answer)
    assert (str(completion.outcome), completion.cut, completion.detail) == (outcome, cut, detail)
    assert completion.passed is (outcome == "passed")
    assert (completion.loss is Loss.REQUEST_FAILED) is (outcome == "infrastructure_error")
    assert msgspec.json.decode(encode(completion), type=Completion) == completion


def test_a_text_that_goes_on_with_a_prompt_may_quote_a_closing_mark_anywhere():
    assert judged("4 # </think>\n", COMPLETION, finish_reason="stop").completion == "4 # </think>\n"
    assert judged("4. Wait, let me check", COMPLETION, finish_reason="length").passed


def deep(_):
    ast.unparse(sum_of(5_000))


def sum_of(terms):
    tree = ast.Constant(1)
    for _ in range(terms):
        tree = ast.BinOp(tree, ast.Add(), ast.Constant(1))
    return tree


def memory(_):
    raise MemoryError


class Unspeakable(Exception):
    def __str__(self):
        raise ValueError


def unspeakable(_):
    raise Unspeakable


BREAKING = {
    "a sum of very many terms": (deep, "RecursionError: maximum recursion depth exceeded"),
    "no memory": (memory, "MemoryError"),
    "a number of 5000 digits": (lambda _: int("9" * 5000), "ValueError: Exceeds the limit"),
    "half a character": (lambda text: text.encode(), "UnicodeEncodeError: 'utf-8' codec can't encode"),
    "a null byte": (lambda _: compile("\0", "x", "exec"), "Error: source code string cannot contain null bytes"),
    "a bug": (lambda _: {}["x"], "KeyError: 'x'"),
    "a system error": (lambda _: (_ for _ in ()).throw(SystemError("AST constructor")), "SystemError: AST constructor"),
    "an error without words": (unspeakable, "Unspeakable ("),
}  # fmt: skip


@pytest.mark.parametrize("what", BREAKING)
def test_an_answer_that_breaks_what_judges_it_is_one_lost_answer(what):
    breaks, said = BREAKING[what]
    completion = judged("4\ud83d\0", raises=breaks, finish_reason="stop")
    assert (completion.outcome, completion.loss) == (Outcome.INFRASTRUCTURE_ERROR, Loss.BROKE_JUDGING)
    assert completion.detail.startswith("judging this answer failed with ")
    assert said in completion.detail
    assert len(completion.detail) < 500
    assert "\n" not in completion.detail
    assert json.loads(encode(completion))["loss"] == "broke_judging"


def raising(error):
    def raises(_):
        raise error

    return raises


@pytest.mark.parametrize(
    "error", [ScriptError("no tests"), OSError(errno.EMFILE, "files"), RuntimeError("can't start new thread")]
)
def test_what_concerns_all_answers_ends_the_evaluation(error):
    with pytest.raises(type(error)):
        judged("4", raises=raising(error), finish_reason="stop")


NUMBERS = itertools.count()


def done(answer, *, cut=None, outcome=Outcome.PASSED):
    return Completion(
        task_id=f"t/{next(NUMBERS)}", answer=answer, outcome=outcome, passed=outcome is Outcome.PASSED, cut=cut,
        completion="x",
    )  # fmt: skip


def test_a_template_that_opens_thoughts_is_known_by_the_answers_that_came_to_an_end():
    """Those that were cut have no mark: what was judged in them is a draft."""
    implied, marked, plain = done("so</think>4"), done("<think>so</think>4"), done("4")
    cut, full = done("4", cut=Cut.LENGTH), done("#### 3", cut=Cut.CONTEXT, outcome=Outcome.FAILED)
    answered = done("so</think>4", cut=Cut.LENGTH)
    filtered = done("4", cut=Cut.CONTENT_FILTER)
    everything = [cut, full, answered, filtered]
    for ended, known, found in (
        ([implied, implied, plain], False, [cut, full]),
        ([implied, plain], False, []),
        ([marked, plain], False, []),
        ([], False, []),
        ([plain], True, [cut, full]),
    ):
        corrected = without_open_thoughts([*ended, *everything], known=known)
        assert [each.task_id for each in corrected] == [each.task_id for each in found]
        assert {(each.outcome, each.passed, each.completion) for each in corrected} <= {
            (Outcome.TRUNCATED, False, "")
        }


def test_warnings_name_what_cut_the_answers_and_what_helps():
    many = [done("4") for _ in range(16)]
    limit = done("3", cut=Cut.LENGTH, outcome=Outcome.TRUNCATED)
    older = done("3", outcome=Outcome.TRUNCATED)
    full = msgspec.structs.replace(
        done("3", cut=Cut.CONTEXT, outcome=Outcome.TRUNCATED),
        detail="cut after 400 tokens by the context: raise --ctx-size (the model was still thinking)",
    )
    filtered = done("3", cut=Cut.CONTENT_FILTER, outcome=Outcome.TRUNCATED)
    empty = done("", outcome=Outcome.NO_ANSWER)
    for completions, found in (
        ([*many, limit, older], ["2 of 18 answers were cut at 9 tokens: raise --max-tokens"]),
        ([*many, full], ["1 of 17 answers were cut before 9 tokens because the context was full: raise --ctx-size"]),
        ([*many, filtered], ["a content filter of the server stopped 1 of 17 answers, which say nothing about the model"]),
        ([full, full], ["2 of 2 answers filled the context, so the score says little about the model: raise --ctx-size, or try --prompt-style completion"]),
        ([limit, full, empty], [
            "1 of 3 answers hit the 9-token limit and 1 of 3 answers filled the context and 1 of 3 answers are empty, so the score says little about the model: raise --max-tokens, or raise --ctx-size, or try --prompt-style completion"
        ]),
    ):  # fmt: skip
        assert warnings(completions, style="chat", max_tokens=9) == found
