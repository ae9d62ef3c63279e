"""How LiveCodeBench asks. The wording decides the score, so it is the official runner's, letter by letter.

From `lcb_runner/prompts/code_generation.py` and `lcb_runner/prompts/few_shot_examples/generation/` of
https://github.com/LiveCodeBench/LiveCodeBench at commit 28fef95: the styles `OpenAIChat` (for every model that is asked
in a chat) and `GenericBase` (for one that goes on with a text: one solved example, then the problem).

Those texts: MIT License, Copyright (c) 2024 LiveCodeBench.

Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated
documentation files (the "Software"), to deal in the Software without restriction, including without limitation the
rights to use, copy, modify, merge, publish, distribute, sublicense, and/or sell copies of the Software, and to permit
persons to whom the Software is furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all copies or substantial portions of the
Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE
WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR
COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR
OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.
"""
# ruff: noqa: E501 - the wording of others

from __future__ import annotations

from typing import TYPE_CHECKING

from evaluation.protocols import Prompt, PromptStyle

if TYPE_CHECKING:
    from evaluation.benchmarks.lcb.data import ContestProblem

SYSTEM = "You are an expert Python programmer. You will be given a question (problem specification) and will generate a correct Python program that matches the specification and passes all tests."
WITH_STARTER_CODE = "You will use the following starter code to write the solution to the problem and enclose your code within delimiters."
WITHOUT_STARTER_CODE = "Read the inputs from stdin solve the problem and write the answer to stdout (do not directly test on the sample inputs). Enclose your code within delimiters as follows. Ensure that when the python program runs, it reads the inputs, runs the algorithm and writes output to STDOUT."

_FUNCTION_EXAMPLE_QUESTION = """\
You are given a 0-indexed array of positive integers nums. Find the number of triplets (i, j, k) that meet the following conditions:

0 <= i < j < k < nums.length
nums[i], nums[j], and nums[k] are pairwise distinct.
\t
In other words, nums[i] != nums[j], nums[i] != nums[k], and nums[j] != nums[k].



Return the number of triplets that meet the conditions.
\x20
Example 1:

Input: nums = [4,4,2,4,3]
Output: 3
Explanation: The following triplets meet the conditions:
- (0, 2, 4) because 4 != 2 != 3
- (1, 2, 4) because 4 != 2 != 3
- (2, 3, 4) because 2 != 4 != 3
Since there are 3 triplets, we return 3.
Note that (2, 0, 4) is not a valid triplet because 2 > 0.

Example 2:

Input: nums = [1,1,1,1,1]
Output: 0
Explanation: No triplets meet the conditions so we return 0.

\x20
Constraints:

3 <= nums.length <= 100
1 <= nums[i] <= 1000

"""
_FUNCTION_EXAMPLE_SAMPLE_CODE = """\
class Solution:
    def unequalTriplets(self, nums: List[int]) -> int:
        """
_FUNCTION_EXAMPLE_ANSWER = """\
class Solution:
    def unequalTriplets(self, a: List[int]) -> int:
        ans = 0
        n = len(a)
        for i in range(n):
            for j in range(i + 1, n):
                for k in range(j + 1, n):
                    ans += len({a[i], a[j], a[k]}) == 3
        return ans"""
