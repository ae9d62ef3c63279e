"""The text of an answer with every number in one plain form, so that it is read once and for all."""
# ruff: noqa: RUF001 - signs and spaces as models write them

from __future__ import annotations

import json
import re
import unicodedata
from decimal import Decimal

# -3, 1234.5, .5, 3/4; the minus of 10-5 is no sign, and the 1 of x1, the 2 of m^2 and the 3 of 1.2.3 are no numbers.
NUMBER = re.compile(
    r"(?P<minus>(?<![A-Za-z\d)\]])[-−–]\s?(?=[\d.]))?(?<![A-Za-z\d^])(?<!\d\.)(?P<digits>\d++(?:\.\d++)?|\.\d++)"
    r"(?:/(?P<divisor>[1-9]\d{0,8})(?![\d/]))?"
)
# No-break, thin and figure spaces, and those of TeX.
_SPACES = "\u00a0\u2002\u2003\u2007\u2008\u2009\u200a\u202f\u205f\u3000"
# Between groups of three digits: 1,234 and 1 234 and 1'234 and, of TeX, 1{,}234 and 1\,234 and 1,\!234.
_SEPARATOR = (
    r"(?:\\(?:thin|med|thick)space\s?"
    rf"|(?:\\[a-z]{{2,9}}+)?\{{[,. ]\}}|\{{\\,\}}|,?\\[,;:!> ],?\s?|[,，'’_~ {_SPACES}])"
)
_GROUPED = re.compile(rf"(?<![\d.,])(\d{{1,3}})((?:{_SEPARATOR}\d{{3}})++)(?!\d)")
# 1.234.567 and 1.234,50 and, of two decimals, 12,50; in a pair of brackets stand coordinates.
_GROUPED_BY_POINTS = re.compile(
    r"(?<![\d.,])(\d{1,3})((?:\.\d{3}){1,9})(?:,(\d{1,2})(?![\d,])|(?<=\.\d{3}\.\d{3})(?![\d.,]*\d))"
)
# 95.200 euros: a price has no three decimals; nor has an answer in a language whose comma is a decimal point.
_PRICE_BY_POINT = re.compile(r"(?<![\d.,])(\d{1,3})\.(\d{3})(?=\s?(?:€|EUR\b|Euro\b))")
_STATED_BY_POINT = re.compile(
    r"(?i:(\b(?:antwort|lösung|insgesamt|betr[aä]gt|ergebnis|endergebnis|respuesta|resposta|risposta|jawaban|cevap"
    r"|đáp án)\b[^\n.\d]{0,40}?))"
    r"(\d{1,3})\.(\d{3})(?!\d|[.,]\d)"
)
_STATED_BY_COMMA = re.compile(
    r"(?i:(\b(?:antwort|lösung|ergebnis|respuesta|resposta|risposta|r[ée]ponse|r[ée]sultat|ответ|відповідь|odpowiedź|antwoord"
    r"|svaret|cevap|đáp án)\b[^\n.,\d]{0,40}?))(\d{1,9}),(\d)(?![\d,]|\.\d)"
)
_DECIMAL_COMMA = re.compile(r"(?<![\d.,(])(\d{1,9}),(\d{2})(?![\d,.]*\d|\))")
_BOXED = re.compile(
    r"(?:\\(?:f|frame)?box(?:ed)?|(?<![A-Za-z\\])boxed(?=\{)|\x08oxed(?=\{))\s*+(?:\{((?:[^{}]|\{(?:[^{}]|\{[^{}]{0,99}+\}){0,99}+\}){0,199}+)\}|(\d++))"
)
_BOX_TOKENS = re.compile(r"<\|begin_of_box\|>(.{0,200}?)<\|end_of_box\|>", re.DOTALL)
_ANSWER_TAG = re.compile(
    r"[<\[]((?:final[_ -])?(?:answer|result))[>\]](.{0,400}?)[<\[]/\1[>\]]", re.IGNORECASE | re.DOTALL
)
# Of a JSON object: what is called the answer, else what is called the result.
_ANSWER_KEYS = (
    "finalanswer",
    "correctanswer",
    "answer",
    "finalresult",
    "overallresult",
    "result",
    "solution",
    "final",
)
_VALUE_KEYS = ("value", "number", "amount")
_OBJECT_LINE = re.compile(r"^\{", re.MULTILINE)
_OTHER_FENCE = re.compile(r"```(?!json\b)[ \t]*+\w[^\n]*+\n\Z", re.IGNORECASE)
_STATEMENT = re.compile(r"\banswer\b|\bboxed\b|####", re.IGNORECASE)
_AS_WRITTEN = json.JSONDecoder(parse_int=str, parse_float=str)
_FRACTION = re.compile(r"\\[dt]?frac\s*+(?:\{\s*+(\d{1,18})\s*+\}\s*+\{\s*+(\d{1,18})\s*+\}|(\d)\s*+(\d))")
_MIXED = re.compile(r"(?<![\d./])(\d{1,6}) {1,3}(\d{1,4})/([1-9]\d{0,3})(?![\d/])")  # 2 1/2
_VULGAR = re.compile("(?:(?<![\\d./])(\\d{1,6}) ?)?([\u00bc-\u00be\u2150-\u215e])")
_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")
_RAISED = re.compile(r"(?<=\d)([⁻⁰¹²³⁴-⁹]{1,3})")
_POWER = re.compile(
    r"(?<![\w.^])(?:(\d{1,9}(?:\.\d{1,9})?)\s?(?:[*×·x]|\\times|\\cdot)\s?(?=10\s?\^))?(\d{1,9}(?:\.\d{1,9})?)\s?\^\s?"
    r"(?:(-?\d{1,2})|\{\s?(-?\d{1,2})\s?\})(?!\d)"
)
_EXPONENT = re.compile(r"(?<![\w.])(\d{1,9}(?:\.\d{1,9})?)[eE]([+-]?\d{1,2})(?!\w)")
_MAGNITUDE = re.compile(
    r"(?<![\w.])(\d{1,9}(?:\.\d{1,9})?)(?:(k)(?![\w-])|[ -](dozen|hundred|thousand|lakh|million|crore|billion|mn|bn)\b)"
    r"(?!\s+(?:and|\d))",
    re.IGNORECASE,
)
_ZEROS = {
    "k": 3,
    "hundred": 2,
    "thousand": 3,
    "lakh": 5,
    "million": 6,
    "mn": 6,
    "crore": 7,
    "billion": 9,
    "bn": 9,
}
_PRICE_IN_MILLIONS = re.compile(r"([$€£]\s?\d{1,9}(?:\.\d{1,9})?)\s?([MB])\b")
_HAN_MAGNITUDE = re.compile(r"(?<![A-Za-z\d.])(\d{1,9}(?:\.\d{1,9})?) ?([千万萬亿億만억])(?!\d)")
_HAN_ZEROS = {"千": 3, "万": 4, "萬": 4, "만": 4, "亿": 8, "億": 8, "억": 8}
# 1,50,000, as in India.
_GROUPED_BY_TWO = re.compile(r"(?<![\d.,])\d{1,2}(?:,\d{2}){1,4},\d{3}(?![\d,])")
_NEGATIVE = re.compile(r"(?<=[\s$:=(])(?<![\d)] )(?:negative|minus)\s+(?=[$€£]?\d)", re.IGNORECASE)
# What is said again in two units, before or behind: `160 minutes, or 2 hours and 40 minutes`.
_TWO_UNITS = (
    r"\d{1,4}\s?(?:years?|weeks?|days?|hours?|hrs?|h|minutes?|mins?|feet|foot|ft|dollars?),?\s(?:and\s)?"
    r"\d{1,2}\s?(?:months?|weeks?|days?|hours?|hrs?|minutes?|mins?|m|seconds?|secs?|inch(?:es)?|in|cents?)\b"
)
_SAME_IN_TWO_UNITS = re.compile(
    r"(?<=[a-z ])(?:,?\s(?:or|which\s(?:is|equals)|ie,?|that\sis,?|(?:which\sis\s)?equivalent(?:ly)?(?:\sto)?,?)"
    rf"|\s=|\s?→)\s(?:about\s)?\s?{_TWO_UNITS}(?=\W*$|\s*\n|[.,;]\s)",
    re.IGNORECASE,
)
_IN_TWO_UNITS_FIRST = re.compile(
    rf"{_TWO_UNITS}\s\((?=\d{{1,9}}(?:\.\d{{1,4}})?\s[a-z]{{2,9}}\))", re.IGNORECASE
)
_STRUCK = re.compile(r"~~[^~\n]{1,200}~~")
_CALCULATED = re.compile(r"(?<=[\d\w.] )\[(?=[^\[\]\n]{0,60}\d\s?[-+*/×÷]\s?\d)([^\[\]\n]{1,80})\]")
_BULLET = re.compile(r"^[ \t>]*+[-+*•–—][ \t]++", re.MULTILINE)


