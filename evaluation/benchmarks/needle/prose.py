"""Prose without end for haystacks: a grammar of small news from made-up towns."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evaluation.benchmarks.needle.words import GOODS, PEOPLE, PLACES, THOUGHTS, TIMES, TRADES, WEATHER, WORKS

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator

_NUMBERS = (
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "a dozen",
    "twenty",
    "thirty",
    "forty",
)
# a, b: two people of the paragraph, with t and u what they are; place, other: two towns.
_SENTENCES = (
    "{time} {t} of {place} began to repair {work}, and {thought}.",
    "{time} {a} bought {number} {goods} from {u} and had them taken to {other} by cart.",
    "{a} wrote to {b} that {weather} and that {work} would have to wait.",
    "It was {b} who noticed that {number} {goods} were missing from the store behind {work}.",
    "For years {t} had promised to look after {work}; {time_l} it was finally done.",
    "The road from {place} to {other} was closed, since {weather}.",
    "{a} and {b} walked to {other} together and talked about {work} all the way.",
    "When {a} came home, {weather}, and {thought}.",
    "The council of {place} met {time_l} and decided to leave {work} as it was.",
    "{number_u} {goods} were given to the school, although {thought}.",
    "“Since {weather},” said {a}, “we shall have to ask {u} for help with {work}.”",
    "Nothing pleased {b} more than an afternoon near {work} with a book from {other}.",
    "{t_u} kept a list of everything that was carried past {work}, mostly {goods} and now and then a letter for {a}.",
    "Visitors from {other} praised {work}, but {thought}.",
    "{time}, when {weather}, {a} lent {number} {goods} to {u}.",
    "There had always been a rivalry between {place} and {other}, and {work} was the latest cause of it.",
    "{b} learnt from {t} how to mend {work} with little more than patience and {number} {goods}.",
    "A stranger asked {a} the way to {other} and left {number} {goods} as thanks.",
    "The letter that {b} had been waiting for arrived {time_l}; it spoke of {goods} and of {work}.",
    "{t_u} and {u} shared the cost of {work}, which, as {a} remarked, {thought_l}.",
    "Since {weather}, the market at {place} was moved to the hall, where {number} {goods} changed hands.",
    "Old {b} remembered a time when {work} had been the pride of {place}.",
    "Without {a} there would have been no supper for those who came from {other} to see {work}.",
    "{time} the children of {place} painted {work} in the colours of {other}, and {thought}.",
    "{number_u} people signed the petition about {work}, {a} first and {t} last.",
    "The ferry to {other} carried {goods} in the morning and {b} with all the luggage in the evening.",
    "{a} counted {number} {goods}, counted them again, and sent {u} to {other} for the rest.",
    "What {t} said about {work} was true, yet {b} did not believe a word of it.",
    "As {weather}, {a} lit the stove, read the newspaper from {other} and fell asleep.",
    "In the end it was agreed that {u} should look at {work} before anybody spoke of it again.",
    "From the hill above {place} one could see {other}, and on a good day {work} as well.",
    "{b} had once traded {number} {goods} for a clock that never showed the right time.",
)
_PER_PARAGRAPH = (5, 6, 7, 8)


def paragraphs(rng: random.Random) -> Iterator[list[str]]:
    """Paragraphs as lists of sentences, each about two people and two towns; the same for the same state of `rng`."""
    while True:
        place, other = rng.sample(PLACES, 2)
        a, b = rng.sample(PEOPLE, 2)
        t, u = rng.sample(TRADES, 2)
        names = {"place": place, "other": other, "a": a, "b": b, "t": t, "u": u, "t_u": _capital(t)}
        forms = rng.sample(_SENTENCES, rng.choice(_PER_PARAGRAPH))
        yield [form.format(**names, **_words(rng)) for form in forms]


def _words(rng: random.Random) -> dict[str, str]:
    time, weather, thought, number = (rng.choice(some) for some in (TIMES, WEATHER, THOUGHTS, _NUMBERS))
    return {
        "time": time,
        "time_l": time[0].lower() + time[1:],
        "weather": weather,
        "thought": thought,
        "thought_l": "was odd, for " + thought,
        "number": number,
        "number_u": _capital(number),
        "goods": rng.choice(GOODS),
        "work": rng.choice(WORKS),
    }


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]
