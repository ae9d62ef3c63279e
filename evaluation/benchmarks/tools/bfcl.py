"""Questions of the Berkeley Function-Calling Leaderboard, from its own files (v3 and v4).

Asked as its handler for OpenAI's API asks them: dots in names become underscores, types those of JSON Schema, and each
description ends with the note that it adds for Python.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from evaluation.benchmarks.tools.arguments import BadArguments, read_arguments, shown
from evaluation.benchmarks.tools.bfcl_rules import sent_name, wrong_calls
from evaluation.data.files import checked, files_sha256, read_json_lines
from evaluation.protocols import Prompt
from results.errors import UsageError
from results.messages import Message, call_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from evaluation.benchmarks.tools.case import Conversation
    from evaluation.protocols import Tool

_NONE, _SOME = ("irrelevance", "live_irrelevance"), ("live_relevance",)
CATEGORIES = (
    "simple",
    "simple_python",
    "multiple",
    "parallel",
    "parallel_multiple",
    "live_simple",
    "live_multiple",
    "live_parallel",
    "live_parallel_multiple",
    *_NONE,
    *_SOME,
)
_CATEGORY = re.compile(r"([a-z_]+?)_\d")  # of an id, such as live_simple_0-0-0
_FILE = re.compile(r"BFCL_v\d+_([a-z_]+)\.jsonl?", re.IGNORECASE)
_NOTE = " Note that the provided function is in Python 3 syntax."
_FLOAT_NOTE = " This is a float type value."
_TYPES = {
    "integer": "integer",
    "number": "number",
    "float": "number",
    "string": "string",
    "boolean": "boolean",
    "bool": "boolean",
    "array": "array",
    "list": "array",
    "tuple": "array",
    "dict": "object",
    "object": "object",
    "any": "string",
}


class BfclData(NamedTuple):
    """sha256: of the files of questions and answers."""

    cases: tuple[BfclCase, ...]
    sha256: str


class _Question(msgspec.Struct, kw_only=True):
    id: str
    question: list[list[Message]]
    function: list[dict[str, Any]]


class _Truth(msgspec.Struct, kw_only=True):
    id: str
    ground_truth: list[dict[str, dict[str, list[Any]]]]


@dataclass(frozen=True, kw_only=True)
class BfclCase:
    """Implements `ToolCase`. answers: the calls that are right, by argument the values that are."""

    id: str
    category: str
    prompt: Prompt
    functions: tuple[Mapping[str, Any], ...]
    answers: tuple[Mapping[str, Mapping[str, list[Any]]], ...]
    most_turns: int = 1

    @property
    def expected_text(self) -> str:
        if self.category in _SOME:
            return "any call"
        shown_calls = (f"{name}({json.dumps(of)})" for call in self.answers for name, of in call.items())
        return "; ".join(shown_calls) or "no call"

    def results(self, transcript: Sequence[Message]) -> None:
        """Nothing is given back."""
        del transcript

    def wrong(self, said: Conversation) -> str:
        """By the leaderboard's rules. A call that can't be read is one all the same."""
        if self.category in _SOME:
            return "" if said.calls else "it called nothing"
        if self.category in _NONE:
            return f"it called {shown(call_text(said.calls[0]))} where no call was due" if said.calls else ""
        calls = []
        for call in said.calls:
            if not call.name:
                return f"the server could not read a call: {shown(call.arguments)}"
            try:
                calls.append((call.name, read_arguments(call.arguments)))
            except BadArguments as error:
                return f"{shown(call.name)}: {error}"
        return wrong_calls(self.functions, calls, self.answers)


def read_bfcl(path: Path) -> BfclData:
    """The questions of one file, or of all files of a folder whose category is known.

    Their answers stand in a folder `possible_answer` beside them, in a file of the same name. Raises UsageError.
    """
    files = sorted(each for each in path.iterdir() if _is_known(each)) if path.is_dir() else [path]
    if not files:
        raise UsageError(
            f"{path} has no file of a category that is read",
            hint=f"these are {', '.join(CATEGORIES)}, in files such as BFCL_v4_multiple.json",
        )
    read: list[Path] = []
    found: dict[str, BfclCase] = {}
    for file in files:
        read.append(file)
        answers = file.parent / "possible_answer" / file.name
        truths = {}
        if answers.is_file():
            read.append(answers)
            rows = (checked(row, _Truth) for row in read_json_lines(answers))
            truths = {truth.id: tuple(truth.ground_truth) for truth in rows}
        for row in read_json_lines(file):
            case = _case(checked(row, _Question), truths, row.where, answers)
            if found.setdefault(case.id, case) is not case:
                raise UsageError(f"{row.where}: {case.id} is given twice", hint="give files of one version")
    return BfclData(tuple(found.values()), files_sha256(read))


def _is_known(path: Path) -> bool:
    name = _FILE.fullmatch(path.name)
    return name is not None and name[1].lower() in CATEGORIES


def _case(question: _Question, truths: Mapping[str, tuple[Any, ...]], where: str, answers: Path) -> BfclCase:
    found = _CATEGORY.match(question.id)
    category = found[1] if found else question.id
    if category not in CATEGORIES:
        raise UsageError(
            f"{where}: questions of the category {category!r} are not read",
            hint=f"these are: {', '.join(CATEGORIES)}",
        )
    needs = category not in {*_NONE, *_SOME}
    right = truths.get(question.id, ())
    names = [function.get("name") for function in question.function]
    if needs and (not right or not all(len(call) == 1 and next(iter(call)) in names for call in right)):
        raise UsageError(
            f"{where}: {answers} has no answer to {question.id} with its functions",
            hint="put the leaderboard's folder possible_answer beside the file",
        )
    if len(question.question) != 1 or not question.question[0] or question.question[0][-1].role != "user":
        raise UsageError(
            f"{where}: not a question of a single turn", hint="multi-turn categories are not read"
        )
    return BfclCase(
        id=question.id,
        category=category,
        prompt=_prompt(question, where),
        functions=tuple(question.function),
        answers=right,
    )


def _prompt(question: _Question, where: str) -> Prompt:
    *before, last = question.question[0]
    system = before.pop(0).content if before and before[0].role == "system" else ""
    try:
        tools = tuple(_tool(function) for function in question.function)
    except (KeyError, TypeError, AttributeError) as error:
        raise UsageError(
            f"{where}: a function without {error}", hint="each has a name, a description and parameters"
        ) from error
    return Prompt(system, last.content, history=tuple(before), tools=tools)


def _tool(function: Mapping[str, Any]) -> Tool:
    parameters = function["parameters"]
    sent = {
        **function,
        "name": sent_name(function["name"]),
        "description": function["description"] + _NOTE,
        "parameters": {
            **parameters,
            "type": "object",
            "properties": {name: _schema(each) for name, each in parameters["properties"].items()},
        },
    }
    return {"type": "function", "function": sent}


def _schema(written: Mapping[str, Any]) -> dict[str, Any]:
    kind = written.get("type")
    sent = {**written, "type": _TYPES.get(str(kind), "string")}
    if kind == "float":
        sent["format"] = "float"
        sent["description"] = written.get("description", "") + _FLOAT_NOTE
    if "properties" in written:
        sent["properties"] = {name: _schema(each) for name, each in written["properties"].items()}
    elif "items" in written:
        sent["items"] = _items(written["items"])
    return sent


def _items(written: Mapping[str, Any]) -> dict[str, Any]:
    sent = {**written, "type": _TYPES.get(str(written.get("type")), "string")}
    if "properties" in written:
        sent["properties"] = {name: _schema(each) for name, each in written["properties"].items()}
    elif "items" in written:
        sent["items"] = _items(written["items"])
    return sent
