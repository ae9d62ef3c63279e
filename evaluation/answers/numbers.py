"""The number that an answer in words comes to, as graders of GSM8K read it."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import NamedTuple

# -3, $18, 1,234.5, 1{,}234 and \$5 of LaTeX, .5; the minus of 10-5 is no sign, and the 1 of x1 no number.
_NUMBER = (
    r"(?P<sign>(?<![A-Za-z\d)\]}])[-−](?=[\d.$€£\\]))?(?:\\?\$|€|£)?\s?(?P<minus>[-−](?=[\d.]))?(?<![A-Za-z\d])(?<!\d\.)"  # noqa: RUF001
    r"(?P<digits>(?>(?:\d{1,3}(?:(?:,|\{,\})\d{3})+(?!\d)|\d+)(?:\.\d+)?|\.\d+))"
)
_ANY = re.compile(_NUMBER)
# `#### 18`, `The answer is 18`, `The final answer is: **$18**`, `\boxed{18}`; not `The answer is 3 * 6 = 18`.
_STATED = re.compile(
    r"(?:####|(?i:\banswer\s+is)\s*:?|\\boxed(?=\{))(?:[\s*_`(\[{]|\\boxed|\\\(|\\\[|\$(?=\\)){0,16}"
    + _NUMBER
    + r"(?!\s*[-+*/×÷=^]\s*[\d$(])"  # noqa: RUF001 - signs that models write
)


class FinalNumber(NamedTuple):
    """strict: the last number that is stated as the answer; flexible: the last number of all. None: there is none."""

    strict: Decimal | None
    flexible: Decimal | None

    @property
    def value(self) -> Decimal | None:
        """What counts: the stated one, else the last one."""
        return self.strict if self.strict is not None else self.flexible


def final_number(text: str) -> FinalNumber:
    """Read an answer. Signs of currency and percent, separators of thousands and a full stop behind do not matter;
    18.0 equals 18.
    """
    return FinalNumber(_last(_STATED, text), _last(_ANY, text))


def gold_number(answer: str) -> Decimal | None:
    """Of a solution in the data set, which ends in `#### 1,234`; None where there is none."""
    _, mark, behind = answer.rpartition("####")
    found = _ANY.fullmatch(behind.strip()) if mark else None
    return _value(found) if found else None


def _last(pattern: re.Pattern[str], text: str) -> Decimal | None:
    found = list(pattern.finditer(text))
    return _value(found[-1]) if found else None


def _value(found: re.Match[str]) -> Decimal:
    value = Decimal(re.sub(r"[,{}]", "", found["digits"]))
    return -value if found["sign"] or found["minus"] else value
