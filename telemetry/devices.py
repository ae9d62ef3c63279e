"""The devices of this machine, each vendor's found by itself: one that is broken doesn't hide the others."""

from __future__ import annotations

import queue
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from telemetry import amd, nvidia, rapl
from telemetry.contract import DeviceReading

if TYPE_CHECKING:
    from collections.abc import Callable

    from telemetry.contract import Device, DeviceFacts

FIND_S = 20.0  # drivers that are loaded at the first call take seconds for it
READ_S = 2.0
_T = TypeVar("_T")


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
    found = look_for_gpus()
    packages, absent = _quietly("processor energy", rapl.open_packages, FIND_S)
    return Found((*found.devices, *packages), (*found.absent, *absent))


def look_for_gpus() -> Found:
    """As `look`, of GPUs alone."""
    nvidia_gpus, no_nvidia = _quietly("NVIDIA", nvidia.open_gpus, FIND_S)
    amd_gpus, no_amd = _quietly("AMD", amd.open_gpus, FIND_S)
    return Found((*nvidia_gpus, *amd_gpus), (*no_nvidia, *no_amd))


def gpu_facts() -> tuple[DeviceFacts, ...]:
    """Of every card and every MIG instance; nothing stays open."""
    found = look_for_gpus()
    for gpu in found.devices:
        gpu.close()
    return tuple(gpu.facts for gpu in found.devices)


def largest_gpu_memory_bytes() -> int | None:
    """Of those that a program can compute on: a card that is divided into MIG instances is none."""
    facts = gpu_facts()
    divided = {each.parent_uuid for each in facts}
    return (
        max((each.memory_total_bytes or 0 for each in facts if each.uuid not in divided), default=0) or None
    )


def live_reading(device: Device) -> DeviceReading:
    """One reading, within READ_S."""
    try:
        return _within(device.read, READ_S)
    except Exception as error:  # noqa: BLE001 - told, as all that a device does
        return DeviceReading(uuid=device.facts.uuid, error=str(error) or type(error).__name__)


def _quietly(
    what: str, find: Callable[[], tuple[tuple[Device, ...], tuple[str, ...]]], patience_s: float
) -> tuple[tuple[Device, ...], tuple[str, ...]]:
    try:
        return _within(find, patience_s)
    except Exception as error:  # noqa: BLE001 - a broken driver or binding never stops a run
        return (), (f"{what}: {str(error) or type(error).__name__}",)


def _within(ask: Callable[[], _T], patience_s: float) -> _T:
    """Its answer, or what it raised. Raises TimeoutError, leaving a thread behind that ends with the program."""
    answer: queue.SimpleQueue[tuple[_T | None, Exception | None]] = queue.SimpleQueue()

    def work() -> None:
        try:
            answer.put((ask(), None))
        except Exception as error:  # noqa: BLE001 - for whoever asked
            answer.put((None, error))

    threading.Thread(target=work, name="telemetry device", daemon=True).start()
    try:
        value, trouble = answer.get(timeout=patience_s)
    except queue.Empty:
        raise TimeoutError(f"the driver gave no answer for {patience_s:g} s") from None
    if trouble is not None:
        raise trouble
    return value  # type: ignore[return-value] # it is an answer: there was no trouble
