"""The fenced blocks in an answer: as CommonMark has them, and as models write them all the same."""

from __future__ import annotations

import re
from typing import NamedTuple

from evaluation.answers.syntax import syntax_tree

PYTHON = "python"
_PYTHON_NAMES = {"py", "python", "pypy", "ipython", "cpython", "sage"}
_NO_NAMES = {"", "code"}  # what says nothing of the language

# Quotes and list items may stand before a fence. Possessive, so that no line is read twice.
_STRICT = re.compile(
    r"(?P<before>(?:[ \t]*+(?:>|(?:[-*+]|\d{1,9}[.)])(?=[ \t])))*+[ \t]*+)"
    r"(?:(?P<ticks>`{3,}+)(?P<info>[^`]*+)|(?P<tildes>~{3,}+)(?P<rest>.*+))$"
)
_BEHIND_PROSE = re.compile(r"(?<!`)(?P<ticks>`{3,}+)(?P<info>[\w.+#{}-]*+)[ \t]*+$")
_ONE_LINE = re.compile(r"[ \t]*+`{3,}+([^`]++)`{3,}+[ \t]*+$")
_NAME = re.compile(r"[\s{.]*+([A-Za-z]*+)")
# Code in the line of its opening fence.
_BEGUN = re.compile(
    r"(?:(?:python3?|py)\s++)?((?:(?:async\s++)?def|class|import|from)\s++\w.*+)$", re.IGNORECASE
)
_MOST = 200  # of the blocks of one answer; each may be parsed
_NESTED = 3  # blocks in a block in a block

# What of a line of Python is no code. One quotation mark ends with its line, three do not.
_QUOTED = re.compile(
    r"(?P<long>\"\"\"|''')|\"(?:[^\"\\]|\\.)*+(?:\"|\\?$)|'(?:[^'\\]|\\.)*+(?:'|\\?$)|(?P<comment>#.*+)"
)
_LONG_END = {
    '"""': re.compile(r'(?:[^"\\]|\\.|"(?!""))*+"""'),
    "'''": re.compile(r"(?:[^'\\]|\\.|'(?!''))*+'''"),
}


class Block(NamedTuple):
    """A fenced block. tag: `python`, empty where none is given, else the language in small letters. closed: its closing
    fence is there. lead: the line of prose before it.
    """

    tag: str
    code: str
    closed: bool
    lead: str = ""

    @property
    def may_be_python(self) -> bool:
        """Whether its tag allows that."""
        return self.tag in {"", PYTHON}


class _Fence(NamedTuple):
    """quotes: marks of a quote in front. indent: columns from there to the fence."""

    quotes: int
    indent: int
    mark: str
    info: str


def fenced_blocks(text: str) -> list[Block]:
    """Every fenced block, in order, of more than 200 the last; the last one may lack its end (a cut answer), the first
    one its beginning.

    As in CommonMark a fence may stand in quotes and lists, has any info string, and is closed by one of its kind that
    is at least as long, stands alone and not deeper. Beyond that: a fence inside a string of Python closes nothing, if
    the string ends; a fence may stand behind prose, or its end behind code; code may stand less deep than its fence;
    and a fence with an info string ends a block that was left open. Linear in the text.
    """
    return _Scan(lines_of(text)).blocks()[-_MOST:]


def outside_of_blocks(text: str) -> str:
    """The lines that belong to none of its fenced blocks."""
    scan = _Scan(lines_of(text))
    scan.blocks()
    return "\n".join(scan.outside)


def lines_of(text: str) -> list[str]:
    """As Python and Markdown count them, which `str.splitlines` does not: a form feed ends none."""
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def language(info: str) -> str:
    """`python title="x.py"`, `Python 3`, `{.python .numberLines}`, `python:main.py` and `main.py` are all python."""
    found = _NAME.match(info)
    name = found[1].lower() if found else ""
    if name in _PYTHON_NAMES or re.search(r"\w\.py\b|^\s*+tool_code\b", info):  # Gemma's tools are Python
        return PYTHON
    return "" if name in _NO_NAMES else name


