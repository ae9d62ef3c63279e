"""The wording that LiveCodeBench's official runner uses."""
# ruff: noqa: E501 - the wording of others

from __future__ import annotations

import hashlib

import pytest

from evaluation.benchmarks.lcb.data import ContestProblem
from evaluation.benchmarks.lcb.prompts import get_prompt
from evaluation.protocols import PromptStyle

STARTER = "class Solution:\n    def f(self, a: int) -> int:\n        "


def problem(starter):
    return ContestProblem(
        question_title="t",
        question_content="What?\n\nthis",
        platform="leetcode",
        question_id="1",
        contest_id="1",
        contest_date="2024-01-01",
        starter_code=starter,
        difficulty="easy",
        metadata="{}",
    )


def digest(text):
    return hashlib.sha256(text.encode()).hexdigest()[:16]


# Of what lcb_runner/prompts/code_generation.py (commit 28fef95) makes of the problem above, in the styles OpenAIChat and
# GenericBase. An editor that cuts blanks at the end of a line is noticed here too.
@pytest.mark.parametrize(
    ("starter", "chat", "text"),
    [("", "20c9361196afdac6", "b499a07568bacbb2"), (STARTER, "95cfafbdced88655", "d1eb12d9bdd767d6")],
)
def test_prompts_are_those_of_the_official_runner_to_the_letter(starter, chat, text):
    asked = get_prompt(problem(starter), PromptStyle.CHAT)
    assert (digest(asked.system), digest(asked.user)) == ("d39e6e9b11d2ac7e", chat)
    asked = get_prompt(problem(starter), PromptStyle.COMPLETION)
    assert (asked.system, digest(asked.user)) == ("", text)


def test_a_chat_prompt_reads_as_expected():
    assert get_prompt(problem(""), PromptStyle.CHAT).user == (
        "### Question:\nWhat?\n\nthis\n\n### Format: Read the inputs from stdin solve the problem and write the answer to "
        "stdout (do not directly test on the sample inputs). Enclose your code within delimiters as follows. Ensure that "
        "when the python program runs, it reads the inputs, runs the algorithm and writes output to STDOUT.\n"
        "```python\n# YOUR CODE HERE\n```\n\n### Answer: (use the provided format with backticks)\n\n"
    )
