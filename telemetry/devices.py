"""The devices of this machine. Each vendor's are found separately, so a broken driver doesn't hide the others."""

from __future__ import annotations

import os
import queue
import threading
import time
from typing import TYPE_CHECKING, TypeAlias, TypeVar

import msgspec

from telemetry import amd, nvidia, rapl, visibility
from telemetry.contract import DeviceReading

if TYPE_CHECKING:
    from collections.abc import Callable

    from telemetry.contract import Device, DeviceFacts

FIND_S = 20.0  # a driver that is loaded by the first call takes seconds
READ_S = 2.0
_T = TypeVar("_T")
_Answer: TypeAlias = "queue.SimpleQueue[tuple[_T | None, Exception | None]]"
_Find: TypeAlias = "Callable[[], tuple[tuple[Device, ...], tuple[str, ...]]]"
_GPUS: dict[str, _Find] = {"NVIDIA": nvidia.open_gpus, "AMD": amd.open_gpus}


class Found(msgspec.Struct, frozen=True):
    """devices: the caller closes each. absent: a sentence without a full stop for each kind that is missing."""

    devices: tuple[Device, ...]
    absent: tuple[str, ...]


def found_devices() -> tuple[Device, ...]:
    """Open every device on this machine that can be measured. Never raises and waits FIND_S at most."""
    return look().devices


def look() -> Found:
    """The devices, and what is missing. Never raises and waits FIND_S at most."""
    return _look({**_GPUS, "processor energy": rapl.open_packages})


def look_for_gpus() -> Found:
    """The same as `look`, for GPUs only."""
    return _look(_GPUS)


def gpu_facts() -> tuple[DeviceFacts, ...]:
    """The facts of every card and MIG instance. Nothing stays open."""
    found = look_for_gpus()
    for gpu in found.devices:
        gpu.close()
    return tuple(gpu.facts for gpu in found.devices)


def usable_gpus() -> tuple[DeviceFacts, ...]:
    """The GPUs that a server started here may use, one by one. See `telemetry.visibility`."""
    return visibility.usable_gpus(gpu_facts(), os.environ)


def largest_gpu_memory_bytes() -> int | None:
    """The largest memory of the GPUs that a server started here may use. None if there is none, or none reports it."""
    sizes = (facts.memory_total_bytes for facts in usable_gpus())
    return max((size for size in sizes if size is not None), default=None)


def live_reading(device: Device) -> DeviceReading:
    """One reading within READ_S. A failure is the reading's `error`."""
    try:
        return _wait(_ask(device.read), READ_S, time.monotonic())
    except Exception as error:  # noqa: BLE001 - told, as all that a device does
        return DeviceReading(uuid=device.facts.uuid, error=str(error) or type(error).__name__)


def _look(vendors: dict[str, _Find]) -> Found:
    """Asks all vendors at once, so that several hanging drivers cost no more time than one."""
    began = time.monotonic()
    asked = {name: _ask(find) for name, find in vendors.items()}
    found = [_quietly(name, answer, began) for name, answer in asked.items()]
    return Found(
        tuple(device for devices, _ in found for device in devices),
        tuple(sentence for _, absent in found for sentence in absent),
    )


def _quietly(
    what: str, answer: _Answer[tuple[tuple[Device, ...], tuple[str, ...]]], began: float
) -> tuple[tuple[Device, ...], tuple[str, ...]]:
    try:
        return _wait(answer, FIND_S, began)
    except Exception as error:  # noqa: BLE001 - a broken driver or binding never stops a run
        return (), (f"{what}: {str(error) or type(error).__name__}",)


def _ask(ask: Callable[[], _T]) -> _Answer[_T]:
    """Ask in a thread; the queue gets the answer, or what was raised."""
    answer: _Answer[_T] = queue.SimpleQueue()

    def work() -> None:
        try:
            answer.put((ask(), None))
        except Exception as error:  # noqa: BLE001 - for whoever asked
            answer.put((None, error))

    threading.Thread(target=work, name="telemetry device", daemon=True).start()
    return answer


def _wait(answer: _Answer[_T], patience_s: float, began: float) -> _T:
    """The answer. Raises TimeoutError patience_s after `began`; the thread stays until the program ends."""
    try:
        value, trouble = answer.get(timeout=max(0.0, began + patience_s - time.monotonic()))
    except queue.Empty:
        raise TimeoutError(f"the driver gave no answer for {patience_s:g} s") from None
    if trouble is not None:
        raise trouble
    return value  # type: ignore[return-value] # it is an answer: there was no trouble
