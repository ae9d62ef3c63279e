"""The number that an answer in words comes to, as a reader understands it."""
# ruff: noqa: RUF001 - signs and spaces as models write them

from __future__ import annotations

import re
from decimal import Decimal
from typing import NamedTuple

# No-break, thin and figure spaces, and those of TeX.
_SPACES = "\u00a0\u2002\u2003\u2007\u2008\u2009\u200a\u202f\u205f\u3000"
# Between groups of three digits: 1,234 and 1 234 and 1'234 and, of TeX, 1{,}234 and 1\,234 and 1,\!234.
_SEPARATOR = rf"(?:(?:\\[a-z]{{2,9}}+)?\{{[,. ]\}}|\{{\\,\}}|,?\\[,;:!> ],?\s?|[,'’_~ {_SPACES}])"
_GROUPED = re.compile(rf"(?<![\d.,])(\d{{1,3}})((?:{_SEPARATOR}\d{{3}})++)(?!\d)")
_BOXED = re.compile(
    r"\\f?box(?:ed)?\s*+(?:\{((?:[^{}]|\{(?:[^{}]|\{[^{}]{0,99}+\}){0,99}+\}){0,199}+)\}|(\d++))"
)
_FRACTION = re.compile(r"\\[dt]?frac\s*+\{\s*+(\d{1,18})\s*+\}\s*+\{\s*+(\d{1,18})\s*+\}")
_MIXED = re.compile(r"(?<![\d./])(\d{1,6}) {1,3}(\d{1,4})/([1-9]\d{0,3})(?![\d/])")  # 2 1/2
_HEADING = re.compile(
    r"^[ \t]*+(?P<mark>#{1,6})[ \t]*+(?:(?:step|part)\b[ \t]*+\d{0,3}[.:)]?|\(?(?P<number>\d{1,3})[.:)](?=[ \t]))",
    re.IGNORECASE | re.MULTILINE,
)
_LISTED = re.compile(
    r"^[ \t]*+(?:[-+*•][ \t]++)?(?:(?:step|part)[ \t]++\d{1,3}\b|\(?\d{1,3}[.)](?=[ \t]))",
    re.IGNORECASE | re.MULTILINE,
)

# -3, 1234.5, .5, 3/4; the minus of 10-5 is no sign, and the 1 of x1, the 2 of m^2 and the 3 of 1.2.3 are no numbers.
_NUMBER = re.compile(
    r"(?P<minus>(?<![A-Za-z\d)\]])[-−–]\s?(?=[\d.]))?(?<![A-Za-z\d^])(?<!\d\.)(?P<digits>\d++(?:\.\d++)?|\.\d++)"
    r"(?:/(?P<divisor>[1-9]\d{0,8})(?![\d/]))?"
)
# `#### 18`, `The answer is 18`, `The answer to it is: 18`, `Answer: 18`, `boxed: 18`.
_STATED = re.compile(
    r"^[ \t]*+####(?!#)[ \t]*+(?=\W{0,3}\d)"
    r"|\banswer\b(?:[\s,]++\w++){0,5}?[\s,]++(?:is|was|equals)\b\s*+:?+(?:\s*+not\b[^.\n]{0,30}?\bbut\b)?"
    r"|(?P<label>\banswer\s*+(?:\([^()\n]{0,30}\)\s*+)?[:=](?:\s*+[a-z]\s*+=)?+(?=[\W_]{0,20}\d))|\bboxed:",
    re.IGNORECASE | re.MULTILINE,
)
_CLAUSE = re.compile(r"\s{0,100}+((?:[^.;!?\n]|\.(?=\d)){0,400}+)")
_CALCULATION = re.compile(r"[\d)]\s*+(?:[+*×÷·^]|-|[x/](?=\s))\s*+[\d(]")


class FinalNumber(NamedTuple):
    """stated: the last number that is stated as the answer; last: the last number of all. None: there is none."""

    stated: Decimal | None
    last: Decimal | None

    @property
    def value(self) -> Decimal | None:
        """What counts: the stated one, else the last one."""
        return self.stated if self.stated is not None else self.last


def final_number(text: str) -> FinalNumber:
    """Read an answer. Signs of currency and percent, separators of thousands and a full stop behind do not matter;
    18.0 equals 18. Of an equation the number behind the last sign of equality counts. Headings and the numbers of steps
    are no answers.
    """
    plain = _without_headings(_without_marks(text))
    stated = None
    for match in _STATED.finditer(plain):
        clause = _CLAUSE.match(plain, match.end())
        if clause is None:
            continue
        if match["label"] and "=" in clause[1] and _NUMBER.search(plain, clause.end()):
            continue  # the solution follows, and this is its first line
        found = _result(clause[1])
        stated = stated if found is None else found
    numbers = [*_NUMBER.finditer(_LISTED.sub("", plain))]
    return FinalNumber(stated, _value(numbers[-1]) if numbers else None)


def gold_number(answer: str) -> Decimal | None:
    """Of a solution in the data set, which ends in `#### 1,234`; None where there is none."""
    _, mark, behind = answer.rpartition("####")
    found = _NUMBER.fullmatch(_without_marks(behind).strip()) if mark else None
    return _value(found) if found else None


def _without_marks(text: str) -> str:
    r"""Without the marks of TeX, Markdown and currencies; `\boxed{...}` is `boxed: ...;`; no number has separators."""
    text = _GROUPED.sub(lambda found: found[1] + re.sub(r"\D", "", found[2]), text)
    text = _BOXED.sub(lambda found: f" boxed: {found[1] or found[2] or ''}; ", text)
    text = _FRACTION.sub(r" \1/\2 ", text)
    text = _MIXED.sub(lambda found: f"{int(found[1]) * int(found[3]) + int(found[2])}/{found[3]}", text)
    text = re.sub(r"\\(?:times|cdot|div|ast)\b", " * ", text)
    text = re.sub(r"\\(?:approx|equiv)\b|≈", " = ", text)
    text = re.sub(r"(?<=[-−–])\\?[$€£¥₹]", "", text)
    text = re.sub(r"\\[A-Za-z]++|\\.|[$€£¥₹`\[\]{}\"“”]|\*\*++|__++", " ", text)
    return re.sub(rf"[{_SPACES}]", " ", text)


def _without_headings(text: str) -> str:
    """Without the numbers of headings. Behind `####`, which marks answers too, they count from 1: `#### 18. In all` is
    no heading.
    """
    count = 0

    def kept(found: re.Match[str]) -> str:
        nonlocal count
        if found["number"] is not None:
            if found["mark"] == "####" and int(found["number"]) != count + 1:
                return found[0]
            count += 1
        return ""

    return _HEADING.sub(kept, text)


def _result(clause: str) -> Decimal | None:
    """The first number behind the last `=` of an equation, whose sides may be exchanged; None of a calculation."""
    for side in reversed(clause.split("=")):
        found = _NUMBER.search(side)
        if found is not None and not _CALCULATION.search(side):
            return _value(found)
    return None


def _value(found: re.Match[str]) -> Decimal:
    value = Decimal(found["digits"])
    if found["divisor"]:
        value /= Decimal(found["divisor"])
    return -value if found["minus"] else value
