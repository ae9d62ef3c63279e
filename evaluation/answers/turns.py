"""Where a model's turn ends: the tokens that end it, and what it makes up behind its end where nobody stopped it."""

from __future__ import annotations

import functools
import re

_ENDS = (
    "[END FINAL RESPONSE]",
    "<|close|>message<|sep|>",
    "<|close|>response<|sep|>",
    "<end_of_turn>",
    "<turn|>",
    "<eos>",
    "[|endofturn|]",
    "[EOS]",
    "[e~[",
    "[unused10]",
    "</assistant>",
    "<seed:eos>",
    "</s>",
)
_MOST_ENDS = 10
_LONGEST_END = 50
_HINTS = ("|>", "\uff5c>", "_of_turn>", "turn|", "[|", "</s>", "[e~[", "[EOS]", "<eos>")
_WORDS = ("Instruction:", "\nUser:", "\nHuman:", "\nUSER:", "\nHUMAN:")


@functools.cache
def next_question() -> re.Pattern[str]:
    """A further question, of the kind that was asked. `Problem:` may be one that a model finds in its answer, and `Next
    question:` one that it asks itself on the way: only a paragraph that asks, and what is set apart, is a further one.
    """
    return re.compile(
        r"^[\W_]{0,6}(?:Question(?:\s+\d+)?\s*[:.]|Q\d*\s*[:.]|(?:User|Human)\s*:"
        r"|Given the following problem, reason and\b|The following are multiple choice)"
        r"|^[ \t]*\n[^\w\n]{0,6}Problem\s*:(?!\W*(?i:did|do|does|is|are|was|were|has|have|can|should|what\s+if)\b)"
        r"(?=(?:[^\n]{1,600}\n){0,4}?[^\n]{0,600}\?[*_ \t]*$)"
        r"|^[ \t]*[-*_]{3,9}\s{1,4}[^\w\n]{0,6}(?:Next|New)\s+[Qq]uestion\s*[:.]",
        re.MULTILINE,
    )


def has_answered(before: str, mark: str) -> bool:
    """Whether a further question follows a result, and not what is given. mark: what begins the question; of those with
    numbers each may be a part of the first, and so may what a model asks itself on the way.
    """
    answered, given = _words_of_results()
    return (
        not re.search(r"\d|\b(?:Next|New|Problem)\b", mark)
        and bool(answered.search(before))
        and not given.search(before)
    )


def own_turn(text: str) -> str:
    """Without what a model that wasn't stopped at the end of its turn goes on with: what its user says next, and its
    answer to that. All of it where nothing stands before.
    """
    if not any(hint in text for hint in _HINTS):
        return text
    found = _user_follows().search(text)
    return text[: found.start()] if found and text[: found.start()].strip() else text


def before_conversation(text: str) -> str:
    """Of an answer that is no conversation itself: without one in words behind it, such as `User: ...` and
    `Assistant: ...`, or `### Instruction:` and `### Response:`.
    """
    if not any(words in text for words in _WORDS):
        return text
    user, assistant = _words_of_turns()
    found = user.search(text)
    if found and text[: found.start()].strip() and assistant.search(text, found.end()):
        return text[: found.start()]
    return text


def without_ends(text: str) -> str:
    """Without the tokens that end a turn, which some servers leave in the text."""
    rest = text
    for _ in range(_MOST_ENDS):
        bare = rest.rstrip()
        if not (end := _end_of(bare)):
            break
        rest = bare.removesuffix(end)
    return rest


def _end_of(bare: str) -> str:
    end = next((end for end in _ENDS if bare.endswith(end)), "")
    if not end and bare.endswith(("|>", "\uff5c>")):
        found = _token_at_end().search(bare[-_LONGEST_END:])
        end = found[0] if found else ""
    return end


@functools.cache
def _token_at_end() -> re.Pattern[str]:
    # Not what surrounds the answer itself: <|begin_of_box|>18<|end_of_box|>.
    return re.compile(r"<[|\uff5c](?!end_of_box)/?[\w:\u2581-]{1,40}[|\uff5c]>$")


@functools.cache
def _words_of_turns() -> tuple[re.Pattern[str], re.Pattern[str]]:
    return (
        re.compile(r"\n(?:#{2,3} ?Instruction|(?:\*\*)?(?:Human|User|HUMAN|USER)):"),
        re.compile(r"\n(?:#{2,3} ?Response|(?:\*\*)?(?:Assistant|AI|ASSISTANT|Model)):"),
    )


@functools.cache
def _words_of_results() -> tuple[re.Pattern[str], re.Pattern[str]]:
    return (
        re.compile(
            r"=\s*[^\s\w]{0,3}\d|\b(?:so|therefore|thus|hence)\b[^\n]{0,200}?\d|^[ \t]*+####"
            r"|\b(?:totals?|answer)\b[^\n\d]{0,20}\n{0,2}[^\n\d]{0,20}\d",
            re.IGNORECASE | re.MULTILINE,
        ),
        re.compile(
            r"^[^\w\n]{0,9}(?:given|known|facts?|data|info\w*|problem|restat\w*|let(?!\s+x\b)|we\s+(?:know|have|are\s+given))\b",
            re.IGNORECASE | re.MULTILINE,
        ),
    )


@functools.cache
def _user_follows() -> re.Pattern[str]:
    # Where a quotation mark stands before it, it is spoken of.
    return re.compile(
        r"(?<![\"'])(?:<[|\uff5c](?:im_end|eot_id|end|eot|eom|turn_end|endofturn|end_of_turn|END_OF_TURN_TOKEN|endoftext"
        r"|end_of_text|end\u2581of\u2581sentence|role_end|end_of_sentence)[|\uff5c]>|<end_of_turn>|<turn\|>|\[\|endofturn\|\]"
        r"|</s>|\[e~\[|\[EOS\]|<eos>)\s{0,9}"
        r"(?:<[|\uff5c](?:im_start|start_header_id|START_OF_TURN_TOKEN|start|start_of_role|turn_start|header_start)[|\uff5c]>\s?"
        r"(?:user|human|<[|\uff5c]USER_TOKEN[|\uff5c]>)|<start_of_turn>user|<\|turn>user|\[\|user\|\]|\]~b\]user"
        r"|<[|\uff5c](?:user|User)[|\uff5c]>|<role>HUMAN|\[INST\]|<s>\s?\[INST\]|<bos>\s?<|<[|\uff5c](?:begin_of_text|startoftext)[|\uff5c]>"
        r"|(?:(?:Human|User|Question|Q|#{2,3} ?Instruction)\s?:))"
    )
