"""What a unit asks of a Ray cluster."""

from __future__ import annotations

import sys

import pytest

from engines.node import unit_program
from engines.ray.demands import demand_of, takers
from engines.ray.engine import RayEngine, Settings, make
from engines.ray.messages import PACKET_BYTES, Node, encode, from_driver, in_messages
from engines.unit import Needs
from results.errors import UsageError
from tests.engines.driving import Said, driven_sweep

GIB = 2**30


def node(name, **facts):
    return Node(node_id=name, name=name, **{"cpus": 8.0, "memory_bytes": 16.0 * GIB, **facts})


PROCESSORS, ONE, FOUR = node("p"), node("one", gpus=1.0), node("four", gpus=4.0, memory_bytes=64.0 * GIB)


def test_a_unit_that_can_do_without_gpus_takes_one_where_there_are_some():
    needs = Needs(gpus=1)
    assert demand_of(needs, [PROCESSORS, ONE]).gpus == 1
    assert demand_of(needs, [PROCESSORS]).gpus == 0


def test_a_unit_that_needs_more_gpus_than_any_node_has_fits_nowhere():
    demand = demand_of(Needs(gpus=8, needs_gpus=True), [ONE, FOUR])
    assert demand.gpus == 8
    assert not takers(demand, [ONE, FOUR], ())
    assert demand.describe() == "8 GPUs and 1 CPU"


def test_a_model_larger_than_a_card_asks_for_several_if_the_cards_are_known():
    needs = Needs(gpus=1, needs_gpus=True, gpu_memory_bytes=40 * GIB)
    assert demand_of(needs, [FOUR]).gpus == 1
    assert demand_of(needs, [FOUR], gpu_memory_bytes=24 * GIB).gpus == 2
    assert demand_of(needs, [FOUR], gpu_memory_bytes=8 * GIB).gpus == 4  # all that there are


def test_a_unit_on_the_processors_has_a_node_to_itself():
    needs = Needs(memory_bytes=2 * GIB)
    assert demand_of(needs, [PROCESSORS, node("small", cpus=4.0)]).cpus == 4.0
    assert demand_of(needs, [PROCESSORS], cpus=2.0).cpus == 2.0
    assert demand_of(Needs(), [PROCESSORS]).cpus == 1.0  # a provider's model computes elsewhere


def test_an_estimate_of_memory_never_keeps_a_unit_from_all_nodes():
    demand = demand_of(Needs(gpus=1, needs_gpus=True, memory_bytes=500 * GIB), [PROCESSORS, ONE, FOUR])
    assert [each.name for each in takers(demand, [PROCESSORS, ONE, FOUR], ())] == ["four"]


def test_nodes_that_lost_or_refused_a_unit_are_left_out():
    demand = demand_of(Needs(gpus=1), [ONE, FOUR], resources={"fast": 1.0})
    assert not takers(demand, [ONE, FOUR], ())
    fast = node("fast", gpus=1.0, resources={"fast": 2.0})
    assert takers(demand, [ONE, fast], ()) == [fast]
    assert not takers(demand, [ONE, fast], {"fast"})


def test_a_cluster_of_a_thousand_nodes_fits_into_short_messages():
    nodes = [
        node(f"{number:056}", resources={f"resource-{each}": 1.0 for each in range(8)})
        for number in range(1000)
    ]
    packets = [encode(each) for each in in_messages(nodes)]
    assert max(map(len, packets)) < PACKET_BYTES
    read = [from_driver(packet) for packet in packets]
    assert [each for message in read for each in message.nodes] == nodes
    assert [message.more for message in read] == [True] * (len(read) - 1) + [False]
    assert [message.nodes for message in in_messages([])] == [()]


def test_without_ray_the_error_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UsageError) as raised:
        make(Settings(), Said())
    assert "bench-runner[ray]" in raised.value.hint


def test_another_ray_than_this_program_knows_is_told(tmp_path, monkeypatch):
    (tmp_path / "ray").mkdir()
    (tmp_path / "ray" / "__init__.py").write_text("raise ImportError('an odd Ray')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.syspath_prepend(str(tmp_path))  # there is one, whether Ray is installed or not
    (finding,) = make(Settings(), Said()).check(())
    assert finding.is_error
    assert "did not start: ImportError: an odd Ray" in finding.message


def test_what_a_task_starts_is_understood_there(tmp_path):
    sweep = driven_sweep(tmp_path, models=1, limit=1)
    attempt = sweep.store.partial(sweep.units.take())
    order = RayEngine(Settings(cpus=2, models=("/data", "/more")), Said()).order(attempt)
    assert len(order.words) == 5
    empty = tmp_path / "empty"
    empty.mkdir()
    unit_program.main((str(empty), *order.words))  # a word that it doesn't know ends it with SystemExit
