"""A server's speed over time is what it was, however the server counts."""

from __future__ import annotations

import pytest

from results.views.token_rate import TokenRate


def rates(*readings):
    rate = TokenRate()
    return [rate.after(*reading) for reading in readings]


def test_an_answer_that_is_counted_when_it_ends_took_its_own_time():
    """llama.cpp: 468 tokens in 10 s are counted within a second of the clock. The last are idle readings."""
    found = rates(
        (0.0, 0, 0.0, 0), (1.0, 1, 1e-6, 1), (5.0, 1, 0.5, 1), (10.0, 1, 0.5, 1), (11.0, 469, 10.0, 1),
        (12.0, 469, 10.0, 0), (13.0, 469, 10.0, 0),
    )  # fmt: skip
    assert found == [None, None, None, None, pytest.approx(46.8, abs=0.1), None, 0.0]


def test_answers_at_once_add_up_whether_they_end_together_or_not():
    """Four slots at 12 tokens/s each."""
    together = rates((0.0, 0, 0.0, 4), (40.0, 4 * 480, 160.0, 4))
    apart = rates((0.0, 0, 0.0, 4), (40.0, 480, 40.0, 4), (40.2, 960, 80.0, 3))
    assert [together[1], *apart[1:]] == [pytest.approx(48)] * 3


def test_tokens_that_are_counted_as_they_come_are_counted_by_the_clock():
    """vLLM counts the seconds of a request when it ends, and the tokens before."""
    found = rates((0.0, 0, 0.0, 1), (1.0, 50, 0.0, 1), (2.0, 100, 2.0, 1), (3.0, 100, 2.0, 0))
    assert found == [None, 50, 50, 0]


def test_without_the_servers_seconds_the_clock_is_all_there_is():
    assert rates((0.0, 500, None, None), (2.0, 700, None, None), (1.0, 5, None, None)) == [None, 100, None]


def test_another_server_process_counts_anew():
    assert rates((0.0, 900, 9.0, 1), (1.0, 10, 1.0, 1), (2.0, 20, 2.0, 1)) == [None, None, 10]
