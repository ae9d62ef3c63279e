"""Metrics of a user's own, as `--metrics` names them: MODULE.FUNCTION, several with commas between.

MODULE is a Python file without its ending, in the current folder, in a manifest's own, or at a path; else a module that
is installed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from results.files import read_file, user_path

if TYPE_CHECKING:
    from pathlib import Path

ONE = r"[^,\s][^,]*\.[A-Za-z_][A-Za-z0-9_]*"
OWN_METRICS = "own_metrics"  # of a run's recorded settings: by name, what each is
PATTERN = f"{ONE}(,{ONE})*"


def metric_texts(value: str) -> tuple[str, ...]:
    """Each one, without repetitions."""
    return tuple(dict.fromkeys(text.strip() for text in value.split(",")))


def metric_name(text: str) -> str:
    """What it is called in a record: `mine.words` of /home/me/mine.words."""
    return text.rpartition("/")[2]


def file_of(text: str) -> Path:
    """The file that MODULE would be."""
    return user_path(text.rpartition(".")[0] + ".py")


def metric_hashes(value: str) -> dict[str, str]:
    """By name, the sha256 of the file that each is from; of an installed module without one its name."""
    import hashlib

    found = {}
    for text in metric_texts(value):
        path = file_of(text) if "/" in text else _installed_file(text.rpartition(".")[0])
        has_file = path is not None and path.is_file()
        found[metric_name(text)] = hashlib.sha256(read_file(path)).hexdigest() if path and has_file else text
    return found


def _installed_file(module: str) -> Path | None:
    """Where an installed module is; nothing is imported."""
    from importlib.machinery import PathFinder
    from pathlib import Path

    places = None
    parts = module.split(".")
    for number in range(len(parts)):
        spec = PathFinder.find_spec(".".join(parts[: number + 1]), places)
        if spec is None:
            return None
        places = spec.submodule_search_locations
    return Path(spec.origin) if spec is not None and spec.has_location and spec.origin else None


def metrics_below(folder: Path, value: str) -> str:
    """The same with whole paths, where MODULE is a file below the folder or has a path."""
    found = []
    for text in metric_texts(value):
        path = folder / file_of(text)
        is_file = "/" in text or path.is_file()
        found.append(f"{path.absolute().with_suffix('')}.{text.rpartition('.')[2]}" if is_file else text)
    return ",".join(found)
