"""NVIDIA's cards are told as their driver tells them, and nothing that a driver does reaches the run.

The library is a stub in C, the binding is the real one: see nvml_stub.c.
"""

from __future__ import annotations

import os

import pytest

from telemetry.nvml_values import reasons
from tests.command_line import bench_runner

GIB = 1 << 30

TWO_CARDS = f"""
driver 570.86.15
card GPU-aa
name NVIDIA Test 80GB
memory {80 * GIB} {3 * GIB} {1 * GIB}
power 250500
energy 1000000 250000
utilization 93 41
temperature 61
clocks 1980 2619
reasons 0x24
limits 700000 600000 92
max_clocks 1980 2619
link 1 5 16
compute {{pid}} {2 * GIB}
graphics {{pid}} {2 * GIB}
graphics 1 {GIB // 2}

card GPU-bb
name NVIDIA Test MIG
memory {40 * GIB} {5 * GIB} {1 * GIB}
power 90000
temperature 40
compute {{pid}} {1 * GIB} 1
compute {{pid}} {2 * GIB} 2
mig MIG-b1
name NVIDIA Test MIG 1g.10gb
memory {10 * GIB} {1 * GIB} 0
compute {{pid}} {1 * GIB}
mig MIG-b2
memory {20 * GIB} {2 * GIB} 0
""".format(pid=os.getpid())

READ = """
import json, time
import msgspec
from telemetry.nvidia import open_gpus
gpus, absent = open_gpus()
READINGS
plain = lambda values: [msgspec.to_builtins(value) for value in values]
print(json.dumps({"facts": plain(gpu.facts for gpu in gpus), "readings": plain(readings), "absent": absent}))
"""
ONCE = READ.replace("READINGS", "readings = [gpu.read() for gpu in gpus]")


def card(*lines):
    return "\n".join(("card GPU-aa", *lines))


def times(count, pause_s=0.0):
    return READ.replace(
        "READINGS", f"readings = [(time.sleep({pause_s}), gpus[0].read())[1] for _ in range({count})]"
    )


