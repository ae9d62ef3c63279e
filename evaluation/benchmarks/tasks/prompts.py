"""How a model is asked to solve a task: as a request in chat, or as the beginning of a file."""

from __future__ import annotations

import ast
import builtins
import textwrap
from typing import TYPE_CHECKING

from evaluation.answers.syntax import parse
from evaluation.protocols import PromptStyle

if TYPE_CHECKING:
    from evaluation.benchmarks.tasks.file import CodingTask

# Close to EvalPlus' wording, which small models understand.
_FUNCTION = (
    "Please provide a self-contained Python 3 script that solves the following problem in a markdown code "
    "block:\n```\n{stub}```\n"
)
_PROGRAM = (
    "Please provide a self-contained Python 3 program that solves the following problem in a markdown code "
    "block. It reads its input from standard input and prints the result to standard output, and nothing "
    "else.\n\n{prompt}\n"
)
_PROGRAM_BEGINNING = (
    '"""A Python 3 program that reads standard input and prints to standard output.\n\n{prompt}\n"""\n'
)


def user_prompt(task: CodingTask, style: PromptStyle) -> str:
    """What the model is asked, or given to go on with."""
    if style is PromptStyle.COMPLETION:
        return beginning(task)
    if task.function is None:
        return _PROGRAM.format(prompt=task.prompt)
    return _FUNCTION.format(stub=beginning(task))


def beginning(task: CodingTask) -> str:
    """What stands before a completion: the function with its docstring, or a program's docstring."""
    prompt = task.prompt.replace("\\", "\\\\").replace('"""', '\\"\\"\\"')
    if task.function is None:
        return _PROGRAM_BEGINNING.format(prompt=prompt)
    indented = textwrap.indent(prompt, "    ").strip()
    return f'def {task.function}{signature(task)}:\n    """{indented}\n    """\n'


def signature(task: CodingTask) -> str:
    """That of the reference solution, without types and defaults where they name something that is not built in.

    Without a reference solution one argument for each of the cases'.
    """
    for node in parse(task.reference_solution).body:
        if isinstance(node, ast.FunctionDef) and node.name == task.function:
            if not _needs_more(node):
                returns = f" -> {ast.unparse(node.returns)}" if node.returns else ""
                return f"({ast.unparse(node.args)}){returns}"
            names = [*node.args.posonlyargs, *node.args.args]
            return f"({', '.join(argument.arg for argument in names)})"
    most = max(len(case.input) for case in task.cases)
    return f"({', '.join(f'argument_{number}' for number in range(1, most + 1))})"


def _needs_more(node: ast.FunctionDef) -> bool:
    parts = [node.args, *([node.returns] if node.returns else [])]
    return any(
        isinstance(name, ast.Attribute) or (isinstance(name, ast.Name) and not hasattr(builtins, name.id))
        for part in parts
        for name in ast.walk(part)
    )
