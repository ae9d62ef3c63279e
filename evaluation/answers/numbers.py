"""The number that an answer in words comes to, as a reader understands it."""
# ruff: noqa: RUF001 - signs as models write them

from __future__ import annotations

import re
from collections import deque
from decimal import Decimal
from typing import NamedTuple

from evaluation.answers.number_text import plain_numbers
from evaluation.answers.number_words import number_in_words

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

# -3, 1234.5, .5, 3/4; the minus of 10-5 is no sign, and the 1 of x1, the 2 of m^2 and the 3 of 1.2.3 are no numbers.
_NUMBER = re.compile(
    r"(?P<minus>(?<![A-Za-z\d)\]])[-−–]\s?(?=[\d.]))?(?<![A-Za-z\d^])(?<!\d\.)(?P<digits>\d++(?:\.\d++)?|\.\d++)"
    r"(?:/(?P<divisor>[1-9]\d{0,8})(?![\d/]))?"
)
_FOREIGN = (
    r"r[ée]ponse(?:\s+\w+){0,2}?\s*(?:est|:)|(?:antwort|lösung)(?:\s+\w+)?\s*(?:ist|lautet|:)|respuesta(?:\s+\w+){0,2}?\s*(?:es|:)"
    r"|risposta(?:\s+\w+){0,2}?\s*(?:è|:)|resposta(?:\s+\w+){0,2}?\s*(?:é|:)"
    r"|ответ\s*[:—-]"
)
_HAN = r"(?:答案|答え|正解|答|정답|답)\s?(?:是|为|為|应为|は|은|는|:|：)"
# `18 apples is the answer`.
_IS_ANSWER = re.compile(
    rf"{_NUMBER.pattern}(?:\s+[A-Za-z]+){{0,3}}?\s+(?:is|are)\s+(?:the|my|our)\s+(?:[A-Za-z]+\s+)?answer\b",
    re.IGNORECASE,
)
# `#### 18`, `The answer is 18`, `The answer to it is: 18`, `Answer: 18`, `boxed: 18`.
_STATED = re.compile(
    r"^[ \t]*+####(?!#)[ \t]*+(?=\W{0,3}\d)"
    r"|\banswer\b(?:[\s,]++\w++){0,5}?[\s,]++(?:is|was|equals)\b\s*+:?+(?:\s*+not\b[^.\n]{0,30}?\bbut\b)?"
    r"|(?P<label>\b(?:answer|ans|ans\.)\s*+(?:\([^()\n]{0,30}\)\s*+)?(?:[:=→]|->|=>|,(?=\s*+\d)|(?<=ans\.)|\n)(?:\s*+[a-z]\s*+=)?+(?=[\W_]{0,20}\d))"
    r"|(?P<word>\banswer\s*+[:=](?=\s*+[a-z-]{3,20}\b(?:\s+[a-z]+)?[ \t]*+(?:$|[.\n])))"
    rf"|\b(?:{_FOREIGN})|{_HAN}|\bboxed:|\b(?:correction|edit):(?=[\W_]{{0,20}}\d)",
    re.IGNORECASE | re.MULTILINE,
)
_CLAUSE = re.compile(r"\s{0,100}+((?:[^.;!?\n。]|\.(?=\d)){0,400}+)")
_CALCULATION = re.compile(
    r"[\d)]\s*+(?:[+*×÷·^]|-|[x/](?=\s)|(?:times|plus|minus|divided\s+by|multiplied\s+by)\b)\s*+[\d(]"
    r"|\b(?:half|third|quarter|twice|double|triple|\w+ths)\s+(?:of\s+)?\d",
    re.IGNORECASE,
)
_COMES_TO = re.compile(
    r"=|\bequals\b|→|(?:,\s*|\s)(?:which\s+(?:is|equals|gives|makes|comes\s+to)|ie,?|that\s+is,?|giving|gives|making|or|so)\s",
    re.IGNORECASE,
)
_NAMED_FIRST = re.compile(rf"\W{{0,9}}?{_NUMBER.pattern}(?:,?\s+[A-Za-z]+){{0,2}}\s*(?:[:#]|\bfrom\b)")
_ASIDE = re.compile(r"(?<=[^\s(])\s*+[(（][^()（）\n]{0,300}[)）]")
# A remark behind the answer.
_REMARK = re.compile(
    r"^[\W_]*+(?:explanation|check|verification|verify|note|notes|proof|confidence|reasoning|rationale|remark|assumptions?|"
    r"units?|steps)\b[^\w\n]{0,5}?(?::|\n)",
    re.IGNORECASE | re.MULTILINE,
)
_SENTENCE = re.compile(r"(?:[^.!?\n。]|\.(?=\d)){1,2000}+")
_REASON = re.compile(
    r"(?:(?<!\band)(?<!\bso)[,\s](?:because|since|if|when|given\s+that|assuming)|,\s*as)\s(?!.*,[^=]*=\W*\d)"
    r"(?!.*\b(?:so|therefore|thus|then|hence|total)\b)|因为|因為",
    re.IGNORECASE,
)


