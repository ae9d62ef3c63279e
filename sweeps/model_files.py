"""Which models a manifest's word stands for: a file, a glob of files, a folder, or a name."""

from __future__ import annotations

import dataclasses
import glob
import re
from pathlib import Path
from typing import TYPE_CHECKING

from results.errors import UsageError
from servers.gguf import read_header
from servers.models import resolve

if TYPE_CHECKING:
    from sweeps.manifest.reader import ModelChoice

_LATER_PART = re.compile(r"-(?!00001)\d{5}-of-\d{5}\.gguf$")


def chosen_models(choice: ModelChoice, folder: Path) -> list[ModelChoice]:
    """One for each model that it stands for, by path, sorted by name. Relative paths are relative to the folder.

    Of a glob, only what is a model by itself: no later parts of one in several files, no vision parts (mmproj).
    A file whose name has characters of a glob is itself. Raises UsageError for a glob that matches nothing.
    """
    path = _place(choice.text, folder)
    if path.exists() or not glob.has_magic(choice.text):
        return [choice]
    pattern = Path(glob.escape(str(folder))) / Path(choice.text).expanduser()
    matched = sorted(Path(each) for each in glob.glob(str(pattern), recursive=True))  # noqa: PTH207 - absolute
    models = [each for each in matched if _is_model(each)]
    if not models:
        only = ": only parts of models, folders, or other files" if matched else ""
        raise UsageError(f"{choice.text} matches no model in {folder}{only}")
    return [
        dataclasses.replace(choice, text=str(each), name=choice.name if len(models) == 1 else None)
        for each in models
    ]


def model_argument(text: str, folder: Path) -> str:
    """What `run --model` takes for it. Raises UsageError when it is not there or can't be served: it is looked into."""
    path = _place(text, folder)
    looks_like_path = text.endswith(".gguf") or text.startswith((".", "~", "/"))
    argument = str(path) if path.exists() or (looks_like_path and not text.startswith("hf:")) else text
    resolve(argument)
    return argument


def _place(text: str, folder: Path) -> Path:
    try:
        return folder / Path(text).expanduser()
    except RuntimeError:  # ~ of nobody
        return folder / text


def _is_model(path: Path) -> bool:
    if path.suffix != ".gguf":
        return (path / "config.json").is_file()
    if not path.is_file() or _LATER_PART.search(path.name):
        return False
    try:
        header = read_header(path)
    except UsageError:
        return True  # a broken one: its own run says so
    return not header.is_mmproj and header.split_no == 0
