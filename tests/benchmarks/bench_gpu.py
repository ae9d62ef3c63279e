"""On a real NVIDIA card under load: the energy of a run against the card's own counter, and what its driver costs us.

The counter is read directly around what the sampler measured. The load is PyTorch's where it is installed, else
copies in the card's memory through the CUDA driver. Without a card there is one line that says so. With several, the
first that is seen is loaded.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib.util
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from telemetry.nvidia import open_gpus
from telemetry.sampler import Sampler
from telemetry.summary import read_ticks, summarize
from tests.benchmarks.rows import Row
from tests.benchmarks.timing import Failed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from telemetry.contract import Device

ENERGY_BOUND = 1.0  # percent
CPU_BOUND = 2.0  # percent of a core; 1.4 on an H100, of which the energy counter takes a third
LOAD_S = 20.0
WARM_S = 3.0
READY = "loaded"


def with_torch() -> None:
    """Never returns."""
    import torch  # type: ignore[import-not-found] # used where somebody has it

    left = torch.randn(8192, 8192, device="cuda", dtype=torch.float16)
    print(READY, flush=True)
    while True:
        torch.mm(left, left)
        torch.cuda.synchronize()


def with_driver() -> None:
    """Copies within the card's memory, through libcuda alone. Never returns; raises OSError or RuntimeError."""
    cuda = ctypes.CDLL("libcuda.so.1")
    context, source, target = ctypes.c_void_p(), ctypes.c_uint64(), ctypes.c_uint64()
    size = ctypes.c_size_t(1 << 30)

    def call(name: str, *arguments: object) -> None:
        if code := getattr(cuda, name)(*arguments):
            raise RuntimeError(f"{name}: CUDA error {code}")

    call("cuInit", 0)
    call("cuCtxCreate_v2", ctypes.byref(context), 0, 0)
    call("cuMemAlloc_v2", ctypes.byref(source), size)
    call("cuMemAlloc_v2", ctypes.byref(target), size)
    print(READY, flush=True)
    while True:
        call("cuMemcpyDtoD_v2", target, source, size)
        call("cuCtxSynchronize")


@contextlib.contextmanager
def loaded() -> Iterator[tuple[int, str]]:
    """The process id of a program that keeps the card busy, and how it does so. Raises Failed."""
    kind = "torch" if importlib.util.find_spec("torch") else "driver"
    command = [sys.executable, "-m", "tests.benchmarks.bench_gpu", kind]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            if process.stdout is None or process.stdout.readline().strip() != READY:
                raise Failed(f"the load ({kind}) did not start")
            time.sleep(WARM_S)
            yield process.pid, kind
        finally:
            process.kill()


def measure(repeats: int = 1) -> Iterator[Row]:
    """repeats: of the load; the worst counts."""
    gpus, absent = open_gpus()
    if not gpus:
        yield Row("gpu", None, "", None, f"skipped, {absent[0]}")
        return
    try:
        found = [one_load(gpus) for _ in range(repeats)]
    finally:
        for gpu in gpus:
            gpu.close()
    yield from (max(rows, key=lambda row: row.value or 0.0) for rows in zip(*found, strict=True))
    yield from (read_cost(gpu) for gpu in open_gpus()[0][:1])


def one_load(gpus: tuple[Device, ...]) -> tuple[Row, ...]:
    with tempfile.TemporaryDirectory(prefix="bench-gpu-") as name, loaded() as (pid, kind):
        path = Path(name) / "telemetry.jsonl"
        own, _ = open_gpus()  # the sampler closes what it is given
        sampler = Sampler(path, own)
        sampler.start()
        sampler.phase("generate")
        before = [gpu.read().energy_j for gpu in gpus]
        cpu_s, began = time.process_time(), time.monotonic()
        time.sleep(LOAD_S)
        cpu_share = (time.process_time() - cpu_s) / (time.monotonic() - began)
        after = [gpu.read().energy_j for gpu in gpus]
        sampler.phase("stop")
        sampler.stop()
        ticks = read_ticks(path)
    # Before the first reading of the card that the program is on, nobody knows which that is.
    busy = {r.uuid for tick in ticks for r in tick.devices if pid in (r.process_memory_bytes or {})}
    facts = [gpu.facts for gpu in gpus]
    index = next((place for place, each in enumerate(facts) if each.uuid in busy), 0)
    use = summarize(ticks, facts, used={facts[index].uuid}, pids={pid}).phases["generate"].devices[index]
    cost = Row(
        "gpu: processor",
        round(100 * cpu_share, 3),
        "% of a core",
        CPU_BOUND,
        f"{LOAD_S:g} s at 10 Hz, {len(gpus)} devices, {sampler.missed_ticks} ticks missed",
    )
    first, last = before[index], after[index]
    if use.energy_j is None or first is None or last is None:
        return (Row("gpu: energy", None, "", None, f"{facts[index].name} has no counter"), cost)
    counted_j = last - first
    by_power_j = (use.mean_power_w or 0.0) * LOAD_S
    note = (
        f"{facts[index].name}, {kind}: {use.energy_j:.1f} J, counter {counted_j:.1f} J, by power {by_power_j:.1f} J; "
        f"own memory {'told' if facts[index].uuid in busy else 'not told'}"
    )
    off = 100 * abs(use.energy_j - counted_j) / counted_j
    return (Row("gpu: energy, off the counter", round(off, 3), "%", ENERGY_BOUND, note), cost)


def read_cost(gpu: Device) -> Row:
    """One reading of all values, with the driver's calls as they are."""
    began = time.perf_counter()
    count = 50
    for _ in range(count):
        gpu.read()
    seconds = (time.perf_counter() - began) / count
    gpu.close()
    return Row("gpu: one reading", round(1e3 * seconds, 3), "ms", None, gpu.facts.name or "")


if __name__ == "__main__":
    with_torch() if sys.argv[1:] == ["torch"] else with_driver()
