"""Nodes that Slurm can't use now, such as those that are down, and may have what a unit asks for."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from engines.slurm import commands

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from engines.slurm.job_script import Resources
    from engines.slurm.settings import Settings

_USABLE: Final = ("idle", "mixed", "allocated", "completing", "planned")
_NO_ANSWER: Final = "*"  # behind a state: the node has said nothing for a while
_MOST_TOLD: Final = 3
_MEMORY = re.compile(r"(\d+)([KMGT]?)B?", re.IGNORECASE)
_MIB: Final = {"K": 1 / 1024, "M": 1.0, "": 1.0, "G": 1024.0, "T": 1024.0**2}
_GRES = re.compile(r"([\w.-]+)(?::([A-Za-z_][\w.-]*))?(?::(\d+))?")


def waited_for(settings: Settings, resources: Resources) -> str:
    """The nodes that would be waited for, with their states; "" if none may have what is asked for, so that waiting is
    no use. Raises ControllerAwayError.
    """
    partition = settings.partition or commands.default_partition()
    away = away_nodes(commands.listed_nodes(partition), settings, resources)
    more = len(away) - _MOST_TOLD
    return ", ".join(away[:_MOST_TOLD]) + (f" and {more} more" if more > 0 else "")


def away_nodes(rows: Iterable[Sequence[str]], settings: Settings, resources: Resources) -> list[str]:
    """rows: name, state, features, processors, memory and gres, as sinfo has them. Other options of sbatch are not
    looked at: a job that no node can ever do is declined when it is submitted.
    """
    memory_mib = _mib(settings.memory) if settings.memory else resources.memory_gib * 1024
    found = {}
    for name, state, _, processors, memory, gres in rows:
        if state.rstrip("*~#!%$@^-+") in _USABLE and _NO_ANSWER not in state:
            continue
        fits = _number(processors) >= settings.cpus and _number(memory) >= memory_mib
        if fits and name not in resources.without and _has_gres(gres, settings, resources.gpus or 0):
            found[name] = f"{name} ({state})"
    return list(found.values())


def _has_gres(there: str, settings: Settings, count: int) -> bool:
    if not count:
        return True
    wanted = _GRES.match(settings.gres or "gpu")
    if wanted is None:
        return True
    name, kind, number = wanted.groups()
    has = 0
    for part in re.sub(r"\([^)]*\)", "", there).split(","):
        each = _GRES.match(part)
        if each is not None and each[1] == name and kind in (None, each[2]):
            has += int(each[3] or 1)
    return has >= int(number or count)


def _mib(text: str) -> float:
    """What `--mem` takes, in MiB; 0 for what isn't understood, or `0`, which asks for all of a node's."""
    match = _MEMORY.fullmatch(text.strip())
    return int(match[1]) * _MIB[match[2].upper()] if match else 0.0


def _number(text: str) -> int:
    digits = re.match(r"\d+", text)
    return int(digits[0]) if digits else 0
