"""Where a run happens and with what: the facts needed to judge or repeat it."""

from __future__ import annotations

import os
import platform
import subprocess
from pathlib import Path
from typing import Any

from results import __version__
from runner.script import ROOT


def host_facts() -> dict[str, Any]:
    """The machine: system, processor, cores, memory, load, GPUs with driver."""
    return {
        "hostname": platform.node(),
        "system": _system(),
        "processor": _processor(),
        "cores": _cores(),
        "threads": os.cpu_count(),
        "usable_threads": len(os.sched_getaffinity(0)),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "load_1_min": os.getloadavg()[0],
        "gpus": _gpus(),
    }


# Names the commit of a copy without git's folder, such as one in a container's image.
COMMIT_VARIABLE = "BENCH_RUNNER_COMMIT"
# What `git status` tells: the commit in a heading, and a line for each changed file.
_STATUS = ("status", "--porcelain=v2", "--branch", "--untracked-files=no")
# Settings, as an older git has no options for them.
_QUICKLY = ("-c", "status.aheadBehind=false", "-c", "status.renames=false")
_COMMIT = "# branch.oid "


def harness_facts() -> dict[str, Any]:
    """The program: version, git commit (with -dirty if the checkout has changes), Python."""
    return {"version": __version__, "commit": commit_of(ROOT), "python": platform.python_version()}


def _gpus() -> list[dict[str, Any]]:
    """All cards, with None for what they don't report. Empty without a GPU or a working driver."""
    from telemetry.devices import gpu_facts

    names = ("name", "uuid", "memory_total_bytes", "driver")
    cards = [facts for facts in gpu_facts() if facts.parent_uuid is None]
    return [{name: getattr(facts, name) for name in names} for facts in cards]


def _system() -> str:
    """Kernel, machine and C library. platform.platform() gives the same but runs `uname -p`."""
    kernel = os.uname()
    library = os.confstr("CS_GNU_LIBC_VERSION") if "CS_GNU_LIBC_VERSION" in os.confstr_names else ""
    return f"{kernel.sysname}-{kernel.release}-{kernel.machine} {library or ''}".strip()


def _cores() -> int | None:
    """Cores of processors, each with one thread or more; None where the kernel doesn't say.

    By the files that psutil reads as well, which takes as long to import as all else here.
    """
    for name in ("core_cpus_list", "thread_siblings_list"):  # the latter before Linux 5.3
        files = Path("/sys/devices/system/cpu").glob(f"cpu[0-9]*/topology/{name}")
        if cores := {file.read_text(encoding="ascii") for file in files}:
            return len(cores)
    return None


def _processor() -> str | None:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return platform.processor() or None
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), None)


def commit_of(checkout: Path) -> str | None:
    """Its commit, with -dirty if a file of it has changes; None where git doesn't tell."""
    if not (checkout / ".git").exists():
        return os.environ.get(COMMIT_VARIABLE) or None
    try:
        # Not `describe`, which looks through the whole history for a tag.
        answer = subprocess.run(
            ["git", "--no-optional-locks", *_QUICKLY, "-C", str(checkout), *_STATUS],
            capture_output=True,
            timeout=5,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    lines = answer.stdout.decode(errors="replace").splitlines()
    commit = next((line.removeprefix(_COMMIT) for line in lines if line.startswith(_COMMIT)), "")
    if not commit.isalnum():  # there is none yet, or no repository that git reads
        return None
    return f"{commit}-dirty" if any(not line.startswith("#") for line in lines) else commit
