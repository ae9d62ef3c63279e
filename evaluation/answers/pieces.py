"""The pieces of an answer that may be Python: fenced blocks, code in HTML or JSON, sessions, changes to a file."""

from __future__ import annotations

import ast
import contextlib
import itertools
import json
import re
import textwrap
from typing import TYPE_CHECKING, NamedTuple

from evaluation.answers.fences import PYTHON, Block, fenced_blocks, language, outside_of_blocks
from evaluation.answers.syntax import MOST_CHARACTERS, syntax_tree

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_CHANGES = {"diff", "patch", "udiff"}
# A change outside of a fence for changes: as GPT's tool applies it, and as `diff` writes it. This and the next are
# compiled when they are needed first, which most answers never do.
_CHANGE = (
    r"(?m)^\*\*\* Begin Patch[ \t]*+\n(?P<patch>[\s\S]*?)(?:^\*\*\* End Patch|\Z)"
    r"|^--- [^\n]++\n\+\+\+ [^\n]++\n(?=@@)"
)
# A file that a command of a shell writes, or a program that it starts: `cat > main.py <<'EOF'`.
_HEREDOC = r"<<-?[ \t]*+(['\"]?)(\w{1,30})\1[^\n]*+\n"
_MOST_HEREDOCS = 5
# A line that is a call, or a list of calls.
_CALL = r"(?m)^[ \t]*+\[?[A-Za-z_][\w.]*+\([^\n]*\)\]?[ \t]*$"
_YAML = r"(?m)^[ \t]*+[a-z_]{1,30}:[ \t]*+[|>][-+]?[ \t]*\n((?:[ \t]++[^\n]*\n?|\n)++)"
_EDITS = (
    ("<<<<<<< SEARCH", ">>>>>>> REPLACE"),
    ("------- SEARCH", "+++++++ REPLACE"),
)
_SESSIONS = {"pycon", "doctest", "console", "pyrepl"}
_SHELLS = {"", "bash", "sh", "shell", "zsh", "console", "terminal"}
_PROMPT = re.compile(r"[ \t]*+(?:>>>|\.\.\.:?|In \[\d++\]:)(?: |$)")
# Also behind what the interpreter says when it starts.
_BEGINS_SESSION = re.compile(
    r"\s*+(?:(?:\$|Python|Type|\[GCC|\[Clang|IPython)[^\n]*\n\s*+){0,5}(?:>>> |In \[\d++\]: )"
)
_MOST_NUMBERED = 2000
_ALONE = re.compile(
    r"\s*+(?:python3?|py|[\w./-]{1,60}\.py)[ \t]*+\n", re.IGNORECASE
)  # the language or the file in a line of its own
_COMMAND = re.compile(r"^[!%].*+$", re.MULTILINE)  # of a notebook
_NUMBERED = re.compile(r"[ \t]*+(\d++)(?:[ \t]*+[|:.)]|\u2192)?(?: |\t|$|(?<=\u2192))")
# Of Llama and LFM, around code for a tool.
_TOOL = re.compile(r"<\|(?:python_(?:start|tag|end)|tool_call_(?:start|end)|tool_list_(?:start|end))\|>")
_ENTITY = re.compile(r"&(?:lt|gt|amp|quot|#\d++);")
# Alone, or between marks such as those of a tool call.
_JSON = re.compile(
    r"\s*+(?:<\w{1,30}>\s*+)?(\{.*\}|\[\s*+\{.*\}\s*\]|\".*\")\s*(?:</\w{1,30}>\s*+)?", re.DOTALL
)
# Within other text: where a line begins, or behind a mark such as those of a tool call.
_JSON_WITHIN = re.compile(
    r"(?:^|[\]>])[ \t]*+(?=\{\s*+\"|\[\s*+\{)|:[ \t]++(?=\{\s*+\"(?:code|solution|program|answer|name)\"\s*+:)",
    re.MULTILINE,
)
_MOST_WITHIN = 10
_CODE_KEYS = {"code", "solution", "program", "source", "script", "python", "implementation", "completion"}
_MOST_VALUES = 200
_UNSEEN = dict.fromkeys(
    (0, 0xAD, *range(0x200B, 0x2010), *range(0x202A, 0x202F), 0x2060, 0xFEFF)
) | dict.fromkeys((0xA0, *range(0x2000, 0x200B), 0x202F, 0x205F), " ")
# Signs of a word processor or of another script, which Python doesn't know.
_TYPOGRAPHIC = str.maketrans(
    "\u201c\u201d\u201e\u2018\u2019\u2212\uff08\uff09\uff1a\uff0c\uff1d\uff0b\uff0d\uff1b\uff3b\uff3d\uff5b\uff5d\u3000",
    '"""\'\'-():,=+-;[]{} ',
)
_LONGEST_LEAD = 120
_WARNS = re.compile(
    r"\W*(?:\d\W+)?(?:(?:avoid|do\s+not|don['\u2019]t|never)\s+(?:(?:do|write|use|call|code|implement)\s+)?"
    r"(?:(?:something|code)\s+like\s+)?(?:this|it|that|the\s+following)(?:\s+(?:way|approach|version|pattern|code))?\W*$"
    r"|(?:(?:an?|the|this\s+is\s+an?)\s+)?(?:(?:common|typical|frequent)\s+(?:mistakes?|errors?)|(?:common\s+)?pitfalls?|anti-?patterns?)\b"
    r"(?:\s*\([^()]*\))?(?:\s+(?:to\s+avoid|(?:is|are|would\s+be)(?:\s+(?:this|the\s+following|to\s+(?:write|use|do)\b[^.,;]*))?)"
    r"|[^\w\s]*:[^.;!?]*)?\W*$"
    r"|(?:note(?:\s+that)?\W+)?(?:the\s+following(?:\s+(?:code|version|one))?)\s+(?:(?:is|would\s+be)\s+(?:wrong|incorrect)"
    r"|(?:does|would|will)(?:n['\u2019]t|\s+not)\s+work|won['\u2019]t\s+work)\b(?:,?\s+(?:because|since|as)\b[^.;!?]*)?\W*$"
    r"|(?:(?:an?|the|(?:this\s+is|here(?:['\u2019]s|\s+is))\s+an?)\s+)?(?:incorrect|wrong|buggy|broken|bad|faulty|flawed)\b"
    r"(?:\s+(?:version|approach|code|way|solution|implementation|example|attempt|one|answer|variant))?(?:\s*\([^()]*\))?\W*$)",
    re.IGNORECASE,
)
# Such a line is over what follows where it ends so or is a heading: `Wrong.` speaks of what stands above.
_LABELS = re.compile(r"\s*+#|\s*+(?:\*\*|__|\u274c|\u2717|\u2718|\u26a0|\U0001f6ab|\d)[^.!?]*$|.*:[^\w.!?]*$")
_WARNS_HAN = re.compile(
    r"\W*(?:错误|不正确|不推荐|反面)(?:的)?(?:示例|写法|代码|做法|版本|例子)[^\w.!\u3002\uff01]*$"
)
_MENDS = re.compile(
    r"\b(?:fix\w*|correct(?:ed|ion|ly)?|right|instead|use:|so|now|replace\w*|solution)\b", re.IGNORECASE
)
_ATTRIBUTE = re.compile(
    r"(?:class|lang|language)\s*+=\s*+[\"']?(?:lang(?:uage)?-)?([\w.+-]++)", re.IGNORECASE
)


