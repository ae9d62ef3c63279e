"""Condensed figures, by hand-made ticks whose right answers are known by arithmetic."""

from __future__ import annotations

import msgspec
import pytest

from results.telemetry import ServerReading
from telemetry.attribution import used_devices
from telemetry.contract import DeviceFacts, DeviceReading, ProcessReading, Tick
from telemetry.summary import read_ticks, summarize
from telemetry.validity import disturbances

CARD = DeviceFacts(kind="nvidia", uuid="A", index=0, name="H200", memory_total_bytes=100)
OTHER = DeviceFacts(kind="nvidia", uuid="B", index=1)


def phase_at(number):
    """1 s of baseline, 2 s of load, 4 s of generation, 1 s of stop; a tick every half second."""
    return "baseline" if number < 2 else "load" if number < 6 else "generate" if number < 14 else "stop"


def run(reading, other=None, **fields):
    """Ticks of which reading(seconds) gives the first card's."""
    found = []
    for number in range(17):
        seconds = number / 2
        devices = (reading(seconds), *((other(seconds),) if other else ()))
        extra = {name: give(seconds) for name, give in fields.items()}
        found.append(Tick(time_s=seconds, phase=phase_at(number), devices=devices, **extra))
    return found


def steady(**fields):
    return lambda _seconds: DeviceReading(uuid="A", **fields)


def test_energy_is_the_difference_of_the_device_s_own_counter():
    ticks = run(lambda s: DeviceReading(uuid="A", energy_j=5000 + 300 * s, power_w=999.0))
    summary = summarize(ticks, [CARD], used={"A"}, completions=60, solved=12)
    assert {name: use.seconds for name, use in summary.phases.items()} == {
        "baseline": 1.0, "load": 2.0, "generate": 4.0, "stop": 1.0,
    }  # fmt: skip
    use = summary.phases["generate"].devices[0]
    assert (use.energy_j, use.energy_source) == (1200.0, "counter")
    assert (summary.joules_per_completion, summary.joules_per_solved) == (20.0, 100.0)


def test_without_a_counter_power_is_integrated_over_the_real_time_stamps():
    """The trapezoidal rule is exact for a line, also when ticks are missing."""
    ticks = run(lambda s: DeviceReading(uuid="A", power_w=100 + 10 * s))
    del ticks[9:11]
    use = summarize(ticks, [CARD], used={"A"}).phases["generate"].devices[0]
    assert use.energy_source == "power"
    assert use.energy_j == pytest.approx(4 * (100 + 10 * 5))  # from second 3 to second 7


def test_power_is_not_integrated_over_a_long_silence():
    ticks = [
        Tick(time_s=t, phase="generate", devices=(DeviceReading(uuid="A", power_w=100.0),))
        for t in (0, 1, 61, 62)
    ]
    assert summarize(ticks, [CARD], used={"A"}).energy_j == 200.0


def test_a_counter_that_a_driver_reset_put_back_does_not_count_backwards():
    counts = iter([100, 200, 10, 60])
    ticks = [
        Tick(time_s=t, phase="generate", devices=(DeviceReading(uuid="A", energy_j=next(counts)),))
        for t in range(4)
    ]
    assert summarize(ticks, [CARD], used={"A"}).energy_j == 150.0


def test_idle_power_before_the_start_is_taken_off():
    ticks = run(lambda s: DeviceReading(uuid="A", power_w=70.0 if s < 1 else 470.0))
    summary = summarize(ticks, [CARD], used={"A"})
    assert summary.energy_j == pytest.approx(4 * 470)
    assert summary.idle_power_w == 70.0
    assert summary.energy_above_idle_j == pytest.approx(4 * 470 - 4 * 70)


