"""Answers that are programs: executed in the sandbox, where tests call a function of theirs."""

from __future__ import annotations

import keyword
from typing import TYPE_CHECKING, Any

from evaluation.answers.code import Extracted, from_chat, from_completion
from evaluation.answers.syntax import syntax_tree
from evaluation.failed_checks import located
from evaluation.protocols import PromptStyle
from evaluation.suites.kinds.contract import Gold, Reading, Written
from evaluation.suites.template_rules import TemplateProblem
from evaluation.suites.templates import Template
from sandbox import Program, UnitTests

if TYPE_CHECKING:
    from collections.abc import Mapping

    from evaluation.loop.grader import Grader
    from evaluation.protocols import Sample
    from evaluation.suites.format import CodeAnswer

_BEFORE, _TESTS, _NAME = "code_before", "code_tests", "code_entry_point"  # of a sample's data


class Code(Written):
    """Implements `Kind`. grader: executes the programs; None where nothing is judged."""

    metrics = ("accuracy",)

    def __init__(self, declared: CodeAnswer, grader: Grader | None) -> None:
        self._before = Template(declared.before)
        self._tests = Template(declared.tests)
        self._name = Template(declared.entry_point)
        self._reference = Template(declared.correct)
        self._grader = grader

    def gold(self, fields: Mapping[str, Any], style: PromptStyle, separator: str) -> Gold:
        """Raises TemplateProblem where there is no function, or the tests are no Python."""
        del style, separator
        name, tests = self._name.fill(fields).strip(), self._tests.fill(fields)
        if not name.isidentifier() or keyword.iskeyword(name):
            raise TemplateProblem(f"entry_point must be the name of a function, and is {name[:60]!r}")
        if not tests.strip() or syntax_tree(tests) is None:
            raise TemplateProblem(f"the tests are no Python: {tests.strip()[:60]!r}")
        data = {_BEFORE: self._before.fill(fields), _TESTS: tests, _NAME: name}
        return Gold(expected=name, target=self._reference.fill(fields), data=data)

    def read(self, text: str, sample: Sample) -> Reading:
        """Take the code out of the answer, and run the tests on it. Blocks; thread-safe."""
        before, name = sample.data[_BEFORE], sample.data[_NAME]
        found = _extracted(text, before, name, chat=sample.style is PromptStyle.CHAT)
        if not found.code.strip():
            return Reading(None, "no code in the answer", ended=found.ended, metrics={"accuracy": 0.0})
        if self._grader is None:
            raise RuntimeError("a grader comes first")
        # Tests may use helpers that stand there; a bare head of a function has none.
        helpers = before if syntax_tree(before) is not None else ""
        tests = UnitTests(code=sample.data[_TESTS], entry_point=name, before=helpers)
        if not helpers and syntax_tree(found.code) is not None and syntax_tree(before + found.code) is None:
            before = ""  # the whole function again, behind a bare head
        execution = self._grader.execute(Program(code=f"{before}{found.code}\n", as_main=False, tests=tests))
        return Reading(
            found.code,
            execution.detail,
            ended=found.ended,
            metrics={"accuracy": float(execution.passed)},
            execution=execution._replace(failed_check=located(execution.failed_check, found.code, before)),
        )


def _extracted(text: str, before: str, name: str, *, chat: bool) -> Extracted:
    # A chat-trained model that is given a text to go on with often answers as in chat all the same.
    if chat or text.lstrip().startswith("```"):
        return from_chat(text, before, name)
    return from_completion(text, before) if before.strip() else Extracted(text)


def known_programs() -> tuple[list[Program], list[Program]]:
    """Programs that a right grader passes, and such that it fails: for its self-test."""
    tests = UnitTests(code="assert twice([1]) == [2]\nassert twice([]) == []", entry_point="twice")

    def known(code: str) -> Program:
        return Program(code=code, as_main=False, tests=tests)

    good = [known("def twice(values):\n    return [2 * value for value in values]\n")]
    bad = [
        known("def twice(values):\n    return values\n"),
        known("import os\nos._exit(0)\n"),
        known("def twice(values\n"),
    ]
    return good, bad