def test_everything_that_a_card_says_is_told(nvml, python):
    told = python(ONCE, nvml(TWO_CARDS))
    assert told["absent"] == []
    facts, reading = told["facts"][0], told["readings"][0]
    energy_j = reading.pop("energy_j")
    assert 1000 <= energy_j < 1000 + 250 * 10
    assert facts == {
        "kind": "nvidia",
        "uuid": "GPU-aa",
        "index": 0,
        "name": "NVIDIA Test 80GB",
        "driver": "570.86.15",
        "memory_total_bytes": 80 * GIB,
        "parent_uuid": None,
        "energy_source": "counter",
        "power_limit_w": 700.0,
        "enforced_power_limit_w": 600.0,
        "slowdown_temperature_c": 92.0,
        "max_sm_clock_mhz": 1980,
        "max_memory_clock_mhz": 2619,
        "ecc": True,
        "pcie_generation": 5,
        "pcie_width": 16,
        "pci_bus_id": None,
        "cuda_version": "12.8",
        "divided": None,
        "memory_reserved_bytes": 1 * GIB,
    }
    assert reading == {
        "uuid": "GPU-aa",
        "memory_used_bytes": 3 * GIB,
        # In both lists it is the same memory.
        "process_memory_bytes": {str(os.getpid()): 2 * GIB, "1": GIB // 2},
        "power_w": 250.5,
        "utilization": 0.93,
        "memory_utilization": 0.41,
        "temperature_c": 61.0,
        "sm_clock_mhz": 1980,
        "memory_clock_mhz": 2619,
        "throttle_reasons": ["sw_power_cap", "sw_thermal_slowdown"],
    }


def test_the_energy_counter_grows_as_the_card_counts(nvml, python):
    told = python(times(2, 0.2), nvml(card("energy 5 1000000")))
    first, second = (reading["energy_j"] for reading in told["readings"])
    assert 190 < second - first < 800


def test_instances_of_a_divided_card_have_their_own_memory(nvml, python):
    """And the card tells all that runs on it. What doesn't exist for an instance is absent, not 0."""
    told = python(ONCE, nvml(TWO_CARDS))
    names = [(facts["uuid"], facts["index"], facts["parent_uuid"]) for facts in told["facts"]]
    assert names == [
        ("GPU-aa", 0, None),
        ("GPU-bb", 1, None),
        ("MIG-b1", 1, "GPU-bb"),
        ("MIG-b2", 1, "GPU-bb"),
    ]
    assert [facts["energy_source"] for facts in told["facts"]] == ["counter", "power", None, None]
    _, whole, one, other = told["readings"]
    pid = str(os.getpid())
    assert whole["process_memory_bytes"] == {pid: 3 * GIB}
    assert whole["power_w"] == 90.0
    assert one == {"uuid": "MIG-b1", "memory_used_bytes": GIB, "process_memory_bytes": {pid: GIB}}
    assert other["memory_used_bytes"] == 2 * GIB


def test_what_a_card_does_not_support_is_absent(nvml, python):
    told = python(ONCE, nvml(card("power 1000")))
    assert told["readings"] == [{"uuid": "GPU-aa", "power_w": 1.0, "process_memory_bytes": {}}]
    facts = told["facts"][0]
    said = {name: value for name, value in facts.items() if value is not None}
    assert said == {
        "kind": "nvidia",
        "uuid": "GPU-aa",
        "index": 0,
        "driver": "0",
        "energy_source": "power",
        "cuda_version": "12.8",
    }


def test_not_available_is_not_a_number(nvml, python):
    """And neither is a utilization of more than all."""
    script = card(
        "memory -1 -1 0",
        "power -1",
        "energy -1 0",
        "utilization -1 250",
        "temperature -1",
        "clocks -1 -1",
        "reasons -1",
        f"compute {os.getpid()} -1",
    )
    told = python(ONCE, nvml(script))
    assert told["readings"] == [{"uuid": "GPU-aa"}]
    assert (told["facts"][0]["memory_total_bytes"], told["facts"][0]["energy_source"]) == (None, None)


def test_a_name_that_is_no_text_is_none(nvml, python):
    told = python(ONCE, nvml(b"card GPU-aa\nname \xff\xfe\npower 1000\n"))
    assert told["facts"][0]["name"] is None
    assert told["readings"][0]["power_w"] == 1.0


def test_an_older_driver_is_asked_by_its_older_functions(nvml, python):
    """Then what the driver keeps for itself counts as used: it can't be told apart."""
    older = (
        "MemoryInfo_v2",
        "ComputeRunningProcesses_v3",
        "GraphicsRunningProcesses_v3",
        "CurrentClocksEventReasons",
    )
    script = card(
        f"memory {8 * GIB} {1 * GIB} {1 * GIB}",
        f"compute {os.getpid()} 1000",
        "reasons 8",
        "temperature 50",
        *(f"error {call} 13" for call in older),
    )
    reading = python(ONCE, nvml(script))["readings"][0]
    assert reading == {
        "uuid": "GPU-aa",
        "memory_used_bytes": 2 * GIB,
        "process_memory_bytes": {str(os.getpid()): 1000},
        "temperature_c": 50.0,
        "throttle_reasons": ["hw_slowdown"],
    }


def test_a_newer_driver_is_asked_by_its_newer_functions(nvml, python):
    told = python(ONCE, nvml(card("temperature 50", "error Temperature 13")))
    assert told["readings"][0]["temperature_c"] == 50.0


@pytest.mark.parametrize(
    ("code", "words"), [(15, "GPU is lost"), (16, "GPU requires restart"), (999, "Unknown Error")]
)
def test_a_card_that_vanishes_is_told(nvml, python, code, words):
    """And the other one is measured on."""
    script = TWO_CARDS.replace("card GPU-bb", f"error * {code} 60\ncard GPU-bb")
    lines = READ.replace("READINGS", "readings = [gpu.read() for _ in range(10) for gpu in gpus[:2]]")
    told = python(lines, nvml(script))
    lost = [reading for reading in told["readings"] if reading["uuid"] == "GPU-aa"]
    assert lost[0].get("error", "") == ""
    assert lost[-1] == {"uuid": "GPU-aa", "error": words}
    assert not any(reading.get("error") for reading in told["readings"] if reading["uuid"] == "GPU-bb")


def test_one_thing_that_begins_to_fail_is_told_and_the_others_go_on(nvml, python):
    told = python(times(4), nvml(card("power 1000", "temperature 50", "error PowerUsage 999 3")))
    assert told["readings"][0]["power_w"] == 1.0
    last = told["readings"][-1]
    assert (last.get("power_w"), last["temperature_c"]) == (None, 50.0)
    assert last["error"] == "Unknown Error, when asked for its power"


def test_one_thing_that_never_worked_is_no_failure(nvml, python):
    """A quirk of a card and its driver would else mark each of its runs."""
    told = python(times(2), nvml(card("power 1000", "temperature 50", "error PowerUsage 999")))
    assert told["readings"][-1] == {"uuid": "GPU-aa", "temperature_c": 50.0, "process_memory_bytes": {}}


def test_process_ids_of_another_kernel_namespace_are_not_taken_for_ours(nvml, python):
    """In a container the driver tells the host's."""
    script = card(f"memory {8 * GIB} {2 * GIB} 0", f"compute 4194305 {2 * GIB}")
    assert "process_memory_bytes" not in python(ONCE, nvml(script))["readings"][0]


def test_memory_that_belongs_to_nobody_is_of_processes_that_are_not_told(nvml, python):
    hidden = card(f"memory {8 * GIB} {2 * GIB} 0")
    assert "process_memory_bytes" not in python(ONCE, nvml(hidden))["readings"][0]
    idle = card(f"memory {8 * GIB} 1000000 {1 * GIB}")
    assert python(ONCE, nvml(idle))["readings"][0]["process_memory_bytes"] == {}


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("error Init 9", "NVIDIA: the driver does not answer: Driver Not Loaded"),
        ("error Init 18", "NVIDIA: the driver does not answer: RM has detected an NVML/RM version mismatch."),
        ("driver 1", "NVIDIA: there is a driver, but no GPU is visible to this user"),
        ("error Count 999", "NVIDIA: the driver does not report the number of GPUs: Unknown Error"),
        ("card GPU-aa\nerror HandleByIndex 15", "NVIDIA: GPU 0 can't be opened: GPU is lost"),
    ],
)
def test_why_there_is_no_card_is_said(nvml, python, script, words):
    told = python(ONCE, nvml(script))
    assert (told["facts"], told["absent"]) == ([], [words])


