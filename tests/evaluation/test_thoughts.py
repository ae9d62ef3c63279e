# ruff: noqa: E501 - tables of cases
"""A draft that was only thought is never taken for the answer, and an answer that quotes a mark is never cut apart."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from evaluation.answers.thought_marks import may_hold_marks
from evaluation.answers.thoughts import split_reasoning, thinks_aloud
from tests.evaluation.thought_pairs import PAIRS, WORDS

pytestmark = pytest.mark.slow

_FIXTURE = Path(__file__).parent / "fixtures" / "thoughts.jsonl"
WRITTEN = [json.loads(line) for line in _FIXTURE.read_text(encoding="utf-8").splitlines()]
PROGRAM = 'def strip(s):\n    return s.replace("<think>", "").replace("</think>", "")\n'
ANSWER = f"```python\n{PROGRAM}```"
DRAFT = "Perhaps\n```python\ndef strip(s):\n    return s\n```\nBut wait."


@pytest.mark.parametrize("who", PAIRS)
def test_a_thought_is_put_aside(who):
    opening, closing = PAIRS[who]
    spoken = split_reasoning(f"{opening}{DRAFT}{closing}{ANSWER}")
    assert spoken.answer.strip() == ANSWER
    assert DRAFT in spoken.reasoning
    assert not spoken.unclosed
    assert not spoken.implied


@pytest.mark.parametrize("who", PAIRS)
def test_a_thought_that_was_cut_is_no_answer(who):
    opening, _ = PAIRS[who]
    spoken = split_reasoning(f"{opening}{DRAFT}\nThe mark {ANSWER}\nLet me")
    assert (spoken.answer, spoken.unclosed) == ("", True)
    assert DRAFT in spoken.reasoning


@pytest.mark.parametrize("who", sorted(PAIRS.keys() - WORDS))
def test_a_chat_template_may_open_the_thought(who):
    """Then only the closing mark is there."""
    _, closing = PAIRS[who]
    spoken = split_reasoning(f"{DRAFT}{closing}{ANSWER}")
    assert spoken.answer.strip() == ANSWER
    assert spoken.reasoning.startswith(DRAFT)
    assert spoken.implied


@pytest.mark.parametrize("who", sorted(PAIRS.keys() - WORDS))
def test_the_last_closing_mark_ends_the_thought(who):
    opening, closing = PAIRS[who]
    inner = (
        f"{opening}{DRAFT}{closing}No, that is wrong.\n{ANSWER.replace('s.', 't.')}\n{opening}again{closing}"
    )
    spoken = split_reasoning(f"{opening}{inner}{ANSWER}")
    assert spoken.answer.strip() == ANSWER


@pytest.mark.parametrize(
    ("text", "answer", "unclosed"),
    [
        ("<think>\n\n</think>\n\n42", "\n\n42", False),
        ("<think>a<think>b</think>c</think>d", "d", False),
        ("<think>a<think>b</think>d", "d", False),
        ("<think>a</think></think>d", "d", False),
        ("<think>a</thinking>d", "d", False),
        ("<think>a</think>\n<reasoning>b</reasoning>d", "d", False),
        ("[THINK]a[/THINK]\n<think>b</think>d", "d", False),
        ("<scratchpad>a</scratchpad>d", "d", False),
        ("<think_faster>a</think_faster>d", "d", False),
        ("<antThinking>a</antThinking>d", "d", False),
        ("<think>a</think>First.\n<think>\nmore", "", True),
        ("Sure.\n<think>\nmore", "", True),
        ("\ufeff<think>\nmore", "", True),
        ("assistant\n<think>\nmore", "", True),
        ("<\uff5cAssistant\uff5c><think>\nmore", "", True),
        ("<think>a</ think>d", "d", False),
        ("<think>a</think", "", True),
        ("Sure.<|end|><|start|>assistant<|channel|>analysis<|message|>more", "", True),
        ("analysisWe need four.", "", True),
        ("analysis: that makes four.assistantfinalfour", "four", False),
        ("<think>a</think>\n\n", "\n\n", False),
        ("<|channel|>final<|message|>42<|return|>", "42", False),
        ("<think>a</think>\n<answer>\n42\n</answer>", "\n42\n", False),
        ("42<|im_end|>\n", "42", False),
    ],
)  # fmt: skip
def test_thoughts_within_and_behind_each_other(text, answer, unclosed):
    spoken = split_reasoning(text)
    assert (spoken.answer, spoken.unclosed) == (answer, unclosed)


def test_a_thought_ends_where_a_reader_sees_it_end():
    """Every family of marks: whole, cut, opened by the template, repeated, wrapped, quoted."""
    misread = []
    for case in WRITTEN:
        spoken = split_reasoning(case["text"])
        if (spoken.answer.strip(), spoken.unclosed) != (case["answer"], case["unclosed"]):
            misread.append((case, spoken))
    assert misread == []


QUOTING = {
    "a string in a block": ANSWER,
    "a string in a program without a block": PROGRAM,
    "a comment": "```python\nx = 1  # </think> goes\n```",
    "a comment without a block": "def f(s):\n    # drop </think>\n    return s\n",
    "a docstring": '```python\ndef f(s):\n    """Cut\n    </think>\n    away."""\n```',
    "a docstring without a block": 'def f(s):\n    """Cut\n    </think>\n    away."""\n    return s\n',
    "words": "It cuts at `</think>`, or at '[/THINK]', or at \"</reason>\".",
    "an opening mark in words": "The <think> tag opens a thought.",
    "a sample": "A thought:\n```xml\n<think>\nhm\n</think>\n```\nends so.",
    "a sample without a tag": "A thought:\n\n```\n<think>\nhm\n</think>\n```\nends so.",
    "names": "analysisResult = 1\nassistantfinal = 2\n",
    "prose": "Here is my response: four.",
    "another language": "```js\nconst end = '</think>'\n```",
}


@pytest.mark.parametrize("what", QUOTING)
def test_an_answer_that_quotes_marks_is_whole(what):
    text = QUOTING[what]
    assert split_reasoning(text) == (text, "", False, False)
    spoken = split_reasoning(f"<think>\n{DRAFT}\n</think>{text}")
    assert (spoken.answer, spoken.reasoning) == (text, DRAFT)
    spoken = split_reasoning(f"{DRAFT} Isn't it?\n</think>\n{text}")
    assert spoken.answer == "\n" + text


def test_a_thought_that_quotes_its_own_end_goes_on():
    thought = f"I must cut at `</think>`, so:\n{ANSWER}\nThat's it, isn't it?"
    spoken = split_reasoning(f"<think>{thought}</think>4")
    assert (spoken.answer, spoken.reasoning) == ("4", thought)


@pytest.mark.parametrize(
    "draft",
    [
        "```python\nx = 1",
        "```python\ndef f():\n    '''It",
        "```\nx = 'a",
        "1. so\n   ```python\n   x = 1",
        "~~~\nx",
    ],
)
@pytest.mark.parametrize("opening", ["<think>\n", ""])
def test_a_draft_that_broke_off_in_a_block_hides_no_end(draft, opening):
    """Its fence has no end, so all that follows seems to stand in the block."""
    spoken = split_reasoning(f"{opening}Perhaps:\n{draft}\n</think>\n\n{ANSWER}\n")
    assert spoken.answer.strip() == ANSWER


@pytest.mark.parametrize("what", QUOTING)
def test_a_text_that_goes_on_with_a_prompt_has_only_the_thoughts_that_it_begins_with(what):
    for text in (QUOTING[what], "    return 1\n</think>\n", "    # </think>\n    return s\n<think>\n"):
        assert split_reasoning(text, chat=False) == (text, "", False, False)
    assert split_reasoning("<think>so</think>    return 1\n", chat=False).answer == "    return 1\n"


@pytest.mark.parametrize("who", PAIRS)
def test_every_mark_has_a_hint_by_which_it_is_found(who):
    assert all(may_hold_marks(mark) for mark in PAIRS[who])


def test_what_the_server_put_aside_comes_first():
    assert split_reasoning("four", "2 + 2") == ("four", "2 + 2", False, False)
    assert split_reasoning("<think>hm</think>four", "2 + 2") == ("four", "2 + 2\nhm", False, False)
    assert split_reasoning("hm</think>four", "2 + 2").implied is False


def test_a_conversation_that_was_asked_for_stays_whole():
    dialogue = "Here it is.\nUser: Hello\nAssistant: Hello, how are you?"
    assert split_reasoning(dialogue).answer == dialogue


HOSTILE = {
    "answers before their reasons": "<answer>B</answer><think>x</think>" * 20_000,
    "answers between thoughts": "<think>x</think>B" * 20_000 + "<think>x</think>",
    "escaped marks": "&lt;think&gt;" * 50_000 + "&lt;/think&gt;",
    "names put together": "<deep_" * 100_000,
    "closing marks": "</think>" * 100_000,
    "quoted closing marks on a line": '"</think>" ' * 100_000,
    "quoted closing marks on lines": "`</think>`\n" * 100_000,
    "closing marks in strings": "```python\n'''\n</think>\n'''\n```\n" * 10_000,
    "opening marks": "<think>" * 100_000,
    "pairs": "<think>[/THINK]" * 50_000,
    "escapes": '\\"' * 200_000 + "</think>",
    "quotes": "'" * 400_000 + "</think>",
    "long strings": '"""' * 150_000 + "</think>",
    "backticks": "`" * 400_000 + "</think>",
    "fences": "```\n" * 100_000 + "</think>",
    "brackets": "(" * 100_000 + "</think>",
    "blanks": " " * 1_000_000 + "</think>",
    "lines": "\n" * 1_000_000 + "<|end|>",
    "ends of turns": "<|end|>" * 100_000,
    "angles": "<" * 1_000_000,
    "channels": "<|channel|>analysis" * 50_000,
    "words": "analysisWe need " * 50_000,
    "doubts": "wait " * 200_000,
    "opening marks without blanks": "b<think>" * 100_000,
    "marks that are named": "</think> tags" * 50_000,
    "headings": "## Thinking\n" * 50_000,
    "turns of a user": "a<|im_end|>" + " " * 9 + "<|im_start|>" * 50_000,
    "turns in words": "a\nUser: b" * 50_000,
    "assistants": "analysisWe " + "assistant final" * 50_000,
    "recipients": "to=self" * 100_000,
    "small words": "analysiswe " * 50_000,
}


