"""AMD's GPUs through amdsmi, which comes with ROCm and is optional. The only module that imports it.

Never tried on a real AMD card. This follows "AMD SMI Python API reference" and amdsmi_interface.py of ROCm 6.2 to 7.1
for names, and amdsmi.h for units: watts, with the cap in microwatts; the accumulator times its resolution is in
microjoules since the last reset; MiB; MHz; percent. It does not ask what keeps clocks down, nor which
process holds which memory.
"""

from __future__ import annotations

import contextlib
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from telemetry.contract import DeviceFacts, DeviceReading

if TYPE_CHECKING:
    from collections.abc import Callable

    from telemetry.contract import Device

DRIVER = Path("/sys/module/amdgpu")
HOTTEST_C = (
    1000  # the reference speaks of millidegrees, the library divides by 1000: a GPU is no hotter than this
)


def open_gpus(driver: Path = DRIVER) -> tuple[tuple[Device, ...], tuple[str, ...]]:
    """Every GPU, and a sentence for each that can't be opened. The caller closes each GPU."""
    if not driver.exists():
        # amdsmi isn't imported then either: without its own library it would load one from the working folder.
        return (), ("AMD: its driver, amdgpu, is not loaded",)
    try:
        with contextlib.redirect_stdout(sys.stderr):  # it prints what is missing
            import amdsmi
    except ImportError:
        return (), ("AMD: its Python binding, amdsmi, is not installed; it comes with ROCm",)
    except (KeyError, AttributeError, OSError) as error:
        return (), (f"AMD: amdsmi does not find its library ({error!r}); install amd-smi-lib",)
    try:
        _SESSION.open(amdsmi)
    except amdsmi.AmdSmiException as error:
        return (), (f"AMD: the driver does not answer: {_words(error)}",)
    try:
        handles = amdsmi.amdsmi_get_processor_handles()
        absent = () if handles else ("AMD: there is a driver, but no GPU",)
        return tuple(Gpu(amdsmi, handle, index) for index, handle in enumerate(handles)), absent
    except amdsmi.AmdSmiException as error:
        return (), (f"AMD: {_words(error)}",)
    finally:
        _SESSION.close(amdsmi)


