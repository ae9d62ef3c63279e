"""A run's telemetry becomes a picture and a page, whatever is missing in it."""

from __future__ import annotations

import datetime as dt
import math
import random
import re
import struct
from xml.etree import ElementTree as ET

import msgspec
import pytest

from results.errors import ResultsError, UsageError
from results.records import RunRecord, RunStatus
from results.store.run_folder import RunFolder
from results.telemetry import ServerReading, TelemetrySummary
from telemetry.contract import DeviceReading, ProcessReading, Tick
from telemetry.plot import Line, continued, panels, phases, plot, thinned
from tests.command_line import bench_runner

CARDS = "GPU-1a2b3c4d-0000-0000-0000-000000000000", "GPU-9f8e7d6c-0000-0000-0000-000000000000"
GIB = 2**30


def phase(time_s):
    return "baseline" if time_s < 2 else "load" if time_s < 8 else "generate" if time_s < 38 else "stop"


def run_of_two_cards():
    """40 s at 10 Hz; the second card tells neither temperature nor power, and is lost at 25 s."""
    noise = random.Random(0)
    cpu_s, made = 0.0, 0.0
    for number in range(400):
        time_s = number / 10
        busy = phase(time_s) == "generate"
        cpu_s += 0.3 if busy else 0.05
        made += 12 if busy else 0
        first = DeviceReading(
            uuid=CARDS[0],
            power_w=(290 if busy else 60) + noise.gauss(0, 8),
            memory_used_bytes=int(min(20, time_s * 3) * GIB),
            utilization=0.95 if busy else 0.0,
            temperature_c=40 + min(30, time_s),
        )
        second = DeviceReading(uuid=CARDS[1], memory_used_bytes=2 * GIB, utilization=0.1)
        if noise.random() < 0.1:
            first = DeviceReading(uuid=CARDS[0])  # it was late
        if time_s >= 25:  # in words that look like a formula
            second = DeviceReading(uuid=CARDS[1], error="GPU is lost: $x^{$")
        yield Tick(
            time_s=time_s,
            phase=phase(time_s),
            devices=(first, second),
            processes=ProcessReading(count=2, cpu_s=cpu_s, memory_bytes=3 * GIB) if time_s > 2 else None,
            server=ServerReading(prompt_tokens=made / 4, generation_tokens=made, requests_running=4.0 * busy)
            if number % 10 == 0 and time_s > 8
            else None,
            host_cpu_utilization=0.4,
        )


BRIEF = [Tick(time_s=float(t), phase="load", host_cpu_utilization=0.5) for t in range(2)]  # quickly drawn


def write(folder, ticks, tail=b""):
    lines = b"".join(msgspec.json.encode(tick) + b"\n" for tick in ticks)
    (folder / "telemetry.jsonl").write_bytes(lines + tail)


def svg_of(page):
    text = page.read_text()
    return ET.fromstring(text[text.index("<svg") : text.index("</svg>") + 6])


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    write(folder, run_of_two_cards(), tail=b'{"time_s":40.0,"phase":"st')
    return plot(folder, {CARDS[1]: "1: NVIDIA H200"})


def test_a_whole_run_is_drawn_with_a_lost_card_and_a_torn_last_line(drawn):
    picture, page = drawn
    assert (picture.name, page.name) == ("telemetry.png", "telemetry.html")
    data = picture.read_bytes()
    width, height = struct.unpack(">II", data[16:24])
    assert data.startswith(b"\x89PNG")
    assert (width, height) > (1000, 1000)
    words = {text for text in svg_of(page).itertext() if text.strip()}
    assert {"baseline", "load", "generate", "stop", "power, W", "tokens/s", "GPU-1a2b3c4d…"} <= words
    assert any("1: NVIDIA H200 at 25.0 s: GPU is lost: $x^{$" in word for word in words)


def test_the_page_asks_no_network_for_anything(drawn):
    """Only names of XML's namespaces look like addresses; nothing is loaded, no script runs."""
    text = drawn[1].read_text()
    assert set(re.findall(r'https?://[^"\s<]+', re.sub(r'xmlns(:\w+)?="[^"]*"', "", text))) == set()
    assert "<script" not in text
    assert not re.search(r'(?:src|href)="(?!#)', text)
    assert not re.search(r"url\((?!#)|@import", text)


def test_the_runs_name_cannot_become_markup(tmp_path):
    folder = tmp_path / "<script>alert(1)<"
    folder.mkdir()
    write(folder, BRIEF)
    assert "<script" not in plot(folder)[1].read_text()


def test_only_what_was_measured_has_a_panel():
    """A run without a GPU or without the server's metrics has no empty frames that look like nought."""
    ticks = [
        Tick(time_s=t, phase="load", devices=(DeviceReading(uuid="GPU-1"),), host_cpu_utilization=0.5)
        for t in (0, 1, 2)
    ]
    (panel,) = panels(ticks)
    assert panel.unit == "utilisation, %"
    (line,) = panel.lines
    assert line.values == [50, 50, 50]


