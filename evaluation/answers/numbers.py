"""The number that an answer in words comes to, as a reader understands it."""
# ruff: noqa: RUF001 - signs as models write them

from __future__ import annotations

import itertools
import math
import re
from collections import deque
from decimal import Decimal
from typing import NamedTuple

from evaluation.answers.measures import main_number, mains
from evaluation.answers.number_text import NUMBER, plain_numbers, value
from evaluation.answers.number_words import number_in_words, only_number_in_words, reckoned_in_words
from evaluation.answers.turns import before_conversation, has_answered, next_question

_HEADING = re.compile(
    r"^[ \t]*+(?P<mark>#{1,6})[ \t]*+(?:(?:step|part)\b[ \t]*+\d{0,3}[.:)]?"
    r"|\(?(?P<number>\d{1,3})[.:)](?=[ \t])(?P<title>[ \t]++[A-Z][^.!?\n\d]{1,60}$)?)",
    re.IGNORECASE | re.MULTILINE,
)
_LARGEST_HEADING = 12
_LISTED = re.compile(
    r"^[ \t]*+(?:[-+*•][ \t]++)?(?:(?:step|part)[ \t]++\d{1,3}\b|\(?\d{1,3}[.)](?=[ \t]))",
    re.IGNORECASE | re.MULTILINE,
)

_FOREIGN = (
    r"r[ée]ponse(?:\s+\w+){0,2}?\s*(?:est|:)|(?:antwort|lösung)(?:\s+\w+)?\s*(?:ist|lautet|:)|respuesta(?:\s+\w+){0,2}?\s*(?:es|:)"
    r"|risposta(?:\s+\w+){0,2}?\s*(?:è|:)|resposta(?:\s+\w+){0,2}?\s*(?:é|:)"
    r"|ответ\s*[:—-]"
)
_HAN = r"(?:答案|答え|正解|答|정답|답)\s?(?:是|为|為|应为|は|은|는|:|：)"
# `18 apples is the answer`.
_IS_ANSWER = re.compile(
    rf"{NUMBER.pattern}(?:\s+[A-Za-z]+){{0,3}}?\s+(?:is|are)\s+(?:the|my|our)\s+(?:[A-Za-z]+\s+)?answer\b",
    re.IGNORECASE,
)
# `#### 18`, `The answer is 18`, `The answer to it is: 18`, `Answer: 18`, `boxed: 18`.
_STATED = re.compile(
    r"^[ \t]*+####(?!#)[ \t]*+(?=\W{0,3}\d)"
    r"|(?<![A-Za-z\d])answer\b(?:[\s,]++\w++){0,5}?[\s,]++(?:is|was|equals)\b\s*+:?+(?:\s*+(?:not|no\s+longer)\b[^.\n]{0,30}?(?:\bbut\b|[;,]\s*(?:it['’]s|it\s+is|rather)\b))?"
    r"|(?P<label>(?<![A-Za-z\d])(?:answer|ans|ans\.)\s*+(?:\([^()\n]{0,30}\)\s*+)?(?:[:=→]|->|=>|,(?=\s*+\d)|(?<=ans\.)|\n)(?:\s*+[a-z]\s*+=)?+(?=[\W_]{0,20}\d))"
    r"|(?P<word>\banswer\s*+[:=](?=\s*+[a-z-]{3,20}\b(?:\s+[a-z]+)?[ \t]*+(?:$|[.\n])))"
    rf"|\b(?:{_FOREIGN})|{_HAN}|\bboxed:|\b(?:correction|edit):(?=[\W_]{{0,20}}\d)",
    re.IGNORECASE | re.MULTILINE,
)
_CLAUSE = re.compile(r"\s{0,100}+((?:[^.;!?\n。]|\.(?=\d)){0,400}+)")
_CALCULATION = re.compile(
    r"[\d)]\s*+(?:[+*×÷·^]|-|[x/](?=\s)|(?:times|plus|minus|divided\s+by|multiplied\s+by)\b)\s*+[\d(]"
    r"|\b(?:half|third|quarter|twice|double|triple|\w+ths)\s+(?:of\s+)?(?:the\s+)?(?:remaining\s+|other\s+)?\d",
    re.IGNORECASE,
)
_COMES_TO = re.compile(
    r"=|\bequals\b|→|(?:,\s*|\s)(?:which\s+(?:is|equals|gives|makes|comes\s+to)|ie,?|that\s+is,?|giving|gives|making|or|so)\s",
    re.IGNORECASE,
)
# `between 19 and 21, namely 20`
_RANGE = re.compile(r"\b(?:between|from)\s+\d[\d.]*\s+(?:and|to)\s+\d[\d.]*,(?=[^=]{0,40}\d)", re.IGNORECASE)
_NAMED_FIRST = re.compile(rf"\W{{0,9}}?{NUMBER.pattern}(?:,?\s+[A-Za-z]+){{0,2}}\s*(?:[:#]|\bfrom\b)")
_ASIDE = re.compile(r"(?<=[^\s(])\s*+[(（](?!\s?=)(?:[^()（）\n]|\([^()（）\n]{0,100}\)){0,300}+[)）]")
# A remark behind the answer.
_REMARK = re.compile(
    r"^[\W_]*+(?:checked|verified|generated\s+in|tokens?\s+used|last\s+updated)\b|^[^\w\n]{0,9}?©|^[\W_]*+(?:explanation|(?:problem\s+)?difficulty|check|verification|verify|note|notes|proof|confidence|reasoning|rationale|remark|assumptions?|time\s+taken|"
    r"units?|steps|references|sources?|footnotes?)\b[^\w\n]{0,5}?(?::|\n)",
    re.IGNORECASE | re.MULTILINE,
)
_SENTENCE = re.compile(r"(?:[^.!?\n。]|\.(?=\d)){1,2000}+")
# `18 dollars`, and then how.
_LEAD = re.compile(
    rf"\W{{0,9}}?{NUMBER.pattern}(?:[ \t]+[A-Za-z]+){{0,3}}[^\w\n]{{0,5}}\n\s*+"
    r"(?:step|explanation|solution|because|reason|here|to|first|let|how)\b",
    re.IGNORECASE,
)
_REASON = re.compile(
    r"(?:(?<!\band)(?<!\bso)[,\s](?:because|since|if|when|given\s+that|assuming)|,\s*as)\s(?!.*,[^=]*=\W*\d)"
    r"(?!.*\b(?:so|therefore|thus|then|hence|total)\b)|因为|因為"
    r"|,\s*(?:indem|weil|da|denn|wobei|car|puisque|parce\s+que|porque|ya\s+que|pois|perché)\s",
    re.IGNORECASE,
)