_SO = re.compile(r"[,;]\s*(?:and\s+)?(?:so|therefore|thus|hence|which\s+means|meaning)\s", re.IGNORECASE)


def _not_behind(*words: str) -> str:
    return "".join(rf"(?<!\b{word} )" for word in words)


# What stands before a number that only says how long, of how many, at which price.
_MEASURE = re.compile(
    rf"(?:\b{_not_behind('results', 'resulting', 'result', 'brings', 'brought', 'bring', 'total')}in"
    r"|\b(?:including|excluding|counting|considering|per|every|each|within|during|over|after|before|across|among|until|than(?:\s+\w+['’]s)?"
    r"|throughout|on|from)"
    r"|\buntil(?:\s+\w+){1,3}"
    r"|(?:\b(?:out|left|remaining|rest|all|any)|,|\d)\s+of|\bof\s+(?:the|his|her|their|its|all|those|these|my|our)"
    rf"|\b{_not_behind('leaves', 'stands', 'remains', 'priced', 'is', 'was')}at"
    r"|\b(?:by|after|when|while|for|from)\s+\w+ing"
    rf"|\b{_not_behind('has', 'have', 'had', 'needs', 'need', 'going', 'able', 'got', 'required')}to"
    r"\s+(?!find\b|get\b|obtain\b|be\b|about\b|just\b|only\b)[a-z]+"
    rf"|\b{_not_behind('sold', 'paid', 'sells')}for"
    rf"|\b{_not_behind('left', 'her', 'him', 'them', 'us', 'you', 'up')}with)"
    r"(?:\s+(?:the|a|an|his|her|their|its|all|each|every|those|these|about|only|just|another|other|first|last|next))*"
    r"\s+[-(]?\s*$",
    re.IGNORECASE,
)
# The 2 of `day 2` and `2nd`, and what joins a measure to the next: `for 3 red and 2 blue ones`.
_NAME = re.compile(
    r"\d:$|\b(?:days?|stops?|steps?|parts?|box|weeks?|months?|years?|questions?|cases?|no\.|items?|options?|rounds?"
    r"|chapters?|pages?)\s+$",
    re.IGNORECASE,
)
# The 2 of `2nd` and of `2:30`; the 6 of `, 6 fewer than before`; the 60 of `24 students, or 60%`.
_BEHIND_MEASURE = re.compile(r"(?:st|nd|rd|th)\b|:\d\d\b", re.IGNORECASE)
_COMPARED = re.compile(
    r"\s+(?:\w+\s+)?(?:fewer|less|more|younger|older|shorter|longer|taller|higher|lower|cheaper)\b",
    re.IGNORECASE,
)
_COMPARES = re.compile(r"(?:,|\bwhich\s+is|\band\b[^,]{0,40}\bis)\s*$", re.IGNORECASE)
_SHARE = re.compile(r"\s*(?:%|percent\b)|\s+(?:per|each|an?)\b", re.IGNORECASE)
_OR = re.compile(r"\bor\s+(?:\w+\s+)?$", re.IGNORECASE)
_JOINED = re.compile(
    r"(?:\s*[\w-]+){0,3}\s*(?:,|,?\s+and)\s+(?:(?:the|an?|his|her|their|another)\s+)?(?:(?:day|stop|part|box|week)\s+)?"
)
_ROUNDED = re.compile(
    rf"\b(?:which\s+(?:is|equals)|(?:rounds|rounded|rounding)(?:\s+(?:up|down|off))?\s+to)\s+{_NUMBER.pattern}"
    r"(?=(?:\s*(?!more|less|fewer)[\w%]+){0,2}\W*$)",
    re.IGNORECASE,
)
_MERE_MEASURE = re.compile(r"\W*(?:for|in|after|over|per|from|with)(?:\s+\S+){1,4}\W*", re.IGNORECASE)
_BEFORE_CHARS = 60
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
    plain = _without_headings(plain_numbers(text, magnitudes=magnitudes))
    stated, last_at = None, _last_outside(plain)
    for match in _STATED.finditer(plain):
        clause = _CLAUSE.match(plain, match.end())
        if clause is None:
            continue
        if match["label"] and "=" in clause[1] and last_at >= clause.end():
            continue  # the solution follows, and this is its first line
        found = _result(clause[1])
        stated = stated if found is None else found
    if stated is None:
        for match in _IS_ANSWER.finditer(plain):
            stated = _value(match)
    numbers = [*_NUMBER.finditer(_LISTED.sub("", plain))]
    if not numbers:
        return FinalNumber(stated, None)
    return FinalNumber(stated, _value(numbers[-1]), None if stated is not None else _concluded(plain, text))


