"""The format of a user's own tasks, as YAML or JSON: read whole, with all errors reported at once."""

from __future__ import annotations

import ast
import difflib
import keyword
import math
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from documents.problems import Problem, refuse
from documents.reading import read_file, read_text

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from pathlib import Path

    from documents.tree import Node

DIFFICULTIES = ("easy", "medium", "hard", "extreme")
LONGEST_TIMEOUT_S = 3600.0
ENDINGS = (".yaml", ".yml", ".json")
_FILE_FIELDS = ("version", "metadata", "tasks")
_TASK_FIELDS = (
    "id",
    "difficulty",
    "prompt",
    "function",
    "test_cases",
    "reference_solution",
    "metadata",
    "version",
    "scale",
)
_SCALE_FIELDS = ("size", "input")
SCALED_INPUT = "scaled_input"  # the function that makes an input of a size
_CASE_FIELDS = ("input", "expected_output", "timeout", "weight")


@dataclass(frozen=True, kw_only=True)
class TaskCase:
    """One test case. input: of a program its standard input, of a function the list of its arguments.

    expected_output: what the program prints, or the value that the function returns. timeout_s: processor time;
    None: the run's. line: in the file.
    """

    input: Any
    expected_output: Any
    timeout_s: float | None = None
    weight: float = 1.0
    line: int = 0


@dataclass(frozen=True, kw_only=True)
class Scale:
    """A large input, on which solutions are told apart. code: Python that defines `scaled_input(size)`, which returns
    what stands under a case's `input`. line: in the file.
    """

    size: int
    code: str
    line: int = 0


@dataclass(frozen=True, kw_only=True)
class CodingTask:
    """function: the name of the function to write; None: a program that reads and prints. field: where it stands in
    the file. solution_line: of its reference solution; reference_solution is empty where there is none. scale: None
    where it gives none.
    """

    id: str
    difficulty: str
    prompt: str
    function: str | None
    cases: tuple[TaskCase, ...]
    reference_solution: str = ""
    metadata: dict[str, Any]
    version: str = ""
    field: str = ""
    solution_line: int = 0
    scale: Scale | None = None


@dataclass(frozen=True, kw_only=True)
class TaskFile:
    """sha256: of the file's bytes."""

    path: Path
    version: str
    metadata: dict[str, Any]
    tasks: tuple[CodingTask, ...]
    sha256: str


def read_task_file(path: Path) -> TaskFile:
    """Raises UsageError that tells every problem by file, line and field."""
    source = read_file(path, kind="a task file", endings=ENDINGS)
    document, problems = read_text(source.text, source.form, source.name, hint=_hint(path))
    reading = _Reading(problems)
    version, metadata, tasks = reading.file(document)
    refuse_tasks(path, reading.problems)
    return TaskFile(path=path, version=version, metadata=metadata, tasks=tasks, sha256=source.sha256)


def refuse_tasks(path: Path, problems: Iterable[Problem]) -> None:
    """Raise UsageError with all of them; do nothing when there are none."""
    refuse(str(path), problems, hint=_hint(path))


def _hint(path: Path) -> str:
    return f"correct the file, then `tasks validate {path}`; docs/benchmarks.md shows a complete one"


