"""Fences are found as CommonMark has them, as models write them, and in linear time."""

from __future__ import annotations

import ast
import sys
import time

import pytest
from markdown_it import MarkdownIt

from evaluation.answers.code import from_chat, from_completion
from evaluation.answers.fences import fenced_blocks, language
from evaluation.answers.programs import program_from_chat
from evaluation.benchmarks.lcb.extraction import extract
from evaluation.protocols import PromptStyle

pytestmark = pytest.mark.slow

AS_IN_COMMONMARK = [
    "```\n<\n >\n```",
    "~~~\n<\n >\n~~~",
    "``\nfoo\n``",
    "```\naaa\n~~~\n```",
    "~~~\naaa\n```\n~~~",
    "````\naaa\n```\n``````",
    "~~~~\naaa\n~~~\n~~~~",
    "```\n\n  \n```",
    " ```\n aaa\naaa\n```",
    "  ```\naaa\n  aaa\naaa\n  ```",
    "   ```\n   aaa\n    aaa\n  aaa\n   ```",
    "foo\n```\nbar\n```\nbaz",
    "foo\n---\n~~~\nbar\n~~~\n# baz",
    "```ruby\ndef foo(x)\n  return 3\nend\n```",
    "~~~~    ruby startline=3 $%@#$\ndef foo(x)\n  return 3\nend\n~~~~~~~",
    "````;\n````",
    "~~~ aa ``` ~~~\nfoo\n~~~",
    "> ```\n> aaa\n\nbbb\n\n```\nc\n```",
    "- ```\n  x\n  ```\n- ```\n  y\n  ```",
    "1. a\n\n   ```python title='x'\n   x = 1\n   ```\n",
    "> - ```\n>   x\n>   ```\n",
    "> > ```\n> > x\n> > ```\n",
    "```python\nx\n```\n\ntext `a` and ``b``\n\n~~~sh\ny\n~~~\n",
]


def read(text):
    return [block[:3] for block in fenced_blocks(text)]


@pytest.mark.parametrize("text", AS_IN_COMMONMARK)
def test_what_commonmark_says_is_what_is_found(text):
    """The specification's own examples, and quotes and lists, as a parser of Markdown reads them."""
    wanted = [
        (language(token.info), token.content)
        for token in MarkdownIt("commonmark").parse(text)
        if token.type == "fence"
    ]
    assert [(block.tag, block.code) for block in fenced_blocks(text)] == wanted


@pytest.mark.parametrize(
    "info",
    ["python", "Python", "py", "python3", "Python 3", 'python title="main.py"', "python:main.py", "main.py",
     "py {1,3}", "{.python}", "{.python .numberLines}", "{python}", "python3.11", "title=main.py", " python",
     "ipython3", "python,ignore"],
)  # fmt: skip
def test_an_info_string_that_names_python_is_read(info):
    assert read(f"```{info}\nx = 1\n```") == [("python", "x = 1\n", True)]


def test_fenced_blocks_know_their_tag_and_whether_they_are_closed():
    assert read("a\n```python\nx\n```\nb\n```sh\ny") == [
        ("python", "x\n", True),
        ("sh", "y\n", False),
    ]


DOCSTRING = 'def f():\n{0}"""Doc.\n\n{0}```{1}\n{0}f()\n{0}```\n{0}"""\n{0}return 1\n'


@pytest.mark.parametrize("indent", ["    ", "  ", " "])
@pytest.mark.parametrize("tag", ["", "python"])
@pytest.mark.parametrize("fence", ["```", "````", "~~~"])
def test_a_fence_inside_a_docstring_ends_nothing(indent, tag, fence):
    code = DOCSTRING.format(indent, tag)
    assert read(f"{fence}python\n{code}{fence}\ntext\n```python\ny = 1\n```") == [
        ("python", code, True),
        ("python", "y = 1\n", True),
    ]


def test_a_fence_at_the_margin_of_a_string_ends_nothing_if_the_string_ends():
    code = 'README = """\n```\nrun\n```\n"""\n'
    assert read(f"```python\n{code}```\n") == [("python", code, True)]
    cut = 'README = """\n'
    assert read(f"```python\n{cut}```\nprose\n")[0] == ("python", cut, True)


@pytest.mark.parametrize(
    "text",
    [
        "````markdown\n# T\n```python\nx = 1\n```\n````",
        "```markdown\n# T\n```python\nx = 1\n```\n```",
        "~~~\nSee:\n```python\nx = 1\n```\n~~~",
        "<answer>\n```python\nx = 1\n```\n</answer>",
        "<answer>```python\nx = 1\n```</answer>",
        "1. a\n   ```python\nx = 1\n   ```",
        "        ```python\n        x = 1\n        ```",
        "So: ```python\nx = 1\n```",
        "```python\nx = 1```",
        "```python\nx = 1\n  ```\nprose",
        "```python x = 1```",
        "```python\nx = 1\n\n```sh\nls\n```",
        "> ```python\n> x = 1\n> ```",
        "* a\n\t```python\n\tx = 1\n\t```",
        "```python\r\nx = 1\r\n```",
    ],
)
def test_fences_that_markdown_reads_otherwise_are_understood_all_the_same(text):
    assert ("python", "x = 1") in [(block.tag, block.code.strip()) for block in fenced_blocks(text)]


