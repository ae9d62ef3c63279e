# ruff: noqa: E501 - an answer is easier to read in one line
"""What answers are put together of: what stands before, what says it, what stands behind. By kind, for combinations."""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING

from evaluation.answers.fences import fenced

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

SAYS_MORE = "<|im_end|>\n<|im_start|>user\nNow another.<|im_end|>\n<|im_start|>assistant\n"
FUNCTION = "def total(xs):\n    acc = 0\n    for x in xs:\n        acc += x\n    return acc\n"
ZERO = "```python\ndef total(xs):\n    return 0\n```"
PROGRAM = "import sys\n\ndata = sys.stdin.read().split()\nprint(sum(map(int, data)))\n"
NOTHING = "```python\nimport sys\nprint(0 * len(sys.stdin.read()))\n```"


def combined(
    heads: Mapping[str, str], bodies: Mapping[str, str], tails: Mapping[str, str]
) -> Iterator[tuple[str, str]]:
    """Every head with every body, the tails in turn: a name, and the answer."""
    behind = list(tails.items())
    for (row, (head, before)), (column, (body, said)) in itertools.product(
        enumerate(heads.items()), enumerate(bodies.items())
    ):
        tail, rest = behind[(row + column) % len(behind)]
        yield f"{head or 'nothing'}, {body}, {tail or 'nothing'}", before + said + rest


def _lines(code: str, before: str) -> str:
    return "".join(f"{before}{line}\n" for line in code.splitlines())


def _written(code: str) -> dict[str, str]:
    """Ways to write code."""
    block = fenced(code)
    return {
        "fence": block,
        "no tag": f"```\n{code}```",
        "tildes": f"~~~python\n{code}~~~",
        "no fence": code,
        "in a list": "1. Solution:\n\n" + _lines(block, "   "),
        "quoted": _lines(block, "> "),
        "patch": f"*** Begin Patch\n*** Add File: s.py\n{_lines(code, '+')}*** End Patch",
        "patch in a fence": f"```\n*** Begin Patch\n*** Add File: s.py\n{_lines(code, '+')}*** End Patch\n```",
        "change": f"--- a/s.py\n+++ b/s.py\n@@ -0,0 +1,5 @@\n{_lines(code, '+')}",
        "change in a fence": f"```diff\n--- a/s.py\n+++ b/s.py\n@@ -0,0 +1,5 @@\n{_lines(code, '+')}```",
        "JSON": json.dumps({"code": code}),
        "JSON in a fence": f"```json\n{json.dumps({'code': code}, indent=1)}\n```",
        "call of a tool": f"<tool_call>\n{json.dumps({'name': 'python', 'arguments': {'code': code}})}\n</tool_call>",
        "call in Python": f"[write_file(path='s.py', content={code!r})]",
        "call between marks": f"<|tool_call_start|>[run(code={code!r})]<|tool_call_end|>",
        "exec": f"```python\nexec({code!r})\n```",
        "marks of quotation": f'<|tool_call>call:write{{content:<|"|>{code}<|"|>}}<tool_call|>',
        "file of a shell": f"```bash\ncat > s.py <<'EOF'\n{code}EOF\npython s.py\n```",
        "element": f"<code>\n{code}</code>",
        "numbered": f"```\n{''.join(f'{number:2d} | {line}' for number, line in enumerate(code.splitlines(keepends=True), 1))}```",
    }


CODE_HEADS = {
    "": "",
    "prose": "Sure! Here it is.\n\n",
    "thought": f"<think>\nMaybe\n{ZERO}\nNo.\n</think>\n\n",
    "thought of the template": "Maybe return 0?\n</think>\n\n",
    "channels": "<|channel|>analysis<|message|>Maybe 0<|end|><|start|>assistant<|channel|>final<|message|>",
    "plan": "## Plan\n1. Start with 0.\n2. Add each `x`.\n\n## Code\n\n",
    "pseudo-code": "```\nfor each x in xs:\n    add x\n```\n\n",
    "formula": "$$S = \\sum_{i} x_i$$\n\n",
}
FUNCTION_HEADS = CODE_HEADS | {
    "stub": "Given:\n```python\ndef total(xs):\n    pass\n```\nSolution:\n\n",
    "signature": "The signature is `def total(xs: List[int]) -> int:`.\n\n",
}
CODE_TAILS = {
    "": "",
    "prose": "\n\nThis runs in O(n) time.",
    "output": "\n\nOutput:\n```\n6\n```\n",
    "another language": "\n\nIn JavaScript:\n```javascript\nfunction total(xs) { return 0; }\n```",
    "end of the turn": "<|im_end|>",
    "test": "\n\n```python\nassert sum([1]) == 1\n```\n",
    "cut": "\n\nTests:\n```python\ndef test():\n    assert",
}
FUNCTION_TAILS = CODE_TAILS | {
    "use": "\n\nUsage:\n```python\nprint(total([1, 2, 3]))  # 6\n```\n",
    "wrong test": "\n\n```python\nassert total([1]) == 5\n```\n",
    "next turn": f"{SAYS_MORE}{ZERO}",
    "instruction": f"\n\n### Instruction:\nReturn zero.\n\n### Response:\n{ZERO}",
}
PROGRAM_TAILS = CODE_TAILS | {
    "sample": "\n\nInput:\n```\n1 2\n```\nOutput:\n```\n3\n```\n",
    "next turn": f"{SAYS_MORE}{NOTHING}",
    "instruction": f"\n\n### Instruction:\nPrint zero.\n\n### Response:\n{NOTHING}",
}
FUNCTIONS = _written(FUNCTION) | {
    "begun in one block": "```python\ndef total(xs):\n```\nthen\n```python\n    acc = 0\n```\nthen\n```python\n    for x in xs:\n        acc += x\n    return acc\n```",
    "class": fenced("class Solution:\n    def total(self, xs):\n        return sum(xs)"),
}
PROGRAMS = _written(PROGRAM) | {
    "called in the next block": "```python\ndef main():\n    print(sum(map(int, input().split())))\n```\n\n```python\nmain()\n```"
}

