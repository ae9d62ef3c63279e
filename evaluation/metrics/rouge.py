"""ROUGE-1, -2, -L and -Lsum: the F-measures that rouge-score 0.1.2 computes without its stemmer.

Lin (2004), "ROUGE: a package for automatic evaluation of summaries". Words are runs of a to z and 0 to 9 in lower case;
of several reference summaries the one with the highest F counts. The sentences of Lsum are lines, so a summary on one
line has the same L and Lsum.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_MOST_WORDS = 1500  # of a line of Lsum: half a second
_WORD = re.compile(r"[a-z0-9]+")


def rouge1(prediction: str, expected: str | Sequence[str]) -> float:
    """F of the words that both have."""
    return _best(lambda said, right: _of_grams(said, right, 1), prediction, expected)


def rouge2(prediction: str, expected: str | Sequence[str]) -> float:
    """F of the pairs of neighbouring words that both have."""
    return _best(lambda said, right: _of_grams(said, right, 2), prediction, expected)


def rouge_l(prediction: str, expected: str | Sequence[str]) -> float:
    """F of the longest common subsequence of words."""
    return _best(_of_subsequence, prediction, expected)


def rouge_l_sum(prediction: str, expected: str | Sequence[str]) -> float:
    """F of the words that are in a longest common subsequence of a reference's line with any line of the answer."""
    return _best(_of_lines, prediction, expected)


def words(text: str) -> list[str]:
    return _WORD.findall(text.lower())


def _best(measure: Callable[[str, str], float], prediction: str, expected: str | Sequence[str]) -> float:
    references = [expected] if isinstance(expected, str) else expected
    return max((measure(prediction, reference) for reference in references), default=0.0)


def _f(hits: int, said: int, right: int) -> float:
    if not hits:
        return 0.0
    precision, recall = hits / said, hits / right
    return 2 * precision * recall / (precision + recall)


def _of_grams(prediction: str, reference: str, size: int) -> float:
    said, right = (_grams(words(text), size) for text in (prediction, reference))
    return _f((said & right).total(), said.total(), right.total())


def _grams(tokens: Sequence[str], size: int) -> Counter[tuple[str, ...]]:
    return Counter(tuple(tokens[at : at + size]) for at in range(len(tokens) - size + 1))


def _of_subsequence(prediction: str, reference: str) -> float:
    said, right = words(prediction), words(reference)
    return _f(common_length(right, said), len(said), len(right))


def common_length(first: Sequence[str], second: Sequence[str]) -> int:
    """The length of the longest common subsequence, in one pass over the bits of a number.

    Hyyrö (2004), "Bit-parallel LCS-length computation revisited": a zero bit is a word of `first` that matches.
    """
    places: dict[str, int] = {}
    for place, word in enumerate(first):
        places[word] = places.get(word, 0) | 1 << place
    every = (1 << len(first)) - 1
    row = every
    for word in second:
        found = row & places.get(word, 0)
        row = (row + found) | (row - found)
    return len(first) - (row & every).bit_count()


def _of_lines(prediction: str, reference: str) -> float:
    said, right = ([words(line) for line in text.split("\n") if line] for text in (prediction, reference))
    left_said = Counter(word for line in said for word in line)
    left_right = Counter(word for line in right for word in line)
    totals = left_said.total(), left_right.total()
    hits = 0
    for line in right:
        matched = sorted({place for other in said for place in _common_places(line, other)})
        for word in (line[place] for place in matched):
            if left_said[word] > 0 and left_right[word] > 0:  # none counts twice
                hits += 1
                left_said[word] -= 1
                left_right[word] -= 1
    return _f(hits, *totals)


def _common_places(line: Sequence[str], other: Sequence[str]) -> list[int]:
    """The places in the line of one longest common subsequence: of equal ones, that which rouge-score finds.

    Of longer lines the first words count, because time and memory grow with the product of both lengths.
    """
    line, other = line[:_MOST_WORDS], other[:_MOST_WORDS]
    table = [[0] * (len(other) + 1) for _ in range(len(line) + 1)]
    for i, word in enumerate(line, 1):
        above, row = table[i - 1], table[i]
        for j, theirs in enumerate(other, 1):
            row[j] = above[j - 1] + 1 if word == theirs else max(above[j], row[j - 1])
    i, j, found = len(line), len(other), []
    while i and j:
        if line[i - 1] == other[j - 1]:
            found.append(i - 1)
            i, j = i - 1, j - 1
        elif table[i][j - 1] > table[i - 1][j]:
            j -= 1
        else:
            i -= 1
    return found