def test_idle_power_is_the_counter_s_because_a_card_s_power_remembers_earlier_work():
    """An H100 right after another run: its power fell from 121 to 72 W within the second, its counter grew by 72 J."""
    found = [
        Tick(
            time_s=0.0,
            phase="baseline",
            devices=(DeviceReading(uuid="GPU-1", power_w=121.3, energy_j=1000.0),),
        ),
        Tick(time_s=0.5, phase="baseline", devices=(DeviceReading(uuid="GPU-1", power_w=98.5),)),
        Tick(
            time_s=1.0,
            phase="generate",
            devices=(DeviceReading(uuid="GPU-1", power_w=72.5, energy_j=1072.5),),
        ),
        Tick(
            time_s=2.0, phase="stop", devices=(DeviceReading(uuid="GPU-1", power_w=400.0, energy_j=1472.5),)
        ),
    ]
    cards = [DeviceFacts(kind="nvidia", uuid="GPU-1", index=0)]
    summary = summarize(found, cards, used={"GPU-1"})
    assert summary.idle_power_w == pytest.approx(72.5)
    assert summary.energy_above_idle_j == pytest.approx(400.0 - 72.5)


def test_only_devices_that_the_run_used_are_added_up():
    ticks = run(
        lambda s: DeviceReading(
            uuid="A", energy_j=100 * s, memory_used_bytes=7, process_memory_bytes={42: 5}
        ),
        lambda s: DeviceReading(
            uuid="B", energy_j=900 * s, memory_used_bytes=99, process_memory_bytes={77: 99}
        ),
    )
    used = used_devices(ticks, [CARD, OTHER], {41, 42}, ())
    assert used == {"A"}
    summary = summarize(ticks, [CARD, OTHER], used=used)
    assert (summary.energy_j, summary.peak_memory_bytes) == (400.0, 7)
    assert summary.phases["generate"].devices[1].energy_j == 3600.0
    own = summarize(ticks, [CARD, OTHER], used=used, pids={41, 42}).phases["generate"].devices[0]
    assert (own.peak_memory_bytes, own.own_peak_memory_bytes) == (7, 5)
    two = summarize(ticks, [CARD, OTHER], used={"A", "B"})
    assert (two.energy_j, two.peak_memory_bytes) == (4000.0, 99)


@pytest.mark.parametrize("visible", [{"A", "B"}, {"B"}, set()])
def test_where_cards_do_not_tell_whose_memory_they_hold_the_visible_ones_count(visible):
    ticks = run(steady(), lambda _s: DeviceReading(uuid="B"))
    assert used_devices(ticks, [CARD, OTHER], {1}, visible) == visible


def test_a_container_s_cards_tell_of_no_process_until_there_is_one():
    """Then whose memory it is stays unknown: the visible cards are taken to be ours."""
    ticks = run(
        lambda s: DeviceReading(uuid="A", power_w=1.0, process_memory_bytes={} if s < 2 else None),
        lambda _s: DeviceReading(uuid="B", error="GPU is lost"),
    )
    assert used_devices(ticks, [CARD, OTHER], {1}, {"A"}) == {"A"}
    hiccup = run(lambda s: DeviceReading(uuid="A", power_w=1.0, process_memory_bytes=None if s == 5 else {}))
    assert used_devices(hiccup, [CARD], {1}, {"A"}) == set()


def test_an_instance_of_a_divided_card_counts_with_the_power_of_its_card():
    instance = DeviceFacts(kind="nvidia", uuid="M", index=0, parent_uuid="A")
    ticks = run(
        lambda s: DeviceReading(uuid="A", energy_j=100 * s, memory_used_bytes=9, process_memory_bytes={}),
        lambda _s: DeviceReading(uuid="M", memory_used_bytes=5, process_memory_bytes={42: 5}),
    )
    used = used_devices(ticks, [CARD, instance], {42}, ())
    assert used == {"A", "M"}
    summary = summarize(ticks, [CARD, instance], used=used)
    assert (summary.energy_j, summary.peak_memory_bytes) == (400.0, 5)


def test_a_run_on_the_processor_is_attributed_to_its_package():
    package = DeviceFacts(kind="cpu_package", uuid="package-0", index=0)
    ticks = run(steady(process_memory_bytes={}))
    assert used_devices(ticks, [CARD, package], {1}, {"A"}) == {"package-0"}