def test_inline_code_opens_nothing():
    assert fenced_blocks("Use ```x``` and ``y``. Then ```z```.\n") == []


PROMPT = 'def total(xs):\n    """ Sum. """\n'
HOSTILE = {
    "backticks": "`",
    "fences": "```\n",
    "tagged fences": "```python\n",
    "blocks": "```python\nx\n```\n",
    "strings that never end": "```python\n\\'''\n```\n",
    "strings of both kinds": "```python\n'''\n```\n```python\n\"\"\"\n```\n",
    "blocks in blocks": "```markdown\n",
    "quotes": "> ",
    "quoted fences": "> ```python\n> x\n",
    "list items": "- ",
    "decorators": "@a\n",
    "imports": "import a\n",
    "imports with errors": "import a\nx y\n",
    "definitions": "def total(xs): return 1\n",
    "definitions with prose": "def total(xs): return 1\nand so\n",
    "ends behind code": "```python\nx```\n",
    "blocks of a line": "```a```\n",
    "blanks": " ",
    "returns": "\r",
    "sums": "1+",
    "calls": "()",
    "brackets": "[",
    "assignments": "x = 1\n",
    "assignments with prose": "x = 1\nand so\n",
    "names": "a.",
    "annotations": "total:\n",
    "elements": "<pre><code>",
    "elements that end": "<pre>\nx\n</pre>",
    "ends of elements": "</code>",
    "sessions": "```python\n>>> x\n```\n",
    "lines of a session": ">>> total(1)\n",
    "changes": "```diff\n+x\n-y\n```\n",
    "stubs that go on": "```python\ndef total(xs):\n    x\n```\n```python\n    x\n```\n",
    "prose behind code": "```python\ndef total(xs): return 1\nand so\n```\n",
    "classes": "```python\nclass A:\n    def total(self, xs): return 1\n```\n",
    "code less deep": "- a\n    ```python\nif x:\n    x\n    ```\n",
    "JSON": '{"a": "\\n',
    "whole JSON": '{"a": "\\nx = 1"}\n',
    "entities": "```python\n&lt;x &gt;\n```\n",
    "lines with numbers": "1  x\n",
    "numbered blocks": "```python\n1 | x y\n```\n",
    "inline code": "`def total(",
    "tools": "<|python_tag|>",
    "commands": "```python\n!x\n%y\n```\n",
    "packages": "```python\nimport x\nx.y()\n```\n",
    "changed lines": "<<<<<<< SEARCH\nx\n=======\ny\n>>>>>>> REPLACE\n",
    "texts in JSON": '[{"a": ["x\\n", "y"]}]\n',
    "prose before a function": "```python\nand so\ndef total(xs): return 1\n```\n",
    "helpers again": "```python\ndef a(): return 1\n```\n",
    "remarks": "```python\nComplexity: O(n)\n```\n",
    "escaped lines": "x = 1\\n",
    "code in the lines of fences": "```def total(x):\n",
    "JSON within": ']{"code": "x = 1\\n"}',
    "arguments": '{"arguments": "{\\"code\\": 1}"}\n',
    "typographic signs": "```python\nx = \u2018a\n```\n",
    "arguments in elements": '<parameter name="code">x\ny</parameter>\n',
    "files of a shell": "```bash\ncat <<A\n",
    "files of a shell that end": "```bash\ncat <<A\nx\nA\n```\n",
    "patches": "*** Begin Patch\n+x\n",
    "raw changes": "--- a\n+++ b\n@@\n+x\n",
    "strings with code": 'f("def total(xs): return 1")\n',
    "quoted arguments": '<|"|>x\ny',
    "functions that only begin": "```python\ndef total(xs):\n```\n",
    "indented lines": "a\n\n    x = 1\n\n",
}


def seconds(text):
    started = time.process_time()
    from_chat(text, PROMPT, "total")
    program_from_chat(text)
    return time.process_time() - started


@pytest.fixture(scope="module")
def plain_s():
    return max(0.02, min(seconds("a line of prose\n" * 20_000) for _ in range(3)))


@pytest.mark.parametrize("piece", HOSTILE.values(), ids=HOSTILE.keys())
def test_extraction_is_linear(piece, plain_s):
    """A model's repetition loop must not hold the grader up: where the time grows with the square, it takes a thousand
    times as long as prose of the same length. Longer than the parser is asked to read.
    """
    some, many = (piece * (size // len(piece)) for size in (20_000, 205_000))
    assert seconds(f"{some}\n```python\n{many}\n```{some}!") < 60 * plain_s


def times_parsed(find, text):
    count = 0

    def look(frame, event, _):
        nonlocal count
        count += event == "call" and frame.f_code is ast.parse.__code__

    sys.setprofile(look)
    try:
        find(text)
    finally:
        sys.setprofile(None)
    return count


@pytest.mark.parametrize("piece", HOSTILE.values(), ids=HOSTILE.keys())
def test_parsing_is_bounded(piece):
    """What is short enough for the parser is not parsed again and again, as each line of `@a` once was."""
    text = piece * (4_000 // len(piece))
    for find in (
        lambda text: from_chat(text, PROMPT, "total"),
        program_from_chat,
        lambda text: extract(text, PromptStyle.CHAT, None),
        lambda text: from_completion(text, PROMPT),
    ):
        assert times_parsed(find, text) <= 650  # of at most 200 blocks each a few times