class Piece(NamedTuple):
    """code: as it stands, with its indent. tag: as that of `Block`. shown: it is a session or a change, which most
    often shows code that stands elsewhere, or called wrong. open: the end of its block is not there.
    """

    code: str
    tag: str
    shown: bool = False
    open: bool = False

    @property
    def may_be_python(self) -> bool:
        """Whether its tag allows that."""
        return self.tag in {"", PYTHON}


def pieces_of(text: str) -> list[Piece]:
    """Those that are not empty, in order. Of sessions what was typed, of changes what they lead to. Linear."""
    text = replaced(without_tool_marks(text))
    blocks = [block for block in fenced_blocks(text) if block.code.strip()]
    if not blocks:
        return _without_fences(text)
    pieces = [_piece(block) for block in blocks]
    if not any(piece.may_be_python for piece in pieces):
        pieces += _in_json_blocks(blocks)
    return pieces


def hidden_pieces(text: str) -> list[Piece]:
    """Those that only count where no fenced block is the answer: in blocks of JSON, beside all blocks, and in calls
    written as Python.
    """
    text = replaced(without_tool_marks(text))
    rest = outside_of_blocks(text)
    calls = itertools.islice(re.finditer(_CALL, rest), _MOST_WITHIN)
    quoted = [inner for call in calls for inner in in_strings(call[0])]
    session = [Piece(_typed(rest), PYTHON, shown=True)] if re.search(r"(?m)^>>> (?:def|class) ", rest) else []
    literal = in_strings(rest) if rest.lstrip().startswith(("{", "[")) else []
    return [
        *_in_json_blocks(fenced_blocks(text)),
        *_without_fences(rest),
        *quoted,
        *literal,
        *_in_yaml(rest),
        *session,
    ]


