"""What speaks against comparing a run with others, from condensed figures whose fault is known."""

from __future__ import annotations

import pytest

from results.telemetry import DeviceUse, PhaseUse, TelemetrySummary
from telemetry.contract import DeviceFacts, DeviceReading, Tick
from telemetry.summary import summarize
from telemetry.validity import disturbances, energy_doubts

GIB = 1 << 30
FACTS = {"uuid": "A", "parent_uuid": None, "memory_total_bytes": 141 * GIB, "slowdown_temperature_c": 90.0}


def card(uuid, parent=None):
    return DeviceFacts(kind="nvidia", uuid=uuid, index=0, parent_uuid=parent)


def summary(before=None, during=None, *, facts=FACTS, seconds=60.0):
    phases = {
        "baseline": PhaseUse(seconds=1.0, devices=(DeviceUse(uuid="A", **(before or {})),)),
        "generate": PhaseUse(seconds=seconds, devices=(DeviceUse(uuid="A", **(during or {})),)),
    }
    return TelemetrySummary(devices=(facts,), used=("A",), phases=phases, ticks=600)


@pytest.mark.parametrize(
    ("before", "during", "words"),
    [
        ({"last_temperature_c": 40.0}, {"last_temperature_c": 75.0, "peak_temperature_c": 80.0}, None),
        ({"last_temperature_c": 62.0}, {"last_temperature_c": 55.0}, None),
        (
            {"last_temperature_c": 80.0},
            {"last_temperature_c": 55.0},
            "A had been heated by earlier work: 80 °C before the start, 55 °C after",
        ),
        ({}, {"peak_temperature_c": 87.0}, None),
        ({}, {"peak_temperature_c": 88.0}, "A reached 88 °C, and slows itself down at 90 °C"),
        ({}, {"first_sm_clock_mhz": 1980.0, "last_sm_clock_mhz": 1900.0}, None),
        (
            {},
            {"first_sm_clock_mhz": 1980.0, "last_sm_clock_mhz": 1500.0},
            "the clock of A fell from 1980 to 1500 MHz while the model generated",
        ),
        ({}, {"throttled": {"sw_power_cap": 1.0, "gpu_idle": 1.0}}, None),
        ({}, {"throttled": {"hw_slowdown": 0.5}}, "A was slowed down by hw_slowdown for 50% of the time"),
        ({"peak_memory_bytes": 1 * GIB}, {}, None),
        (
            {
                "peak_memory_bytes": 5 * GIB
            },  # the last server's, say: little of such a card, and a whole model
            {"others_peak_memory_bytes": 5 * GIB},
            "4% of the memory of A was used by other programs before the start",
        ),
        (
            {"peak_memory_bytes": 1 * GIB},
            {"peak_memory_bytes": 80 * GIB, "others_peak_memory_bytes": 30 * GIB},
            "21% of the memory of A was used by other programs while the model generated",
        ),
        ({}, {"peak_memory_bytes": 80 * GIB, "own_peak_memory_bytes": 80 * GIB}, None),
    ],
)
def test_a_disturbance_is_told_with_its_figures(before, during, words):
    found = disturbances(summary(before, during), processors=8)
    assert found == (() if words is None else (words,))


def test_a_server_that_was_up_is_not_taken_for_others():
    before = {"peak_memory_bytes": 80 * GIB, "own_peak_memory_bytes": 80 * GIB, "mean_utilization": 0.4}
    assert disturbances(summary(before), processors=8, server_was_up=True) == ()
    untold = {"peak_memory_bytes": 80 * GIB}
    assert disturbances(summary(untold), processors=8, server_was_up=True) == ()
    others = before | {"others_peak_memory_bytes": 20 * GIB}
    assert "used by other programs" in disturbances(summary(others), processors=8, server_was_up=True)[0]


def test_a_threshold_that_the_card_does_not_tell_is_not_guessed():
    facts = FACTS | {"slowdown_temperature_c": None}
    assert disturbances(summary({}, {"peak_temperature_c": 99.0}, facts=facts), processors=8) == ()


def test_the_energy_of_a_part_of_a_card_is_doubted_and_its_speed_is_not():
    """A card tells its power as a whole; memory and processors of its parts are kept apart."""
    facts = (card("GPU-bb"), card("MIG-1", "GPU-bb"), card("MIG-2", "GPU-bb"))
    ticks = [
        Tick(
            time_s=t,
            phase="baseline" if t < 2 else "generate",
            devices=(
                DeviceReading(uuid="GPU-bb", energy_j=100.0 * t, memory_used_bytes=30 * GIB),
                DeviceReading(uuid="MIG-1", memory_used_bytes=9 * GIB if t >= 2 else 0),
                DeviceReading(uuid="MIG-2", memory_used_bytes=20 * GIB),
            ),
        )
        for t in range(6)
    ]
    made = summarize(ticks, facts, used={"GPU-bb", "MIG-1"})
    (why,) = energy_doubts(made)
    assert why.startswith("MIG-1 is a part of GPU-bb: the energy is the whole card's")
    assert disturbances(made, processors=8) == ()
    assert energy_doubts(summarize(ticks, facts[:1], used={"GPU-bb"})) == ()


@pytest.mark.parametrize(
    ("energy_j", "doubted"), [(42_000.0, False), (37_000.0, False), (0.0, True), (9e9, True)]
)
def test_a_counter_that_power_contradicts_is_doubted(energy_j, doubted):
    """Counters that stand still, or jump, have been seen."""
    during = {"energy_j": energy_j, "energy_source": "counter", "mean_power_w": 700.0}
    assert bool(energy_doubts(summary({}, during))) is doubted
    assert energy_doubts(summary({}, during, seconds=2.0)) == ()


def test_clocks_are_compared_only_while_there_is_work():
    """An idle card lowers its clock by itself, between requests and at the end."""

    def readings(number):
        busy = number % 3 != 0 and number < 90
        return DeviceReading(
            uuid="GPU-aa",
            sm_clock_mhz=(1980 if number < 45 else 1600) if busy else 300,
            utilization=0.9 if busy else 0.1,
        )

    ticks = [Tick(time_s=n / 10, phase="generate", devices=(readings(n),)) for n in range(120)]
    use = summarize(ticks, [card("GPU-aa")], used={"GPU-aa"}).phases["generate"].devices[0]
    assert (use.first_sm_clock_mhz, use.last_sm_clock_mhz) == (1980, 1600)
    brief = summarize(ticks[:30], [card("GPU-aa")], used={"GPU-aa"}).phases["generate"].devices[0]
    assert (brief.first_sm_clock_mhz, brief.last_sm_clock_mhz) == (None, None)
