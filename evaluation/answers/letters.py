"""Find the letter of the choice in an answer that a model wrote."""
# ruff: noqa: RUF001 - dashes and apostrophes as models write them

from __future__ import annotations

import enum
import itertools
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from evaluation.answers import letter_cues as cues
from evaluation.answers import letter_lists as lists
from evaluation.answers.letter_elimination import left_over
from evaluation.answers.letter_lists import only
from evaluation.answers.letter_text import plain_text, without_texts
from evaluation.answers.turns import before_conversation, next_question

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_BEFORE, _BEHIND = 160, 120  # characters around a letter that say what is said of it
_SHORT = 25  # characters of a sentence before a letter
# Letters of a text that are looked at: of a model that repeats itself there are thousands.
_FIRST, _LAST = 100, 400


class Rank(enum.IntEnum):
    """How surely a letter is the answer, by what is said of it. Edges of the text come between ANSWER and ODD."""

    DENIED = 0  # it is wrong, asked, one of several, what others say; or nothing is said of it
    MENTION = 1  # it begins a clause, or is called an option
    QUALIFIED = 2  # it would be right if, or for something else
    TRUE = 3
    RIGHT = 4  # it is correct, fits best, is what matches
    ODD = 5  # it is the exception, the false statement
    ANSWER = 6


@dataclass(frozen=True)
class _Mention:
    """A letter of a choice, and where it stands. apart: in brackets; small: of any kind; bare: a small one without
    brackets; several: another letter stands beside it as its equal.
    """

    letter: str
    start: int
    end: int
    apart: bool
    bare: bool
    small: bool
    several: bool


@dataclass(frozen=True)
class _Patterns:
    """Of a set of letters, for text without marks."""

    mention: re.Pattern[str]
    several: re.Pattern[str]
    choices: re.Pattern[str]
    asked: re.Pattern[str]
    begins: re.Pattern[str]
    alone: re.Pattern[str]


class Choice(NamedTuple):
    """letter: None where it is not clear; stated: the answer says so or begins so, and need not go on."""

    letter: str | None
    stated: bool = False


@lru_cache
def _patterns(letters: str) -> _Patterns:
    large, small = re.escape(letters), re.escape(letters.lower())
    noun = (
        r"(?i:(?:final\s+|correct\s+)?(?:answer|choice|option|letter|statement|alternative|opción|opção)\s*)"
    )
    number = r"(?:#?\d{1,3}[.):]?\s+)?"
    a_letter = rf"\(?[{large}](?!\w|['’-]\w)"
    goes_on = r"(?!\)?\.?\s+(?:is|was|has|does|seems|cannot|would|[A-Z]))"
    return _Patterns(
        # A small letter is a choice only where a bracket, a noun, or the end of a clause tells it from a word.
        mention=re.compile(
            rf"(?<![\w°º&\\])(?<!\w\()(?P<open>\(\s?)?([{large}])(?P<close>\s?\))?(?![\w&#°º]|\+\+|['’-](?!d[iıuü]r\b|t[iıuü]r\b)\w)"
            rf"|(?<!\w)(?P<inside>\(\s?([{small}])\s?\))|(?<![\w(])([{small}])\)"
            rf"|(?<![\w(])(?P<bare>([{small}])(?=\s*+(?:$|[.;:!,](?:\s|$))))"
            rf"|(?i:(?<=option\s|choice\s|nswer:\s|wer\sis\s)|(?<=→ ))(?P<line>([{small}])(?=[ \t]*+\n(?![ \t]*[a-z])))"
            rf"|(?i:(?<=option\s)|(?<=choice\s)|(?<=answer\s)|(?<=answer\sis\s))([{small}])(?=\s+(?:is|because|since)\b)"
            rf"|(?m:^)([{small}])(?=\s+is\s+(?:the\s+)?(?:correct|right|answer|true)\b)"
        ),
        several=re.compile(
            rf"\)?\s?(?:(?:,?\s?\b(?:or|and|und|oder|et|ou|y|o|и|или|ve|veya|atau|dan)\b|[/&和或与及と]|还是|或者)\s?(?:(?:option|choice)\s)?(?:{a_letter}|\(?[{small}]\))"
            rf"(?<!\band\s[{large}](?=\s(?:is|was|does)\b))|,\s?{a_letter}{goes_on}|\s(?:or|and)\s*+\Z)"
        ),
        choices=re.compile(
            r"[).:][^\n]*\n".join([*(rf"[ \t(]*{re.escape(letter)}" for letter in letters[:3]), ""])
        ),
        # A further question with its choices.
        asked=re.compile(
            r"(?m:^)[^\n]{0,400}[?:_]\s*\n"
            + r"[^\n]*\n".join(rf"[ \t(]*{re.escape(letter)}[).:]" for letter in letters[:2])
        ),
        begins=re.compile(
            rf"(?:[^\w\s(]{{1,4}}+\s++)?{number}{noun}?"
            rf"(?:\(?(?P<large>[{large}])(?:[).:,;!\]]++(?!\w)|\s*+$|\s?+(?=\()|\s(?=[-–—]\s|(?:=>?|->|→)\s[A-Za-z]{{3}})|(?=\s(?:because|since|as)\b))"
            rf"|\(?(?P<small>[{small}])(?:\)(?!\w)|[.:]\s))"
        ),
        alone=re.compile(
            rf"\s*+(?:[^\w\s(]{{0,4}}+\s*+){number}{noun}?(?:\(?([{large}])|\(?([{small}])(?=\)))[\s).:;!\]…]*+"
            rf"|{noun}([{small}])\.?|([{small}])\.?"
        ),
    )