def _without_fences(text: str) -> list[Piece]:
    if blocks := _in_html(text):
        return [_piece(block) for block in blocks]
    if change := _in_change(text):
        return [Piece(change, PYTHON, shown=True)]
    found = _JSON.fullmatch(text)
    return list(_in_json(found[1])) if found else _in_json_within(text)


def _in_yaml(text: str) -> list[Piece]:
    """The texts of several lines in YAML: `code: |`, and what stands deeper."""
    found = itertools.islice(re.finditer(_YAML, text), _MOST_WITHIN)
    codes = [textwrap.dedent(each[1]) for each in found]
    return [Piece(code, "") for code in codes if _parses(code)]


def _in_json_blocks(blocks: Iterable[Block]) -> list[Piece]:
    return [inner for block in blocks if block.tag == "json" for inner in _in_json(block.code)]


def replaced(text: str) -> str:
    """What a change leaves that is written as SEARCH and REPLACE."""
    begin, end = next((marks for marks in _EDITS if all(mark in text for mark in marks)), ("", ""))
    if not begin:
        return text
    kept: list[str] = []
    is_old = False
    for line in text.split("\n"):
        mark = line.strip()
        if mark in {begin, "=======", end}:
            is_old = mark == begin
        elif not is_old:
            kept.append(line)
    return "\n".join(kept)


def without_tool_marks(text: str) -> str:
    return _TOOL.sub("\n", text)


def inline_code(text: str, name: str) -> str:
    """The last function of that name in a line of prose: `def f(x): return x`, `f = lambda x: x`. Empty where there is
    none.
    """
    found = re.findall(
        rf"(?<!`)`((?:def {re.escape(name)}\(|{re.escape(name)} = lambda\b)[^`\n]*+)`(?!`)", text
    )
    return f"{found[-1]}\n" if found else ""


def _piece(block: Block) -> Piece:
    if len(block.code) > MOST_CHARACTERS:
        return Piece(block.code, block.tag)
    if change := _changed(block.code) if block.tag in _CHANGES else _in_change(block.code):
        return Piece(change, PYTHON, shown=True)
    if (block.may_be_python or block.tag in _SESSIONS) and _BEGINS_SESSION.match(block.code):
        return Piece(_typed(block.code), PYTHON, shown=True)
    if block.tag in _SHELLS and (written := _written(block.code)):
        return Piece(written, PYTHON, shown=True)
    if not block.may_be_python:
        return Piece(block.code, block.tag)
    named = _ALONE.match(block.code)
    code = _cleaned(block.code[named.end() if named else 0 :])
    return Piece(code, PYTHON if named else block.tag, shown=_is_warned_of(block.lead), open=not block.closed)