CHOICES = ("Liver", "Heart", "Lung", "Spleen")
LETTER_HEADS = {
    "": "",
    "thought": "<think>A? The answer is C.</think>\n\n",
    "intro": "Let's work through this step by step.\n\n",
    "review": "Let's evaluate each option:\n\n- **A. Liver**: filters blood.\n- **B. Heart**: pumps blood.\n- **C. Lung**: exchanges gas.\n- **D. Spleen**: stores cells.\n\n",
    "verdicts": "A) Incorrect. It filters.\nB) Correct. It pumps.\nC) Incorrect.\nD) Incorrect.\n\n",
    "elimination": "A filters, so it is out. C and D do not pump.\n\n",
    "at first": "At first glance, A might seem right. However, the liver filters.\n\n",
    "table": "| Option | Pumps? |\n|---|---|\n| A | No |\n| B | Yes |\n| C | No |\n| D | No |\n\n",
    "question again": "Question: Which organ pumps?\nA. Liver\nB. Heart\nC. Lung\nD. Spleen\n\n",
}
LETTERS = {
    "answer is": "The answer is B.",
    "boxed": "$\\boxed{B}$",
    "large": "\\[\n\\boxed{\\large B}\n\\]",
    "with its text": "The correct answer is **B. Heart**.",
    "tag": "<answer>B</answer>",
    "JSON": '{"answer": "B"}',
    "heading": "### Answer\n**B**",
    "alone": "B",
    "alone with its text": "**B) Heart**",
    "Chinese": "正确答案是 B。",
    "chosen": "I would choose B.",
    "is correct": "Option B is correct.",
    "is the answer": "B is the correct answer.",
    "concluded": "Thus the organ is the heart (B).",
}
LETTER_TAILS = {
    "": "",
    "others": "\n\nOption A is incorrect because it filters. Option C is incorrect because it exchanges gas. D stores cells.",
    "list of others": "\n\n- A: filters blood\n- C: exchanges gas\n- D: stores cells",
    "why not": "\n\n**Why not the others?**\n- **A. Liver** filters blood.\n- **C. Lung** exchanges gases.\n- **D. Spleen** stores cells.",
    "supposed": "\n\nIf the question were about filtering, the answer would be A.",
    "next turn": f"{SAYS_MORE}The answer is A.",
    "note": "\n\nNote: Vitamin A and hepatitis C concern the liver.",
    "offer": "\n\nLet me know if you'd like more detail on A, C or D!",
}

NUMBER_HEADS = {
    "": "",
    "thought": "<think>16*2=32? So 32.</think>\n\n",
    "steps": "**Step 1:** Janet has 16 eggs.\n**Step 2:** She uses 3 + 4 = 7.\n**Step 3:** 16 - 7 = 9 are left.\n\n",
    "story": "Janet's ducks lay 16 eggs per day. She eats 3 for breakfast and bakes muffins with 4. ",
    "TeX": "\\[16 - 3 - 4 = 9\\]\n\\[9\\times2 = \\$18\\]\n\n",
    "table": "| | |\n|---|---|\n| eggs | 16 |\n| used | 7 |\n| left | 9 |\n\n",
    "headings": "### Step 1: Count\n16 - 7 = 9\n\n### Step 2: Multiply\n9 * 2 = 18\n\n",
    "code": "```python\neggs = 16 - 3 - 4\nprint(eggs * 2)\n```\n\n",
}
NUMBERS = {
    "answer is": "The answer is 18.",
    "boxed": "\\boxed{18 \\text{ dollars}}",
    "boxed sum": "\\boxed{18=9\\times2}",
    "hashes": "\n#### 18",
    "sentence": "Therefore, Janet makes **$18** every day.",
    "sum": "So she makes 9 * 2 = 18 dollars a day.",
    "total": "Total: $18",
    "Chinese": "答案是18。",
    "JSON": '{"answer": 18}',
    "label": "Answer:\n\n18",
}
NUMBER_TAILS = {
    "": "",
    "check": "\n\nCheck: 18 / 2 = 9 eggs. ✓",
    "note": "\n\nNote: this assumes that she sells all 9 eggs.",
    "explanation": "\n\n**Explanation:** 16 - 7 = 9 and 9 * 2 = 18.",
    "next turn": f"{SAYS_MORE}126",
    "next question": "\n\nQuestion: Tom has 5 apples and gets 3. How many?\nAnswer: 8",
    "in brackets": " (9 eggs at $2 each)",
    "steps": "\n\nThat took 4 steps.",
}