def plain_numbers(text: str, *, magnitudes: bool = True) -> str:
    r"""Without the marks of TeX, Markdown, lists and currencies; `\boxed{...}` is `boxed: ...;`; no number has
    separators, and powers, mixed fractions and magnitudes (`1.5 million`) are written out. magnitudes: else they are
    left out, and the number stands alone.
    """
    text = _STRUCK.sub(" ", text)
    text = _BOX_TOKENS.sub(lambda found: f" boxed: {found[1]}; ", text)
    text = _ANSWER_TAG.sub(lambda found: f" boxed: {found[2]}; ", text)
    text = _result_of_object(text)
    text = re.sub(r"\b(i|e)\.\s?(e|g)\.", r"\1\2", text)  # no end of a sentence
    text = re.sub(r"\b(incl|excl|approx|avg|est|vs)\.(?=\s?[a-z\d])", r"\1", text, flags=re.IGNORECASE)
    text = _BULLET.sub("", text)
    text = _CALCULATED.sub(r"(\1)", text)
    text = _GROUPED.sub(lambda found: found[1] + re.sub(r"\D", "", found[2]), text)
    text = _GROUPED_BY_TWO.sub(lambda found: found[0].replace(",", ""), text)
    text = _GROUPED_BY_POINTS.sub(
        lambda found: found[1] + found[2].replace(".", "") + (f".{found[3]}" if found[3] else ""), text
    )
    text = _PRICE_BY_POINT.sub(r"\1\2", text)
    text = _STATED_BY_POINT.sub(r"\1\2\3", text)
    text = _STATED_BY_COMMA.sub(r"\1\2.\3", text)
    text = _DECIMAL_COMMA.sub(r"\1.\2", text)
    text = _BOXED.sub(lambda found: f" boxed: {found[1] or found[2] or ''}; ", text)
    text = _FRACTION.sub(lambda found: f" {found[1] or found[3]}/{found[2] or found[4]} ", text)
    text = _MIXED.sub(lambda found: f"{int(found[1]) * int(found[3]) + int(found[2])}/{found[3]}", text)
    text = _VULGAR.sub(_vulgar, text)
    text = _RAISED.sub(lambda found: "^" + found[1].translate(_SUPERSCRIPTS), text)
    text = _POWER.sub(_power, text)
    text = _EXPONENT.sub(lambda found: _scaled(found[1], int(found[2])), text)
    text = _PRICE_IN_MILLIONS.sub(
        lambda found: f"{found[1]} {'million' if found[2] == 'M' else 'billion'}", text
    )
    if magnitudes:
        text = _MAGNITUDE.sub(lambda found: _times(found[1], (found[2] or found[3]).lower()), text)
        text = _HAN_MAGNITUDE.sub(lambda found: _scaled(found[1], _HAN_ZEROS[found[2]]), text)
    else:
        text = _MAGNITUDE.sub(r"\1 ", text)
    text = re.sub(r"\\(?:times|cdot|div|ast)(?![A-Za-z])", " * ", text)
    text = re.sub(r"\\(?:approx|equiv)(?![A-Za-z])|≈", " = ", text)
    text = re.sub(r"\\(?:to|implies|(?:long)?rightarrow)(?![A-Za-z])", " → ", text, flags=re.IGNORECASE)
    text = re.sub(r"\b(?:US|USD|EUR|GBP|INR|CAD|AUD|CNY|RMB|JPY|Rs)\.?(?=\d)", "", text)
    text = re.sub(r"(\b(?:answer|ans))\s*[-–—]\s+(?=[$€£]?\d)", r"\1: ", text, flags=re.IGNORECASE)
    text = re.sub(r"(?<=[-−–])\\?[$€£¥₹]", "", text)
    text = re.sub(r"\\[A-Za-z]++|\\.|[$€£¥₹`\[\]{}\"“”]|\*\*++|__++", " ", text)
    text = re.sub(rf"[{_SPACES}]", " ", text)
    text = _SAME_IN_TWO_UNITS.sub("", _IN_TWO_UNITS_FIRST.sub("", text))
    return _NEGATIVE.sub("-", text)


