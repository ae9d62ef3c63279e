"""The marks between which models put their thoughts, as chat templates and reasoning parsers know them.

Servers that know the model's marks put the thought aside themselves. These are for all others, and for the marks that
are left when a server drops special tokens from the text.
"""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator


class Marks(NamedTuple):
    """How one family of models opens and closes a thought; patterns without groups.

    alone: the closing mark also ends a thought that the chat template opened in the prompt. anywhere: an opening mark
    counts wherever it stands, since it is made of special tokens; else only where a line begins. first: it counts only
    where the answer begins, since it is made of words.
    """

    opening: str
    closing: str
    alone: bool = True
    anywhere: bool = False
    first: bool = False


_NAME = (
    r"(?i:(?:deep|longcat|inner|internal|hidden|initial|my)?[_-]?"
    r"(?:think|thinking|thoughts?|reasoning|reflection|analysis|monologue)(?:[_-](?:process|steps?|trace|block))?"
    r"|think_fast(?:er)?|reason|ant_?thinking|scratch_?pad|chain[_-]of[_-]thoughts?|cot|planning|rationale|deliberation"
    r"|brainstorm(?:ing)?|[a-z]{2,15}_thinking)"
)
_SPACE = r"(?:[a-z_]{1,20}[:|])?"  # seed:think, mm:think, antml:thinking, ifm|think
_ASSISTANT = r"(?:<\|start\|>)?(?:assistant)?"
_TO_USER = r"|<\|start\|>\s{0,9}assistant\s{0,9}(?:to=user)?<\|message\|>"