# `18, not 20` and, of `18, which is 10% of 180`, what is only compared.
_NOT_MEANT = re.compile(
    r"(?<=[\w%])\s?[—–,;(-]{1,2}\s?confidence\b\s?:?\s?\d[\d.]{0,9}\s?%?|"
    r"(?<=[\w%])(?:,|\s+and|,\s+and)\s+not\s+\d[\d.]*(?:\s+[a-z]+){0,2}(?=\s*(?:[.;,)!\n]|$))"
    r"|(?<=[\w%]),\s+which\s+(?:is|equals|represents)\s+(?:about\s+|exactly\s+|only\s+)?(?:\d[\d./]*\s?(?:%|percent)\s+of"
    r"|half(?:\s+of)?|twice|double|a\s+(?:third|quarter)\s+of)\b(?:[^.;,\n=]|\.(?=\d)){0,100}(?=[.;,\n]|$)",
    re.IGNORECASE,
)
# `20 - no wait, 18` and `20 (corrected: 18)`.
_AT_ONCE_CORRECTED = re.compile(
    r"\d[\d.]*(?:\s+[a-z]+)?\s*+(?:[-–—,(]|\.{3}|…)\s*+(?:no,?\s+)?(?:wait|sorry|oops|i\s+mean|corrected|correction|make\s+that)"
    r"\b[\s,:-]*(?:no[\s,]+)?(?:that(?:['’]s|\s+is|\s+was)\s+(?:wrong|incorrect|not\s+right)[\s,.;]+)?"
    r"(?:(?:it|that)(?:['’]s|\s+is|\s+should\s+be|\s+must\s+be)\s+|make\s+(?:that|it)\s+)?(?=\d)",
    re.IGNORECASE,
)
_NOTHING_LEFT = re.compile(
    r"\b(?:no\s+(?:more\s+)?[a-z]+(?:\s+[a-z]+)?|none(?:\s+(?:is|are))?|nothing(?:\s+is)?)\s+(?:left|remain\w*)\b",
    re.IGNORECASE,
)
# `18 dollars in total`, and what of it each has.
_IN_TOTAL = re.compile(
    rf"{NUMBER.pattern}(?:\s+[A-Za-z]+){{0,2}}\s+(?:in\s+total|altogether|in\s+all)\b"
    r"(?=\W*$|:|,\s+(?:or\s+)?\d[\d.]*(?:\s+\w+)?\s+(?:per|each|apiece|an?)\b)",
    re.IGNORECASE,
)
_EXPLAINED = re.compile(r":\s|\s—\s|,\s+(?:namely|ie)\b,?\s")
_ALONE = re.compile(rf"\W*{NUMBER.pattern}(?:[ \t]+[A-Za-z]+){{0,3}}\W*")
_SO = re.compile(r"[,;]\s*(?:and\s+)?(?:so|therefore|thus|hence|which\s+means|meaning)\s", re.IGNORECASE)