@pytest.mark.parametrize("what", HOSTILE)
def test_the_time_for_a_hostile_answer_grows_with_its_length_only(what):
    """Protects the evaluation from an answer that takes an hour to read; quadratic, these take minutes."""
    began = time.process_time()
    split_reasoning(HOSTILE[what])
    thinks_aloud(HOSTILE[what])
    assert time.process_time() - began < 5


@pytest.mark.parametrize(
    "text",
    [
        "Okay, the user asks for a sum. Let me think about it carefully",
        "Okay, so I need to figure out what 2 + 2 is.",
        "We need to answer with a number only.",
        "Alright, let's tackle this step by step",
        "Hmm, the sum of",
        "Perhaps:\n```python\ndef f(): ...\n```\nBut wait, what of an empty list? Let me",
        "The user wants a number.",
        "Is it enough? Wait, no.",
    ],
)
def test_a_thought_without_marks_is_heard(text):
    assert thinks_aloud(text)


@pytest.mark.parametrize(
    "text",
    [
        "4",
        "The answer is 4.\n\nQ: What is 3 + 3?\nA: 6\n\nQ: What is 4 + 4?",
        "Here is the function:\n```python\ndef f(): ...\n```\nIt waits for nothing, and lets the caller decide. Let me know",
        "```python\nevent.wait()\n```\nThe thread will wait. Then it returns; wait for it.",
        "Sure! I need to know more about what you want.",
        "4\n<|im_start|>user\nWhat is 5 + 5?",
    ],
)
def test_an_answer_is_not_heard_as_a_thought(text):
    assert not thinks_aloud(text)


@pytest.mark.parametrize(
    "text",
    ["Alright, so I have this problem about sums", "Thinking Process:\n\n1. Analyze", "**Thinking**\nThe user",
     "I'm being asked to add", "嗯,用户问的是", "好的,用户想要一个函数", "用户问2加2"],
)  # fmt: skip
def test_more_ways_in_which_thoughts_begin(text):
    assert thinks_aloud(text)


@pytest.mark.parametrize(
    "text", ["好的,以下是代码:", "Thinking about it: 4", "So I have 18 apples.", "Sure, 4."]
)
def test_an_answer_is_no_thought(text):
    assert not thinks_aloud(text)
