"""A unit gets as many cards as it needs, each card has one unit, and a machine without cards has one at a time."""

from __future__ import annotations

import pytest

from engines.node.messages import Card
from engines.ssh.placement import Slots
from engines.unit import Needs

GIB = 1 << 30


def slots(*memory_gib):
    return Slots(
        tuple(Card(uuid=f"GPU-{n}", memory_bytes=gib and gib * GIB) for n, gib in enumerate(memory_gib))
    )


def test_each_card_has_one_unit():
    machine = slots(24, 24)
    one = Needs(gpus=1, needs_gpus=True, gpu_memory_bytes=10 * GIB)
    machine.take("a", first := machine.free(one))
    machine.take("b", second := machine.free(one))
    assert {*first, *second} == {"GPU-0", "GPU-1"}
    assert machine.free(one) is None
    machine.give_back("a")
    assert machine.free(one) == first


@pytest.mark.parametrize(("gib", "cards"), [(10, 1), (30, 2), (60, 3)])
def test_a_large_model_gets_as_many_cards_as_hold_it(gib, cards):
    assert len(slots(24, 24, 24).free(Needs(gpus=1, gpu_memory_bytes=gib * GIB))) == cards


def test_the_roomiest_cards_come_first_and_a_model_waits_for_room():
    machine = slots(8, 80)
    large = Needs(gpus=1, gpu_memory_bytes=40 * GIB)
    assert machine.free(large) == ("GPU-1",)
    machine.take("a", ("GPU-1",))
    assert machine.free(large) is None
    assert machine.free(Needs(gpus=1, gpu_memory_bytes=4 * GIB)) == ("GPU-0",)


def test_what_needs_more_cards_than_there_are_is_done_only_if_it_may_take_fewer():
    assert slots(24).free(Needs(gpus=2, needs_gpus=True)) is None
    assert not slots(24).could(Needs(gpus=2, needs_gpus=True))
    assert slots(24).free(Needs(gpus=2)) == ("GPU-0",)
    assert not slots().could(Needs(gpus=1, needs_gpus=True))


def test_without_cards_one_unit_at_a_time():
    machine = slots()
    assert machine.free(Needs()) == ()
    machine.take("a", ())
    assert machine.free(Needs()) is None
    machine.give_back("a")
    assert machine.free(Needs(gpus=1)) == ()