def chosen_letter(text: str, letters: Sequence[str], choices: Sequence[str] = ()) -> str | None:
    """The letter that an answer chooses, or None where it is not clear: see `read_choice`."""
    return read_choice(text, letters, choices).letter


def read_choice(text: str, letters: Sequence[str], choices: Sequence[str] = ()) -> Choice:
    r"""Find the letter that an answer chooses.

    In this order: the last statement, such as `The answer is (B)`, `Answer: B`, `\boxed{\text{B}}`, `B is the answer`,
    `therefore B` or `wait, it is B`; the letter that ends the text; the one that it begins with, such as `B`, `b)` or
    `**B)** text`; the same for its last line; the only one that is called the exception, right, or true; the only one
    of a list that is called correct; the only one that is set apart, as `(B)` or `**B**`; the only one that is
    mentioned; the one that is left where all others are called wrong. What is denied, asked, supposed, said by others
    or said of several letters states nothing. The article in `A femur is a bone` is no answer, nor is a list of all
    choices, nor what the model answers to a further question.
    choices: their texts, which say nothing of a letter that they stand behind, as in `B. False, True`.
    """
    patterns = _patterns("".join(letters))
    text = before_conversation(text)
    plain = without_texts(plain_text(text, letters), letters, choices)
    further = next_question().search(plain, 1)
    if further and (choice := _chosen(plain[: further.start()], patterns, letters)).letter:
        return choice
    asked = patterns.asked.search(plain, 1)
    if asked and (choice := _chosen(plain[: asked.start()], patterns, letters)).stated:
        return choice
    surest, rest = lists.likeliest(plain, letters)
    choice = _chosen(rest, patterns, letters)
    known = choice.letter or choice.stated  # of several letters it states none
    return choice if known else Choice(surest or lists.in_bold(text, letters) or left_over(rest, letters))