def _is_warned_of(lead: str) -> bool:
    """Whether the line before a block says that it is what not to write."""
    if len(lead) >= _LONGEST_LEAD or _MENDS.search(lead):
        return False
    return bool((_LABELS.match(lead) and _WARNS.match(lead)) or _WARNS_HAN.match(lead))


def _written(commands: str) -> str:
    """The first file in commands of a shell that can be parsed; empty where there is none."""
    found = re.finditer(_HEREDOC, commands) if "<<" in commands else ()
    for begin in itertools.islice(found, _MOST_HEREDOCS):
        code, end, _ = f"\n{commands[begin.end() :]}\n".partition(f"\n{begin[2]}\n")
        if end and _parses(code):
            return code.removeprefix("\n") + "\n"
    return ""


def _cleaned(code: str) -> str:
    """Code without what a page or a notebook made of it, where that keeps it from being parsed."""
    seen = code.translate(_UNSEEN)
    if _ENTITY.search(seen):
        seen = _unescaped(seen)
    seen = _without_numbers(_COMMAND.sub("", seen))
    if seen != code and syntax_tree(textwrap.dedent(code)) is not None:
        return code
    plain = seen.translate(_TYPOGRAPHIC)
    if plain != seen and not _parses(seen) and _parses(plain):
        return plain
    return seen


def _parses(code: str) -> bool:
    return syntax_tree(textwrap.dedent(code)) is not None


def _without_numbers(code: str) -> str:
    """The code of a listing whose lines are numbered."""
    lines = [line for line in code.split("\n") if line.strip()]
    numbered = [_NUMBERED.match(line) for line in lines[:_MOST_NUMBERED]]
    found = [each for each in numbered if each is not None]
    if len(found) < len(lines) or len({int(each[1][-9:]) - at for at, each in enumerate(found)}) != 1:
        return code
    return textwrap.dedent("\n".join(each.string[each.end() :] for each in found)) + "\n"


def _typed(session: str) -> str:
    """What follows the prompts of a session."""
    lines = textwrap.dedent(session).split("\n")
    return "\n".join(line[found.end() :] for line in lines if (found := _PROMPT.match(line))) + "\n"


def _changed(difference: str) -> str:
    """What a change leaves of the lines that it shows."""
    kept = [
        line[1:] if line[:1] in {"+", " "} else line
        for line in difference.split("\n")
        if not line.startswith(("-", "@@", "+++ ", "*** ", "diff ", "index ", "\\ No newline"))
    ]
    return "\n".join(kept)


def _in_change(text: str) -> str:
    """What the first change in a text leaves; empty where there is none."""
    if "*** Begin Patch" not in text and "\n@@" not in text:
        return ""
    found = re.search(_CHANGE, text)
    if found is None:
        return ""
    if found["patch"] is not None:
        return _changed(found["patch"])
    lines = text[found.start() :].split("\n")
    return _changed("\n".join(itertools.takewhile(_is_of_change, lines)))


def _is_of_change(line: str) -> bool:
    return not line or line.startswith(("+", "-", "@@", " ", "\\", "diff ", "index "))


# What surrounds the arguments of tools: Gemma's marks of quotation, and elements, which may have the name of a space
# before theirs.
_COLOURS, _BREAK = r"</?span\b[^<>]*+>", r"<br\s?/?>\n?"
_QUOTATIONS = (r"<\|\"\|>", r"<escape>")
_ELEMENTS = ("pre", "code", "parameter", "arg_value")
_SPACE = r"(?:[|\uff5c]\w{1,20}[|\uff5c]|\w{1,20}:)?"


def _unescaped(text: str) -> str:
    import html  # few answers need its table

    return html.unescape(text)