_ROUNDED = re.compile(
    rf"\b(?:which\s+(?:is|equals)|(?:rounds|rounded|rounding)(?:\s+(?:up|down|off))?\s+to|round\s+(?:it\s+)?(?:up|down|off)\s+to)\s+{NUMBER.pattern}"
    r"(?=(?:\s*(?!more|less|fewer)[\w%]+){0,2}\W*$)",
    re.IGNORECASE,
)
_ROUNDED_TO = re.compile(
    rf"\bround(?:(?:s|ed|ing)(?:\s+(?:up|down|off))?|\s+(?:it\s+)?(?:up|down|off))\s+to\s+{NUMBER.pattern}(?:\s+[A-Za-z]+)?\W*$",
    re.IGNORECASE,
)
_MERE_MEASURE = re.compile(r"\W*(?:for|in|after|over|per|from|with)(?:\s+\S+){1,4}\W*", re.IGNORECASE)
# A sentence that offers more, supposes something, or tells what is not asked.
_BESIDE_IT = re.compile(
    r"^\W*(?:that|this|it)(?:['’]s|\s+is)\s+because\b(?!\s+of\b)(?![^\n]*(?:,\s+(?:and\s+)?(?:so|leaving|making|giving|getting)\b|\btotal\s+of\b"
    r"|\b(?:times|plus|minus|multiplied\s+by|divided\s+by)\s))[^=]*$"
    r"|^\W*(?:that|this|it)\s+(?:only\s+)?took\s+(?:me\s+|us\s+)?\d+\s+steps\b|^\W*(?:please\s+)?(?:let\s+me\s+know|feel\s+free|if\s+you\b|would\s+you\s+like|do\s+you\s+want|i\s+hope)"
    r"|^\s*[(（](?:[^()（）]*[)）]?\W*$|(?:check|verif\w+|note)\b)|\bbut\s+the\s+(?:question|problem)\b[^.\n]{0,30}\bask",
    re.IGNORECASE,
)
_TAKEN_BACK = re.compile(
    r"\b(?:wait|oops|sorry|hold\s+on|on\s+second\s+thought|i\s+(?:just\s+)?(?:forgot|missed|misread|miscalculated|made\s+an?)"
    r"|(?:that|this)(?:['’]s|\s+is|\s+was)\s+(?:wrong|incorrect|not\s+(?:right|correct))|mistake)\b",
    re.IGNORECASE,
)
_CONCLUDES = re.compile(
    r"\b(?:so|therefore|thus|hence|actually|instead|(?:should|must)\s+be|correct(?:ed)?|in\s+total)\b",
    re.IGNORECASE,
)
# A story is told in the past tense; what is asked for is reckoned, or named a total or a rest.
_TELLS = re.compile(
    r"\b(?:sold|bought|gave|ate|had|went|was|were|made|took|got|found|picked|read|spent|used|baked|lost|won|saw|drove|ran"
    r"|walked|planted|collected|started|received|visited|worked)\b",
    re.IGNORECASE,
)
_RECKONS = re.compile(
    r"[=≈+*×÷→%]|\bie\b|\b(?:correct\w*|actual\w*|value)\b|\d\s?[-−–/x]\s?\d|:\s*\d|\b(?:so|therefore|thus|hence|then|totals?|altogether|in\s+all|answers?|results?|left|over"
    r"|remain\w*|finally?|overall|sum|each|per|average|combined|more|less|fewer|times|half|twice|means|equals?|now|will|must|needs?"
    r"|makes|costs?|earns?|pays?|profit|difference|because|since|after|which|leaving|giving|making)\b",
    re.IGNORECASE,
)
_ITEM = re.compile(r"[ \t]*+[-+*•][ \t]++\S")
_FEWEST, _MOST_PARTS = 2, 9  # numbers that are added up or multiplied
_FEW = 3  # numbers of a sentence that states a result
_BOLD = re.compile(r"\*\*(?!\s*(?:step|part)\b)([^*\n]{1,60})\*\*", re.IGNORECASE)


