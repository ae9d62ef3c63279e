"""The sampler keeps its pace, and nothing that it measures stops it or the run."""

from __future__ import annotations

import errno
import resource
import threading
import time

import msgspec
import pytest

from results.telemetry import ServerReading
from telemetry.contract import DeviceFacts, DeviceReading, ProcessReading, Tick
from telemetry.sampler import Sampler


class Card:
    """A device to order."""

    def __init__(self, read, uuid="GPU-1"):
        self.facts = DeviceFacts(kind="nvidia", uuid=uuid, index=0)
        self.closed = threading.Event()
        self._read = read

    def read(self):
        return self._read()

    def close(self):
        self.closed.set()


def steady():
    return DeviceReading(uuid="GPU-1", power_w=100.0)


def ticks(path):
    return [msgspec.json.decode(line, type=Tick) for line in path.read_bytes().splitlines()]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "telemetry.jsonl"


def until(condition):
    """Soon, on any machine."""
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.01)


def enough(path, count=5):
    return path.exists() and path.read_bytes().count(b"\n") >= count


def test_deadlines_do_not_drift(tmp_path):
    """Each tick stands at a multiple of the interval; work in between is not added to it.

    A busy machine may delay ticks, so the pace is tried several times: one that drifts is never on time.
    """

    def drifts(path):
        slow = Card(lambda: (time.sleep(0.01), steady())[1])
        with Sampler(path, [slow], interval_s=0.05):
            until(lambda: enough(path, 12))
        found = ticks(path)[:-1]  # the last one comes at the end, whenever that is
        return sum(tick.time_s % 0.05 < 0.02 for tick in found) < 0.7 * len(found)

    assert not all(drifts(tmp_path / f"{number}.jsonl") for number in range(10))


def test_missed_ticks_are_counted_and_not_made_up_for(path):
    busy = threading.Event()

    def processes():
        if not busy.is_set():
            busy.set()
            time.sleep(0.5)
        return ProcessReading(count=1, cpu_s=0.0, memory_bytes=1)

    with Sampler(path, [], processes=processes, interval_s=0.05) as sampler:
        until(lambda: enough(path))
    assert sampler.missed_ticks >= 9
    found = ticks(path)
    assert len(found) + sampler.missed_ticks <= found[-1].time_s / 0.05 + 2


def test_phases_and_what_is_measured_are_in_the_ticks(path):
    processes = ProcessReading(count=2, cpu_s=1.5, memory_bytes=7)
    server = ServerReading(generation_tokens=10)
    card = Card(steady)
    with Sampler(
        path, [card], processes=lambda: processes, server=lambda: server, interval_s=0.02
    ) as sampler:
        until(lambda: enough(path))
        sampler.phase("load")
        until(lambda: sampler.latest.phase == "load")
    found = ticks(path)
    assert (found[0].phase, found[-1].phase) == ("baseline", "load")
    assert found[-1].server == server
    assert all(tick.processes == processes for tick in found)
    assert all(tick.devices[0].power_w in {100.0, None} for tick in found)
    assert steady() in [tick.devices[0] for tick in found]
    assert any(tick.host_cpu_utilization is not None for tick in found[1:])
    assert card.closed.is_set()


def test_a_device_that_hangs_is_told_and_the_others_go_on(path):
    release = threading.Event()
    hanging = Card(lambda: (release.wait(), steady())[1], uuid="GPU-0")
    with Sampler(path, [hanging, Card(steady)], interval_s=0.1) as sampler:
        until(lambda: sampler.latest is not None and "no answer for" in sampler.latest.devices[0].error)
        until(lambda: sampler.latest.devices[1] == steady())
    release.set()


def test_a_device_that_answers_late_is_read_at_half_the_pace_and_not_called_hanging(path):
    late = Card(lambda: (time.sleep(0.12), steady())[1])
    with Sampler(path, [late], interval_s=0.1):
        until(lambda: enough(path, 10))
    readings = [tick.devices[0] for tick in ticks(path)]
    assert steady() in readings
    assert not any(reading.error for reading in readings)


def test_a_server_that_hangs_delays_no_tick(path):
    release = threading.Event()
    with Sampler(path, [Card(steady)], server=lambda: (release.wait(), None)[1], interval_s=0.05):
        until(lambda: enough(path, 12))
    release.set()


@pytest.mark.parametrize("where", ["device", "processes", "server"])
def test_what_raises_is_left_out(path, where):
    def broken():
        raise OSError(errno.EIO, "driver reset")

    card = Card(broken if where == "device" else steady)
    others = {where: broken} if where != "device" else {}
    with Sampler(path, [card], interval_s=0.02, **others):
        until(lambda: enough(path))
    last = ticks(path)[-1]
    assert (last.processes, last.server) == (None, None)
    assert ("driver reset" in last.devices[0].error) is (where == "device")


def test_a_disk_that_is_full_does_not_stop_the_run(path):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(
        resource.RLIMIT_FSIZE, (2000, hard)
    )  # as a full disk: the write is cut, and the next one fails
    try:
        with Sampler(path, [Card(steady)], interval_s=0.02) as sampler:
            until(lambda: sampler.problem)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "File too large" in sampler.problem


def test_stopping_twice_and_never_starting_do_no_harm(path):
    sampler = Sampler(path, [Card(steady)])
    sampler.stop()
    sampler.stop()
    assert not path.exists()


def test_what_is_costly_is_read_once_a_second_and_where_phases_change(path):
    """An H100's driver computes 4 ms for the energy counter, which at every tick was 5 % of a core."""

    class Costly(Card):
        def read_often(self):
            return steady()

    card = Costly(lambda: DeviceReading(uuid="GPU-1", power_w=100.0, energy_j=1.0))
    with Sampler(path, [card], interval_s=0.01) as sampler:
        until(lambda: enough(path, 25))
        sampler.phase("generate")
        until(lambda: enough(path, 30))
    found = ticks(path)
    whole = [tick for tick in found if any(each.energy_j is not None for each in tick.devices)]
    assert len(whole) < len(found) / 2
    # The last tick is whole too; the energy of a reading that was late comes a tick later.
    for phase in ("baseline", "generate"):
        assert any(tick.phase == phase for tick in whole)