def _chosen(text: str, patterns: _Patterns, letters: Sequence[str]) -> Choice:
    mentions = list(_mentions(text, patterns))
    ranks = list(_ranks(text, mentions))
    answers = [mention for mention, rank in zip(mentions, ranks, strict=True) if rank is Rank.ANSWER]
    several = cues.ANSWERS.search(text, answers[-1].end if answers else 0)
    if several and only(re.findall(r"\b[A-J]\b", several[0])) is None:
        return Choice(None, stated=True)
    if answers:
        return Choice(answers[-1].letter, stated=True)
    if mentions and _ends(text, mentions[-1]):
        return Choice(None if mentions[-1].several else mentions[-1].letter)
    if mentions and ranks[-1] > Rank.DENIED and _concludes(text, mentions[-1]):
        return Choice(mentions[-1].letter)
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    is_one = len({mention.letter for mention in mentions}) == 1
    is_reviewed = is_one and cues.REVIEWS.search(text[: mentions[0].start + 2]) is not None
    if is_reviewed and cues.BEGINS_LIST.search(text[max(0, mentions[0].start - _SHORT) : mentions[0].start]):
        return Choice(None)
    in_order = [mention.letter for mention in mentions[: len(letters)]] == list(letters)
    is_row = in_order and "\n" not in text[mentions[0].start : mentions[len(letters) - 1].start]
    is_row = is_row and all(_begins_clause(text, mention) for mention in mentions[: len(letters)])
    if is_row and len(mentions) == len(letters) and max(ranks) <= Rank.MENTION:
        return Choice(only(_affirmed(text, mentions)))  # all choices in one line
    is_row = is_row or (Rank.RIGHT in ranks and cues.ROW.match(text.lstrip()) is not None)
    if not is_row and (choice := _at_the_edges(lines, patterns, letters)).letter:
        return choice
    if not is_reviewed and (between := only(_alone(lines, patterns))):  # explanations
        return Choice(between)

    def of(*wanted: Rank) -> set[str]:
        return {mention.letter for mention, rank in zip(mentions, ranks, strict=True) if rank in wanted}

    for found in (of(Rank.ODD), of(Rank.RIGHT), of(Rank.TRUE)):
        if found:
            return Choice(only(found))
    if is_reviewed or (is_one and lists.is_first_item(lines)) or cues.BROKE_OFF.search(text):
        return Choice(None)  # it broke off with the first one
    apart = {
        mention.letter
        for mention, rank in zip(mentions, ranks, strict=True)
        if mention.apart and rank is not Rank.DENIED
    }
    return Choice(only(_affirmed(text, mentions)) or only(apart) or only(of(Rank.MENTION, Rank.QUALIFIED)))


def _begins_clause(text: str, mention: _Mention) -> bool:
    return bool(cues.ITEM.search(text[max(0, mention.start - _SHORT) : mention.start]))


def _mentions(text: str, patterns: _Patterns) -> Iterator[_Mention]:
    found = list(patterns.mention.finditer(text))
    if len(found) > _FIRST + _LAST:
        found = found[:_FIRST] + found[-_LAST:]
    listed, listed_until = "", 0
    for match in found:
        written, end = match[0].strip("() \t\n"), match.end()
        apart = bool(match["inside"] or (match["open"] and match["close"]))
        if written in "AI" and not match["close"] and not apart and cues.ARTICLE.match(text, end):
            continue
        letter = written.upper()
        beside = patterns.several.match(text, end)
        continues = match.start() < listed_until and letter != listed
        several = bool(beside or continues or patterns.choices.match(text, match.start()))
        listed, listed_until = letter, beside.end() if beside else 0
        yield _Mention(
            letter,
            match.start(),
            end,
            apart,
            bare=bool(match["bare"] or match["line"]),
            small=written != letter,
            several=several,
        )


def _ranks(text: str, mentions: Sequence[_Mention]) -> Iterator[Rank]:
    denied = False
    for mention, behind in itertools.zip_longest(mentions, mentions[1:]):
        rank = _rank(text, mention, behind.start if behind else len(text))
        if rank is Rank.ANSWER and lists.begins_list(text, mention.start, mention.end):
            rank = Rank.DENIED
        if denied and cues.IS_ALONE.match(text, mention.end):  # `A is not the answer. B is.`
            rank = Rank.ANSWER
        denied = bool(cues.DENIED.match(text[mention.end : mention.end + _BEHIND]))
        yield rank


