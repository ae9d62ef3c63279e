r"""Text from elsewhere, as it may be shown: what would steer a terminal, hide, or pass for our own is written out.

Names of models and files, answers of servers, logs and what scripts say may hold anything. Everything that is printed,
and every report, goes through here; records keep the text as it came. An escape character is shown as \u001b, as JSON
has it.
"""

from __future__ import annotations

import re

# Emoji are joined by U+200D, and letters of Arabic and Indic scripts are shaped by it and by U+200C: there they stay.
_EMOJI = "\u2190-\u2bff\u3030\u303d\U0001f000-\U0001faff\ufe0f"
_SHAPED = "\u0600-\u0dff\u0f00-\u109f"
# Control characters; what turns the direction of text; what is seen nowhere; ends of lines; halves of characters.
_HIDDEN = (
    "\x00-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f"
    "\u3164\ufeff\uffa0\ufff0-\ufffb\ud800-\udfff\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
_WANTED = re.compile(
    f"(?<=[{_EMOJI}])\u200d(?=[{_EMOJI}])|(?<=[{_SHAPED}])[\u200c\u200d](?=[{_SHAPED}])|([{_HIDDEN}])"
)
_HALF = re.compile("[\ud800-\udfff]")
_COLOUR = re.compile(r"\x1b\[[0-9;:]*m")
_LINE_END = re.compile(r"\r\n|[\r\n]")
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
_FORMULA = re.compile(
    r"[\t\r\n]|\s*[=+\-@\uff1d\uff0b\uff0d\uff20]"
)  # the wide ones too, as some spreadsheets do


def plain(text: str) -> str:
    """In one line."""
    if text.isascii() and text.isprintable():
        return text
    return _WANTED.sub(lambda match: match[0] if match[1] is None else _written_out(match[1]), text)


def cell(text: str) -> str:
    """In one line, with single blanks in it, as in a table."""
    return plain(" ".join(text.split()))


def plain_lines(text: str) -> str:
    """Line by line; tabs stay. A carriage return ends a line too, as those of progress bars do."""
    return "\n".join("\t".join(map(plain, line.split("\t"))) for line in _LINE_END.split(text))


def indented(text: str, by: str = "    ") -> str:
    """Line by line; those behind the first are indented by that, or as they came: none passes for a line of ours."""
    first, *others = plain_lines(text).split("\n")
    return "\n".join([first, *(line if line.startswith(" ") else f"{by}{line}" for line in others)])


def tail(text: str, *, lines: int = 20, width: int = 300) -> str:
    """The last lines of a log, without empty ones and without colours; of a long line the beginning."""
    there = [line.rstrip() for line in _LINE_END.split(uncoloured(text)) if line.strip()]
    return "\n".join(line if len(line) <= width else f"{line[:width]}..." for line in there[-lines:])


def uncoloured(text: str) -> str:
    """Without the sequences by which programs colour what they print."""
    return _COLOUR.sub("", text)


def csv_cell(text: str) -> str:
    """Line by line, and not taken for a formula by a spreadsheet."""
    return plain_lines(f"'{text}" if _FORMULA.match(text) else text)


def in_unicode(text: str) -> str:
    r"""As UTF-8 can hold it. A byte of a file's name that is no UTF-8 becomes \xff, by which `user_path` finds it."""
    return _HALF.sub(lambda match: _written_out(match[0]), text)


def _written_out(character: str) -> str:
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # a byte, as os.fsdecode gives it
        return f"\\x{code - 0xDC00:02x}"
    return _SHORT.get(character) or (f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}")