MARKS = (
    # DeepSeek R1, Qwen 3 and most others; Seed-OSS, MiniMax M3, LongCat, Hunyuan.
    Marks(
        rf"<\s*{_SPACE}{_NAME}(?::\w{{1,20}}|\s[^<>\n]{{0,80}})?\s*(?<!/)>",
        # Also a thought that is empty: <think/>.
        rf"<\s*\\?/\s*{_SPACE}{_NAME}(?::\w{{1,20}})?\s*>|<{_SPACE}{_NAME}\s?/>",
    ),
    Marks(
        rf"<(?:(?i:start|begin)_(?i:of_)?{_NAME}|{_NAME}_(?i:start|begin))>",
        rf"</?(?:(?i:end)_(?i:of_)?{_NAME}|{_NAME}_(?i:end))>",
    ),
    # s1.
    Marks(r"<\|im_start\|>think\n", r"(?:<\|im_end\|>\s{0,9})?<\|im_start\|>answer\n", anywhere=True),
    # Escaped for HTML.
    Marks(rf"&lt;{_SPACE}{_NAME}&gt;", rf"&lt;/{_SPACE}{_NAME}&gt;"),
    # Models that were trained with the marks of a widespread recipe for GRPO.
    Marks(r"<start_working_out>", r"</?end_working_out>|</start_working_out>"),
    # Cohere; where the thought isn't closed, the answer's own mark ends it.
    Marks(
        r"<\|START_THINKING\|>",
        r"<\|END_THINKING\|>(?:\s{0,9}<\|START_(?:TEXT|RESPONSE)\|>)?|<\|START_(?:TEXT|RESPONSE)\|>",
        anywhere=True,
    ),
    # Sky-T1 and OpenThinker (begin_of_thought), PLaMo 3 (plamo:begin_think:plamo), Solar 2 (think:start), relatives.
    Marks(
        rf"<[|\uff5c](?:[a-z]{{2,12}}:)?(?i:(?:start|begin)[_\u2581]?(?:of[_\u2581]?)?)?{_NAME}(?i:[_:](?:start|begin)"
        r"|:(?!end\b)[a-z]{2,12})?[|\uff5c]>",
        rf"<[|\uff5c](?:[a-z]{{2,12}}:)?(?:(?:/|(?i:end[_\u2581]?(?:of[_\u2581]?)?)){_NAME}(?::[a-z]{{2,12}})?"
        rf"|{_NAME}(?i:[_:]end))[|\uff5c]>",
        anywhere=True,
    ),
    # Magistral and later models of Mistral.
    Marks(r"\[(?i:think|thinking|thoughts?|reasoning)\]", r"\[/(?i:think|thinking|thoughts?|reasoning)\]"),
    # Solar; HyperCLOVA X, also without its special tokens.
    Marks(
        r"(?:<\|begin\|>)?assistant<\|think\|>",
        r"(?:<\|end\|>\s*)?(?:<\|begin\|>assistant)?<\|content\|>",
        anywhere=True,
    ),
    Marks(
        r"(?:<\|im_start\|>)?(?:assistant)?/think\n",
        r"(?:<\|im_end\|>\s{0,9}<\|im_start\|>|(?m:^))assistant\n",
        alone=False,
        first=True,
    ),
    # Apriel.
    Marks(r"Here are my reasoning steps:\n", r"\[BEGIN FINAL RESPONSE\]", first=True),
    # Kimi VL; Kimi K3.
    Marks("◁think▷", "◁/think▷", anywhere=True),
    Marks(
        r"<\|open\|>think<\|sep\|>",
        r"<\|close\|>think<\|sep\|>(?:\s{0,9}<\|open\|>response<\|sep\|>)?|<\|open\|>response<\|sep\|>",
        anywhere=True,
    ),
    # Harmony of gpt-oss: what is said stands in the channel `final`; and the same without its special tokens.
    Marks(
        _ASSISTANT
        + r"<\|channel\|>\s*(?:analysis|commentary)\b[^<\n]{0,200}(?:(?:<\|constrain\|>[^<\n]{0,40})?<\|message\|>|\Z)",
        _ASSISTANT
        + r"<\|channel\|>\s*final\b[^<\n]{0,80}(?:<\|constrain\|>[^<\n]{0,40})?<\|message\|>"
        + _TO_USER,
        anywhere=True,
    ),
    # Turns that say to whom they are.
    Marks(
        r"(?:<\|start\|>\s{0,9}assistant)?\s{0,9}to=self<\|message\|>", _TO_USER.lstrip("|"), anywhere=True
    ),
    Marks(
        r"(?:assistant)?(?:analysis|commentary)(?:\s+(?=(?:We|I|Need|Let|Okay|The user|User)\b)"
        r"|(?=[a-z'\u2019]{1,12},? [a-z'\u2019]+[ ,.]|[a-z'\u2019]{1,12} [a-z]+$)"
        r"|(?=[A-Z][a-z'\u2019]*(?:[ \n][a-zA-Z\d]|[,.!?:;]\s)|[\"\u201c]|\d+ [-+*/\u00d7])"
        r"|(?=[\s\S]*?assistant\s?final))",
        r"assistant\n?final|(?<=[.!?)\n\"*`]) ?assistant[ \n]final\b",
        first=True,
    ),
    # Gemma 4; MedGemma.
    Marks(r"<\|channel>\s*thought\b", r"<channel\|>", anywhere=True),
    Marks(r"<unused94>(?:thought\b)?", r"<unused95>", anywhere=True),
    # openPangu.
    Marks(r"\[unused16\]", r"\[unused17\]", anywhere=True),
    # Apertus.
    Marks(r"<\|inner_prefix\|>", r"<\|inner_suffix\|>", anywhere=True),
    # Blocks of typed content.
    Marks(r"(?:<\|message_model\|>)?<\|content_thinking\|>", r"<\|content_text\|>", anywhere=True),
    # Proxies that show a thought to people; Ollama's command line.
    Marks(
        r"<details\b[^<>\n]{0,200}>\s{0,9}<summary>[^<\n]{0,40}(?i:thought|thinking|reasoning)[^<\n]{0,80}</summary>",
        "</details>",
        alone=False,
    ),
    Marks(r"Thinking\.\.\.\n", r"\.\.\.done thinking\.", alone=False, first=True),
    # Granite 3.2 and 3.3; its quantized variants say "Here's".
    Marks(
        r"(?:\*\*)?Here(?: is|['\u2019]s) my thought process:?(?:\*\*)?:?",
        r"(?:\*\*)?Here(?: is|['\u2019]s) my (?:final )?response:?(?:\*\*)?:?",
        alone=False,
        first=True,
    ),
    # HuatuoGPT; a heading alone is no thought.
    Marks(
        r"#{1,3} Thinking\n(?=[\s\S]*?\n#{1,3} (?:Final )?Response\b)",
        r"(?m:^)#{1,3} (?:Final )?Response\b:?",
        alone=False,
        first=True,
    ),
)