def _rank(text: str, mention: _Mention, next_at: int) -> Rank:
    """next_at: where the next letter stands, and the words that are said of this one end."""
    sentence = cues.SENTENCE_END.split(text[max(0, mention.start - _BEFORE) : mention.start])[-1]
    sentence = cues.IF_I_MUST.sub(" ", sentence)
    clause = cues.CLAUSE_END.split(sentence)[-1]
    behind = text[mention.end : mention.end + _BEHIND].partition("\n")[0]
    own = behind[: max(1, next_at - mention.end)]
    if mention.several:
        return Rank.DENIED
    if cues.ASKED.match(behind):
        return Rank.RIGHT if cues.WHY.search(sentence) else Rank.DENIED
    if cues.NONE_BETTER.search(sentence):
        return Rank.RIGHT
    rank = _stated(sentence, clause, own, mention, closes=mention.apart or bool(cues.CLOSES.match(behind)))
    if rank is Rank.ODD:
        return rank
    if cues.ALL_BUT.search(sentence):
        return Rank.RIGHT if cues.REJECTED.search(behind) else Rank.ODD
    if cues.NOT.search(clause) or cues.NONE_OF.search(sentence) or cues.DENIED.match(own):
        return Rank.DENIED
    if _said_by_others(sentence, clause):
        return Rank.DENIED
    if rank <= Rank.MENTION:
        return Rank.DENIED if cues.DENIED_BELOW.match(own) or cues.DENIED_ITEM.match(own) else rank
    return Rank.QUALIFIED if _is_qualified(sentence, clause, behind, own) else rank


def _stated(sentence: str, clause: str, own: str, mention: _Mention, *, closes: bool) -> Rank:
    """What the words around a letter make of it, were they meant. closes: a clause may end behind it."""
    if cues.ODD_ONE.search(sentence) or cues.IS_EXCEPTION.match(own):
        return Rank.ODD
    if cues.NAMED_ANSWER.search(sentence) or (cues.LABEL.search(sentence) and cues.ENDS.match(own)):
        return Rank.ANSWER
    if mention.bare and mention.letter == "A":
        return Rank.DENIED
    if mention.apart and cues.CHOSEN_BY_TEXT.search(sentence):
        return Rank.ANSWER
    if mention.apart and cues.BEGINS_CONCLUSION.match(sentence) and cues.SENTENCE_OVER.match(own):
        return Rank.RIGHT
    if closes and cues.CHOSEN.search(sentence):
        return Rank.TRUE if cues.IS_TRUE.match(own) else Rank.ANSWER
    if cues.IS_ANSWER.match(own):
        return Rank.ANSWER
    if cues.IS_RIGHT.match(own):
        return Rank.ANSWER if cues.TURNS.search(sentence) else Rank.RIGHT
    if cues.MATCHED.search(sentence) or cues.ONLY.search(sentence):
        return Rank.RIGHT
    if cues.IS_TRUE.match(own):
        return Rank.TRUE
    if mention.bare or cues.CONSIDERED.search(clause):
        return Rank.DENIED
    if cues.FORMULA.match(own):
        return Rank.DENIED
    return Rank.MENTION if _is_option(sentence, clause, own, mention) else Rank.DENIED


def _is_option(sentence: str, clause: str, own: str, mention: _Mention) -> bool:
    """Of a letter that nothing is said of: whether it stands for a choice, and not for a quantity."""
    if cues.OPTION.search(sentence) or cues.IF.match(own):
        return True
    if mention.apart:
        return not mention.small or bool(cues.STOPS.match(own))
    if cues.NAMED_AT_END.search(sentence) and cues.ENDS.match(own):
        return True
    return len(sentence) < _SHORT and not clause.strip(" (\t|-–—")


def _said_by_others(sentence: str, clause: str) -> bool:
    """What is tempting, or what was thought at first."""
    return bool(
        cues.SAID_BY_OTHERS.search(clause)
        or (cues.SAID_BY_OTHERS.search(sentence) and not cues.CONTRASTS.search(sentence))
    )


def _is_qualified(sentence: str, clause: str, behind: str, own: str) -> bool:
    """Whether it is only supposed to be the answer, or is that of something else."""
    if cues.SUPPOSED.search(sentence) or cues.CONCEDED.search(clause):
        return True
    if stated := cues.IS_ANSWER.match(own) or cues.IS_RIGHT.match(own) or cues.IS_TRUE.match(own):
        return bool(cues.PARTLY.search(stated[0]) or cues.QUALIFIED.match(behind, stated.end()))
    return bool(cues.IF.match(behind) or (cues.WOULD.search(clause) and cues.QUALIFIED.match(behind)))


