"""llama-perplexity's file of log-probabilities: read exactly, refused if it is not whole, compared by definition."""

import io
import struct

import numpy as np
import pytest

from evaluation.benchmarks.kld.logits_file import BadLogitsError, LogitsHeader, LogitsReader
from evaluation.benchmarks.kld.row_comparison import compare_rows
from tests.programs.fake_perplexity import encoded, logits_of, tokens_of

WINDOW, CHUNKS = 32, 3
BASE = {"vocab": 301, "seed": 3}  # odd: each row has a word more
MODEL = {**BASE, "noise": 0.3}


def file_of(model, *, window=WINDOW, chunks=CHUNKS):
    head = b"_logits_" + struct.pack("<3i", window, model["vocab"], chunks)
    rows = b"".join(encoded(logits_of(model, window, chunk)) for chunk in range(chunks))
    return head + tokens_of(model, window, chunks).tobytes() + rows


def exact(chunk):
    """By definition, of the logits themselves in double precision: KL divergence, same top, both log-probabilities."""
    after = tokens_of(BASE, WINDOW, CHUNKS)[chunk][WINDOW // 2 + 1 :]
    log_p, log_q = (log_softmax(logits_of(model, WINDOW, chunk)) for model in (BASE, MODEL))
    rows = np.arange(len(after))
    kld = (np.exp(log_p) * (log_p - log_q)).sum(axis=1)
    return kld, log_p.argmax(axis=1) == log_q.argmax(axis=1), log_p[rows, after], log_q[rows, after]


def log_softmax(logits):
    return logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))


def test_a_comparison_is_that_of_the_logits_up_to_the_rounding_of_16_bits():
    base, model = (LogitsReader(io.BytesIO(file_of(each)), "it") for each in (BASE, MODEL))
    assert (base.tokens == model.tokens).all()
    for chunk in range(CHUNKS):
        after = base.tokens[chunk, WINDOW // 2 + 1 :]
        found = compare_rows(base.rows(base.chunk()), model.rows(model.chunk()), after)
        kld, same_top, log_p, log_q = exact(chunk)
        assert found.kld == pytest.approx(kld, abs=1e-4)
        assert found.kld.mean() == pytest.approx(kld.mean(), rel=1e-3)
        assert (found.same_top == same_top).all()
        assert found.base_logprobs == pytest.approx(log_p, abs=2e-4)
        assert found.logprobs == pytest.approx(log_q, abs=2e-4)
    assert not base.has_more()


def test_a_model_does_not_diverge_from_itself():
    base = LogitsReader(io.BytesIO(file_of(BASE)), "it")
    rows = base.rows(base.chunk())
    found = compare_rows(rows, rows, base.tokens[0, WINDOW // 2 + 1 :])
    assert (found.kld == 0).all()
    assert found.same_top.all()


def test_a_file_is_as_large_as_its_header_says():
    header = LogitsHeader(WINDOW, BASE["vocab"], CHUNKS)
    assert len(file_of(BASE)) == header.file_bytes
    assert header.chunk_bytes == (WINDOW - 1 - WINDOW // 2) * (301 + 1 + 4) * 2
    assert file_of(BASE).startswith(header.encode())


@pytest.mark.parametrize("kept", [0, 7, 19, 20, 200, 1000, -1])
def test_a_file_that_ends_too_early_is_found(kept):
    reader = None
    with pytest.raises(BadLogitsError, match=r"it ends in .*bytes are missing"):
        reader = LogitsReader(io.BytesIO(file_of(BASE)[:kept]), "it")
        for _ in range(CHUNKS):
            reader.chunk()


@pytest.mark.parametrize(
    ("damaged", "why"),
    [
        (b"GGUF" + bytes(100), "not a file of log-probabilities"),
        (b"_logits_" + struct.pack("<3i", 512, -1, 3), "impossible header"),
        (b"_logits_" + struct.pack("<3i", 2, 100, 3), "impossible header"),  # nothing would be scored
        (b"_logits_" + struct.pack("<3i", 1 << 24, 1 << 24, 1 << 24), "impossible header"),
        (
            b"_logits_" + struct.pack("<3i", 4, 10, 1) + struct.pack("<4i", 1, 2, 10, 3),
            "outside its vocabulary",
        ),
    ],
)
def test_a_damaged_header_is_an_error_and_costs_no_memory(damaged, why):
    with pytest.raises(BadLogitsError, match=why):
        LogitsReader(io.BytesIO(damaged), "it")
