"""NVIDIA's cards and MIG instances through NVML. The only module that imports its binding, nvidia-ml-py.

The units that NVML uses are in its own documentation: milliwatts, millijoules since the driver was loaded, percent.
"""

from __future__ import annotations

import contextlib
import ctypes
from typing import TYPE_CHECKING, Any

from telemetry.contract import DeviceFacts, DeviceReading
from telemetry.nvml_values import (
    CARD_VALUES,
    COSTLY_VALUES,
    GONE,
    MIG_VALUES,
    UNKNOWN_HERE,
    energy,
    limits,
    memory_reserved,
    memory_total,
    names_nobody,
    power,
    text,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from telemetry.contract import Device

LIBRARY = "libnvidia-ml.so.1"


def open_gpus() -> tuple[tuple[Device, ...], tuple[str, ...]]:
    """Every card, each followed by its MIG instances, and a sentence for each that could not be opened.

    The caller closes each. May block as long as a broken driver does.
    """
    try:
        ctypes.CDLL(LIBRARY)  # the binding is big, so it isn't imported without a driver
    except OSError:
        return (), (f"NVIDIA: no driver is installed ({LIBRARY} is not found)",)
    try:
        import pynvml
    except ImportError:
        return (), ("NVIDIA: its Python binding is missing; pip install nvidia-ml-py",)
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError as error:
        return (), (f"NVIDIA: the driver does not answer: {error}",)
    try:
        return _open_all(pynvml)
    finally:
        # NVML counts: it stays open for as long as a device does.
        with contextlib.suppress(pynvml.NVMLError):
            pynvml.nvmlShutdown()


class Gpu:
    """A card or a MIG instance. An instance only has its own memory, processes and utilization."""

    def __init__(self, nvml: Any, handle: Any, facts: DeviceFacts) -> None:
        self.facts = facts
        self._nvml = nvml
        self._handle = handle
        self._known: set[str] = set()  # what it has answered
        self._values = MIG_VALUES if facts.parent_uuid else CARD_VALUES
        self._open = True
        nvml.nvmlInit()

    def read(self) -> DeviceReading:
        return self._read(self._values)

    def read_often(self) -> DeviceReading:
        """Without the energy: an H100's driver computes 4 ms for it, and 0.1 ms for all else."""
        return self._read({name: ask for name, ask in self._values.items() if name not in COSTLY_VALUES})

    def _read(self, values: Mapping[str, Callable[[Any, Any], dict[str, Any]]]) -> DeviceReading:
        found: dict[str, Any] = {}
        answered = set()
        troubles = []
        for name, ask in values.items():
            try:
                found |= ask(self._nvml, self._handle)
            except self._nvml.NVMLError as error:
                if error.value in GONE:
                    return DeviceReading(uuid=self.facts.uuid, error=str(error))
                troubles.append((name, error))
            else:
                answered.add(name)
        self._known |= answered
        failed = [
            f"{error}, when asked for its {name}" if answered else str(error)
            for name, error in troubles
            if not answered or (name in self._known and error.value not in UNKNOWN_HERE)
        ]
        if names_nobody(found):
            found["process_memory_bytes"] = None
        found.pop("memory_is_of_processes", None)
        return DeviceReading(uuid=self.facts.uuid, error=failed[0] if failed else "", **found)

    def close(self) -> None:
        if self._open:
            self._open = False
            with contextlib.suppress(self._nvml.NVMLError):
                self._nvml.nvmlShutdown()


def _open_all(nvml: Any) -> tuple[tuple[Device, ...], tuple[str, ...]]:
    found: list[Device] = []
    absent = []
    driver = _said(nvml, lambda: text(nvml.nvmlSystemGetDriverVersion()))
    try:
        count = nvml.nvmlDeviceGetCount()
    except nvml.NVMLError as error:
        return (), (f"NVIDIA: the driver does not report the number of GPUs: {error}",)
    if not count:
        absent.append("NVIDIA: there is a driver, but no GPU is visible to this user")
    for index in range(count):
        try:
            handle = nvml.nvmlDeviceGetHandleByIndex(index)
            card = Gpu(nvml, handle, _facts(nvml, handle, index, driver, None))
        except nvml.NVMLError as error:
            absent.append(f"NVIDIA: GPU {index} can't be opened: {error}")
            continue
        found.append(card)
        for instance in _mig_instances(nvml, handle):
            facts = _facts(nvml, instance, index, driver, card.facts.uuid)
            with contextlib.suppress(nvml.NVMLError):
                found.append(Gpu(nvml, instance, facts))
    return tuple(found), tuple(absent)


def _facts(nvml: Any, handle: Any, index: int, driver: str | None, parent_uuid: str | None) -> DeviceFacts:
    """The device's facts. index: the card's, also for its instances."""
    source = None
    if parent_uuid is None:
        counter = _said(nvml, lambda: energy(nvml, handle)["energy_j"])
        watts = _said(nvml, lambda: power(nvml, handle)["power_w"])
        source = "counter" if counter is not None else "power" if watts is not None else None
    return DeviceFacts(
        kind="nvidia",
        uuid=_said(nvml, lambda: text(nvml.nvmlDeviceGetUUID(handle))) or f"nvidia-{index}",
        index=index,
        name=_said(nvml, lambda: text(nvml.nvmlDeviceGetName(handle))),
        driver=driver,
        memory_total_bytes=_said(nvml, lambda: memory_total(nvml, handle)),
        memory_reserved_bytes=_said(nvml, lambda: memory_reserved(nvml, handle)),
        parent_uuid=parent_uuid,
        energy_source=source,
        **(
            {}
            if parent_uuid is not None
            else {name: _said(nvml, ask) for name, ask in limits(nvml, handle).items()}
        ),
    )


def _mig_instances(nvml: Any, handle: Any) -> Iterator[Any]:
    try:
        enabled, _ = nvml.nvmlDeviceGetMigMode(handle)
        most = nvml.nvmlDeviceGetMaxMigDeviceCount(handle) if enabled else 0
    except nvml.NVMLError:
        return
    for index in range(most):
        with contextlib.suppress(nvml.NVMLError):  # not every place is taken
            yield nvml.nvmlDeviceGetMigDeviceHandleByIndex(handle, index)


def _said(nvml: Any, ask: Callable[[], Any]) -> Any:
    """The answer as text; None if there is none or it isn't text."""
    try:
        return ask()
    except (nvml.NVMLError, ValueError):
        return None
