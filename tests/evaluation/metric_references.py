"""Random answers, and what scikit-learn, SciPy, rouge-score and lm-eval's code for SQuAD's metrics make of them.

`.tools/bin/python tests/evaluation/metric_references.py SEED CASES` prints the figures as JSON, a list by metric;
`fixtures/metric_references.json` keeps those of `RECORDED`. The answers themselves are made again from the seed.
"""

from __future__ import annotations

import json
import random
import sys
import warnings
from pathlib import Path

FIXTURE = Path(__file__).parent / "fixtures" / "metric_references.json"
RECORDED = (13, 200)
POSITIVE = "a"
ROUGE = ("rouge1", "rouge2", "rougeL", "rougeLsum")
WORDS = [
    *("the", "cat", "sat", "on", "a", "mat", "an", "it's", "12", "1,000.5", "Äpfel", "über", "don't", "x-y"),
    *(",", ".", "THE", "The", "a-", "-an", "cat's", "(mat)"),
    *("mats", "sit", "und", "\n", "\n", "\u2019"),
]


def labels_of(chance: random.Random) -> tuple[list[str | None], list[str]]:
    """Predictions, some of which are unread, and the classes that were expected."""
    count, classes, sure, unread = (
        chance.randint(2, 40),
        chance.randint(2, 4),
        chance.random(),
        chance.choice((0, 0.2)),
    )
    expected = [chance.choice("abcd"[:classes]) for _ in range(count)]
    said = [label if chance.random() < sure else chance.choice("abcd"[:classes]) for label in expected]
    return [None if chance.random() < unread else label for label in said], expected


def numbers_of(chance: random.Random) -> tuple[list[float], list[float]]:
    """Numbers said and expected, with ties; neither is constant."""
    said = [0.0, 5.0] + [
        chance.choice((chance.random() * 5, chance.randint(0, 5))) for _ in range(chance.randint(1, 40))
    ]
    expected = [chance.choice((chance.random() * 5, chance.randint(0, 5), number)) for number in said]
    return said, [*expected[:-1], 5.5]


def texts_of(chance: random.Random) -> tuple[str, list[str]]:
    """An answer and one to three references, which share many words."""
    made = [
        " ".join(chance.choice(WORDS) for _ in range(chance.randint(0, 25)))
        for _ in range(chance.randint(2, 4))
    ]
    return made[0], made[1:]


def cases(seed: int, count: int) -> list[tuple]:
    chance = random.Random(seed)
    return [(labels_of(chance), numbers_of(chance), texts_of(chance)) for _ in range(count)]


def references(seed: int, count: int) -> dict[str, list[float]]:
    from lm_eval.tasks.qasper.metrics import f1_abstractive as token_f1
    from lm_eval.tasks.qasper.metrics import normalize_answer
    from rouge_score.rouge_scorer import RougeScorer
    from scipy import stats
    from sklearn import metrics

    scorer = RougeScorer(ROUGE)
    found: dict[str, list[float]] = {}

    def add(name: str, value: float) -> None:
        found.setdefault(name, []).append(round(float(value), 12))

    for (labels, expected), (said, numbers), (text, golds) in cases(seed, count):
        told = [label or "unread" for label in labels]
        classes = sorted({*told, *expected} - {"unread"})
        one = {"labels": [POSITIVE], "average": "macro", "zero_division": 0}
        add("mcc", metrics.matthews_corrcoef(expected, told))
        add("f1", metrics.f1_score(expected, told, **one))
        add("precision", metrics.precision_score(expected, told, **one))
        add("recall", metrics.recall_score(expected, told, **one))
        for average in ("macro", "micro", "weighted"):
            add(
                f"{average}_f1",
                metrics.f1_score(expected, told, labels=classes, average=average, zero_division=0),
            )
        add("pearson", stats.pearsonr(said, numbers)[0])
        add("spearman", stats.spearmanr(said, numbers)[0])
        for name, score in scorer.score_multi(golds, text).items():
            add(name, score.fmeasure)
        if normalize_answer(text) and all(
            map(normalize_answer, golds)
        ):  # SQuAD 2 has its own rule for others
            add("token_f1", max(token_f1([text], [gold]) for gold in golds))
            add("exact_match", max(normalize_answer(text) == normalize_answer(gold) for gold in golds))
    return found


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    json.dump(references(int(sys.argv[1]), int(sys.argv[2])), sys.stdout)
