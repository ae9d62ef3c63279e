"""What pages keep of results is never of others."""

from __future__ import annotations

import contextlib
import gc
import itertools
import time

from web.config import ServeConfig
from web.kept import KeptByParts
from web.opening import following, open_services


def test_it_is_made_once_of_the_same_objects_and_anew_of_equal_ones():
    kept, count = KeptByParts(2), itertools.count()
    one, equal = [1], [1]
    assert [kept.get([part], lambda: next(count)) for part in (one, one, equal, one)] == [0, 0, 1, 0]
    assert kept.get([one, equal], lambda: next(count)) == 2  # the third: what was used least lately goes
    assert kept.get([one], lambda: next(count)) == 0
    assert kept.get([equal], lambda: next(count)) == 3


def test_an_object_that_takes_the_place_of_another_is_not_taken_for_it():
    """Python gives the memory of a list that is gone to the next one."""
    kept = KeptByParts(1000)
    for number in range(1000):
        assert kept.get([[number]], lambda number=number: number) == number


def test_what_cannot_be_made_is_tried_again():
    kept, part = KeptByParts(2), object()
    with contextlib.suppress(ZeroDivisionError):
        kept.get([part], lambda: 1 // 0)
    assert kept.get([part], lambda: 1) == 1


def test_the_garbage_collector_leaves_out_what_stays(tmp_path):
    """A full pass over a thousand runs would hold all requests up."""
    config = ServeConfig(results_dir=tmp_path / "results", state_dir=tmp_path / "state")
    try:
        with open_services(config) as services, following(services, warn=print):
            deadline = time.monotonic() + 60
            while not gc.get_freeze_count():
                assert time.monotonic() < deadline
                time.sleep(0.01)
    finally:
        gc.unfreeze()