def test_a_late_answer_does_not_break_a_line_and_a_lost_card_does():
    readings = [
        DeviceReading(uuid="GPU-1", power_w=10),
        DeviceReading(uuid="GPU-1"),
        DeviceReading(uuid="GPU-1", power_w=30),
        DeviceReading(uuid="GPU-1", error="GPU is lost"),
    ]
    ticks = [Tick(time_s=t, phase="load", devices=(reading,)) for t, reading in enumerate(readings)]
    (line,) = panels(ticks)[0].lines
    assert line.times_s == [0, 2, 3]
    assert line.values[:2] == [10, 30]
    assert math.isnan(line.values[2])


def test_speeds_are_differences_over_the_real_time():
    """Also where ticks were missed, or a tick had no metrics."""
    told = {0.0: 0, 0.5: None, 1.0: 40, 3.0: 100}
    ticks = [
        Tick(
            time_s=t,
            phase="generate",
            server=None if value is None else ServerReading(generation_tokens=value),
            processes=ProcessReading(count=1, cpu_s=2 * t, memory_bytes=0),
        )
        for t, value in told.items()
    ]
    found = {panel.unit: panel.lines[0] for panel in panels(ticks)}
    assert (found["tokens/s"].times_s, found["tokens/s"].values) == ([1, 3], [40, 30])
    assert found["server's CPU, cores"].values == [2, 2, 2]


def test_a_phase_lasts_until_the_next_one_and_may_come_back():
    names = ["load", "load", "generate", "load", "generate"]
    ticks = [Tick(time_s=t, phase=name) for t, name in enumerate(names)]
    assert phases(ticks) == [("load", 0, 2), ("generate", 2, 3), ("load", 3, 4), ("generate", 4, 4)]


def test_a_long_run_keeps_its_peaks_and_gives_a_small_page(tmp_path):
    """Ten hours are 360,000 ticks."""
    values = [random.Random(0).random()] * 360_000
    values[123_456], values[234_567] = 99.0, -99.0
    values[10:20] = [math.nan] * 10
    line = thinned(Line("a", list(map(float, range(len(values)))), values))
    assert len(line.values) <= 2000
    assert line.times_s == sorted(line.times_s)
    assert 99.0 in line.values
    assert -99.0 in line.values
    assert line.times_s[line.values.index(99.0)] == 123_456


def test_a_stretch_without_a_card_stays_a_gap_when_thinned():
    values = [1.0] * 5000 + [math.nan] * 5000
    assert math.isnan(thinned(Line("a", list(map(float, range(10_000))), values)).values[-1])


@pytest.mark.parametrize("content", [b"", b'{"time_s":0.0,"pha', b"\n\n"])
def test_a_file_without_a_measurement_is_told(tmp_path, content):
    (tmp_path / "telemetry.jsonl").write_bytes(content)
    with pytest.raises(UsageError, match="nothing was measured"):
        plot(tmp_path)


def test_a_run_that_was_not_measured_is_told(tmp_path):
    with pytest.raises(UsageError, match="nothing was measured"):
        plot(tmp_path)


def test_a_resumed_run_is_drawn_as_one():
    """Its second part stands in the same file and begins at 0 s again, with counters that begin anew."""
    times, made = [0.0, 1.0, 2.0, 0.0, 1.0, 0.0, 2.0], [0, 10, 20, 0, 10, 0, 40]
    ticks = continued(
        [
            Tick(time_s=t, phase="generate", server=ServerReading(generation_tokens=tokens))
            for t, tokens in zip(times, made, strict=True)
        ]
    )
    assert [tick.time_s for tick in ticks] == [0, 1, 2, 2, 3, 3, 5]
    (panel,) = panels(ticks)
    assert panel.lines[0].values == [10, 10, 10, 20]


def test_ticks_with_nothing_in_them_are_drawn_as_their_phases(tmp_path):
    ticks = [Tick(time_s=0.0, phase="baseline")]
    write(tmp_path, ticks)
    assert panels(ticks) == []
    assert "baseline" in plot(tmp_path)[1].read_text()


def test_a_folder_that_cannot_be_written_is_told(tmp_path):
    write(tmp_path, BRIEF)
    (tmp_path / "telemetry.png").mkdir()
    with pytest.raises(ResultsError, match="cannot write"):
        plot(tmp_path)


def test_the_command_line_draws_a_run_with_its_devices_names(tmp_path):
    folder = RunFolder.create(tmp_path, "human_eval", "model", dt.datetime.now(dt.UTC))
    facts = {"kind": "nvidia", "uuid": CARDS[0], "index": 0, "name": "NVIDIA H200"}
    folder.write_record(
        RunRecord(
            run_id=folder.run_id,
            timestamp="2026-11-21T10:00:00+00:00",
            status=RunStatus.SUCCEEDED,
            benchmark="human_eval",
            model="model",
            config={},
            telemetry=TelemetrySummary(devices=(facts,)),
        )
    )
    told = bench_runner("show", folder.run_id, "--plot", "--results-dir", tmp_path)
    assert (told.code, told.out) == (2, "")
    assert "nothing was measured" in told.err
    device = DeviceReading(uuid=CARDS[0], power_w=60)
    write(folder.path, [Tick(time_s=float(t), phase="load", devices=(device,)) for t in range(2)])
    drawn = bench_runner("show", folder.run_id, "--plot", "--results-dir", tmp_path)
    assert drawn.out.splitlines() == [str(folder.path / f"telemetry.{kind}") for kind in ("png", "html")]
    assert "0: NVIDIA H200" in (folder.path / "telemetry.html").read_text()
