"""Our metrics are those of scikit-learn, SciPy, rouge-score and SQuAD's script, on random answers and odd ones."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from evaluation.metrics.registry import metric_names, sample_metric
from evaluation.metrics.squad import normalized
from results.errors import UsageError
from results.stats.corpus_metrics import CORPUS_METRICS, Pair, corpus_metric
from tests.evaluation.metric_references import FIXTURE, POSITIVE, RECORDED, ROUGE, cases


def ours(seed, count):
    found = {}
    for (labels, expected), (said, numbers), (text, golds) in cases(seed, count):
        classes = [Pair(*pair) for pair in zip(labels, expected, strict=True)]
        figures = [Pair(str(one), str(other)) for one, other in zip(said, numbers, strict=True)]
        for name in CORPUS_METRICS:
            pairs = figures if name in {"pearson", "spearman"} else classes
            found.setdefault(name, []).append(corpus_metric(name, pairs, POSITIVE))
        compared = ROUGE
        if normalized(text) and all(map(normalized, golds)):
            compared += ("token_f1", "exact_match")
        for name in compared:
            found.setdefault(name, []).append(sample_metric(name)(text, golds))
    return found


def equal(found, expected):
    assert found.keys() == expected.keys()
    for name, values in found.items():
        assert values == pytest.approx(expected[name], abs=1e-9), name


def test_metrics_are_those_that_the_libraries_gave():
    equal(ours(*RECORDED), json.loads(FIXTURE.read_bytes()))


@pytest.mark.tools
@pytest.mark.parametrize(("seed", "count"), [RECORDED, (2026, 1000)])
def test_metrics_are_those_that_the_libraries_give_now(tools_python, seed, count):
    script = Path(__file__).with_name("metric_references.py")
    done = subprocess.run(
        [tools_python, script, str(seed), str(count)], capture_output=True, check=True, timeout=300
    )
    told = json.loads(done.stdout)
    equal(ours(seed, count), told)
    if (seed, count) == RECORDED:
        assert told == json.loads(FIXTURE.read_bytes())


@pytest.mark.parametrize(
    ("name", "said", "expected", "value"),
    [
        ("accuracy", "yes", "yes", 1.0),
        ("accuracy", "Yes", "yes", 0.0),
        ("accuracy", "2", 2, 1.0),
        ("accuracy", "b", ["a", "b"], 1.0),
        ("exact_match", "The  Cat!", "cat", 1.0),
        ("exact_match", "cats", ["dog", "cat"], 0.0),
        ("exact_match", "", [], 1.0),  # a question without an answer, as in SQuAD 2
        ("exact_match", "something", [], 0.0),
        ("token_f1", "the", ["a"], 1.0),  # both are nothing
        ("token_f1", "", ["Paris"], 0.0),
        ("token_f1", "in Paris France", ["Paris", "London"], 0.5),
        ("token_f1", "yes it is", "yes", 0.5),
        ("hotpot_f1", "yes it is", "yes", 0.0),
        ("hotpot_f1", "Yes.", "yes", 1.0),
        ("hotpot_f1", "in Paris", "Paris", 2 / 3),
        ("rouge1", "", "words", 0.0),
        ("rougeL", "words", [], 0.0),
        ("rougeL", "\u4e2d\u6587", "\u4e2d\u6587", 0.0),  # as rouge-score, which only knows a to z
        ("rougeLsum", "b\na", "a\nb", 1.0),
        ("rougeL", "b\na", "a\nb", 0.5),
        ("closeness", "2.5", "5", 0.5),
        ("closeness", "-9", "5", 0.0),
        ("closeness", "nan", "5", 0.0),
        ("closeness", "5", ["5"], 0.0),  # a list is no number
        ("closeness", "much", "5", 0.0),
    ],
)
def test_a_metric_of_one_answer(name, said, expected, value):
    assert sample_metric(name)(said, expected) == pytest.approx(value)


def test_a_long_answer_costs_no_table_of_its_length():
    many = " ".join(map(str, range(20_000)))
    assert sample_metric("rougeL")(many, many) == 1.0
    assert (
        0 < sample_metric("rougeLsum")(many, many) < 1.0
    )  # of one line of 20,000 words, so many don't count


@pytest.mark.parametrize("name", ["mcc", "Accuracy", ""])
def test_a_name_that_is_no_metric_of_one_answer_is_refused(name):
    with pytest.raises(UsageError) as refused:
        sample_metric(name)
    assert "accuracy" in refused.value.hint


def test_undefined_metrics_are_zero_and_not_a_number():
    """A model that always says the same, or never anything, gets a figure."""
    for said in ("1", None):
        for name in ("mcc", "pearson", "spearman"):
            assert corpus_metric(name, [Pair(said, "1"), Pair(said, "2"), Pair(said, "3")]) == 0.0
    assert corpus_metric("f1", [Pair("b", "b")], "a") == 0.0


def test_an_unread_number_brings_a_correlation_nearer_to_zero():
    pairs = [Pair(str(n), str(n)) for n in range(10)]
    lost = [Pair(None, "9"), *pairs[:9]]
    for name in ("pearson", "spearman"):
        assert corpus_metric(name, pairs) == pytest.approx(1.0)
        assert 0 < corpus_metric(name, lost) < 1


def test_a_metric_of_nothing_is_an_error():
    with pytest.raises(ValueError, match="nothing"):
        corpus_metric("mcc", [])


def test_names_are_unique():
    assert len(set(metric_names())) == len(metric_names())


def test_the_page_has_every_metric():
    page = (Path(__file__).parents[2] / "docs" / "statistics.md").read_text()
    assert [name for name in metric_names() if f"`{name}`" not in page] == []
