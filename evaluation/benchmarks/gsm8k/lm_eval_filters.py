"""What lm-eval's own filters make of an answer to GSM8K, to the letter: for scores that compare with published ones.

They are those of its tasks `gsm8k_cot`, `gsm8k_cot_zeroshot` and `gsm8k_cot_llama` in version 0.4.13: a regular
expression takes a text out of the answer, and texts are compared, not numbers.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

STRICT, FLEXIBLE = "strict-match", "flexible-extract"

_NONE = "[invalid]"
_MARK = "#### "
_FLEXIBLE = re.compile(r"(-?[$0-9.,]{2,})|(-?[0-9]+)")


@dataclass(frozen=True, kw_only=True)
class LmEvalTask:
    """strict: its first match counts, or its last. until: texts that end an answer."""

    name: str
    strict: re.Pattern[str]
    takes_first: bool
    until: tuple[str, ...]


COT = LmEvalTask(
    name="gsm8k_cot",
    strict=re.compile(r"The answer is (\-?[0-9\.\,]+)."),
    takes_first=True,
    until=("Q:", "</s>", "<|im_end|>"),
)
COT_LLAMA = LmEvalTask(
    name="gsm8k_cot_llama",
    strict=re.compile(r"The final answer is ((-?[$0-9.,]{2,})|(-?[0-9]+))"),
    takes_first=False,
    until=("<|eot_id|>", "<|start_header_id|>user<|end_header_id|>", "Q:", "</s>", "<|im_end|>"),
)


def lm_eval_verdicts(text: str, solution: str, task: LmEvalTask) -> dict[str, float]:
    """1 or 0 by the name of the filter. solution: of the data set, which ends in `#### 1,234`."""
    for stop in task.until:
        text = text.split(stop, 1)[0]
    target = _plain(solution.rsplit("####", maxsplit=1)[-1].strip())
    strict = _taken(task.strict, text, first=task.takes_first)
    flexible = _taken(_FLEXIBLE, text, first=False)
    return {STRICT: float(_plain(strict) == target), FLEXIBLE: float(_plain(flexible) == target)}


def _taken(pattern: re.Pattern[str], text: str, *, first: bool) -> str:
    found = pattern.findall(text)
    if not found:
        return _NONE
    match = found[0 if first else -1]
    groups = (match,) if isinstance(match, str) else match
    return next(filter(None, groups), _NONE).strip()


def _plain(text: str) -> str:
    r"""Without what its `regexes_to_ignore` match, in their order: `,`, `\$`, `(?s).*#### `, `\.$`."""
    text = text.replace(",", "").replace("$", "").rpartition(_MARK)[2]
    return re.sub(r"\.$", "", text).lower()