class _Scan:
    def __init__(self, lines: list[str], depth: int = 0) -> None:
        self._lines = lines
        self._depth = depth
        self._lookahead = 4 * len(lines) + 100  # lines that may be read for strings that never end
        self.outside: list[str] = []  # lines that were passed

    def blocks(self) -> list[Block]:
        found: list[Block] = []
        before: list[str] = []
        at = 0
        while at < len(self._lines):
            line = self._lines[at]
            at += 1
            if (single := _ONE_LINE.match(line)) is not None:
                found.append(_of_one_line(single[1]))
                continue
            fence = _opening(line)
            if fence is None:
                before.append(line)
                self.outside.append(line)
            elif not fence.info and not found and _is_closing_only(before):
                # The prompt, or the template, held the opening fence.
                found.append(Block("", "\n".join(before) + "\n", closed=True))
                before = []
            else:
                if begun := _BEGUN.match(fence.info):
                    at -= 1
                    self._lines[at] = " " * fence.indent + begun[1]
                    fence = fence._replace(info=PYTHON)
                block, at = self._block(fence, at)
                lead = next((each for each in reversed(before) if each.strip()), "")
                found += self._inside(block._replace(lead=lead))
                before = []
        return found

    def _inside(self, block: Block) -> list[Block]:
        """The blocks in a block that is no code itself, such as one of Markdown; or that block."""
        if block.tag != PYTHON and self._depth < _NESTED and re.search("```|~~~", block.code):
            inner = _Scan(lines_of(block.code.removesuffix("\n")), self._depth + 1).blocks()
            if any(each.may_be_python for each in inner) and (block.tag or syntax_tree(block.code) is None):
                return inner
        return [block] if block.code or block.closed else []

    def _block(self, fence: _Fence, start: int) -> tuple[Block, int]:
        """The block whose first line is at `start`, and where to go on."""
        tag = language(fence.info)
        long = self._end(fence, start, strings=tag in {"", PYTHON})
        if long.skipped is None:
            return self._made(tag, fence, start, long), long.after
        # A fence inside a string: of the two readings the longer one, if it can be parsed.
        short = self._end(fence, start, strings=False)
        block = self._made(tag, fence, start, long)
        if syntax_tree(block.code) is not None:
            return block, long.after
        return self._made(tag, fence, start, short), short.after

    def _made(self, tag: str, fence: _Fence, start: int, end: _End) -> Block:
        code = self._code(fence, start, end)
        if fence.indent and tag in {"", PYTHON} and self._stands_less_deep(fence, start, end.line):
            as_it_stands = self._code(fence._replace(indent=0), start, end)
            if syntax_tree(code) is None and syntax_tree(as_it_stands) is not None:
                code = as_it_stands
        return Block(tag, code, closed=end.closed)

    def _code(self, fence: _Fence, start: int, end: _End) -> str:
        lines = [_content(line, fence) for line in self._lines[start : end.line]]
        if end.head.strip():
            lines.append(end.head)
        return "\n".join(lines) + "\n" if lines else ""

    def _stands_less_deep(self, fence: _Fence, start: int, end: int) -> bool:
        """Whether its first line of code does, as that of a fence in a list which the code doesn't belong to."""
        margin = _Fence(fence.quotes, 0, fence.mark, "")
        first = next((line for line in self._lines[start:end] if line.strip()), "")
        content = _content(first, margin)
        return len(content) - len(content.lstrip(" \t")) < fence.indent

    def _end(self, fence: _Fence, start: int, *, strings: bool) -> _End:
        """Where the block ends. strings: fences inside Python's strings don't count."""
        inside = ""  # the quotation marks of the string that is open
        skipped: int | None = None
        for at in range(start, len(self._lines)):
            line = self._lines[at]
            if fence.quotes and not line.lstrip(" \t").startswith(">"):
                return _End(at, "", closed=False, after=at, skipped=skipped)
            content = _content(line, fence)
            if strings:
                self._lookahead -= 1
                was, inside, code_end = inside, *_strings(content, inside)
                strings = self._lookahead > 0
                if was or inside:
                    if skipped is None and _closes(content, fence):
                        skipped = at
                    continue
            else:
                code_end = len(content)
            if fence.mark not in content:
                continue
            if _closes(content, fence, deeper=strings):
                return _End(at, "", closed=True, after=at + 1, skipped=skipped)
            other = _STRICT.match(content)
            if other is not None:
                if (other["info"] or "").strip() and other["ticks"].startswith(fence.mark):
                    return _End(at, "", closed=False, after=at, skipped=skipped)
                continue
            glued = content.rstrip()
            if strings and glued.endswith(fence.mark) and code_end >= len(glued):
                head = glued.rstrip(fence.mark[0])
                return _End(at, head, closed=True, after=at + 1, skipped=skipped)
        end = len(self._lines)
        while end > start and not self._lines[end - 1].strip():
            end -= 1
        return _End(end, "", closed=False, after=len(self._lines), skipped=skipped)


