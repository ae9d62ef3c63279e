# ruff: noqa: E501 - a table of sentences
"""A thousand answers to GSM8K, and what lm-eval's own code makes of them.

`.tools/bin/python tests/evaluation/lm_eval_answers.py` prints that as JSON: for each of its tasks
the verdicts of each filter, a digit an answer. It is kept in `fixtures/lm_eval_verdicts.json`.
"""

from __future__ import annotations

import json
import random
from importlib.metadata import version
from pathlib import Path

TASKS = {
    "gsm8k_cot": "gsm8k-cot",
    "gsm8k_cot_zeroshot": "gsm8k-cot-zeroshot",
    "gsm8k_cot_llama": "gsm8k-cot-llama",
}
FILTERS = ("strict-match", "flexible-extract")
FIXTURE = Path(__file__).parent / "fixtures" / "lm_eval_verdicts.json"

_STATED = (
    "The answer is {n}.", "The answer is {n}", "The answer is {n},", "The answer is ${n}.", "The answer is {n} dollars.",
    "the answer is {n}.", "The final answer is {n}", "The final answer is ${n}.", "The final answer is {n}%",
    "The final answer is: {n}", "The final answer is **{n}**.", "The final answer is $\\boxed{{{n}}}$", "#### {n}",
    "The answer is {n}.\nThe answer is {m}.", "The final answer is {m}. No: The final answer is {n}.", "Answer: {n}",
    "The answer is -{n}.", "The final answer is -{n}", "The answer is {n}.00.", "The final answer is {n}.0", "It is {n}!",
    "The answer is {m} + {k} = {n}.", "The final answer is {n} because {k} is more.", "{n}", "So she has {n} left.", "",
    "The answer is [{n}].", "The final answer is {n}\n\nQ: How many?\nA: The final answer is {m}", "The answer is\n{n}.",
    "The answer is {n}..", "The answer is ,{n}.", "The final answer is .{n}", "The answer is {n}</s> {m}", "I don't know.",
    "The answer is {n} .", "The final answer is $ {n}", "The final answer is {n}<|im_end|>\n{m}", "\u00a3{n}.", "\u0663 or {n}",
)  # fmt: skip
_LED = (
    "",
    "She has {m} - {k} = {n}. ",
    "First {k}, then {m}.\n",
    "Step 1: {m} * {k} = {n}\n\n",
    "$3.50 and .5, 1,000.\n",
)


def written_answers():
    """Pairs of an answer and the data set's solution, always the same thousand."""
    draw = random.Random(8)
    for number in range(1000):
        n, m, k = (draw.choice((draw.randrange(100), draw.randrange(10**6))) for _ in range(3))
        right = n if draw.random() < 0.7 else m
        shown = f"{n:,}" if draw.random() < 0.4 else str(n)
        stated = _STATED[number % len(_STATED)]
        text = (draw.choice(_LED) + stated).format(n=shown, m=f"{m:,}" if m % 2 else m, k=k)
        gold = f"{right:,}" if draw.random() < 0.5 else str(right)
        yield text, f"She has {m} - {k} = <<{m}-{k}={right}>>{right}.\n#### {gold}"


def _recorded():
    import lm_eval
    import yaml
    from lm_eval.api.instance import Instance
    from lm_eval.api.metrics import exact_match_hf_evaluate
    from lm_eval.filters import build_filter_ensemble
    from lm_eval.utils import apply_template

    folder = Path(lm_eval.__file__).parent / "tasks" / "gsm8k"
    found = {}
    for task, file in TASKS.items():
        config = yaml.safe_load((folder / f"{file}.yaml").read_text(encoding="utf-8"))
        until = config["generation_kwargs"]["until"]
        (metric,) = config["metric_list"]
        options = {name: metric[name] for name in ("regexes_to_ignore", "ignore_case", "ignore_punctuation")}
        for each in config["filter_list"]:
            steps = [
                [step["function"], {name: value for name, value in step.items() if name != "function"}]
                for step in each["filter"]
            ]
            ensemble = build_filter_ensemble(each["name"], steps)
            digits = ""
            for text, solution in written_answers():
                for stop in until:  # where a server ends the answer
                    text = text.split(stop, 1)[0]  # noqa: PLW2901
                doc = {"question": "?", "answer": solution}
                instance = Instance("generate_until", doc, ("?", {}), 0)
                instance.resps = [text]
                ensemble.apply([instance])
                target = apply_template(config["doc_to_target"], doc)
                said = exact_match_hf_evaluate([instance.filtered_resps[each["name"]]], [target], **options)
                digits += str(int(said["exact_match"]))
            found.setdefault(task, {})[each["name"]] = digits
    return {"lm_eval": version("lm_eval"), "verdicts": found}


if __name__ == "__main__":
    print(json.dumps(_recorded(), indent=1))
