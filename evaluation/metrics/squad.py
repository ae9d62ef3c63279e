"""Exact match and token F1 as SQuAD defines them, by which ReCoRD, HotpotQA and others are scored too.

Rajpurkar, Jia & Liang (2018), "Know what you don't know: unanswerable questions for SQuAD", and its evaluation script,
version 2.0: case, punctuation, articles and spaces don't count; of several right answers the nearest does.
"""

from __future__ import annotations

import re
import string
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_ARTICLE = re.compile(r"\b(a|an|the)\b")
_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)
_CLOSED = {"yes", "no", "noanswer"}  # answers that share no words with others, in HotpotQA


def normalized(text: str) -> str:
    """The text in lower case, without punctuation and articles, with single spaces."""
    return " ".join(_ARTICLE.sub(" ", text.lower().translate(_NO_PUNCTUATION)).split())


def exact_match(prediction: str, expected: str | Sequence[str]) -> float:
    """1 if it is one of the right answers, after `normalized`. No right answers mean that there is none to give."""
    return _nearest(_same, prediction, expected)


def token_f1(prediction: str, expected: str | Sequence[str]) -> float:
    """The harmonic mean of precision and recall of its words, against the nearest of the right answers."""
    return _nearest(_overlap, prediction, expected)


def hotpot_f1(prediction: str, expected: str | Sequence[str]) -> float:
    """Token F1 as HotpotQA's script has it: "yes", "no" and "noanswer" are right as a whole or not at all."""
    return _nearest(_closed_overlap, prediction, expected)


def _nearest(measure: Callable[[str, str], float], prediction: str, expected: str | Sequence[str]) -> float:
    golds = [expected] if isinstance(expected, str) else [gold for gold in expected if normalized(gold)]
    return max(measure(prediction, gold) for gold in golds or [""])


def _same(prediction: str, gold: str) -> float:
    return float(normalized(prediction) == normalized(gold))


def _overlap(prediction: str, gold: str) -> float:
    said, right = normalized(prediction).split(), normalized(gold).split()
    if not said or not right:
        return float(said == right)
    common = (Counter(said) & Counter(right)).total()
    if not common:
        return 0.0
    precision, recall = common / len(said), common / len(right)
    return 2 * precision * recall / (precision + recall)


def _closed_overlap(prediction: str, gold: str) -> float:
    said, right = normalized(prediction), normalized(gold)
    if said != right and (said in _CLOSED or right in _CLOSED):
        return 0.0
    return _overlap(prediction, gold)
