# ruff: noqa: E501 - an answer is easier to read in one line
"""The program in an answer is found, whatever stands before and behind it."""

from __future__ import annotations

import pytest

from evaluation.answers.programs import program_from_chat

PROGRAM = "import sys\nxs = list(map(int, sys.stdin.read().split()))\nprint(sum(xs))\n"
SOLVE = 'import sys\n\ndef solve():\n    """Read and add.\n\n    ```\n    1 2 -> 3\n    ```\n    """\n    print(sum(map(int, sys.stdin.read().split())))\n\nsolve()\n'
BLOCK = f"```python\n{PROGRAM}```\n"

ANSWERS = {
    "an info string": f'Sure.\n\n```python title="main.py"\n{PROGRAM}```\n\nIt reads all numbers.',
    "a file's name behind the language": f"Sure.\n\n```python:main.py\n{PROGRAM}```\n",
    "a language of two words": f"Sure.\n\n```Python 3\n{PROGRAM}```\n",
    "attributes": f"```{{.python .numberLines}}\n{PROGRAM}```",
    "tildes": f"~~~python\n{PROGRAM}~~~",
    "a demonstration behind it": f"{BLOCK}\nIn an interactive shell you could also write:\n\n```python\nprint(sum([1, 2]))\n```",
    "a demonstration that calls it": f"{BLOCK}\n```python\nfrom main import xs\nprint(len(xs))\n```",
    "a session behind it": f"{BLOCK}\nTry it:\n```python\n>>> print(sum([1, 2]))\n3\n```",
    "its output behind it": f"{BLOCK}\nOutput:\n```\n3\n```\n",
    "a shell command behind it": f"{BLOCK}\n```bash\necho 1 2 | python main.py\n```",
    "a test that feeds it behind it": f"{BLOCK}\nA test:\n```python\nimport io\nsys.stdin = io.StringIO('1 2')\nsolve()\nprint('ok')\n```",
    "an excerpt behind it": f"{BLOCK}\nThe heart of it is\n```python\nprint(sum(xs))\n```",
    "a draft before it": f"```python\nprint(sum(map(int, input().split()))\n```\nA parenthesis is missing. So:\n{BLOCK}",
    "another draft before it": f"```python\nprint(int(input()))\n```\nThat reads one number only. So:\n{BLOCK}",
    "in a list": "1. Write\n\n   ```python\n   import sys\n   xs = list(map(int, sys.stdin.read().split()))\n   print(sum(xs))\n   ```\n2. Run it",
    "in a quote": "> ```python\n> " + PROGRAM.rstrip().replace("\n", "\n> ") + "\n> ```",
    "cut before its fence": f"```python\n{PROGRAM}",
    "no fence": PROGRAM,
    "a program that starts it behind it": f"{BLOCK}\n```python\nimport subprocess\nprint(subprocess.run(['x'], input='1 2', text=True))\n```",
    "an excerpt that prints behind it": f"{BLOCK}\n```python\nprint('hello')\n```",
    "another language behind it": f"{BLOCK}\nOr in C++:\n```cpp\nint main() {{}}\n```",
    "a helper before it": f"```python\ndef f(x):\n    return x\n```\nThe program:\n{BLOCK}",
    "inside HTML": f"<details>\n<summary>code</summary>\n\n{BLOCK}</details>",
    "in another language's fence": f"```plaintext\n{PROGRAM}```",
}


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS.keys())
def test_the_program_is_found(answer):
    assert program_from_chat(answer).strip() == PROGRAM.strip()


def test_a_fence_in_a_docstring_cuts_no_program():
    assert program_from_chat(f"```python\n{SOLVE}```\nDone.") == SOLVE


def test_a_program_that_is_spread_over_blocks_is_put_together():
    parts = [
        "import sys",
        "def add(xs):\n    return sum(xs)",
        "print(add(map(int, sys.stdin.read().split())))",
    ]
    answer = "\n\nThen\n\n".join(f"```python\n{part}\n```" for part in parts)
    assert program_from_chat(answer).split() == "\n".join(parts).split()


def test_of_two_whole_programs_the_last_counts():
    other = "print(sum(int(word) for word in input().split()))\n"
    assert program_from_chat(f"{BLOCK}\nShorter:\n```python\n{other}```") == other


@pytest.mark.parametrize(
    "answer",
    ["I can't.", "", "```text\n5\n```", "```cpp\nint main() {}\n```", "```lua\nprint(io.read())\n```"],
)
def test_where_there_is_no_program_none_is_found(answer):
    assert not program_from_chat(answer).strip()


@pytest.mark.parametrize("package", ["numpy", "geometry"])
@pytest.mark.parametrize("copies", [1, 2])
def test_a_name_that_a_program_imports_and_binds_again_stays_imported(package, copies):
    program = (
        f"from {package} import array\narray = array(list(map(int, input().split())))\nprint(array.sum())\n"
    )
    assert program_from_chat(f"```python\n{program}```\n" * copies) == program


def test_a_long_list_of_tests_behind_a_program_is_not_the_program():
    program = f"{PROGRAM}" + "data = '1 2'\nsys.stdin = io.StringIO(data)\n" * 5000
    assert program_from_chat(f"{BLOCK}\n```python\n{program}```\n") == PROGRAM
