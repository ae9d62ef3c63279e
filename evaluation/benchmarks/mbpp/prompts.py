"""MBPP's prompts: those of Austin et al. (2021) as lm-eval words them, and a chat form."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

STOP = "[DONE]"
_TASK = (
    "You are an expert Python programmer, and here is your task: {text} "
    "Your code should pass these tests:\n\n{tests}\n[BEGIN]\n"
)
# lm-eval's mbpp_instruct without its examples, and without a fence that is already open: the answer's own is found.
_CHAT = (
    "You are an expert Python programmer, and here is your task:\n{text}\n"
    "Your code should pass these tests:\n{tests}"
)


class _Example(NamedTuple):
    text: str
    code: str
    tests: tuple[str, ...]


# Tasks 2, 3 and 4 of MBPP, as they stand there: with its line ends and trailing blanks.
_EXAMPLES = (
    _Example(
        "Write a function to find the similar elements from the given two tuple lists.",
        "def similar_elements(test_tup1, test_tup2):\r\n  res = tuple(set(test_tup1) & set(test_tup2))\r\n"
        "  return (res) ",
        (
            "assert similar_elements((3, 4, 5, 6),(5, 7, 4, 10)) == (4, 5)",
            "assert similar_elements((1, 2, 3, 4),(5, 4, 3, 7)) == (3, 4)",
            "assert similar_elements((11, 12, 14, 13),(17, 15, 14, 13)) == (13, 14)",
        ),
    ),
    _Example(
        "Write a python function to identify non-prime numbers.",
        "import math\r\ndef is_not_prime(n):\r\n    result = False\r\n"
        "    for i in range(2,int(math.sqrt(n)) + 1):\r\n        if n % i == 0:\r\n            result = True\r\n"
        "    return result",
        (
            "assert is_not_prime(2) == False",
            "assert is_not_prime(10) == True",
            "assert is_not_prime(35) == True",
        ),
    ),
    _Example(
        "Write a function to find the largest integers from a given list of numbers using heap queue algorithm.",
        "import heapq as hq\r\ndef heap_queue_largest(nums,n):\r\n  largest_nums = hq.nlargest(n, nums)\r\n"
        "  return largest_nums",
        (
            "assert heap_queue_largest( [25, 35, 22, 85, 14, 65, 75, 22, 58],3)==[85, 75, 65] ",
            "assert heap_queue_largest( [25, 35, 22, 85, 14, 65, 75, 22, 58],2)==[85, 75] ",
            "assert heap_queue_largest( [25, 35, 22, 85, 14, 65, 75, 22, 58],5)==[85, 75, 65, 58, 35]",
        ),
    ),
)


def completion_prompt(text: str, tests: Sequence[str]) -> str:
    """Three worked examples and the task; the answer ends at `STOP`."""
    shown = [f"{asked_alone(one.text, one.tests)}{one.code}\n{STOP}\n\n" for one in _EXAMPLES]
    return "".join([*shown, asked_alone(text, tests)])


def chat_prompt(text: str, tests: Sequence[str]) -> str:
    """The task alone."""
    return _CHAT.format(text=text, tests="\n".join(tests[:3]))


def asked_alone(text: str, tests: Sequence[str]) -> str:
    """The task without examples, where a text is to be gone on with."""
    return _TASK.format(text=text, tests="\n".join(tests[:3]))