class FinalNumber(NamedTuple):
    """stated: the last number that is stated as the answer; concluded: what the last sentence with a number comes to;
    last: the last number of all. None: there is none.
    """

    stated: Decimal | None
    last: Decimal | None
    concluded: Decimal | None = None

    @property
    def value(self) -> Decimal | None:
        """What counts: the stated one, else the concluded one, else the last one."""
        return next((found for found in (self.stated, self.concluded) if found is not None), self.last)


def final_number(text: str, *, magnitudes: bool = True) -> FinalNumber:
    """Read an answer. Signs of currency and percent, separators of thousands and a full stop behind do not matter;
    18.0 equals 18. Of an equation the number behind the last sign of equality counts, of `18 apples in 3 days` the
    first. Headings, the numbers of steps, what stands in brackets behind a number, and remarks are no answers. In words
    (`eighteen`) only a stated number counts. magnitudes: `1.5 million` is 1500000; else 1.5, which answers how many
    millions.
    """
    text = before_conversation(text)
    plain = _without_headings(plain_numbers(text, magnitudes=magnitudes))
    plain = _NOT_MEANT.sub("", _AT_ONCE_CORRECTED.sub("", plain))
    if asked := next_question().search(plain, 1):
        before = plain[: asked.start()]
        plain = before if _ALONE.fullmatch(before) or has_answered(before, asked[0]) else plain
    stated, stated_at, last_at, ends = None, 0, _last_outside(plain), len(plain)
    for match in _STATED.finditer(plain):
        if match.start() >= ends:
            break
        clause = _CLAUSE.match(plain, match.end())
        if clause is None:
            continue
        if match["label"] and "=" in clause[1] and last_at >= clause.end():
            continue  # the solution follows, and this is its first line
        found = _result(clause[1])
        if found is None:
            continue
        if stated is None and (further := next_question().search(plain, clause.end())):
            ends = further.start()
        stated, stated_at = found, clause.end()
    if stated is not None:
        corrected = _corrected(plain, stated_at, ends)
        stated = stated if corrected is None else corrected
    else:
        for match in _IS_ANSWER.finditer(plain):
            stated = value(match)
    numbers = [*NUMBER.finditer(_LISTED.sub("", plain))]
    if not numbers:
        named = only_number_in_words(plain) if stated is None else None
        if stated is None and named is None and _NOTHING_LEFT.search(plain):
            named = Decimal(0)
        return FinalNumber(stated, None, named)
    if stated is None and _only_tells(plain, text):
        return FinalNumber(None, None)
    return FinalNumber(stated, value(numbers[-1]), None if stated is not None else _concluded(plain, text))


