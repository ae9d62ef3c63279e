"""From what a model answered to a whole program that reads and prints. Pure: text in, text out."""

from __future__ import annotations

import ast
import itertools
import re
import textwrap
from typing import TYPE_CHECKING, NamedTuple

from evaluation.answers.code import BEGINS_CODE
from evaluation.answers.definitions import with_rewritten, without_own_imports
from evaluation.answers.examples import without_remarks
from evaluation.answers.fences import lines_of, outside_of_blocks
from evaluation.answers.pieces import hidden_pieces, in_strings, pieces_of, without_tool_marks
from evaluation.answers.syntax import (
    bound_names,
    missing_names,
    parsable_prefix,
    syntax_tree,
    tries_of,
    used_names,
    whole_statements,
    without,
)
from evaluation.answers.turns import before_conversation

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evaluation.answers.pieces import Piece

_BEGINS_PROGRAM = re.compile(r"\w++ *+=|print\(|#|(?:for|while|with|if)\b[^\n]*:\s*$|try:\s*$")
_CUTS = 5  # pieces, the last ones, of which a beginning is looked for where the whole can't be parsed
_LONGEST = 10_000  # characters of such a piece
_STARTS = 3  # lines of a piece where a program may begin behind prose
_DEFINING = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Import, ast.ImportFrom)
_PRINTS = re.compile(r"\bprint\b|\bstdout\b|\bos\.write\b")
# A test of a program; not a line for one's own tries, behind `if DEBUG:`, nor one that reads all input at once, as
# `sys.stdin = io.StringIO(sys.stdin.read())`, or keeps what was read before.
_FEEDS = re.compile(
    r"(?:\A|^(?![ \t]*+(?:el)?if\b)[^\n]*+\n)[ \t]*+(?:sys\.)?stdin\s*+=\s*+(?:io\.)?(?:StringIO|BytesIO)\b"
    r"(?!\(\s*+[^\n]{0,200}(?:\bstdin\b|\bos\.read\b|\binput\(|\bopen\(\s*+(?:0|['\"]/dev/stdin)))(?:\(\s*+(?P<given>[A-Za-z_]\w*+)(?!['\"]))?"
    r"|\b(?:setattr|patch)\([^\n]{0,80}stdin|\bsubprocess\.(?:run|Popen|check_output)\("
    r"|^[ \t]*+(?:import|from)[ \t]++(?:unittest|pytest)\b",
    re.MULTILINE,
)
_MOST_FEEDS = 5
READS = re.compile(
    r"(?<!['\"/])\binput\b(?! *=[^=]|\.\w)|\bstdin\b|\bfileinput\b|\bos\.read\b|\bopen\(\s*+(?:0|['\"]/dev/stdin)"
)


class _Rank(NamedTuple):
    """How much a piece is like a program, the most important first."""

    parses: bool
    reads_and_prints: bool
    is_whole: bool
    prints: bool


class _Candidate(NamedTuple):
    """A piece that may be the program. as_it_stands: it is neither a session, nor a change, nor cut."""

    rank: _Rank
    as_it_stands: bool
    number: int
    code: str


def program_from_chat(text: str) -> str:
    """The program in an answer that may hold prose, fences, examples of input and output; empty where none is.

    Of several pieces of Python the last one that is most like a program: it can be parsed, reads and prints, and uses
    no names that it doesn't have. So it is the model's final word, but neither a demonstration behind the program nor
    a sample of its output. A program that is spread over several pieces is put together, and what can't be parsed
    behind a program is no part of it.
    """
    text = without_tool_marks(before_conversation(text))
    pieces = pieces_of(text)
    python = [piece for piece in pieces if piece.may_be_python]
    if not python:
        python = [piece for piece in pieces if all(_rank(textwrap.dedent(piece.code)))]
    if not pieces:
        code = program_from_completion(text)
        return without_remarks(code if all(_rank(code)) else _hidden(text, [text]) or code)
    cut_from = len(python) - _CUTS
    found = [_candidate(piece, at, cut=at >= cut_from) for at, piece in enumerate(python)]
    codes = [each.code for each in found]
    best = max(found, default=None)
    others = [each for each in codes if best is not None and each != best.code]
    if best is not None and (own := without_own_imports(best.code, others)) != best.code:
        return without_remarks(_completed(own, [_as_module(each) for each in others]))
    if best is None or not (best.rank.is_whole and best.rank.reads_and_prints):
        if hidden := _hidden(text, codes):
            return without_remarks(hidden)
        for together in (_completed(best.code, codes), "\n".join(codes)) if best and len(codes) > 1 else ():
            if all(_rank(together)):
                return without_remarks(together)
    if best is None:
        return ""
    behind = codes[best.number + 1 :]
    return without_remarks(_called(best.code, behind) or with_rewritten(best.code, behind))