def test_what_a_device_does_not_say_is_none_and_never_0():
    summary = summarize(run(steady()), [CARD], used={"A"}, completions=10, solved=0)
    use = summary.phases["generate"].devices[0]
    assert use == type(use)(uuid="A")
    assert (summary.energy_j, summary.joules_per_completion, summary.peak_memory_bytes) == (None, None, None)


def test_nothing_solved_has_no_joules_each():
    ticks = run(lambda s: DeviceReading(uuid="A", energy_j=100 * s))
    assert summarize(ticks, [CARD], used={"A"}, completions=5, solved=0).joules_per_solved is None


def test_the_server_s_counters_and_processes_are_differences():
    ticks = run(
        steady(energy_j=0.0),
        server=lambda s: ServerReading(generation_tokens=100 * max(0, s - 3), generation_s=max(0, s - 3) / 2),
        processes=lambda s: ProcessReading(count=2, cpu_s=3 * s, memory_bytes=int(1000 * s)),
    )
    generate = summarize(ticks, [CARD], used={"A"}).phases["generate"]
    assert generate.server.generation_tokens == 400
    assert generate.server.generation_tokens_per_s == 200
    assert (generate.processes.cpu_s, generate.processes.peak_memory_bytes) == (12.0, 7000)


def test_without_a_process_nothing_is_known_of_its_memory():
    """As of a server elsewhere: 0 bytes would be the least memory of all."""
    ticks = run(steady(), processes=lambda _s: ProcessReading(count=0, cpu_s=0.0, memory_bytes=0))
    assert summarize(ticks, [CARD], used=()).peak_process_memory_bytes is None
    ticks = run(steady(), processes=lambda s: ProcessReading(count=1, cpu_s=0.0, memory_bytes=int(s)))
    assert summarize(ticks, [CARD], used=()).peak_process_memory_bytes == 8


def test_tokens_per_joule():
    ticks = run(
        lambda s: DeviceReading(uuid="A", energy_j=50 * s),
        server=lambda s: ServerReading(generation_tokens=100 * s),
    )
    assert summarize(ticks, [CARD], used={"A"}).tokens_per_joule == 2.0


def test_no_ticks_and_no_devices_give_a_summary_too():
    assert summarize([], [CARD], used=()).phases == {}
    assert summarize(run(steady()), [], used=()).energy_j is None


def test_a_torn_last_line_is_passed_over(tmp_path):
    ticks = run(steady(power_w=1.0))
    path = tmp_path / "telemetry.jsonl"
    lines = [msgspec.json.encode(tick) for tick in ticks]
    path.write_bytes(b"\n".join(lines) + b'\n{"time_s": 9.0, "pha')
    assert read_ticks(path) == ticks
    assert read_ticks(tmp_path / "none") == []


def test_a_quiet_run_is_comparable():
    ticks = run(steady(utilization=0.02, throttle_reasons=("sw_power_cap",)))
    assert disturbances(summarize(ticks, [CARD], used={"A"}), processors=8) == ()


@pytest.mark.parametrize(
    ("reading", "fields", "word"),
    [
        (steady(throttle_reasons=("hw_thermal_slowdown",)), {}, "hw_thermal_slowdown"),
        (steady(utilization=0.9), {}, "90% busy with other work"),
        (steady(memory_used_bytes=30), {}, "30% of the memory of A was used by other programs"),
        (steady(error="GPU is lost"), {}, "GPU is lost"),
        (
            steady(),
            {
                "host_cpu_utilization": lambda _s: 0.75,
                "processes": lambda s: ProcessReading(count=1, cpu_s=2 * s, memory_bytes=1),
            },
            "other work used 4.0 of 8 processors",
        ),
    ],
)
def test_what_disturbed_a_run_is_said(reading, fields, word):
    (sentence,) = disturbances(summarize(run(reading, **fields), [CARD], used={"A"}), processors=8)
    assert word in sentence


def test_a_machine_too_busy_to_look_is_said():
    summary = summarize(run(steady()), [CARD], used={"A"}, missed_ticks=10)
    assert disturbances(summary, processors=8) == (
        "10 of 27 measurements were missed: the machine was too busy",
    )
