"""The machine is read while somebody looks, by one reader, and not a second longer than it was told."""

from __future__ import annotations

import asyncio
import threading

from telemetry.contract import DeviceFacts, DeviceReading
from telemetry.devices import Found
from web.pages.work.gauges import panels_of
from web.pages.work.machine import _events
from web.pages.work.machine_reader import MachineReader


class _Card:
    """A device that counts, and says when it was closed."""

    def __init__(self):
        self.facts = DeviceFacts(kind="nvidia", uuid="GPU-1", index=0, name="A <b>card</b>", memory_total_bytes=8 << 30,
                                 enforced_power_limit_w=300.0)  # fmt: skip
        self.reads = 0
        self.closed = threading.Event()

    def read(self):
        self.reads += 1
        return DeviceReading(uuid="GPU-1", memory_used_bytes=2 << 30, power_w=150.0, utilization=0.5,
                             throttle_reasons=("gpu_idle", "sw_thermal_slowdown"))  # fmt: skip

    def close(self):
        self.closed.set()


def test_many_lookers_share_one_reader_which_ends_by_itself(tmp_path):
    cards = []

    def find():
        cards.append(_Card())
        return Found((cards[-1],), ("AMD GPUs: none",))

    reader = MachineReader(tmp_path, period_s=0.005, idle_s=0.1, find=find)
    assert not reader.is_reading
    lookers = [threading.Thread(target=lambda: reader.now(first_s=30.0)) for _ in range(8)]
    for each in lookers:
        each.start()
    for each in lookers:
        each.join()
    assert len(cards) == 1
    assert cards[0].closed.wait(30.0)  # nobody looks any more
    assert not reader.is_reading
    assert reader.now(first_s=30.0).readings
    assert len(cards) == 2
    assert cards[1].closed.wait(30.0)


def test_what_is_kept_is_bounded_and_shown_with_its_share(tmp_path):
    reader = MachineReader(tmp_path, period_s=0.0, idle_s=60.0, kept=4, find=lambda: Found((_Card(),), ()))
    first = reader.now(first_s=30.0).readings[0]
    while first in (machine := reader.now()).readings:
        pass
    reader._idle_s = -1.0
    assert len(machine.readings) == 4
    host, card = panels_of(machine, {"GPU-1": (("/jobs/1", "human_eval on demo"),)})
    assert host.title == "This machine"
    by_title = {gauge.title: gauge for gauge in card.gauges}
    assert (by_title["Memory"].text, by_title["Memory"].share) == ("2.0 of 8.0 GiB", 0.25)
    assert (by_title["Power"].text, by_title["Power"].share) == ("150 of 300 W", 0.5)
    assert "Temperature" not in by_title  # it doesn't report any, which isn't 0
    assert card.problem == "slowed down: sw_thermal_slowdown"
    assert card.jobs == (("/jobs/1", "human_eval on demo"),)


def test_a_driver_that_fails_leaves_a_page_that_says_so(tmp_path):
    def find():
        raise RuntimeError("the driver is broken")

    reader = MachineReader(tmp_path, find=find)
    assert reader.now(first_s=30.0).readings == ()
    assert panels_of(reader.now(first_s=30.0)) == ()


def test_the_stream_tells_each_reading_once(tmp_path):
    reader = MachineReader(tmp_path, period_s=0.01, idle_s=0.1, find=lambda: Found((), ()))

    async def first_two():
        found = []
        events = _events(reader)
        async for event in events:
            if event.startswith(b"data: "):
                found.append(event)
            if len(found) == 2:
                break
        await events.aclose()
        return found

    first, second = asyncio.run(first_two())
    assert b'"host-cpu"' in first
    assert first.endswith(b"\n\n")
    assert b'"host-memory"' in second
