"""`doctor`: what this machine has, and how to get what is missing."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

from results.extras import has_parquet, install_command
from results.views.terminal import say

if TYPE_CHECKING:
    from servers.discovery import Found
    from telemetry.contract import DeviceFacts, DeviceReading

_INDENT, _WIDTH = 13, 100
ROOT = Path(__file__).resolve().parent.parent
_DEVICES = {"null": (1, 3), "zero": (1, 5), "full": (1, 7), "random": (1, 8), "urandom": (1, 9)}  # Linux


def print_findings() -> None:
    """Print one line per finding: ok, optional or missing, name, version, path, and what to do."""
    from servers import discovery

    for title, lines in (
        ("servers", map(found_line, discovery.servers_found())),
        ("sandboxes", map(found_line, _sandboxes())),
        ("GPUs and processor energy", device_lines()),
        ("models and data sets", [*_model_lines(), parquet_line(has_reader=has_parquet())]),
        ("special files", special_file_lines()),
    ):
        say(title, bold=True)
        say("\n".join(lines))


def _model_lines() -> list[str]:
    from servers.demo_model import cached_path

    demo = cached_path()
    where = str(demo) if demo else "fetched by the first run without --model (98 MB)"
    return [f"  {'ok' if demo else 'optional':8} demo model  {where}"]


def parquet_line(*, has_reader: bool) -> str:
    """Whether Parquet is read, which some data sets on the Hub come in."""
    what = "Parquet (pyarrow)  gsm8k and mmlu from the Hub, --parquet"
    return f"  {'ok':8} {what}" if has_reader else f"  {'optional':8} {what}: {install_command('parquet')}"


def special_file_lines(folder: Path = Path("/dev")) -> list[str]:
    """Check that they are the devices that every program expects. A program run as root may have replaced one."""
    wrong = []
    for name, (major, minor) in _DEVICES.items():
        path = folder / name
        try:
            status = path.stat()
        except OSError as error:
            wrong.append((f"{path}: {error.strerror}", f"mknod -m 666 {path} c {major} {minor}"))
            continue
        if not stat.S_ISCHR(status.st_mode) or status.st_rdev != os.makedev(major, minor):
            again = f"rm -f {path} && mknod -m 666 {path} c {major} {minor}"
            wrong.append((f"{path} is not the usual device", again))
    if not os.access(folder / "shm", os.W_OK | os.X_OK) or not (folder / "shm").is_dir():
        wrong.append((f"{folder / 'shm'} is not a writable folder", "mount a tmpfs there, with mode 1777"))
    names = ", ".join([*_DEVICES, "shm"])
    return [f"  {'broken':8} {what}; try, as root: {todo}" for what, todo in wrong] or [
        f"  {'ok':8} {names} in {folder}"
    ]


def device_lines() -> list[str]:
    """The devices that can be measured, with a current reading, and the reasons why others can't."""
    from telemetry.devices import live_reading, look

    found = look()
    lines = []
    for device in found.devices:
        lines.append(_device_line(device.facts, live_reading(device)))
        device.close()
    return [
        *lines,
        *(f"  {'none':8} {sentence}" for sentence in found.absent),
        f"  {'none':8} Apple's and Intel's GPUs: not measured",
    ]


def _device_line(facts: DeviceFacts, reading: DeviceReading) -> str:
    what = [facts.name or facts.uuid]
    if facts.memory_total_bytes is not None:
        what.append(f"{facts.memory_total_bytes / 2**30:.0f} GiB")
    if facts.driver is not None:
        what.append(f"driver {facts.driver}")
    said = []
    if reading.memory_used_bytes is not None:
        said.append(f"{reading.memory_used_bytes / 2**30:.1f} GiB used")
    if reading.utilization is not None:
        said.append(f"{reading.utilization:.0%} busy")
    if reading.power_w is not None:
        most = "" if facts.enforced_power_limit_w is None else f" of {facts.enforced_power_limit_w:.0f}"
        said.append(f"{reading.power_w:.0f}{most} W")
    if reading.energy_j is not None:
        said.append(f"energy counter at {reading.energy_j:.0f} J")
    if reading.temperature_c is not None:
        said.append(f"{reading.temperature_c:.0f} °C")
    if reading.sm_clock_mhz is not None:
        said.append(f"{reading.sm_clock_mhz} MHz")
    if reading.throttle_reasons:
        said.append(f"clocks limited by {', '.join(reading.throttle_reasons)}")
    if reading.error:
        said = [reading.error, *said]
    kind = "broken" if reading.error else "ok"
    return f"  {kind:8} {', '.join(what)}: {', '.join(said) or 'no reading now'}"


def _sandboxes() -> list[Found]:
    """Try each level, because whether it works depends on the settings of kernel and distribution."""
    from servers.discovery import Found

    answer = subprocess.run(
        [sys.executable, "-m", "sandbox"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    said = answer.stdout.splitlines()
    if not said:
        return [Found("sandbox", ok=False, note=f"no answer: {answer.stderr[-200:]}")]
    facts = json.loads(said[-1])
    found = []
    for name, level in facts["levels"].items():
        path = level.get("path", "")
        if not level["ok"]:
            note = f"{level['error']}; try: {level['hint']}"
            found.append(Found(name, ok=False, path=path, note=note, optional=bool(facts["auto"])))
            continue
        if name == "process":
            found.append(
                Found(name, ok=True, note="no sandbox, only limits; used if you ask for it", optional=True)
            )
            continue
        used = " (chosen by auto)" if name == facts["auto"] else ""
        runs = f"runs programs with {level.get('interpreter') or level.get('image')}{used}"
        more = ("What it does not stop:", *level["not_stopped"]) if level["not_stopped"] and used else ()
        version = level.get("bwrap") or level.get("engine") or str(level.get("landlock_abi", ""))
        low = f"; under hard limits: {', '.join(level['lowered'])}" if level["lowered"] else ""
        found.append(Found(name, ok=True, version=version, path=path, note=runs + low, more=more))
    return found


def found_line(found: Found) -> str:
    """What was found, in a line; sentences about it stand below it."""
    parts = (found.name, found.version, found.path, found.note)
    state = "ok" if found.ok else "optional" if found.optional else "missing"
    indent = " " * _INDENT
    more = [
        textwrap.fill(text, _WIDTH, initial_indent=indent, subsequent_indent=indent) for text in found.more
    ]
    return "\n".join([f"  {state:8} " + "  ".join(part for part in parts if part), *more])
