"""The devices of this machine, each vendor's found by itself: one that is broken doesn't hide the others."""

from __future__ import annotations

import os
import queue
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from telemetry import amd, nvidia, rapl, visibility
from telemetry.contract import DeviceReading

if TYPE_CHECKING:
    from collections.abc import Callable

    from telemetry.contract import Device, DeviceFacts

FIND_S = 20.0  # drivers that are loaded at the first call take seconds for it
READ_S = 2.0
_T = TypeVar("_T")
_Answer: TypeAlias = "queue.SimpleQueue[tuple[_T | None, Exception | None]]"
_Find: TypeAlias = "Callable[[], tuple[tuple[Device, ...], tuple[str, ...]]]"
_GPUS: dict[str, _Find] = {"NVIDIA": nvidia.open_gpus, "AMD": amd.open_gpus}


@dataclass(frozen=True)
class Found:
    """devices: each is to be closed. absent: a sentence without a full stop about each thing that is not there."""

    devices: tuple[Device, ...]
    absent: tuple[str, ...]


def found_devices() -> tuple[Device, ...]:
    """Everything on this machine that can be measured, open. Never raises, nor waits longer than FIND_S."""
    return look().devices


def look() -> Found:
    """What there is, and what there is not. As `found_devices`."""
    return _look({**_GPUS, "processor energy": rapl.open_packages})


def look_for_gpus() -> Found:
    """As `look`, of GPUs alone."""
    return _look(_GPUS)


def gpu_facts() -> tuple[DeviceFacts, ...]:
    """Of every card and every MIG instance; nothing stays open."""
    found = look_for_gpus()
    for gpu in found.devices:
        gpu.close()
    return tuple(gpu.facts for gpu in found.devices)


def usable_gpus() -> tuple[DeviceFacts, ...]:
    """Those that a server started here may be given to compute on, each by itself. See `telemetry.visibility`."""
    return visibility.usable_gpus(gpu_facts(), os.environ)


def largest_gpu_memory_bytes() -> int | None:
    """Of those that a server started here may compute on; None: there is none, or none tells."""
    sizes = (facts.memory_total_bytes for facts in usable_gpus())
    return max((size for size in sizes if size is not None), default=None)


def live_reading(device: Device) -> DeviceReading:
    """One reading, within READ_S."""
    try:
        return _wait(_ask(device.read), READ_S, time.monotonic())
    except Exception as error:  # noqa: BLE001 - told, as all that a device does
        return DeviceReading(uuid=device.facts.uuid, error=str(error) or type(error).__name__)


def _look(vendors: dict[str, _Find]) -> Found:
    """All are asked at once, so that several that hang cost no more than one."""
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
    """Where its answer will be, or what it raised."""
    answer: _Answer[_T] = queue.SimpleQueue()

    def work() -> None:
        try:
            answer.put((ask(), None))
        except Exception as error:  # noqa: BLE001 - for whoever asked
            answer.put((None, error))

    threading.Thread(target=work, name="telemetry device", daemon=True).start()
    return answer


def _wait(answer: _Answer[_T], patience_s: float, began: float) -> _T:
    """Raises TimeoutError so long after `began`, leaving a thread behind that ends with the program."""
    try:
        value, trouble = answer.get(timeout=max(0.0, began + patience_s - time.monotonic()))
    except queue.Empty:
        raise TimeoutError(f"the driver gave no answer for {patience_s:g} s") from None
    if trouble is not None:
        raise trouble
    return value  # type: ignore[return-value] # it is an answer: there was no trouble
