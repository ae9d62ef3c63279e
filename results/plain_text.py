r"""Make text from outside safe to show: escape what could control a terminal, hide, or imitate our own output.

Names of models and files, servers' answers, logs and scripts' output may contain anything. All printed text and all
reports go through here; records keep the original. An escape character is shown as \u001b, like in JSON.
"""

from __future__ import annotations

import re

# U+200D joins emoji, and together with U+200C shapes letters of Arabic and Indic scripts; they are kept there.
_EMOJI = "\u2190-\u2bff\u3030\u303d\U0001f000-\U0001faff\ufe0f"
_SHAPED = "\u0600-\u0dff\u0f00-\u109f"
# Control characters, changes of text direction, invisible characters, line ends, halves of surrogate pairs.
_HIDDEN = (
    "\x00-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f"
    "\u3164\ufeff\uffa0\ufff0-\ufffb\ud800-\udfff\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
# Most programs never meet such text, so this is compiled where it is used.
_WANTED = f"(?<=[{_EMOJI}])\u200d(?=[{_EMOJI}])|(?<=[{_SHAPED}])[\u200c\u200d](?=[{_SHAPED}])|([{_HIDDEN}])"
_COLOUR = re.compile(r"\x1b\[[0-9;:]*m")
_LINE_END = re.compile(r"\r\n|[\r\n]")
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
_SIGNS = r"=+\-@\uff1d\uff0b\uff0d\uff20"  # full-width ones too, like some spreadsheets
_FORMULA = re.compile(rf"[\t\r\n]|\s*[{_SIGNS}]")
# Where other signs than commas part the columns, as in many countries, a cell may begin inside a text. It matches at
# every blank, so that none is looked at twice, however many there are.
_INNER = re.compile(rf'([\s";|]++)([{_SIGNS}]?)')
_PARTING = re.compile(r"[;|\t\r\n]")


def plain(text: str) -> str:
    """Safe text in one line."""
    if text.isascii() and text.isprintable():
        return text
    return re.sub(_WANTED, lambda match: match[0] if match[1] is None else _written_out(match[1]), text)


def cell(text: str) -> str:
    """Safe text for a table's cell: one line, single blanks."""
    return plain(" ".join(text.split()))


def plain_lines(text: str) -> str:
    """Safe text of several lines; tabs stay. A carriage return ends a line too, for progress bars."""
    return "\n".join("\t".join(map(plain, line.split("\t"))) for line in _LINE_END.split(text))


def indented(text: str, by: str = "    ") -> str:
    """Safe text whose further lines are indented, by `by` or their own indentation, so none looks like a line of
    ours.
    """
    first, *others = plain_lines(text).split("\n")
    return "\n".join([first, *(line if line.startswith(" ") else f"{by}{line}" for line in others)])


def tail(text: str, *, lines: int = 20, width: int = 300) -> str:
    """The last lines of a log, without empty lines and colours; long lines are cut at `width`."""
    there = [line.rstrip() for line in _LINE_END.split(uncoloured(text)) if line.strip()]
    return "\n".join(line if len(line) <= width else f"{line[:width]}..." for line in there[-lines:])


def uncoloured(text: str) -> str:
    """The text without colour sequences."""
    return _COLOUR.sub("", text)


def csv_cell(text: str) -> str:
    """Safe text of several lines that no spreadsheet takes for a formula, whatever sign parts its columns."""
    begun = f"'{text}" if _FORMULA.match(text) else text
    return plain_lines(_INNER.sub(_defused, begun))


def _defused(match: re.Match[str]) -> str:
    return f"{match[1]}'{match[2]}" if match[2] and _PARTING.search(match[1]) else match[0]


def in_unicode(text: str) -> str:
    r"""Text that UTF-8 can hold. A byte of a file's name that is not UTF-8 becomes \xff, which `user_path`
    understands.
    """
    return re.sub("[\ud800-\udfff]", lambda match: _written_out(match[0]), text)


def _written_out(character: str) -> str:
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # a byte from os.fsdecode
        return f"\\x{code - 0xDC00:02x}"
    return _SHORT.get(character) or (f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}")
