"""The models that a request may name: those below the operator's folder, and the demo model.

A name is looked up in a listing and never becomes part of a path, so nothing outside the folder can be named.
"""

from __future__ import annotations

import dataclasses
import functools
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from results.errors import UsageError
from results.file_hashes import parts_of
from servers.demo_model import cached_path
from servers.gguf import read_header
from servers.library.places import files_below
from settings.values import close_match

if TYPE_CHECKING:
    from collections.abc import Iterator

DEMO = "demo"
_GGUF = ".gguf"
_CONFIG = "config.json"
_MOST_NAMED = 8
_MOST_MEANT = 3  # unknown names of a request that similar ones are looked for
_LONGEST = 500  # characters of such a name
_LATER_PART = re.compile(r"-(?!00001)\d{5}-of-\d{5}$")


@dataclass(frozen=True, kw_only=True)
class OfferedModel:
    """A model that a request may name. path: its file or folder; None: the demo model, which is fetched when it is
    first used. server: the kind that serves it.
    """

    name: str
    path: Path | None
    server: str


@dataclass(frozen=True, kw_only=True)
class ModelFacts:
    """What its file says; None or "" for what isn't known. problem: why it can't be served; "" if nothing is known."""

    name: str
    server: str
    size_bytes: int | None = None
    architecture: str = ""
    quantization: str = ""
    parameter_count: int | None = None
    context_length: int | None = None
    problem: str = ""


_BROKEN = ModelFacts(name="", server="llama.cpp", problem="its file can't be read")


def offered_models(folder: Path | None) -> dict[str, OfferedModel]:
    """By name, which is the path below the folder without .gguf. None: only the demo model.

    Left out are links that lead out of the folder, later parts of split files, hidden files, and names that can't be
    shown in one line. Nothing is read from the files.
    """
    found = {DEMO: OfferedModel(name=DEMO, path=None, server="llama.cpp")}
    for model in _below(folder) if folder is not None else ():
        name = model.name if model.name not in found else f"{model.name}{_GGUF}"
        found.setdefault(name, model)
    return found


class ModelNames:
    """Looks up the models of one request: the folder is listed once, when the first name is asked for."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._unknown = 0

    @functools.cached_property
    def _models(self) -> dict[str, OfferedModel]:
        return offered_models(self._folder)

    def find(self, name: str) -> OfferedModel:
        """The model of that name, with or without .gguf. Raises UsageError, which names what is there."""
        models = self._models
        found = models.get(name) or models.get(name.removesuffix(_GGUF))
        if found is not None:
            return found
        self._unknown += 1
        # Comparing a name with all of a large folder takes long.
        close = close_match(name, models) if self._unknown <= _MOST_MEANT and len(name) <= _LONGEST else ""
        names = [*models][:_MOST_NAMED]
        known = ", ".join(names) + (
            f" and {len(models) - len(names)} more" if len(models) > len(names) else ""
        )
        raise UsageError(
            f"there is no model {name!r}", hint=f"did you mean {close}?" if close else f"offered are {known}"
        )


def find_model(name: str, folder: Path | None) -> OfferedModel:
    """The same, of one name."""
    return ModelNames(folder).find(name)


def model_facts(model: OfferedModel) -> ModelFacts:
    """Reads a GGUF file's header, once for each state of the file. One that is no model, or broken, has a problem."""
    path = model.path or cached_path()
    if path is None or model.server != "llama.cpp":
        return ModelFacts(name=model.name, server=model.server)
    try:
        status = path.stat()
        facts = _of_file(path, (status.st_size, status.st_mtime_ns, status.st_ino))
    except OSError:
        facts = _BROKEN
    return dataclasses.replace(facts, name=model.name)


@functools.lru_cache(maxsize=2048)
def _of_file(path: Path, _state: tuple[int, ...]) -> ModelFacts:
    """_state: of the file, for which its facts are kept."""
    try:
        header = read_header(path)
        if header.not_a_model is not None:
            return ModelFacts(name="", server="llama.cpp", problem=f"it is {header.not_a_model.what}")
        size = sum(part.stat().st_size for part in parts_of(path))
    except (UsageError, OSError):
        return _BROKEN
    return ModelFacts(
        name="",
        server="llama.cpp",
        size_bytes=size,
        architecture=header.architecture,
        quantization=header.quantization or "",
        parameter_count=header.parameter_count,
        context_length=header.context_length,
    )


def _below(folder: Path) -> Iterator[OfferedModel]:
    root = Path(os.path.realpath(folder))
    for path in files_below(root, suffix=_GGUF):
        parts = parts_of(path)
        if not _LATER_PART.search(path.stem) and all(_is_inside(part, root) for part in parts):
            yield from _named(path, path.relative_to(root).as_posix()[: -len(_GGUF)], "llama.cpp")
    for path in files_below(root, suffix=".json"):
        home = path.parent
        if path.name == _CONFIG and home != root and all(_is_inside(each, root) for each in home.iterdir()):
            yield from _named(home, home.relative_to(root).as_posix(), "vllm")


def _named(path: Path, name: str, server: str) -> Iterator[OfferedModel]:
    if name.isprintable() and not name.startswith("-"):
        yield OfferedModel(name=name, path=path, server=server)


def _is_inside(path: Path, root: Path) -> bool:
    return Path(os.path.realpath(path)).is_relative_to(root)