def _last_outside(text: str) -> int:
    """Where the last number stands that is not in brackets behind something."""
    asides = deque(found.span() for found in _ASIDE.finditer(text))
    last = -1
    for found in _NUMBER.finditer(text):
        while asides and asides[0][1] <= found.start():
            asides.popleft()
        if not asides or found.start() < asides[0][0]:
            last = found.start()
    return last


def gold_number(answer: str) -> Decimal | None:
    """Of a solution in the data set, which ends in `#### 1,234`; None where there is none."""
    _, mark, behind = answer.rpartition("####")
    found = _NUMBER.fullmatch(plain_numbers(behind).strip()) if mark else None
    return _value(found) if found else None


def _without_headings(text: str) -> str:
    """Without the numbers of headings. Behind `####`, which marks answers too, they count from 1 or have a title and
    numbers below: `#### 18. In all` is no heading.
    """
    count = 0
    last_number_at = max((match.start() for match in _NUMBER.finditer(text)), default=-1)

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
    if not _NUMBER.search(clause):
        return number_in_words(clause)
    reasoned = _REASON.split(clause)[0]
    clause = reasoned if _NUMBER.search(reasoned) else clause
    bare = _ASIDE.sub(" ", clause)
    bare = bare if _NUMBER.search(bare) else clause
    for side in reversed(bare.split("=")):
        if calculation := _CALCULATION.search(side):
            if named := _NAMED_FIRST.match(side, 0, calculation.start()):  # `18: 3 * 6`
                return _value(named)
            parts = _COMES_TO.split(side)
            for part in reversed(parts[1:]):
                if _NUMBER.search(part) and not _CALCULATION.search(part):
                    return _value(_first(part))
        elif _NUMBER.search(side):
            return _main(side) if _is_wordy(side) else _value(_first(side))
    return None


def _first(text: str) -> re.Match[str]:
    return next(_NUMBER.finditer(text))


def _is_wordy(side: str) -> bool:
    """Whether the number does not come at once: `that she has 18`."""
    return len(re.findall(r"[^\W\d_]+", side[: _first(side).start()])) > 2


def _main(text: str) -> Decimal:
    """The last number of a sentence that is no mere measure, such as the 3 of `in 3 days`."""
    numbers = [*_NUMBER.finditer(text)]
    main, measured_until, is_found = numbers[-1], -1, False
    for found in numbers:
        before = text[max(0, found.start() - _BEFORE_CHARS) : found.start()]
        is_joined = (
            is_found and measured_until >= 0 and _JOINED.fullmatch(text, measured_until, found.start())
        )
        if is_joined or _is_measure(before, text[found.end() : found.end() + _BEFORE_CHARS]):
            measured_until = found.end()
        else:
            main, measured_until, is_found = found, -1, True
    return _value(main)


def _is_measure(before: str, behind: str) -> bool:
    return bool(
        _MEASURE.search(before)
        or _NAME.search(before)
        or _BEHIND_MEASURE.match(behind)
        or (_COMPARED.match(behind) and _COMPARES.search(before))
        or (_SHARE.match(behind) and _OR.search(before))
    )


def _concluded(plain: str, text: str) -> Decimal | None:
    """What the last sentence with a number comes to; of an answer that begins with a bare number, that."""
    lead = re.match(r"\W{0,9}?" + _NUMBER.pattern + r"[^\w\n]{0,5}\n\s*(?![-+*/×÷=\d\s])", plain)
    if lead:
        return _value(lead)
    remark = _REMARK.search(plain)
    if remark and _NUMBER.search(plain, 0, remark.start()):
        plain = plain[: remark.start()]
    plain = _LISTED.sub("", plain)
    for sentence in reversed(_SENTENCE.findall(plain)):
        if not _NUMBER.search(sentence) or _MERE_MEASURE.fullmatch(sentence):
            continue
        bare = _ASIDE.sub(" ", sentence)
        whole = bare if _NUMBER.search(bare) else sentence
        said = _REASON.split(whole)[0]
        said = said if _NUMBER.search(said) else whole
        said = next(part for part in reversed(_SO.split(said)) if _NUMBER.search(part))
        side = said.rpartition("=")[2]
        if "=" in said and _NUMBER.search(side) and not _CALCULATION.search(side):
            return _value(_ROUNDED.search(side) or _first(side))
        bold = {
            _value(_first(span)) for span in _BOLD.findall(text[-1000:]) if len(_NUMBER.findall(span)) == 1
        }
        named = {_value(found) for found in _NUMBER.finditer(said)} & bold
        return named.pop() if len(named) == 1 else _main(said)
    return None


def _value(found: re.Match[str]) -> Decimal:
    value = Decimal(found["digits"])
    if found["divisor"]:
        value /= Decimal(found["divisor"])
    return -value if found["minus"] else value