def _corrected(plain: str, start: int, end: int) -> Decimal | None:
    """What is concluded behind a statement that is taken back: `The answer is 20. Wait, ... So it is 18.`"""
    turn = _TAKEN_BACK.search(plain, start, end)
    rest = plain[turn.start() : end] if turn else ""
    last = next((said for said in reversed(_SENTENCE.findall(rest)) if NUMBER.search(said)), "")
    return _concluded(rest, rest) if _CONCLUDES.search(last) else None


def _only_tells(plain: str, text: str) -> bool:
    """Whether all that an answer says is the story: one sentence with counts of several things, and no conclusion."""
    if _RECKONS.search(plain) or _BOLD.search(text):
        return False
    counted = [said for said in _SENTENCE.findall(plain) if NUMBER.search(said)]
    return (
        len(counted) == 1
        and bool(_TELLS.search(counted[0]))
        and (len({*mains(counted[0])}) > 1 or len(NUMBER.findall(counted[0])) > _FEW)
    )


def _last_outside(text: str) -> int:
    """Where the last number stands that is not in brackets behind something."""
    asides = deque(found.span() for found in _ASIDE.finditer(text))
    last = -1
    for found in NUMBER.finditer(text):
        while asides and asides[0][1] <= found.start():
            asides.popleft()
        if not asides or found.start() < asides[0][0]:
            last = found.start()
    return last


def gold_number(answer: str) -> Decimal | None:
    """Of a solution in the data set, which ends in `#### 1,234`; None where there is none."""
    _, mark, behind = answer.rpartition("####")
    found = NUMBER.fullmatch(plain_numbers(behind).strip()) if mark else None
    return value(found) if found else None


def _without_headings(text: str) -> str:
    """Without the numbers of headings. Behind `####`, which marks answers too, they count from 1 or have a title and
    numbers below: `#### 18. In all` is no heading.
    """
    count = 0
    last_number_at = max((match.start() for match in NUMBER.finditer(text)), default=-1)

    def kept(found: re.Match[str]) -> str:
        nonlocal count
        if found["number"] is not None:
            titled = bool(found["title"]) and int(found["number"]) <= _LARGEST_HEADING
            is_title = titled and last_number_at >= found.end()
            if found["mark"] == "####" and int(found["number"]) != count + 1 and not is_title:
                return found[0]
            count += 1
        return ""

    return _HEADING.sub(kept, text)


def _result(clause: str) -> Decimal | None:
    """What a clause comes to: the first number behind the last `=` of an equation, whose sides may be exchanged; in
    words; None of a calculation.
    """
    if not NUMBER.search(clause):
        return number_in_words(clause)
    reasoned = _REASON.split(clause)[0]
    clause = reasoned if NUMBER.search(reasoned) else clause
    clause = _RANGE.sub(" ", clause)
    bare = _ASIDE.sub(" ", clause)
    bare = bare if NUMBER.search(bare) else clause
    for side in reversed(bare.split("=")):
        if calculation := _CALCULATION.search(side):
            if named := _NAMED_FIRST.match(side, 0, calculation.start()):  # `18: 3 * 6`
                return value(named)
            parts = _COMES_TO.split(side)
            for part in reversed(parts[1:]):
                if NUMBER.search(part) and not _CALCULATION.search(part):
                    return value(_first(part))
        elif NUMBER.search(side):
            if rounded := _ROUNDED_TO.search(side):
                return value(rounded)
            return main_number(side) if _is_wordy(side) else value(_first(side))
    return None


def _first(text: str) -> re.Match[str]:
    return next(NUMBER.finditer(text))


def _is_wordy(side: str) -> bool:
    """Whether the number does not come at once: `that she has 18`."""
    return len(re.findall(r"[^\W\d_]+", side[: _first(side).start()])) > 2


