"""The text of an answer without what only decorates it, so that a letter stands where a reader sees it."""
# ruff: noqa: RUF001 - quotation marks, dashes and letters as models write them

from __future__ import annotations

import re
import unicodedata
from functools import partial
from typing import TYPE_CHECKING

from evaluation.answers import letter_cues as cues

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

# Letters in signs of their own, which Unicode does not resolve: negative squared and circled ones.
_SIGNS = {0x1F150 + number: letter for number, letter in enumerate("ABCDEFGHIJKLMNOPQRSTUVWXYZ")} | {
    0x1F170 + number: letter for number, letter in enumerate("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
}
_LONGEST_CHOICE = 300  # characters
_LONGEST_LABEL = 200
_HAN = "\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"
_BETWEEN_SCRIPTS = re.compile(rf"(?<=[{_HAN}])(?=[A-Za-z(])|(?<=[A-Za-z)])(?=[{_HAN}])")
_STOP = re.compile("[。।۔] ?")
_AT_ONCE = re.compile(rf"[?!;,:](?=[{_HAN}])")  # a sentence or clause that follows without a blank
_BOX_TOKENS = re.compile(r"<\|(begin|end)_of_box\|>")
_TOKEN = re.compile(r"<[|\uff5c][^<>\n]{1,40}[|\uff5c]>")
_ANSWER_TAG = re.compile(
    r"[<\[]((?:final[_ -]|correct[_ -])?(?:answer|choice|option|letter))[>\]]", re.IGNORECASE
)
_TAG = re.compile(r"</?[A-Za-z]\w{1,15}\s?/?>|\[/\w{1,20}\]")
# What stands in other commands than those of fonts is no letter of a choice: \ce{C}, \vec{A}.
_OTHER_COMMAND = re.compile(
    r"\\(?!text|math|mbox|boxed|fbox|underline|emph|rm\b|bf\b|color|large|Large|tag)[A-Za-z]++\s*+\{[^{}\n]{0,40}\}"
)
_SPAN = re.compile(
    r"\b([A-J])\s?[-–—]\s?([A-J])(?=\s+(?:are|were|do|don['’]t|can|can['’]t|all|apply|fail)\b)"
)
_FONT = re.compile(
    r"\\(?:large|Large|LARGE|huge|Huge|small|normalsize|bf|rm|it|sf|tt|cal|bfseries|displaystyle|textstyle)\b(?!\{)"
)
_STRUCK = re.compile(r"~~[^~\n]{1,200}~~|<(del|strike)>[^<>\n]{1,200}</\1>")
# The number of a statement, where I is a choice, too: an item before II, or with others, as in `E. I and III`. Not the
# choice itself in `I. I and IV` and `The answer is I, and II is false`.
_ROMAN_ONE = re.compile(
    r"(?m:^)(?P<before>[^\w\n]{0,8})I(?=[.:)]|\s[-–—])(?!\W{1,5}(?:(?:only|both)\s)?(?:I{1,3}|IV|V)\b)"
    r"(?=(?:[^\n]*\n(?![^\w\n]{0,8}I(?:[.:)]|\s[-–—]))){1,3}?[^\w\n]{0,8}II(?:[.:)]|\s[-–—]))"
    r"|(?<!\w)I(?=\s(?:and|or|&)\s(?:II|III|IV|V)\b|(?<!\bis\sI),\s(?:and|or)\s(?:II|III|IV|V)\b|,\sII(?:,|\sand|\sor)\s)"
)
_LABEL_LINE = re.compile(
    r"^[^\w\n]{0,8}((?:(?:the|final|correct|best)\s){0,2}(?:answer|choice|option))[^\w\n:]{0,8}\n\s*+(?=\S)",
    re.IGNORECASE | re.MULTILINE,
)
_LABEL_BREAKS = re.compile(r"(\b(?:answer|choice|option))[ \t]*+\n[ \t]*+(?=(?:is|would|must|should)\b)")
_LABEL_ENDS = re.compile(r"(:|=|→|\b(?:is|was|be|are|est|ist))[ \t]*+\n\s*+(?=\S)")

# Not of `the other option is the lung (C)`.
_IS_ANSWER = re.compile(
    r"(?:(?:(?<![a-z,]\s)|\b(?:the|my|our|so|thus|hence|therefore|correct|right|best|final|most\slikely)\s)\banswer"
    r"|(?<!\bsecond )(?<!\bnext )\b(?:correct|right|best|appropriate|suitable|most\slikely)\s(?:choice|option))"
    r"\s(?:is|would\sbe|must\sbe):?\s",
    re.IGNORECASE,
)
_ITEM = r"[^\w\n]{0,8}(?:(?:option|choice|statement)\s)?\(?"
BEGINS_WITH_A_AND_B = re.compile(
    rf"{_ITEM}A\b(?:[^\n]*\n){{1,4}}?{_ITEM}B\b(?!,?\s(?:C|and|or)\b)", re.IGNORECASE
)


def plain_text(text: str, letters: Sequence[str]) -> str:
    r"""Without the marks of Markdown, HTML, TeX and quotations, and full-width signs as common ones. A letter alone
    inside of some stands in brackets; `\boxed{...}` is `boxed: ...`, a label stands in one line with what it labels.
    """
    every = re.escape("".join(letters) + "".join(letters).lower())
    text = unicodedata.normalize("NFKC", text.translate(_SIGNS))
    text = re.sub("[\ufe0f\u200b-\u200f\u2060\ufeff]", "", text)
    text = re.sub(r"[.?!](?=[\"”»] [a-z])", "", text)  # of a question that is quoted within a sentence
    text = re.sub(r"^(?:[ \t]*+>)++|^[ \t]*+#{1,6}[ \t]++", "", text, flags=re.MULTILINE)
    text = re.sub(r"\b(is|be|answer|option|choice|select|print|submit)\(", r"\1 (", text, flags=re.IGNORECASE)
    text = re.sub(r"^([ \t*+-]*)(?:\[ ?\]|\( ?\))", r"\1✗", text, flags=re.MULTILINE)
    text = re.sub(r"\[[xX✓✔]\]|^[ \t*+-]*\([xX✓✔]\)", "✓", text, flags=re.MULTILINE)
    text = re.sub(r"[【\[]((?:正确)?(?:答案|选项))[】\]]", r" \1: ", text).replace("、", ", ")
    text = re.sub(r"[【〔「『《]\s?", "(", re.sub(r"\s?[】〕」』》]", ")", text))
    text = _BETWEEN_SCRIPTS.sub(" ", _STOP.sub(". ", text.replace("،", ",").replace("؟", "?")))
    text = _AT_ONCE.sub(r"\g<0> ", text)
    text = _BOX_TOKENS.sub(lambda found: " boxed: " if found[1] == "begin" else " ", text)
    text = _TOKEN.sub(" ", text)
    text = _STRUCK.sub(" ", text)
    # Also without its backslash, and where that was read as an escape: \b is a backspace.
    text = re.sub(r"\\f?box(?:ed)?\b|(?<![A-Za-z\\])boxed(?=\{)|\x08oxed\b", " boxed: ", text)
    text = _ANSWER_TAG.sub(r" \1: ", text)
    for tag in "biupsq":
        if f"</{tag}>" in text:
            text = text.replace(f"<{tag}>", "").replace(f"</{tag}>", "")
    text = _TAG.sub(" ", text)
    text = _OTHER_COMMAND.sub("~", text)
    text = _FONT.sub(" ", text)
    text = re.sub(r"\\[A-Za-z]++\s*+(?=\{)|\\[()\[\],;!]", "", text)
    text = re.sub(r"\\(?:right|long|Right|Longright)arrow\b|\\implies\b|\\to\b", "→", text)
    text = re.sub(r"\\[A-Za-z]++|\\ ", " ~ " if "\\" in text else "", text)
    text = re.sub(rf"\[\s?[\"']([{every}])[\"']\s?\]", r"(\1)", text)  # of JSON
    text = re.sub(rf"(?:\*{{1,3}}|`|\[|<)\(?([{every}])([).:]{{0,2}})(?:\*{{1,3}}|`|\]|>)", r"(\1)\2", text)
    text = re.sub(r"[*`\"“”„‘«»${}]|(?<!\w)['’]|['’](?!\w)", "", text)
    text = text.replace("))", ")").replace("((", "(")
    text = re.sub(r"(?<=[A-Za-z]{2})_(?=[A-Za-z]{2})|(?<!\w)_+|_+(?!\w)", " ", text)
    if "I" in letters:
        text = _ROMAN_ONE.sub(lambda found: f"{found['before'] or ''}1", text)
    text = _SPAN.sub(lambda found: _spelled_out(found, letters), text)
    return _LABEL_ENDS.sub(_in_a_line, _LABEL_LINE.sub(r"\1: ", _LABEL_BREAKS.sub(r"\1 ", text)))


def _in_a_line(label: re.Match[str]) -> str:
    """With what it labels; but a list of choices keeps lines of its own."""
    line = label.string[max(0, label.start() - _LONGEST_LABEL) : label.end(1)].rpartition("\n")[2]
    of_all = BEGINS_WITH_A_AND_B.match(label.string, label.end(), label.end() + 2 * _LONGEST_CHOICE)
    follows = cues.OTHERS_FOLLOW.search(line) or (of_all and cues.ALL_FOLLOW.search(line))
    return (
        label[0]
        if follows and not cues.NAMES_IT.search(cues.SENTENCE_END.split(line)[-1])
        else f"{label[1]} "
    )


def _spelled_out(span: re.Match[str], letters: Sequence[str]) -> str:
    """`A, B, C` of `A-C`, where they are choices."""
    inside = [letter for letter in letters if span[1] <= letter <= span[2]]
    return ", ".join(inside) if {span[1], span[2]} <= set(letters) and len(inside) > 1 else span[0]


def without_texts(text: str, letters: Sequence[str], choices: Sequence[str]) -> str:
    """Plain text where a letter with the text of its choice, such as `B. Heart`, is the letter alone, as `(B)`;
    the same behind it in `The answer is Heart (B)` and `The answer is Heart, option B`.

    Lists of the choices stay as they are.
    """
    texts = [
        (letter, bare)
        for letter, choice in zip(letters, choices, strict=False)
        if 0 < len(bare := plain_text(choice, letters).strip(" .")) <= _LONGEST_CHOICE
    ]
    both = [_with_text(letter, bare) for letter, bare in texts]
    # A line that is nothing else, where there are several, is one of a list; the one that stands there twice is chosen.
    lines = [sum(map(_is_line, each.finditer(text))) for each in both]
    is_list, is_chosen = sum(map(bool, lines)) > 1, sum(count > 1 for count in lines) == 1
    for each, count in zip(both, lines, strict=True):
        kept = count if is_list else 0
        listed = iter(range(kept - 1 if is_chosen and count > 1 else kept))
        text = each.sub(partial(_letter_alone, listed), text)
    for letter, bare in texts if _IS_ANSWER.search(text) else ():
        named = rf"((?i:{_IS_ANSWER.pattern})(?i:the\s|an?\s)?)(?i:{re.escape(bare)})"
        behind = rf"(?:\s\(|,\s|\s[-–—]\s)(?:(?:option|choice|ie,?|i\.e\.,?)\s)?\(?{letter}\){{0,2}}(?![\w)])"
        text = re.sub(named + behind, rf"\1({letter})", text)
    return text


def _is_line(found: re.Match[str]) -> bool:
    return found["start"] is not None and found["end"] is not None


def _letter_alone(listed: Iterator[int], found: re.Match[str]) -> str:
    """listed: has as many items as lines stay as they are."""
    if _is_line(found) and next(listed, None) is not None:
        return found[0]
    return f"{found['start'] or ''}({found['letter']}){found['end'] or ''}"


def _with_text(letter: str, bare: str) -> re.Pattern[str]:
    """Of plain text. start, end: what stands between it and those of the line."""
    return re.compile(
        rf"(?:(?P<start>^[^\w\n(]{{0,8}})|(?<!\w))\(?(?P<letter>{letter})(?:\s?[).:]+\s*|\s+[-–—=]\s+|\s+\()"
        # What the text is not is said in a sentence of its own: `The answer is (B). Heart is not a gland.`
        rf"{re.escape(bare)}(?:\)|(?=\W|$)(?!\s+(?:is|are|was|were|does|do|did|can|has|have)(?:n['’]t|\s+not|\s+no)\b))"
        r"(?P<end>[^\w\n]{0,8}$)?",
        re.MULTILINE,
    )
