"""A conversation with tools as `inspect` shows it: whole, in its order, and harmless whatever stands in it."""

from __future__ import annotations

from results.messages import Message, ToolCall
from results.prompts.sent_prompts import sent_prompt
from results.records import Completion, Outcome
from results.store.answers import RunAnswers, said
from results.views.answer_text import add_answer
from results.views.long_text import LongText
from tests.hostile_text import EVIL, harmless


def conversation(text):
    call = ToolCall(id=text, name=text, arguments=text)
    return (
        Message("assistant", text, tool_calls=(call,), reasoning=text),
        Message("tool", text, tool_call_id=text),
        Message("assistant", text),
    )


def shown(completion, prompt, capsys):
    text = LongText()
    add_answer(text, RunAnswers("r", {("t", 0): completion}, {"t": prompt}), completion)
    text.show()
    return capsys.readouterr().out


def test_it_is_harmless(capsys):
    tool = {"function": {"name": EVIL, "parameters": {"properties": {EVIL: {}}}}}
    prompt = sent_prompt(
        "t", (Message("user", EVIL), Message(EVIL, EVIL)), (tool, {"name": 3}, {"function": {}})
    )
    done = Completion(
        task_id="t", outcome=Outcome.FAILED, transcript=conversation(EVIL), prompt_sha256=prompt.sha256
    )
    harmless(shown(done, prompt, capsys))


def test_it_has_everything_in_order(capsys):
    call = ToolCall(name="add", arguments='{"a": 1}')
    transcript = (
        Message("assistant", "", tool_calls=(call,), reasoning="So I add."),
        Message("tool", "3", tool_call_id="x"),
        Message("assistant", "It is three."),
    )
    prompt = sent_prompt("t", (Message("user", "1 + 2?"),), ({"function": {"name": "add"}},))
    done = Completion(task_id="t", outcome=Outcome.PASSED, transcript=transcript, prompt_sha256=prompt.sha256)
    out = shown(done, prompt, capsys)
    places = [
        out.index(part)
        for part in ("1 + 2?", "add()", "So I add.", '-> add({"a": 1})', "tool:", "It is three.")
    ]
    assert places == sorted(places)
    assert said(done) == 'So I add.\nadd({"a": 1})\nIt is three.'


def test_older_prompts_have_the_hash_that_they_had():
    """Of the messages alone where no tools were offered, so that earlier completions find theirs."""
    assert sent_prompt("t", (Message("system", "s"), Message("user", "u"))).sha256 == (
        "0c5d7ccec4c82182eab0f3005591c3fa8e855b08d13c63f84629b86e28213f0b"
    )
