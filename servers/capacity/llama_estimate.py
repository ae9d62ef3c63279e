"""What llama.cpp itself estimates, with `llama-fit-params`, which stands beside recent llama-servers."""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

from processes.short_program import answer_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

PROGRAM = "llama-fit-params"
_PATIENCE_S = 30.0
_LINE = re.compile(
    r"^(\S.*) (\d{1,12}) (\d{1,12}) (\d{1,12}) *$", re.MULTILINE
)  # device, model, context, compute: MiB
_MIB = 1 << 20


@dataclass(frozen=True)
class LlamaEstimate:
    """Sizes in bytes, in steps of a MiB, on all devices together; compute: of the device that needs most."""

    model_bytes: int
    context_bytes: int
    compute_bytes: int


def find_estimator(server_binary: Path | None) -> Path | None:
    """The program beside this llama-server; None if there is none."""
    if server_binary is None:
        return None
    for folder in (server_binary.parent, server_binary.resolve().parent):
        beside = folder / PROGRAM
        if beside.is_file() and os.access(beside, os.X_OK):
            return beside
    return None


def ask(
    program: Path, model: Path, *, ctx_size: int, parallel: int, extra_args: Sequence[str] = ()
) -> LlamaEstimate | None:
    """The estimate; None if this build doesn't give one. Reads the model's header only. ctx_size: tokens per slot."""
    sizes = ("-c", str(ctx_size * parallel), "-np", str(parallel))
    command = [str(program), "-m", str(model.absolute()), *sizes, *extra_args, "--fit-print", "on"]
    try:
        done = answer_of(command, timeout_s=_PATIENCE_S)
    except (OSError, subprocess.TimeoutExpired):
        return None
    lines = _LINE.findall(done.stdout.decode("utf-8", "replace"))
    if done.returncode or not lines:
        return None
    rows = [tuple(int(number) * _MIB for number in numbers) for _, *numbers in lines]
    return LlamaEstimate(
        model_bytes=sum(row[0] for row in rows),
        context_bytes=sum(row[1] for row in rows),
        compute_bytes=max(row[2] for row in rows),
    )
