"""Read a suite file whole, with all errors at once, each with its line."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import msgspec

from documents.problems import Problem, refuse
from documents.reading import read_file, read_text
from documents.tree import Node
from documents.typed import TypedReader, join
from evaluation.suites.format import ChoiceAnswer, CodeAnswer, LabelsAnswer, LetterAnswer, Suite, SuiteTask
from evaluation.suites.template_rules import TemplateProblem
from evaluation.suites.templates import Expression, Template
from results.errors import UsageError
from settings.suites import ENDINGS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_OF_TASK = SuiteTask.__struct_fields__
_OF_SUITE = ("name", "version", "about", "licence", "source", "score", "tasks")
_BLOCK = re.compile(r"(?:^|[:\s-])\s*[|>][-+0-9]*\s*(?:#.*)?$")  # a line whose text begins in the next


@dataclass(frozen=True, kw_only=True)
class SuiteFile:
    """A suite as it is declared. sha256: of the file's bytes. lines: of fields, such as `tasks.cola.prompt`."""

    path: Path
    sha256: str
    suite: Suite
    lines: Mapping[str, int] = field(default_factory=dict)

    @property
    def is_single(self) -> bool:
        """Whether its one task stands at the top of the file."""
        return not any(name.startswith("tasks.") for name in self.lines)

    def place(self, task: str, name: str = "") -> str:
        """FILE:LINE: FIELD, for messages about a task or a field of it, wherever that stands."""
        candidates = [f"tasks.{task}.{name}" if name else f"tasks.{task}", name]
        at = next((each for each in candidates if each in self.lines), "")
        line = self.lines.get(at, 1)
        return f"{self.path}:{line}: {at or name or task}"


def read_suite_file(path: Path) -> SuiteFile:
    """Raises UsageError that tells every problem by file, line and field."""
    source = read_file(path, kind="a suite", endings=ENDINGS)
    hint = f"correct the file, then `suites validate {path}`; docs/suites.md shows a complete one"
    document, problems = read_text(source.text, source.form, source.name, hint=hint)
    reading = _Reading(problems, source.text.splitlines())
    suite = reading.suite(document)
    refuse(str(path), reading.problems, hint=hint)
    if suite is None:
        raise AssertionError("a suite without a problem")
    return SuiteFile(path=path, sha256=source.sha256, suite=suite, lines=reading.lines)