def _result_of_object(text: str) -> str:
    """With `answer: 18` instead of a JSON object that ends an answer, where one key of it, and nothing else, states it.

    One in front of the solution, or in a program, is no answer, nor is a value that is a solution itself.
    """
    starts = [found.start() for found in _OBJECT_LINE.finditer(text)]
    if not starts or _OTHER_FENCE.search(text, 0, starts[-1]) or _STATEMENT.search(text, 0, starts[-1]):
        return text
    try:
        made, end = _AS_WRITTEN.raw_decode(text, starts[-1])
        named = {re.sub(r"[_ ]", "", key.lower()): found for key, found in made.items()}
        said = named.pop(next((key for key in _ANSWER_KEYS if key in named), ""), None)
        stated_beside = _STATEMENT.search(str(named)) or re.search(r"\w", text[end:])
    except (ValueError, RecursionError):
        return text
    if isinstance(said, dict):
        said = next((said[key] for key in _VALUE_KEYS if key in said), None)
    if stated_beside or not isinstance(said, str):
        return text
    is_one = len(NUMBER.findall(_GROUPED.sub("1", said))) == 1
    return f"{text[: starts[-1]]} answer: {said}\n" if is_one else text


def _vulgar(found: re.Match[str]) -> str:
    """½ as 1/2, 2½ as 5/2."""
    above, _, below = unicodedata.normalize("NFKC", found[2]).partition("\u2044")
    if not below:
        return found[0]
    return f"{int(found[1] or 0) * int(below) + int(above)}/{below}"


def _power(found: re.Match[str]) -> str:
    """10^3 as 1000, 2 * 10^3 as 2000."""
    exponent = int(found[3] or found[4])
    if found[1] is not None:
        return _scaled(found[1], exponent)
    return _written(Decimal(found[2]) ** exponent) if Decimal(found[2]) else found[0]


def _times(digits: str, magnitude: str) -> str:
    return _written(Decimal(digits) * 12) if magnitude == "dozen" else _scaled(digits, _ZEROS[magnitude])


def _scaled(digits: str, zeros: int) -> str:
    return _written(Decimal(digits).scaleb(zeros))


def _written(value: Decimal) -> str:
    return f"{value.normalize():f}"


def value(found: re.Match[str]) -> Decimal:
    """Of a match of NUMBER."""
    number = Decimal(found["digits"])
    if found["divisor"]:
        number /= Decimal(found["divisor"])
    return -number if found["minus"] else number