def test_a_broken_card_hides_no_other(nvml, python):
    told = python(ONCE, nvml("card GPU-aa\nerror HandleByIndex 15\ncard GPU-bb\npower 1000"))
    assert [facts["uuid"] for facts in told["facts"]] == ["GPU-bb"]
    assert told["facts"][0]["index"] == 1
    assert len(told["absent"]) == 1


def test_without_a_driver_the_binding_is_not_even_imported(python, tmp_path):
    lines = """
import json, sys
from telemetry.devices import look
found = look()
print(json.dumps([[device.facts.kind for device in found.devices], found.absent, "pynvml" in sys.modules]))
"""
    if os.path.exists("/proc/driver/nvidia"):  # noqa: PTH110 - the driver's own sign
        pytest.skip("this machine has a driver")
    kinds, absent, imported = python(lines, dict(os.environ))
    assert set(kinds) <= {"cpu_package", "amd"}
    assert absent[0].startswith("NVIDIA: no driver is installed")
    assert not imported


def test_the_library_is_open_for_as_long_as_a_device_is(nvml, python):
    """Several openers don't close it for each other, and closing twice is closing once."""
    lines = """
import ctypes, json
from telemetry.nvidia import open_gpus
count = ctypes.CDLL("libnvidia-ml.so.1").stub_open
(one,), _ = open_gpus()
(other,), _ = open_gpus()
seen = [count()]
one.close()
one.close()
seen += [count(), other.read().power_w]
other.close()
print(json.dumps([*seen, count(), one.read().error]))
"""
    assert python(lines, nvml(card("power 1000"))) == [2, 1, 1.0, 0, "Uninitialized"]


def test_the_largest_card_that_can_compute_is_known(nvml, python):
    """A divided card is none: its instances are."""
    lines = """
import json
from telemetry.devices import gpu_facts, largest_gpu_memory_bytes
print(json.dumps([largest_gpu_memory_bytes(), [facts.uuid for facts in gpu_facts()]]))
"""
    environment = nvml(TWO_CARDS.replace(f"memory {80 * GIB}", f"memory {16 * GIB}"))
    assert python(lines, environment) == [20 * GIB, ["GPU-aa", "GPU-bb", "MIG-b1", "MIG-b2"]]
    assert python(lines, nvml("driver 1")) == [None, []]


def test_doctor_shows_each_device_as_it_is_now(nvml):
    """Also one that is broken."""
    script = TWO_CARDS.replace("mig MIG-b1", "error UtilizationRates 15\nmig MIG-b1")
    done = bench_runner("doctor", env=nvml(script))
    assert done.code == 0, done.err
    lines = [line for line in done.out.splitlines() if "NVIDIA" in line]
    assert lines[0].startswith(
        "  ok       NVIDIA Test 80GB, 80 GiB, driver 570.86.15: 3.0 GiB used, 93% busy, 250 of 600 W"
    )
    assert lines[0].endswith("61 °C, 1980 MHz, clocks limited by sw_power_cap, sw_thermal_slowdown")
    assert lines[1] == "  broken   NVIDIA Test MIG, 40 GiB, driver 570.86.15: GPU is lost"


def test_reasons_newer_than_this_program_are_told_by_their_bit():
    assert reasons(0) == ()
    assert reasons(0x1) == ("gpu_idle",)
    assert reasons(0x48 | 1 << 12) == ("hw_slowdown", "hw_thermal_slowdown", "0x1000")