def _ends(text: str, last: _Mention) -> bool:
    """Whether the letter alone is the last sentence or clause."""
    before = text[max(0, last.start - 9) : last.start]
    behind = text[last.end :]
    ends = not re.search(r"\w", behind) and not cues.REJECTED_BEFORE.match(behind)
    return ends and bool(re.search(r"(?:[.!?:,]|\s[-–—])\s+$", before))


def _concludes(text: str, last: _Mention) -> bool:
    """Whether the letter stands in brackets behind what the text comes to, as in `so the organ is the heart (B)`."""
    before = text[max(0, last.start - _BEFORE) : last.start]
    sentence = cues.SENTENCE_END.split(before)[-1]
    return last.apart and bool(cues.CONCLUDES.search(sentence)) and not re.search(r"\w", text[last.end :])


def _at_the_edges(lines: Sequence[str], patterns: _Patterns, letters: Sequence[str]) -> Choice:
    """The letter that the first line begins with, else the last one."""
    if not lines:
        return Choice(None)
    first = lines[0].rstrip("?") if len(lines) == 1 else lines[0]
    if cues.REJECTED_BEFORE.match(first):
        first = ""
    alone = patterns.alone.fullmatch(first)
    if alone and lists.in_order_of([*_alone(lines, patterns)], letters) < len(letters):
        return Choice(str(alone[alone.lastindex or 0]).upper(), stated=True)
    every = [(number, match) for number, line in enumerate(lines) if (match := patterns.begins.match(line))]
    begun = [
        (number, _letter_of(match))
        for number, match in every
        if not _is_denied(lines[number], match, patterns)
    ]
    is_list = lists.in_order_of([_letter_of(match) for _, match in every], letters) == len(letters)
    listed = lists.in_order_of([letter for _, letter in begun], letters)
    if listed and begun[0][0] == 0 and begun[1][0] > 1 and cues.EXPLAINS.match(lines[1]):
        return Choice(begun[0][1], stated=True)
    rest = begun[listed:]
    if rest and rest[0][0] == 0 and not is_list:
        return Choice(rest[0][1], stated=True)
    if rest and rest[-1][0] == len(lines) - 1 and not lists.is_first_item(lines):
        # Where the list lacks a choice, its last item may be the last line.
        others = {letter for _, letter in begun[:listed]} if listed < len(letters) else set()
        is_only = len({letter for _, letter in rest}) == 1 and rest[-1][1] in (others or {rest[-1][1]})
        return Choice(rest[-1][1] if is_only or patterns.alone.fullmatch(lines[-1]) else None)
    return Choice(None)


def _letter_of(match: re.Match[str]) -> str:
    return str(match["large"] or match["small"]).upper()


def _alone(lines: Sequence[str], patterns: _Patterns) -> Iterator[str]:
    """The letters that have a line of their own."""
    found = (patterns.alone.fullmatch(line) for line in lines)
    return (str(each[each.lastindex or 0]).upper() for each in found if each)


def _is_denied(line: str, match: re.Match[str], patterns: _Patterns) -> bool:
    end = match.end("large") if match["large"] else match.end("small")
    another = patterns.mention.search(line, match.end())
    own = line[: another.start() if another else len(line)]
    behind = line[end : end + _BEHIND]
    return bool(
        cues.REJECTED_BEFORE.match(line)
        or (match["small"] and cues.SECOND_PART.search(line, match.end()))
        or cues.DENIED.match(behind)
        or cues.DENIED_BELOW.match(own, match.end())
        or cues.ASKED.match(behind)
        or patterns.several.match(line, end)
    )


def _affirmed(text: str, mentions: Sequence[_Mention]) -> Iterator[str]:
    """Of a list with a verdict on each choice: the first word for or against it, before the next choice."""
    for mention, following in itertools.zip_longest(mentions, mentions[1:]):
        before = text[max(0, mention.start - 40) : mention.start].rpartition("\n")[2]
        if mention.several or not cues.ITEM.search(before) or cues.NONE_OF.search(before):
            continue
        end = min(mention.end + 2 * _BEHIND, following.start if following else len(text))
        if lists.is_affirmed("" if re.search(r"\w", before) else before, text[mention.end : end]):
            yield mention.letter
