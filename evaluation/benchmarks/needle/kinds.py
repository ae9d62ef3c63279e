"""What is hidden and asked for: the kinds of RULER's retrieval and tracing tasks, in words of our own.

RULER (Hsieh et al. 2024, arXiv:2404.06654; github.com/NVIDIA/RULER, scripts/synthetic.yaml) defines them by how many
keys, values and hops there are, and by what the haystack is made of. The numbers here are its own.
"""

from __future__ import annotations

import enum
import itertools
import string
from typing import TYPE_CHECKING, NamedTuple

from evaluation.benchmarks.needle.words import ADJECTIVES, NOUNS, PLACES

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator

KEYS = 4  # of multikey: one is asked for, the others only stand there
VALUES = 4  # of multivalue
HOPS = 4  # of tracking: so many registers get their value from another
_NAME_LETTERS = 5
_SEVEN_DIGITS = (1_000_000, 9_999_999)
_FIVE_DIGITS = (10_000, 99_999)


class Kind(enum.StrEnum):
    """The comment names the task of RULER that has the same numbers."""

    SINGLE = "single"  # niah_single_2: one key with one number, in prose
    MULTIKEY = "multikey"  # niah_multikey_1: four keys, one asked for, in prose
    DENSE = "dense"  # niah_multikey_2: the haystack itself is made of other keys
    MULTIVALUE = "multivalue"  # niah_multivalue: one key with four numbers, in prose
    TRACKING = "tracking"  # vt: one chain of five registers, in prose

    @property
    def has_depth(self) -> bool:
        """Whether one place holds all that is asked for; else it is spread over the whole text."""
        return self in {Kind.SINGLE, Kind.MULTIKEY, Kind.DENSE}


class Needle(NamedTuple):
    """A sentence to hide. at: its place, from 0 (before everything) to 1 (behind everything)."""

    sentence: str
    at: float


class Hidden(NamedTuple):
    """needles: in the order of the text. expected: every value that an answer must hold; others: values of keys that
    are not asked for. about, question, answer: what stands before and behind the text, and how an answer begins.
    """

    needles: tuple[Needle, ...]
    expected: tuple[str, ...]
    others: tuple[str, ...]
    about: str
    question: str
    answer: str


_ABOUT_NUMBERS = (
    "Read the following text to its end. It gives archive numbers of things, and afterwards you are asked for some "
    "of them."
)
_ABOUT_REGISTERS = (
    "Read the following text to its end. It sets registers to values, some of them by way of another register, and "
    "afterwards you are asked about them."
)


def hide(kind: Kind, rng: random.Random, *, depth: float | None) -> Hidden:
    """The needles of one sample. depth: of what is asked for, 0 to 1; None where the kind spreads it."""
    if kind is Kind.TRACKING:
        return _tracking(rng)
    if kind is Kind.MULTIVALUE:
        key, numbers = next(keys(rng)), [str(number) for number in rng.sample(range(*_SEVEN_DIGITS), VALUES)]
        needles = [Needle(note(key, number), rng.random()) for number in numbers]
        ordered = sorted(needles, key=lambda needle: needle.at)
        question = f"What are all the archive numbers of {key} according to the text?"
        return Hidden(
            tuple(ordered),
            tuple(numbers),
            (),
            _ABOUT_NUMBERS,
            f"{question} Answer with the numbers only, separated by commas.",
            f"The archive numbers of {key} are",
        )
    drawn = keys(rng)
    number_of = {next(drawn): str(number) for number in rng.sample(range(*_SEVEN_DIGITS), KEYS)}
    key, *others = number_of if kind is Kind.MULTIKEY else [next(iter(number_of))]
    needles = [Needle(note(key, number_of[key]), depth or 0.0)]
    needles += [Needle(note(other, number_of[other]), rng.random()) for other in others]
    return Hidden(
        tuple(sorted(needles, key=lambda needle: needle.at)),
        (number_of[key],),
        tuple(number_of[other] for other in others),
        _ABOUT_NUMBERS,
        f"What is the archive number of {key} according to the text? Answer with the number only.",
        f"The archive number of {key} is",
    )


def note(key: str, number: str) -> str:
    """A sentence that gives a key its number."""
    return f"The archive number of {key} is {number}."


def keys(rng: random.Random) -> Iterator[str]:
    """Different keys without end, for lengths of up to a million tokens."""
    drawn = set()
    while True:
        key = f"the {rng.choice(ADJECTIVES)} {rng.choice(NOUNS)} of {rng.choice(PLACES)}"
        if key not in drawn:
            drawn.add(key)
            yield key


def notes(rng: random.Random, hidden: Hidden) -> Iterator[str]:
    """Sentences without end like the needles, of other keys and with other numbers."""
    asked = next(needle.sentence for needle in hidden.needles).rpartition(" is ")[0]
    for key in keys(rng):
        number = str(rng.randint(*_SEVEN_DIGITS))
        sentence = note(key, number)
        if number not in hidden.expected and not sentence.startswith(f"{asked} is "):
            yield sentence


def _tracking(rng: random.Random) -> Hidden:
    names: list[str] = []
    while len(names) < HOPS + 1:
        name = "".join(rng.choices(string.ascii_uppercase, k=_NAME_LETTERS))
        names += [name] * (name not in names)
    value = str(rng.randint(*_FIVE_DIGITS))
    sentences = [f"Register {names[0]} is set to {value}."]
    sentences += [
        f"Register {name} is set to the value of register {before}."
        for before, name in itertools.pairwise(names)
    ]
    places = sorted(rng.random() for _ in sentences)  # in the order of the chain, as in RULER
    return Hidden(
        tuple(map(Needle, sentences, places)),
        tuple(names),
        (),
        _ABOUT_REGISTERS,
        f"Which registers hold the value {value} according to the text? There are {HOPS + 1} of them. Answer with "
        "their names only, separated by commas.",
        f"The {HOPS + 1} registers that hold the value {value} are",
    )