def _in_html(text: str) -> list[Block]:
    """What stands in `<pre>` and, over several lines, in `<code>` or an argument of a tool call, and is code there."""
    if "<" not in text:
        return []
    marks = [
        *((rf"<{_SPACE}{name}\b[^<>]*+>", rf"</{_SPACE}{name}>") for name in _ELEMENTS),
        *((mark, mark) for mark in _QUOTATIONS),
    ]
    return next((found for begin, end in marks if (found := _in_elements(text, begin, end))), [])


def _in_elements(text: str, begin_mark: str, end_mark: str) -> list[Block]:
    found: list[Block] = []
    begins, ends = (re.compile(mark, re.IGNORECASE) for mark in (begin_mark, end_mark))
    at = 0
    while (begin := begins.search(text, at)) and (end := ends.search(text, begin.end())):
        marks, code, at = begin[0], text[begin.end() : end.start()], end.end()
        if inner := re.match(r"\s*+<code\b[^<>]*+>", code, re.IGNORECASE):
            marks, code = marks + inner[0], code[inner.end() :].rpartition("</")[0]
        code = re.sub(_COLOURS, "", re.sub(_BREAK, "\n", code))
        if "\n" in code:
            named = _ATTRIBUTE.search(marks)
            tag = language(named[1]) if named else ""
            found.append(Block(tag, _unescaped(code).strip("\n") + "\n", closed=True))
    return found


def _in_json(text: str) -> Iterable[Piece]:
    """The texts of several lines in JSON: `{"code": "..."}`, the cells of a notebook, the arguments of a tool call."""
    try:
        found = json.loads(text) if len(text) <= MOST_CHARACTERS else None
    except (ValueError, RecursionError):
        return
    for value in itertools.islice(_texts(found), _MOST_VALUES):
        yield from pieces_of(value) or [Piece(value, "")]


def _in_json_within(text: str) -> list[Piece]:
    """The code in JSON that has text around it, such as a sentence or the marks of a tool call."""
    pieces: list[Piece] = []
    if len(text) > MOST_CHARACTERS:
        return pieces
    decoder, end = json.JSONDecoder(), 0
    for found in itertools.islice(_JSON_WITHIN.finditer(text), _MOST_WITHIN):
        if found.end() < end:
            continue
        try:
            value, end = decoder.raw_decode(text, found.end())
        except (ValueError, RecursionError):
            continue
        for code in itertools.islice(_texts(value), _MOST_VALUES):
            inner = pieces_of(code) or [Piece(code, "")]
            pieces += [piece for piece in inner if _parses(piece.code)]
    return pieces


def in_strings(code: str, name: str = "") -> list[Piece]:
    """The code in strings of code that names something: `exec("def ...")`, `[write_file(content="def ...")]`."""
    tree = syntax_tree(code.strip()) if name in code else None
    if tree is None:
        return []
    found = (
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and name in node.value
    )
    return [Piece(text, "") for text in itertools.islice(found, _MOST_WITHIN) if _parses(text)]


def _texts(value: object) -> Iterator[str]:
    """In order; a list of nothing but texts is one text, as in a notebook. Of one line only what is called code."""
    waiting = [("", value)]
    while waiting:
        key, value = waiting.pop()
        if isinstance(value, list) and value and all(isinstance(each, str) for each in value):
            ended = all(each.endswith("\n") for each in value[:-1])  # as in a notebook
            value = ("" if ended else "\n").join(value)
        if isinstance(value, str):
            if "\n" in value.strip() or (value and (key in _CODE_KEYS or value.startswith("def "))):
                yield value
            elif value.startswith("{"):  # arguments, as JSON once more
                with contextlib.suppress(ValueError, RecursionError):
                    waiting.append(("", json.loads(value)))
        elif isinstance(value, dict):
            waiting += reversed(value.items())
        elif isinstance(value, list):
            waiting += ((key, each) for each in reversed(value))


def unescaped(text: str) -> str:
    r"""Code outside of a fence as it was meant: `my\_sum` of Markdown, and lines that `\n` separates."""
    if "\\n" in text and "\n" not in text.strip():
        text = text.replace("\\n", "\n").replace("\\t", "\t")
    return text.replace("\\_", "_")