_STDIN_EXAMPLE_QUESTION = """\
You have $n$ gifts and you want to give all of them to children. Of course, you don't want to offend anyone, so all gifts should be equal between each other. The $i$-th gift consists of $a_i$ candies and $b_i$ oranges.

During one move, you can choose some gift $1 \\le i \\le n$ and do one of the following operations:

  eat exactly one candy from this gift (decrease $a_i$ by one);  eat exactly one orange from this gift (decrease $b_i$ by one);  eat exactly one candy and exactly one orange from this gift (decrease both $a_i$ and $b_i$ by one).\x20

Of course, you can not eat a candy or orange if it's not present in the gift (so neither $a_i$ nor $b_i$ can become less than zero).

As said above, all gifts should be equal. This means that after some sequence of moves the following two conditions should be satisfied: $a_1 = a_2 = \\dots = a_n$ and $b_1 = b_2 = \\dots = b_n$ (and $a_i$ equals $b_i$ is not necessary).

Your task is to find the minimum number of moves required to equalize all the given gifts.

You have to answer $t$ independent test cases.


-----Input-----

The first line of the input contains one integer $t$ ($1 \\le t \\le 1000$) — the number of test cases. Then $t$ test cases follow.

The first line of the test case contains one integer $n$ ($1 \\le n \\le 50$) — the number of gifts. The second line of the test case contains $n$ integers $a_1, a_2, \\dots, a_n$ ($1 \\le a_i \\le 10^9$), where $a_i$ is the number of candies in the $i$-th gift. The third line of the test case contains $n$ integers $b_1, b_2, \\dots, b_n$ ($1 \\le b_i \\le 10^9$), where $b_i$ is the number of oranges in the $i$-th gift.


-----Output-----

For each test case, print one integer: the minimum number of moves required to equalize all the given gifts.


-----Example-----
Input
5
3
3 5 6
3 2 3
5
1 2 3 4 5
5 4 3 2 1
3
1 1 1
2 2 2
6
1 1000000000 1000000000 1000000000 1000000000 1000000000
1 1 1 1 1 1
3
10 12 8
7 5 4

Output
6
16
0
4999999995
7



-----Note-----

In the first test case of the example, we can perform the following sequence of moves:

  choose the first gift and eat one orange from it, so $a = [3, 5, 6]$ and $b = [2, 2, 3]$;  choose the second gift and eat one candy from it, so $a = [3, 4, 6]$ and $b = [2, 2, 3]$;  choose the second gift and eat one candy from it, so $a = [3, 3, 6]$ and $b = [2, 2, 3]$;  choose the third gift and eat one candy and one orange from it, so $a = [3, 3, 5]$ and $b = [2, 2, 2]$;  choose the third gift and eat one candy from it, so $a = [3, 3, 4]$ and $b = [2, 2, 2]$;  choose the third gift and eat one candy from it, so $a = [3, 3, 3]$ and $b = [2, 2, 2]$."""
_STDIN_EXAMPLE_ANSWER = """\
def minimum_moves(t, test_cases):
    for _ in range(t):
        n = test_cases[_][0]
        candies = test_cases[_][1]
        oranges = test_cases[_][2]
        min_candies = min(candies)
        min_oranges = min(oranges)
        ans = 0
        for i in range(n):
            ans += max(candies[i] - min_candies, oranges[i] - min_oranges)
        print(ans)


def main():
    t = int(input())
    test_cases = []
    for _ in range(t):
        n = int(input())
        candies = list(map(int, input().split()))
        oranges = list(map(int, input().split()))
        test_cases.append((n, candies, oranges))
    minimum_moves(t, test_cases)


main()
"""


def get_prompt(problem: ContestProblem, style: PromptStyle) -> Prompt:
    """In a chat a system message and the problem; else the text that a base model goes on with."""
    return Prompt(SYSTEM, _chat(problem)) if style is PromptStyle.CHAT else Prompt("", _text(problem))


def _chat(problem: ContestProblem) -> str:
    if problem.starter_code:
        wanted, code = WITH_STARTER_CODE, problem.starter_code
    else:
        wanted, code = WITHOUT_STARTER_CODE, "# YOUR CODE HERE"
    return (
        f"### Question:\n{problem.question_content}\n\n"
        f"### Format: {wanted}\n```python\n{code}\n```\n\n"
        "### Answer: (use the provided format with backticks)\n\n"
    )


def _text(problem: ContestProblem) -> str:
    if problem.starter_code:
        example = _part(
            _FUNCTION_EXAMPLE_QUESTION, _FUNCTION_EXAMPLE_SAMPLE_CODE, _FUNCTION_EXAMPLE_ANSWER + "\n\n"
        )
    else:
        example = _part(_STDIN_EXAMPLE_QUESTION, "", _STDIN_EXAMPLE_ANSWER + "\n\n")
    return example + _part(problem.question_content, problem.starter_code, "")


def _part(question: str, starter_code: str, answer: str) -> str:
    starter = f"### Starter Code\n{starter_code}\n\n" if starter_code else ""
    return f"### Question\n{question}\n\n{starter}### Answer\n\n{answer}"