class _Reading:
    def __init__(self, problems: list[Problem], text: list[str]) -> None:
        self.problems = problems
        self.lines: dict[str, int] = {}
        self._text = text
        self._typed = TypedReader(problems)

    def suite(self, document: Node) -> Suite | None:
        if not isinstance(document.value, dict):
            self._wrong(
                document.line, "", "must be a mapping with the keys name, version, about, licence and tasks"
            )
            return None
        top: dict[str, Node] = document.value
        shared = {name: node for name, node in top.items() if name in _OF_TASK}
        own = {name: node for name, node in top.items() if name not in _OF_TASK or name in _OF_SUITE}
        self._note_lines(shared, "")
        tasks = own.pop("tasks", None)
        found = self._typed.struct(Node(own, document.line), Suite)
        shared.pop("about", None)
        by_name: dict[str, SuiteTask | None] = {}
        if tasks is None:
            name = found.name if found is not None else "task"
            by_name[name] = self._task(Node(shared, document.line), "", {})
        elif not isinstance(tasks.value, dict) or not tasks.value:
            self._wrong(tasks.line, "tasks", "must map the names of tasks to what they are")
        else:
            for name, node in tasks.value.items():
                by_name[name] = self._task(node, f"tasks.{name}", shared)
            self._require_names(tasks)
        if found is None or any(task is None for task in by_name.values()):
            return None
        return Suite(
            **{name: getattr(found, name) for name in _OF_SUITE if name != "tasks"},
            tasks={name: task for name, task in by_name.items() if task is not None},
        )

    def _require_names(self, tasks: Node) -> None:
        from evaluation.suites.format import NAME_PATTERN

        for name, node in tasks.value.items():
            if not re.search(NAME_PATTERN, name):
                what = "is no name of a task: use at most 64 letters, digits and the characters _ . -"
                self._wrong(node.line, join("tasks", name[:64]), what)

    def _task(self, node: Node, at: str, shared: Mapping[str, Node]) -> SuiteTask | None:
        """One task. shared: what the file says for all of them; of data each key by itself."""
        if not isinstance(node.value, dict):
            self._wrong(node.line, at, "must be a mapping, at least with prompt and answer")
            return None
        self.lines[at] = node.line
        self._note_lines(node.value, at)
        own: dict[str, Node] = node.value
        merged = {**shared, **own}
        data, all_data = own.get("data"), shared.get("data")
        if data is not None and all_data is not None and _are_mappings(data, all_data):
            merged["data"] = Node({**all_data.value, **data.value}, data.line)
        before = len(self.problems)
        found = self._typed.struct(Node(merged, node.line), SuiteTask, at)
        if found is not None:
            self._require_sense(found, merged, at)
        self._place_shared(before, at, shared, own)
        return found if len(self.problems) == before else None

    def _place_shared(
        self, before: int, at: str, shared: Mapping[str, Node], own: Mapping[str, Node]
    ) -> None:
        """What is wrong at the top of the file is told there, and once."""
        if not at:
            return
        for number, problem in enumerate(self.problems[before:], before):
            name = problem.field.removeprefix(f"{at}.")
            head = re.split(r"[.\[]", name)[0]
            if head in shared and head not in own:
                self.problems[number] = Problem(problem.line, name, problem.what, problem.hint)

    def _require_sense(self, task: SuiteTask, nodes: Mapping[str, Node], at: str) -> None:
        data = task.data
        if bool(data.hub) == bool(data.file):
            self._wrong(nodes["data"].line, join(at, "data"), "needs either hub or file, and not both")
        if data.hub and not (data.split or data.files):
            self._wrong(nodes["data"].line, join(at, "data"), "needs the split, or files, of the data set")
        if data.file and (data.config or data.split or data.files or data.revision):
            self._wrong(nodes["data"].line, join(at, "data"), "config, split, files and revision go with hub")
        shots = task.few_shot
        if shots is not None:
            sources = bool(shots.examples) + bool(shots.split) + bool(shots.file)
            if sources != 1:
                self._wrong(
                    nodes["few_shot"].line, join(at, "few_shot"), "needs one of split, file and examples"
                )
            elif bool(shots.split) and not data.hub:
                self._wrong(
                    nodes["few_shot"].line, join(at, "few_shot"), "a split goes with data.hub; give file"
                )
        for name, node, kind in self._texts(task, nodes, at):
            self._require_compiles(name, node, kind)

    def _texts(
        self, task: SuiteTask, nodes: Mapping[str, Node], at: str
    ) -> Iterator[tuple[str, Node, type[Template | Expression]]]:
        """All templates and expressions of a task, with their nodes."""
        for name in ("prompt", "chat_prompt", "system", "target"):
            if name in nodes and nodes[name].value is not None:
                yield join(at, name), nodes[name], Template
        if "where" in nodes["data"].value:
            yield join(at, "data.where"), nodes["data"].value["where"], Expression
        for name, node in nodes["tags"].value.items() if "tags" in nodes else ():
            yield join(at, f"tags.{name}"), node, Template
        answer = nodes["answer"].value
        if isinstance(task.answer, CodeAnswer):
            for name in ("before", "entry_point", "tests", "correct"):
                if name in answer:
                    yield join(at, f"answer.{name}"), answer[name], Template
            return
        yield join(at, "answer.correct"), answer["correct"], Expression
        listed = "labels" if isinstance(task.answer, LabelsAnswer) else None
        listed = "choices" if isinstance(task.answer, (ChoiceAnswer, LetterAnswer)) else listed
        if listed is not None:
            node = answer[listed]
            if not isinstance(node.value, list):
                yield join(at, f"answer.{listed}"), node, Expression
            elif listed == "choices":
                for number, each in enumerate(node.value):
                    yield join(at, f"answer.choices[{number}]"), each, Template

    def _require_compiles(self, name: str, node: Node, kind: type[Template | Expression]) -> None:
        try:
            kind(node.text)
        except TemplateProblem as problem:
            line = node.line + (problem.line or 1) - 1
            if 0 < node.line <= len(self._text) and _BLOCK.search(self._text[node.line - 1]):
                line += 1
            what = "an expression" if kind is Expression else "a template"
            said = (
                problem.what if problem.what.startswith("is ") else f"is {what} with an error: {problem.what}"
            )
            self._wrong(line, name, said)

    def _note_lines(self, fields: Mapping[str, Node], at: str) -> None:
        for name, node in fields.items():
            self.lines[join(at, name)] = node.line
            if isinstance(node.value, dict) and name in {"answer", "data", "few_shot", "tags"}:
                self._note_lines(node.value, join(at, name))

    def _wrong(self, line: int, at: str, what: str) -> None:
        self.problems.append(Problem(line, at, what))


def _are_mappings(*nodes: Node) -> bool:
    return all(isinstance(node.value, dict) for node in nodes)


def of_split(file: SuiteFile, path: Path | None, split: str) -> SuiteFile:
    """The same suite over another split of its data at the Hub. Raises UsageError for a file, or data that isn't there.

    path: of a user who asks for a file instead.
    """
    tasks = file.suite.tasks
    if path is not None or not all(task.data.hub for task in tasks.values()):
        raise UsageError(
            f"--datasets: the samples of {file.suite.name} can't come from {path or split}",
            hint="a suite over data of the Hub has other splits by name; leave `file` out",
            settings=("datasets",),
        )
    moved = {
        name: msgspec.structs.replace(
            task, data=msgspec.structs.replace(task.data, split=split, files=(), sha256=None)
        )
        for name, task in tasks.items()
    }
    return replace(file, suite=msgspec.structs.replace(file.suite, tasks=moved))
