"""AMD's GPUs are told in our units; without their driver or library they are absent, with the reason.

The `amdsmi` here is a stand-in that answers as AMD's reference says, since the real one needs the driver.
"""

from __future__ import annotations

import os

import pytest

BINDING = """
import os
class AmdSmiException(Exception): pass
class AmdSmiTemperatureType: EDGE, HOTSPOT = 0, 1
class AmdSmiTemperatureMetric: CURRENT = 0
class AmdSmiClkType: GFX, MEM = 1, 4
opened = 0
def _check():
    if not opened or os.path.exists("LOST"): raise AmdSmiException("Error code:\\n\\t30 | AMDSMI_STATUS_IO")
def amdsmi_init():
    global opened
    opened += 1
def amdsmi_shut_down():
    global opened
    opened = 0  # for everybody
def amdsmi_get_processor_handles(): return ["card"]
def _answer(value): return lambda *_: (_check(), value)[1]
amdsmi_get_gpu_device_uuid = _answer("aa-bb")
amdsmi_get_gpu_asic_info = _answer({"market_name": "Instinct"})
amdsmi_get_gpu_driver_info = _answer({"driver_version": "6.8"})
amdsmi_get_gpu_vram_usage = _answer({"vram_total": 1024, "vram_used": 256})
amdsmi_get_power_info = _answer({"current_socket_power": "N/A", "average_socket_power": 300})
amdsmi_get_energy_count = _answer({"energy_accumulator": 2000000, "counter_resolution": 15.3})
amdsmi_get_gpu_activity = _answer({"gfx_activity": 50, "umc_activity": 65535})
CLOCKS = {1: {"clk": 2100, "max_clk": 2500}, 4: {"clk": "N/A"}}
amdsmi_get_clock_info = lambda handle, kind: (_check(), CLOCKS[kind])[1]
amdsmi_get_power_cap_info = _answer({"power_cap": 750000000, "dpm_cap": 0})
def amdsmi_get_temp_metric(handle, kind, metric):
    _check()
    if kind == 0: raise AmdSmiException("not supported")
    return 65
"""
READ = """
import json, sys
import msgspec
from pathlib import Path
from telemetry.amd import open_gpus
DRIVER, FOLDER = Path(sys.prefix), Path(__FOLDER__)
sys.path.insert(0, str(FOLDER))
gpus, absent = open_gpus(DRIVER)
"""


@pytest.fixture
def ask(python, tmp_path):
    def run(binding, lines):
        (tmp_path / "amdsmi.py").write_text(binding)
        return python(READ.replace("__FOLDER__", repr(str(tmp_path))) + lines, dict(os.environ))

    return run


def test_what_a_card_says_is_told_in_our_units(ask):
    lines = "print(json.dumps([msgspec.to_builtins(gpus[0].facts), msgspec.to_builtins(gpus[0].read())]))"
    facts, reading = ask(BINDING, lines)
    assert facts == {
        "kind": "amd",
        "uuid": "aa-bb",
        "index": 0,
        "name": "Instinct",
        "driver": "6.8",
        "memory_total_bytes": 1 << 30,
        "parent_uuid": None,
        "energy_source": "counter",
        "power_limit_w": 750.0,
        "enforced_power_limit_w": None,
        "slowdown_temperature_c": None,
        "max_sm_clock_mhz": 2500,
        "max_memory_clock_mhz": None,
        "ecc": None,
        "pcie_generation": None,
        "pcie_width": None,
        "pci_bus_id": None,
        "cuda_version": None,
        "divided": None,
        "memory_reserved_bytes": None,
    }
    assert reading == {
        "uuid": "aa-bb",
        "memory_used_bytes": 256 << 20,
        "power_w": 300.0,
        "energy_j": pytest.approx(30.6),
        "utilization": 0.5,
        "temperature_c": 65.0,
        "sm_clock_mhz": 2100,
    }


def test_temperatures_in_thousandths_are_understood(ask):
    """The reference says so; the library of these years gives degrees."""
    lines = "print(json.dumps(gpus[0].read().temperature_c))"
    assert ask(BINDING.replace("return 65", "return 65500"), lines) == 65.5


def test_a_card_that_answers_nothing_any_more_is_told(ask):
    lines = """
import os
os.chdir(FOLDER)
Path("LOST").touch()
print(json.dumps(msgspec.to_builtins(gpus[0].read())))
"""
    assert ask(BINDING, lines) == {"uuid": "aa-bb", "error": "Error code: 30 | AMDSMI_STATUS_IO"}


def test_the_library_stays_open_until_the_last_device_is_closed(ask):
    lines = """
import amdsmi
(other,), _ = open_gpus(DRIVER)
other.close()
other.close()
seen = [amdsmi.opened, gpus[0].read().power_w]
gpus[0].close()
print(json.dumps([*seen, amdsmi.opened]))
"""
    assert ask(BINDING, lines) == [1, 300.0, 0]


@pytest.mark.parametrize(
    ("binding", "words"),
    [
        ("_libraries = {}\nprint('missing')\n_libraries['libamd_smi.so']", "does not find its library"),
        ("raise ImportError", "is not installed"),
        (BINDING.replace("opened += 1", "raise AmdSmiException('no')"), "the driver does not answer: no"),
        (BINDING.replace('["card"]', "[]"), "there is a driver, but no GPU"),
    ],
)
def test_why_there_is_no_card_is_said(ask, binding, words):
    """A binding without its library raises KeyError at import, and prints to where our output goes."""
    count, absent = ask(binding, "print(json.dumps([len(gpus), absent]))")
    assert (count, len(absent)) == (0, 1)
    assert words in absent[0]


def test_without_a_driver_the_binding_is_not_imported(python, tmp_path):
    """It would load a library out of the working folder."""
    (tmp_path / "amdsmi.py").write_text("raise SystemExit(1)")
    lines = READ.replace("__FOLDER__", repr(str(tmp_path))).replace("Path(sys.prefix)", "Path('/no/driver')")
    assert python(lines + "print(json.dumps([len(gpus), absent]))", dict(os.environ)) == [
        0,
        ["AMD: its driver, amdgpu, is not loaded"],
    ]