class _Reading:
    def __init__(self, problems: list[Problem]) -> None:
        self.problems = problems

    def file(self, document: Node) -> tuple[str, dict[str, Any], tuple[CodingTask, ...]]:
        if not isinstance(document.value, dict):
            self._wrong(document.line, "", "must be a mapping with the key tasks")
            return "", {}, ()
        fields = self._fields(document, "", _FILE_FIELDS, {"tasks"})
        version = self._line(fields, "", "version")
        metadata = self._metadata(fields, "")
        nodes = self._list(fields, "", "tasks")
        tasks = [self._task(node, f"tasks[{number}]") for number, node in enumerate(nodes)]
        first: dict[str, str] = {}
        for node, task in zip(nodes, tasks, strict=True):
            if task is not None and first.setdefault(task.id, task.field) != task.field:
                line = node.value["id"].line
                self._wrong(line, f"{task.field}.id", f"{task.id!r} is also the id of {first[task.id]}")
        return version, metadata, tuple(task for task in tasks if task is not None)

    def _task(self, node: Node, at: str) -> CodingTask | None:
        before = len(self.problems)
        if not isinstance(node.value, dict):
            self._wrong(node.line, at, "must be a mapping with the keys id, difficulty, prompt, test_cases")
            return None
        fields = self._fields(node, at, _TASK_FIELDS, {"id", "difficulty", "prompt", "test_cases"})
        function = self._function(fields, at)
        solution = fields.get("reference_solution")
        found = CodingTask(
            id=self._line(fields, at, "id"),
            difficulty=self._difficulty(fields, at),
            prompt=self._text(fields, at, "prompt").strip("\n"),
            function=function,
            cases=tuple(
                self._case(case, f"{at}.test_cases[{number}]", is_call="function" in fields)
                for number, case in enumerate(self._list(fields, at, "test_cases"))
            ),
            reference_solution=self._solution(fields, at, function),
            metadata=self._metadata(fields, at),
            version=self._line(fields, at, "version"),
            field=at,
            solution_line=solution.line if solution is not None else node.line,
            scale=self._scale(fields, at),
        )
        return found if len(self.problems) == before else None

    def _case(self, node: Node, at: str, *, is_call: bool) -> TaskCase:
        broken = TaskCase(input="", expected_output="", line=node.line)
        if not isinstance(node.value, dict):
            self._wrong(node.line, at, "must be a mapping with the keys input, expected_output")
            return broken
        required = {"input", "expected_output"} if is_call else {"expected_output"}
        fields = self._fields(node, at, _CASE_FIELDS, required)
        timeout_s = self._number(fields, at, "timeout", LONGEST_TIMEOUT_S)
        weight = self._number(fields, at, "weight", 1e6)
        if not required <= fields.keys():
            return broken
        if not is_call:
            stdin: Any = self._text(fields, at, "input", may_be_empty=True)
            expected: Any = self._text(fields, at, "expected_output", may_be_empty=True)
        else:
            if not isinstance(fields["input"].value, list):
                what = "must be the list of the function's arguments, such as [3, text]"
                self._wrong(fields["input"].line, f"{at}.input", what)
            for name in _CASE_FIELDS[:2]:
                self._be_json(fields[name], f"{at}.{name}")
            stdin = fields["input"].plain()
            expected = fields["expected_output"].plain()
        return TaskCase(
            input=stdin,
            expected_output=expected,
            timeout_s=timeout_s,
            weight=1.0 if weight is None else weight,
            line=node.line,
        )

    def _fields(
        self, node: Node, at: str, known: Sequence[str], required: Collection[str]
    ) -> dict[str, Node]:
        fields: dict[str, Node] = node.value
        missing = [name for name in known if name in required and name not in fields]
        for name, value in fields.items():
            if name not in known:
                close = difflib.get_close_matches(name, missing or known, n=1, cutoff=0.4)
                hint = f"did you mean {close[0]}?" if close else f"known are {', '.join(known)}"
                self._wrong(value.line, _join(at, name), f"is not a field of the format; {hint}")
                missing = [other for other in missing if other not in close]  # told once
        for name in missing:
            self._wrong(node.line, _join(at, name), "is missing")
        return fields

    def _text(self, fields: dict[str, Node], at: str, name: str, *, may_be_empty: bool = False) -> str:
        """As it is written: a number or `yes` without quotes is a text too."""
        node = fields.get(name)
        if node is None:
            return ""
        if isinstance(node.value, (list, dict)):
            self._wrong(node.line, _join(at, name), f"must be a text, not a {_kind(node)}")
        elif node.value is None or not (node.text.strip() or may_be_empty):
            self._wrong(
                node.line, _join(at, name), 'is empty; for no text write ""' if may_be_empty else "is empty"
            )
        return node.text

    def _line(self, fields: dict[str, Node], at: str, name: str) -> str:
        """A short text that stands in tables."""
        text = self._text(fields, at, name)
        if text and not (text.isprintable() and text == text.strip() and len(text) <= 100):
            what = "must be one line of at most 100 characters, without spaces around it"
            self._wrong(fields[name].line, _join(at, name), what)
        return text

    def _difficulty(self, fields: dict[str, Node], at: str) -> str:
        text = self._text(fields, at, "difficulty")
        if text and text not in DIFFICULTIES:
            self._wrong(
                fields["difficulty"].line,
                f"{at}.difficulty",
                f"{text!r} must be one of {', '.join(DIFFICULTIES)}",
            )
        return text

    def _function(self, fields: dict[str, Node], at: str) -> str | None:
        if "function" not in fields:
            return None
        text = self._text(fields, at, "function")
        if text and (not text.isidentifier() or keyword.iskeyword(text)):
            line = fields["function"].line
            self._wrong(line, f"{at}.function", f"{text!r} is not a name for a Python function")
        return text

    def _solution(self, fields: dict[str, Node], at: str, function: str | None) -> str:
        return self._python(fields, at, "reference_solution", function)

    def _scale(self, fields: dict[str, Node], at: str) -> Scale | None:
        node = fields.get("scale")
        if node is None:
            return None
        at = f"{at}.scale"
        if not isinstance(node.value, dict):
            self._wrong(node.line, at, "must be a mapping with the keys size, input")
            return None
        own = self._fields(node, at, _SCALE_FIELDS, _SCALE_FIELDS)
        size = self._number(own, at, "size", 1e9)
        if size is not None and not size.is_integer():
            self._wrong(own["size"].line, f"{at}.size", "must be a whole number")
        return Scale(size=int(size or 0), code=self._python(own, at, "input", SCALED_INPUT), line=node.line)

    def _python(self, fields: dict[str, Node], at: str, name: str, function: str | None) -> str:
        code = self._text(fields, at, name)
        if not code.strip():
            return ""
        line, field = fields[name].line, f"{at}.{name}"
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                tree = ast.parse(code)
        except (SyntaxError, ValueError, RecursionError) as error:
            where = f" in its line {error.lineno}" if isinstance(error, SyntaxError) else ""
            about = error.msg if isinstance(error, SyntaxError) else str(error)
            self._wrong(line, field, f"is not valid Python: {about}{where}")
            return code
        defined = {
            name for node in tree.body for name in [getattr(node, "name", ""), *_assigned(node)] if name
        }
        if function and function not in defined:
            self._wrong(line, field, f"does not define the function {function}")
        return code

    def _be_json(self, node: Node, at: str) -> None:
        """A value goes to the function and back as JSON."""
        if isinstance(node.value, dict):
            for key, each in node.value.items():
                self._be_json(each, f"{at}.{key}")
        elif isinstance(node.value, list):
            for number, each in enumerate(node.value):
                self._be_json(each, f"{at}[{number}]")
        elif isinstance(node.value, float) and not math.isfinite(node.value):
            self._wrong(node.line, at, "JSON has no such number")

    def _metadata(self, fields: dict[str, Node], at: str) -> dict[str, Any]:
        node = fields.get("metadata")
        if node is None:
            return {}
        if not isinstance(node.value, dict):
            self._wrong(node.line, _join(at, "metadata"), f"must be a mapping, not a {_kind(node)}")
            return {}
        return dict(node.plain())

    def _list(self, fields: dict[str, Node], at: str, name: str) -> list[Node]:
        node = fields.get(name)
        if node is None:
            return []
        if not isinstance(node.value, list):
            self._wrong(node.line, _join(at, name), f"must be a list, not a {_kind(node)}")
            return []
        if not node.value:
            self._wrong(node.line, _join(at, name), "is empty")
        return node.value

    def _number(self, fields: dict[str, Node], at: str, name: str, most: float) -> float | None:
        node = fields.get(name)
        if node is None:
            return None
        value = node.value
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            self._wrong(node.line, _join(at, name), f"must be a number, not a {_kind(node)}")
        elif not (math.isfinite(value) and 0 < value <= most):
            self._wrong(node.line, _join(at, name), f"must be more than 0 and at most {most:g}")
        else:
            return float(value)
        return None

    def _wrong(self, line: int, field: str, message: str) -> None:
        self.problems.append(Problem(line, field, message))


def _join(at: str, name: str) -> str:
    return f"{at}.{name}" if at else name


def _kind(node: Node) -> str:
    kinds = {list: "list", dict: "mapping", bool: "truth value", str: "text", type(None): "missing value"}
    return kinds.get(type(node.value), "number")


def _assigned(node: ast.stmt) -> list[str]:
    targets = node.targets if isinstance(node, ast.Assign) else []
    return [target.id for target in targets if isinstance(target, ast.Name)]