class Gpu:
    """One GPU. It does not report which process holds which memory."""

    def __init__(self, smi: Any, handle: Any, index: int) -> None:
        self._smi = smi
        self._handle = handle
        self._open = True
        _SESSION.open(smi)
        energy = self._said(self._energy)
        power = self._said(self._power)
        vram = self._said(smi.amdsmi_get_gpu_vram_usage, handle) or {}
        total = _number(vram.get("vram_total"))
        asic = self._said(smi.amdsmi_get_gpu_asic_info, handle) or {}
        self.facts = DeviceFacts(
            kind="amd",
            uuid=self._said(smi.amdsmi_get_gpu_device_uuid, handle) or f"amd-{index}",
            index=index,
            name=asic.get("market_name"),
            driver=(self._said(smi.amdsmi_get_gpu_driver_info, handle) or {}).get("driver_version"),
            memory_total_bytes=int(total) << 20 if total else None,
            energy_source="counter" if energy else ("power" if power else None),
            power_limit_w=_millionth(
                (self._said(smi.amdsmi_get_power_cap_info, handle) or {}).get("power_cap")
            ),
            max_sm_clock_mhz=self._most_mhz(smi.AmdSmiClkType.GFX),
            max_memory_clock_mhz=self._most_mhz(smi.AmdSmiClkType.MEM),
        )

    def read(self) -> DeviceReading:
        found: dict[str, Any] = {}
        troubles = []
        asks = (
            self._memory,
            self._power,
            self._energy,
            self._activity,
            self._temperature,
            self._clocks,
        )
        for ask in asks:
            try:
                found |= ask()
            except (self._smi.AmdSmiException, ValueError) as error:
                troubles.append(_words(error))
        return DeviceReading(
            uuid=self.facts.uuid, error="" if found or not troubles else troubles[0], **found
        )

    def close(self) -> None:
        if self._open:
            self._open = False
            with contextlib.suppress(self._smi.AmdSmiException):
                _SESSION.close(self._smi)

    def _said(self, ask: Callable[..., Any], *arguments: Any) -> Any:
        try:
            return ask(*arguments)
        except (self._smi.AmdSmiException, ValueError):
            return None

    def _most_mhz(self, kind: Any) -> int | None:
        most = _number((self._said(self._smi.amdsmi_get_clock_info, self._handle, kind) or {}).get("max_clk"))
        return int(most) if most else None

    def _memory(self) -> dict[str, Any]:
        vram = self._smi.amdsmi_get_gpu_vram_usage(self._handle)
        used = _number(vram.get("vram_used"))
        has_none = _number(vram.get("vram_total")) == 0
        return {} if used is None or has_none else {"memory_used_bytes": int(used) << 20}

    def _power(self) -> dict[str, Any]:
        """Watts. The key depends on the series; keys that don't apply have 0."""
        info = self._smi.amdsmi_get_power_info(self._handle)
        names = ("socket_power", "current_socket_power", "average_socket_power")
        watts = next((power for name in names if (power := _number(info.get(name)))), None)
        return {"power_w": watts} if watts else {}

    def _energy(self) -> dict[str, Any]:
        info = self._smi.amdsmi_get_energy_count(self._handle)
        count = _number(info.get("energy_accumulator", info.get("power")))  # "power": before ROCm 6.1
        step_uj = _number(info.get("counter_resolution"))
        return {} if count is None or step_uj is None else {"energy_j": count * step_uj / 1e6}

    def _activity(self) -> dict[str, Any]:
        info = self._smi.amdsmi_get_gpu_activity(self._handle)
        names = {"utilization": "gfx_activity", "memory_utilization": "umc_activity"}
        values = {field: _number(info.get(name)) for field, name in names.items()}
        return {
            field: value / 100 for field, value in values.items() if value is not None and 0 <= value <= 100
        }

    def _temperature(self) -> dict[str, Any]:
        """The edge temperature; server cards only have the hotspot's."""
        kinds, now = self._smi.AmdSmiTemperatureType, self._smi.AmdSmiTemperatureMetric.CURRENT
        for kind in (kinds.EDGE, kinds.HOTSPOT):
            celsius = _number(self._said(self._smi.amdsmi_get_temp_metric, self._handle, kind, now))
            if celsius:
                return {"temperature_c": celsius / 1e3 if celsius > HOTTEST_C else celsius}
        return {}

    def _clocks(self) -> dict[str, Any]:
        kinds = self._smi.AmdSmiClkType
        found = {}
        for field, kind in (("sm_clock_mhz", kinds.GFX), ("memory_clock_mhz", kinds.MEM)):
            info = self._said(self._smi.amdsmi_get_clock_info, self._handle, kind) or {}
            mhz = _number(info.get("clk", info.get("cur_clk")))  # "cur_clk": before ROCm 6.1
            if mhz is not None:
                found[field] = int(mhz)
        return found


class _Session:
    """Opens the library once for all GPUs, because its shutdown invalidates every handle."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._openers = 0

    def open(self, smi: Any) -> None:
        with self._lock:
            if not self._openers:
                smi.amdsmi_init()
            self._openers += 1

    def close(self, smi: Any) -> None:
        with self._lock:
            self._openers -= 1
            if not self._openers:
                smi.amdsmi_shut_down()


_SESSION = _Session()


def _number(value: Any) -> float | None:
    """None for "N/A", and for the highest value of 16, 32 or 64 bits, which older versions use instead."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return None if value in {2**16 - 1, 2**32 - 1, 2**64 - 1} else float(value)


def _millionth(value: Any) -> float | None:
    number = _number(value)
    return number / 1e6 if number else None


def _words(error: Exception) -> str:
    return " ".join(str(error).split())