def _concluded(plain: str, text: str) -> Decimal | None:
    """What the last sentence with a number comes to; of an answer that begins with a bare number, that."""
    lead = re.match(r"\W{0,9}?" + NUMBER.pattern + r"[^\w\n]{0,5}\n\s*(?![-+*/×÷=\d\s])", plain)
    lead = lead or _LEAD.match(plain)
    if lead:
        return value(lead)
    remark = _REMARK.search(plain)
    if remark and NUMBER.search(plain, 0, remark.start()):
        plain = plain[: remark.start()]
    plain = _LISTED.sub("", plain)
    counted = [said for said in _SENTENCE.findall(plain) if NUMBER.search(said)]
    if (listed := _with_parts(plain, text)) is not None:
        return listed
    spoken = reckoned_in_words(plain.rstrip().rpartition("\n")[2]) if counted else None
    if spoken is not None:
        return spoken
    for sentence in reversed([said for said in counted if not _BESIDE_IT.search(said)] or counted):
        if _MERE_MEASURE.fullmatch(sentence):
            continue
        bare = _ASIDE.sub(" ", sentence)
        whole = bare if NUMBER.search(bare) else sentence
        said = _REASON.split(whole)[0]
        said = said if NUMBER.search(said) else whole
        said = next(part for part in reversed(_SO.split(said)) if NUMBER.search(part))
        said = _named_before(said)
        side = said.rpartition("=")[2]
        if "=" in said and NUMBER.search(side) and not _CALCULATION.search(side):
            return value(_ROUNDED.search(side) or _first(side))
        if result := _equals_calculation(said) or _IN_TOTAL.search(said):
            return value(result)
        bold = {value(_first(span)) for span in _BOLD.findall(text[-1000:]) if len(NUMBER.findall(span)) == 1}
        named = {value(found) for found in NUMBER.finditer(said)} & bold
        return named.pop() if len(named) == 1 else main_number(said)
    return None


def _with_parts(plain: str, text: str) -> Decimal | None:
    """What stands before a list of its parts, with which the text ends: `18 minutes:`, `- 9 there`, `- 9 back`."""
    lines, plain_lines = text.rstrip().split("\n"), plain.rstrip().split("\n")
    count = sum(1 for _ in itertools.takewhile(_ITEM.match, reversed(lines)))
    if not _FEWEST <= count <= _MOST_PARTS or len(lines) != len(plain_lines):
        return None
    parts = [value(found) for line in plain_lines[-count:] if (found := NUMBER.search(line))]
    before = next((line for line in reversed(plain_lines[:-count]) if line.strip()), "")
    whole = main_number(before) if NUMBER.search(before) and "=" not in before else None
    return whole if whole is not None and len(parts) == count and _comes_to(parts, whole) else None


def _named_before(said: str) -> str:
    """Without the calculation behind a colon: `42 pages: half of the remaining 84`; nor the numbers that it comes from:
    `18 in total: 9 on Monday and 9 on Tuesday`.
    """
    if "=" in said:
        return said
    named, colon, calculated = said.rpartition(": ")
    if colon and NUMBER.search(named) and _CALCULATION.search(calculated):
        return named
    for mark in _EXPLAINED.finditer(said):
        before = [value(found) for found in NUMBER.finditer(said, 0, mark.start())]
        behind = [value(found) for found in NUMBER.finditer(said, mark.end())]
        if before and _comes_to(behind, before[-1]):
            return said[: mark.start()]
    return said


def _comes_to(parts: list[Decimal], whole: Decimal) -> bool:
    """Whether these numbers, two or a few, are the parts that another one is made of."""
    if not _FEWEST <= len(parts) <= _MOST_PARTS:
        return False
    if whole in {sum(parts), math.prod(parts)}:
        return True
    one, other = parts[0], parts[-1]
    return len(parts) == _FEWEST and (one - other == whole or (other != 0 and one == whole * other))


def _equals_calculation(said: str) -> re.Match[str] | None:
    """The number of `18 = 9 * 2`."""
    named, equals, calculated = said.rpartition("=")
    if not (equals and _CALCULATION.search(calculated)) or _CALCULATION.search(named):
        return None
    found = [*NUMBER.finditer(named.rpartition("=")[2])]
    return found[-1] if found else None
