"""Divergence from a reference: the figures follow their definitions, and what is called a lower bound is one."""

import itertools
import math

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from results.stats.divergence import (
    KldFigures,
    KldReference,
    KldResult,
    KldWindow,
    compared,
    figures,
    headline,
    interval_of_mean,
    kld_result,
    read_windows,
    table,
)

SIZES = st.integers(2, 40)


@st.composite
def two_distributions(draw):
    """Log-probabilities of two predictions over one vocabulary."""
    size = draw(SIZES)
    both = []
    for _ in range(2):
        logits = draw(st.lists(st.floats(-6, 6), min_size=size, max_size=size))
        whole = math.log(math.fsum(map(math.exp, logits)))
        both.append({token: logit - whole for token, logit in enumerate(logits)})
    return both


def likeliest(logprobs, count):
    return dict(sorted(logprobs.items(), key=lambda each: (-each[1], each[0]))[:count])


def full(p, q):
    return math.fsum(math.exp(p[token]) * (p[token] - q[token]) for token in p)


@settings(max_examples=50)
@given(two_distributions())
def test_with_the_whole_vocabulary_the_divergence_is_exact(both):
    p, q = both
    found = compared(p, q)
    assert found.kld == pytest.approx(max(0.0, full(p, q)), abs=1e-9)
    assert found.tail == pytest.approx(0, abs=1e-9)
    assert found.same_top == (next(iter(likeliest(p, 1))) == next(iter(likeliest(q, 1))))


@settings(max_examples=50)
@given(two_distributions())
def test_the_bound_grows_with_the_number_of_tokens_and_never_passes_the_full_divergence(both):
    p, q = both
    bounds = [compared(likeliest(p, k), likeliest(q, k)).kld for k in range(1, len(p) + 1)]
    for smaller, larger in itertools.pairwise(bounds):
        assert smaller <= larger + 1e-6
    assert bounds[-1] <= full(p, q) + 1e-6


def windows(*differences):
    """Three tokens a window; the model's probabilities are the reference's times a factor."""
    made = []
    for index, difference in enumerate(differences):
        reference = (-1.0, -2.0, -0.5)
        made.append(
            KldWindow(
                index=index,
                logprobs=tuple(value + difference for value in reference),
                reference_logprobs=reference,
                klds=(0.1 * (index + 1),) * 3,
                same_top=(True, index > 0, True),
                tails=(0.1, 0.2, 0.3),
                reference_tails=(0.2,) * 3,
            )
        )
    return made


def test_the_figures_follow_their_definitions():
    found = figures(windows(-0.1, -0.1, -0.4))
    assert (found.windows, found.tokens) == (3, 9)
    assert found.mean_kld.value == pytest.approx(0.2)
    assert found.mean_kld.low == 0.0  # Student's with two degrees of freedom reaches below
    assert found.mean_kld.high == pytest.approx(0.2 + 4.302653 * 0.1 / math.sqrt(3), rel=1e-6)
    assert found.max_kld == pytest.approx(0.3)
    assert found.same_top.value == pytest.approx(8 / 9)
    assert found.same_top.low < 8 / 9 < found.same_top.high < 1
    assert found.perplexity_ratio.value == pytest.approx(math.exp(0.2))
    assert found.reference_perplexity.value == pytest.approx(math.exp(3.5 / 3))
    assert found.perplexity.value == pytest.approx(math.exp(3.5 / 3 + 0.2))
    p = [math.exp(value) for value in (-1.0, -2.0, -0.5)]
    changes = [each * (math.exp(difference) - 1) for difference in (-0.1, -0.1, -0.4) for each in p]
    assert found.mean_change.value == pytest.approx(sum(changes) / 9)
    assert found.rms_change.value == pytest.approx(math.sqrt(sum(each**2 for each in changes) / 9))
    assert (found.tail, found.reference_tail) == (pytest.approx(0.2), pytest.approx(0.2))
    assert found.p99_kld.low is None  # of three windows a bootstrap says nothing


def test_equal_windows_leave_no_false_certainty_in_the_same_top_rate():
    alike = [msgspec.structs.replace(of, same_top=(True,) * 3) for of in windows(0.0, 0.0, 0.0)]
    found = figures(alike).same_top
    assert found.value == 1.0
    assert found.low < 0.9


def test_student_s_interval_holds():
    """95 % of intervals over ten windows contain the truth, to the accuracy of 2,000 draws."""
    import numpy as np

    drawn = np.random.default_rng(7).normal(3.0, 1.0, size=(2000, 10))
    held = [(found := interval_of_mean(list(values))).low <= 3.0 <= found.high for values in drawn]
    assert 0.935 < np.mean(held) < 0.965


def test_a_torn_line_costs_one_window():
    lines = b"".join(msgspec.json.encode(of) + b"\n" for of in windows(0.0, -0.1))
    found, unreadable = read_windows(lines + b'{"index":2,"logpr')
    assert sorted(found) == [0, 1]
    assert unreadable == 1


@pytest.mark.parametrize(
    ("quantization", "called"),
    [
        ("BF16", "KL divergence"),
        ("Q8_0", "agreement with Q8_0"),
        (None, "agreement with a reference of unknown precision"),
    ],
)
def test_only_full_precision_makes_it_a_divergence(quantization, called):
    result = KldResult(
        way="served",
        text_sha256="",
        tokens_sha256="",
        window=8,
        top=5,
        reference=KldReference(name="big", quantization=quantization),
        figures=figures(windows(-0.1, -0.2)),
    )
    assert result.is_bound
    assert table(result)[0][0] == called
    assert "lower bound" in table(result)[0][1]
    assert headline(result).startswith(called)
    assert kld_result({"kld": msgspec.to_builtins(result)}) == result
    assert kld_result({"kld": {"way": 3}}) is None


def test_without_a_reference_there_is_only_the_perplexity():
    found = figures([KldWindow(index=0, logprobs=(-1.0, -3.0))])
    assert found == KldFigures(windows=1, tokens=2, perplexity=found.perplexity)
    assert found.perplexity.value == pytest.approx(math.exp(2))
