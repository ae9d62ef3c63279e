"""`doctor`: what is found on this machine, and how to get what is missing."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from servers.discovery import Found

ROOT = Path(__file__).resolve().parent.parent


def print_findings() -> None:
    """One line a finding: ok or missing, name, version, where, and what to do."""
    from rich.console import Console

    from servers import discovery
    from servers.demo_model import cached_path

    console = Console(highlight=False, soft_wrap=True)
    demo = cached_path()
    for title, findings in (
        ("servers", discovery.servers_found()),
        ("sandboxes", (_bubblewrap(),)),
    ):
        console.print(title, style="bold", markup=False)
        for found in findings:
            console.print(_line(found), markup=False)
    console.print("GPUs", style="bold", markup=False)
    gpus = discovery.gpus_found()
    for gpu in gpus:
        memory = gpu.get("memory_total_bytes")
        size = f", {memory / 2**30:.0f} GiB" if memory else ""
        console.print(f"  ok       {gpu.get('name')}{size}, driver {gpu.get('driver')}", markup=False)
    if not gpus:
        console.print("  none     no NVIDIA driver answers; models run on the CPU", markup=False)
    console.print("models", style="bold", markup=False)
    where = str(demo) if demo else "fetched at the first run without --model (98 MB)"
    console.print(f"  {'ok' if demo else 'missing':8} demo model  {where}", markup=False)


def _bubblewrap() -> Found:
    """Not looked for but used: whether it works depends on the kernel's and the distribution's settings."""
    from servers.discovery import Found

    answer = subprocess.run(
        [sys.executable, "-m", "sandbox"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    said = answer.stdout.splitlines()
    facts = json.loads(said[-1]) if said else {"error": "it gave no answer", "hint": answer.stderr[-200:]}
    path = facts.get("bwrap_path", "")
    if "error" in facts:
        return Found("bubblewrap", ok=False, path=path, note=f"{facts['error']}; try: {facts['hint']}")
    return Found(
        "bubblewrap", ok=True, version=facts["bwrap"], path=path, note=f"executes with {facts['interpreter']}"
    )


def _line(found: Found) -> str:
    parts = (found.version, found.path, found.note)
    return f"  {'ok' if found.ok else 'missing':8} {found.name}  " + "  ".join(part for part in parts if part)
