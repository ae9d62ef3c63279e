"""The command line of llama-perplexity: the reference's from that of the model, and what of it changes predictions."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from results.errors import UsageError
from settings.option_words import option_groups

if TYPE_CHECKING:
    from collections.abc import Sequence

MODEL = ("-m", "--model")
# Where and how fast the program computes: the reference's run needs these too. It gets no other setting of the model's
# (KV cache types, flash attention, adapters, batch sizes, ...), because their effect is what is measured.
_QUIET = frozenset(  # without any effect on predictions
    {
        "-t",
        "--threads",
        "-tb",
        "--threads-batch",
        "-C",
        "--cpu-mask",
        "-Cr",
        "--cpu-range",
        "-Cb",
        "--cpu-mask-batch",
    }
    | {"-Crb", "--cpu-range-batch", "--cpu-strict", "--cpu-strict-batch", "--prio", "--prio-batch", "--poll"}
    | {"--poll-batch", "--numa", "-lv", "--verbosity", "--log-verbosity", "-v", "--verbose", "--log-verbose"}
    | {"--no-mmap", "--mmap", "--mlock", "--log-file", "--log-colors", "--log-prefix", "--log-timestamps"}
)
_LAYERS = ("-ngl", "--gpu-layers", "--n-gpu-layers")
_PLACES = frozenset(  # backends differ slightly
    {
        *_LAYERS,
        "-dev",
        "--device",
        "-sm",
        "--split-mode",
        "-ts",
        "--tensor-split",
    }
    | {
        "-mg",
        "--main-gpu",
        "-cmoe",
        "--cpu-moe",
        "-ncmoe",
        "--n-cpu-moe",
        "-ot",
        "--override-tensor",
        "-nkvo",
    }
    | {"--no-kv-offload", "-fit", "--fit", "-fitt", "--fit-target", "-nopo", "--no-op-offload", "--no-host"}
)
_ANSWER_S = 30.0


class Split(NamedTuple):
    """A command line in parts. program: one word, or an interpreter and its script. options: each with its values."""

    program: tuple[str, ...]
    model: str
    options: tuple[tuple[str, ...], ...]


def split(words: Sequence[str]) -> Split:
    """PROGRAM -m MODEL [OPTION [VALUE...]]... Raises UsageError."""
    at = next((index for index, word in enumerate(words) if word in MODEL), 0)
    if not 0 < at < len(words) - 1:
        raise UsageError(
            f"{' '.join(words)} is not a command of llama-perplexity",
            hint="after the -- give: llama-perplexity -m MODEL.gguf, and the settings to measure",
        )
    return Split(tuple(words[:at]), words[at + 1], tuple(option_groups(words[at + 2 :])))


def reference_words(words: Sequence[str], reference: Path, *, fits: bool) -> tuple[str, ...]:
    """The command line for the reference's pass: the same program on the same devices, with its own defaults.

    fits: whether the program itself finds how many layers fit on the GPU. Then it does so for the reference, which is
    larger than the model.
    """
    parts = split(words)
    kept = [
        word
        for option in parts.options
        if _name(option) in _QUIET | _PLACES
        if not (fits and _name(option) in _LAYERS and option[-1] != "0")
        for word in option
    ]
    return (*parts.program, "-m", str(reference), *kept)


def fits_layers(program: Sequence[str]) -> bool:
    """Whether the program lowers the layers on the GPU by itself where none are asked for; since late 2025."""
    return "--fit " in _answer(program, "--help")


def determining(words: Sequence[str]) -> tuple[str, ...]:
    """The options that may change predictions, and the variables that llama.cpp reads options from."""
    options = [word for option in split(words).options if _name(option) not in _QUIET for word in option]
    variables = [
        f"{name}={value}" for name, value in sorted(os.environ.items()) if name.startswith("LLAMA_ARG_")
    ]
    return (*options, *variables)


class Build(NamedTuple):
    """version: as it says. digest: of that and of the program's files, because many builds have no number."""

    version: str
    digest: str


def build_of(program: Sequence[str]) -> Build:
    """Raises UsageError if it can't be run."""
    said = _answer(program, "--version").strip().splitlines()
    version = next((line for line in said if "version" in line), said[0] if said else "")
    digest = hashlib.sha256("\n".join(said).encode())
    for file in _files(Path(program[-1])):
        status = file.stat()
        digest.update(f"{file}:{status.st_size}:{status.st_mtime_ns}".encode())
    return Build(re.sub(r"^\w*\s*version:?\s*", "", version).strip()[:200], digest.hexdigest()[:16])


def _answer(program: Sequence[str], option: str) -> str:
    try:
        answer = subprocess.run(
            [*program, option],
            capture_output=True,
            text=True,
            errors="replace",
            stdin=subprocess.DEVNULL,
            timeout=_ANSWER_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UsageError(
            f"{program[0]} can't be run: {getattr(error, 'strerror', None) or error}",
            hint="give llama.cpp's program with --perplexity-binary",
            settings=("perplexity_binary",),
        ) from error
    return answer.stdout + answer.stderr


def _files(program: Path) -> list[Path]:
    """The program and the libraries beside it, where llama.cpp's builds have them."""
    there = Path(shutil.which(program) or program).resolve()
    return [each for each in (there, *sorted(there.parent.glob("*.so*"))) if each.is_file()]


def _name(option: Sequence[str]) -> str:
    return option[0].partition("=")[0]