class _End(NamedTuple):
    """line: the first that is not the block's. head: code before a fence in that line. skipped: the first fence that
    was passed over because it stands inside a string.
    """

    line: int
    head: str
    closed: bool
    after: int
    skipped: int | None


def _opening(line: str) -> _Fence | None:
    if "```" not in line and "~~~" not in line:
        return None
    found = _STRICT.match(line)
    if found is not None:
        before = found["before"]
        quotes = before.count(">")
        behind = before[before.rfind(">") + 1 :]
        if quotes:
            behind = behind[1:] if behind[:1] in {" ", "\t"} else behind
        mark = found["ticks"] or found["tildes"]
        return _Fence(quotes, len(behind), mark, (found["info"] or found["rest"] or "").strip())
    found = _BEHIND_PROSE.search(line)
    if found is not None and len(re.findall("`++", line[: found.start()])) % 2 == 0:
        return _Fence(0, len(line) - len(line.lstrip(" \t")), found["ticks"], found["info"])
    return None


def _content(line: str, fence: _Fence) -> str:
    """The line without the quote and the indent that its block stands in."""
    if not fence.quotes and not fence.indent:
        return line
    for _ in range(fence.quotes):
        inner = line.lstrip(" \t")
        if not inner.startswith(">"):
            break
        line = inner[2:] if inner[1:2] == " " else inner[1:]
    margin = line[: fence.indent]
    return margin.lstrip(" \t") + line[fence.indent :]


def _closes(content: str, fence: _Fence, *, deeper: bool = False) -> bool:
    """deeper: outside of Python's strings a fence can be nothing else, wherever it stands."""
    mark = content.strip()
    if not mark.startswith(fence.mark) or mark.strip(fence.mark[0]):
        return False
    return deeper or not content[0].isspace()


def _strings(line: str, inside: str) -> tuple[str, int]:
    """The quotation marks of the string that is open behind a line of Python, if one is, and where its code ends."""
    at = 0
    while True:
        if inside:
            end = _LONG_END[inside].match(line, at)
            if end is None:
                return inside, at
            inside, at = "", end.end()
        found = _QUOTED.search(line, at)
        if found is None:
            return "", len(line)
        if found["comment"] is not None:
            return "", found.start()
        inside, at = found["long"] or "", found.end()
        if not inside and at == len(line):
            return "", found.start()


def _of_one_line(inner: str) -> Block:
    """```print(1)``` and ```python print(1)```."""
    word, _, rest = inner.strip().partition(" ")
    named = language(word) == PYTHON and word.isalnum() and rest
    return Block(PYTHON if named else "", (rest if named else inner).strip() + "\n", closed=True)


def _is_closing_only(before: list[str]) -> bool:
    """Whether a bare fence ends code that began without one: all before it is code, and it isn't prose."""
    code = "\n".join(before)
    return ("def " in code or "return" in code) and syntax_tree(code) is not None


def fenced(code: str) -> str:
    """Code as a model answers in a chat."""
    return f"```python\n{code.strip()}\n```"