# One of these stands in every mark, in lower case: behind one of `_BRACKETS`, unless the mark is made of `_WORDS`.
HINTS = (
    "think",
    "thought",
    "reason",
    "analysis",
    "commentary",
    "final",
    "channel|>",
    "unused9",
    "unused1",
    "to=self",
    "start_text",
    "<|start|>assistant",
    "inner_",
    "content_text",
    "<|content|>",
    "<|im_start|>assistant",
    "<|im_start|>answer",
    "response",
    "scratchpad",
    "reflection",
    "details",
    "monologue",
    "scratch_pad",
    "cot>",
    "cot|>",
    "planning",
    "rationale",
    "deliberation",
    "brainstorm",
    "working_out",
)

_BRACKETS = ("<", "[", "\u25c1", "&lt;", "\\")
_WORDS = (
    "to=self",
    "assistant",
    "analysis",
    "commentary",
    "/think\n",
    "here is my ",
    "here are my ",
    "here's my ",
    "here\u2019s my ",
    "# thinking",
    "# response",
    "# final",
    "thinking...",
    "...done",
)
_MARK_CHARS = 64  # in front of a hint that may belong to its mark


def may_hold_marks(text: str) -> bool:
    """False where there is certainly none, as in most answers: the patterns of all marks take 40 ms to compile."""
    lowered = text.lower()
    hints = [hint for hint in HINTS if hint in lowered]
    if not hints or any(words in lowered for words in _WORDS):
        return bool(hints)
    return any(
        bracket in lowered[max(0, at - _MARK_CHARS) : at + len(hint)]
        for hint in hints
        for at in _places(hint, lowered)
        for bracket in _BRACKETS
    )


def _places(hint: str, text: str) -> Iterator[int]:
    at = text.find(hint)
    while at >= 0:
        yield at
        at = text.find(hint, at + 1)


@functools.cache
def wrappers() -> tuple[tuple[re.Pattern[str], re.Pattern[str]], ...]:
    """What some put around the answer behind a thought, opening and closing: no part of the answer."""
    return tuple(
        (re.compile(rf"\s*{opening}", re.IGNORECASE), re.compile(closing, re.IGNORECASE))
        for opening, closing in (
            *(
                (f"<{name}>", f"</{name}>")
                for name in (
                    "answer",
                    "response",
                    "output",
                    "final_answer",
                    "final",
                    "solution",
                    "result",
                    "conclusion",
                )
            ),
            (r"<\|begin_of_solution\|>", r"<\|end_of_solution\|>"),
            (r"<\|begin_of_box\|>", r"<\|end_of_box\|>"),
        )
    )


# How a thought reads, where it begins and anywhere. It decides only where an answer was cut before anything else could,
# and is compiled only there.
BEGINS_THINKING = (
    r"(?i)\W{0,20}(?:(?:okay|ok|alright|all right|right|so|well|hmm+|now|first)\b[,.!]?\s{1,4}){0,3}"
    r"(?:the (?:user|problem|question|task)\b.{0,20}\b(?:ask|want|say|need|give)"
    r"|(?:I|we)(?:['\u2019]re| are| am|['\u2019]m) (?:being )?(?:asked|given|trying|supposed|told)\b"
    r"|so I have this (?:problem|question|task)\b|thinking(?: process)?\b\W{1,6}\n"
    r"|嗯[,\uff0c\u3002]|(?:好的?[,\uff0c]\s?)?用户(?:问|想|要|需|让|给|的问题)"
    r"|(?:I|we) (?:need|have|must|should|want) to\b"
    r"|let(?:['\u2019]s| us| me) (?:think|see|start|tackle|break|work|figure|analy[sz]e|recall|parse)\b)"
)
DOUBTS = (
    r"(?i)\bthe user (?:is |has )?(?:ask|want|need|said)"
    r"|(?:^|[.!?\u2026\n][ \t]{0,4}|\b(?:but|oh|no|and),? )(?:wait|hold on)\b\s{0,2}(?:[,.:!?\u2026\u2014]|--)"
    r"|\bhmm+\b"
    r"|\blet me (?:think|re-?(?:think|check|read|consider|do|verify|write)|check|verify|double|trace)\b"
    r"|\bis (?:it|this|that) (?:right|correct)\?"
    r"|\bactually,? (?:no|wait)\b"
)
