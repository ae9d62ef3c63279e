"""The text of an answer without what only decorates it, so that a letter stands where a reader sees it."""
# ruff: noqa: RUF001 - quotation marks, dashes and letters as models write them

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

# Letters in signs of their own, which Unicode does not resolve: negative squared and circled ones.
_SIGNS = {0x1F150 + number: letter for number, letter in enumerate("ABCDEFGHIJKLMNOPQRSTUVWXYZ")} | {
    0x1F170 + number: letter for number, letter in enumerate("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
}
_HAN = "\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"
_BETWEEN_SCRIPTS = re.compile(rf"(?<=[{_HAN}])(?=[A-Za-z(])|(?<=[A-Za-z)])(?=[{_HAN}])")
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
_STRUCK = re.compile(r"~~[^~\n]{1,200}~~")
_LABEL_ENDS = re.compile(r"(:|=|→|\b(?:is|was|be|are|est|ist))[ \t]*+\n\s*+(?=\S)")


def plain_text(text: str, letters: Sequence[str]) -> str:
    r"""Without the marks of Markdown, HTML, TeX and quotations, and full-width signs as common ones. A letter alone
    inside of some stands in brackets; `\boxed{...}` is `boxed: ...`, a label stands in one line with what it labels.
    """
    every = re.escape("".join(letters) + "".join(letters).lower())
    text = unicodedata.normalize("NFKC", text.translate(_SIGNS))
    text = re.sub("[\ufe0f\u200b-\u200f\u2060\ufeff]", "", text)
    text = re.sub(r"[.?!](?=[\"”»] [a-z])", "", text)  # of a question that is quoted within a sentence
    text = re.sub(r"^(?:[ \t]*+>)++", "", text, flags=re.MULTILINE)
    text = re.sub(r"\b(is|be|answer|option|choice|select)\(", r"\1 (", text, flags=re.IGNORECASE)
    text = re.sub(r"\[[xX✓✔]\]", "✓", re.sub(r"^([ \t*+-]*)\[ ?\]", r"\1✗", text, flags=re.MULTILINE))
    text = _BETWEEN_SCRIPTS.sub(" ", text)
    text = re.sub(r"[【〔「『]\s?", "(", re.sub(r"\s?[】〕」』]", ")", text))
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
    text = re.sub(r"\\[A-Za-z]++\s*+(?=\{)|\\[()\[\],;!]", "", text)
    text = re.sub(r"\\(?:right|long|Right|Longright)arrow\b|\\implies\b|\\to\b", "→", text)
    text = re.sub(r"\\[A-Za-z]++|\\ ", " ~ " if "\\" in text else "", text)
    text = re.sub(rf"(?:\*{{1,3}}|`|\[|<)\(?([{every}])([).:]{{0,2}})(?:\*{{1,3}}|`|\]|>)", r"(\1)\2", text)
    text = re.sub(r"[*`\"“”„‘«»${}]|(?<!\w)['’]|['’](?!\w)", "", text)
    text = text.replace("))", ")").replace("((", "(")
    text = re.sub(r"(?<=[A-Za-z]{2})_(?=[A-Za-z]{2})|(?<!\w)_+|_+(?!\w)", " ", text)
    return _LABEL_ENDS.sub(r"\1 ", text)