def _hidden(text: str, codes: Sequence[str]) -> str:
    """The last program where nothing in plain sight is one: in strings, beside blocks, in calls of tools."""
    pieces = [*(inner for code in codes for inner in in_strings(code)), *hidden_pieces(text)]
    found = next((piece.code for piece in reversed(pieces) if all(_rank(piece.code))), "")
    bare = "" if found else program_from_completion(outside_of_blocks(text))
    return found or (bare if all(_rank(bare)) else "")


def _called(code: str, behind: Sequence[str]) -> str:
    """Of code that only defines functions, with the first piece behind it that calls one; empty where there is none."""
    tree = syntax_tree(code)
    if tree is None or not all(isinstance(node, _DEFINING) for node in tree.body):
        return ""
    defined = {name for node in tree.body for name in bound_names(node)}
    for other in behind:
        calling = syntax_tree(other)
        if calling is not None and any(_calls(node, defined) for node in calling.body):
            return f"{code}\n{other}"
    return ""


def _as_module(code: str) -> str:
    """The code without what it does only where it is started."""
    tree = syntax_tree(code)
    nodes = tree.body if tree is not None else []
    guarded = [node for node in nodes if isinstance(node, ast.If) and "__name__" in used_names(node.test)]
    return without(code, guarded) if guarded else code


def _calls(node: ast.stmt, names: set[str]) -> bool:
    """Whether it is nothing but a call without an argument, or one behind `if __name__`: no demonstration."""
    if isinstance(node, ast.If):
        return "__name__" in used_names(node.test) and bool(used_names(node) & names)
    called = node.value if isinstance(node, ast.Expr) else None
    return (
        isinstance(called, ast.Call)
        and isinstance(called.func, ast.Name)
        and called.func.id in names
        and not called.args
    )


def _candidate(piece: Piece, number: int, *, cut: bool) -> _Candidate:
    code = textwrap.dedent(piece.code)
    rank = _rank(code)
    if not rank.parses and cut and (beginning := whole_statements(code)):
        return _Candidate(_rank(beginning), False, number, beginning)
    if not rank.parses and cut and (behind := _behind_prose(code)):
        return _Candidate(_rank(behind), False, number, behind)
    return _Candidate(rank, not piece.shown, number, code)


def _behind_prose(code: str) -> str:
    """The program in a piece that begins with prose; empty where there is none."""
    if len(code) > _LONGEST:
        return ""
    lines = code.split("\n")
    starts = (at for at, line in enumerate(lines) if BEGINS_CODE.match(line) or _BEGINS_PROGRAM.match(line))
    for start in itertools.islice((at for at in starts if at), _STARTS):  # from its first line it was tried
        rest = "\n".join(lines[start:])
        for part in (rest, whole_statements(rest)):
            if part and all(_rank(part)):
                return part
    return ""


def _completed(code: str, codes: Sequence[str]) -> str:
    """The code, behind those others that bind the names that it uses."""
    parsed = [(number, syntax_tree(other)) for number, other in enumerate(codes) if other is not code]
    trees = [(number, tree) for number, tree in parsed if tree is not None]
    binding = {name: number for number, tree in trees for node in tree.body for name in bound_names(node)}
    missing = {number: missing_names(tree) for number, tree in trees}
    tree = syntax_tree(code)
    wanted = list(missing_names(tree)) if tree is not None else []
    taken: set[int] = set()
    while wanted:
        number = binding.get(wanted.pop(), -1)
        if number >= 0 and number not in taken:
            taken.add(number)
            wanted += missing[number]
    return "\n".join([*(codes[number] for number in sorted(taken)), code])


def _rank(code: str) -> _Rank:
    tree = syntax_tree(code)
    prints = _PRINTS.search(code) is not None
    return _Rank(
        parses=tree is not None and bool(tree.body),
        reads_and_prints=prints and READS.search(code) is not None and not _is_fed(code),
        is_whole=tree is not None and not missing_names(tree),
        prints=prints,
    )


def _is_fed(code: str) -> bool:
    """Whether it is a test that gives a program its input."""
    for found in itertools.islice(_FEEDS.finditer(code), _MOST_FEEDS):
        name = found["given"] or ""
        kept = rf"(?m)^[ \t]*+(?:{name}[ \t]*+=|with\b[^\n]{{0,200}}\bas[ \t]++{name}\b)[^\n]*"
        if not name or not any(READS.search(line[0]) for line in re.finditer(kept, code)):
            return True
    return False


def program_from_completion(text: str) -> str:
    """The program in a text without fences: from its first line of code as far as it can be parsed."""
    lines = lines_of(text.split("```", 1)[0])
    if syntax_tree("\n".join(lines)) is not None:
        return "\n".join(lines).rstrip("\n") + "\n" if "".join(lines).strip() else ""
    starts = [at for at, line in enumerate(lines) if BEGINS_CODE.match(line) or _BEGINS_PROGRAM.match(line)]
    found = ""
    for start in starts[: tries_of(text) // 2]:
        code = parsable_prefix(lines[start:])
        if syntax_tree(code) is not None:
            if _PRINTS.search(code):
                return code
            found = found or code
    return found
