"""Find the models that a manifest names by a file, a glob of files, a folder, or a name."""

from __future__ import annotations

import dataclasses
import glob
import re
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from results.errors import UsageError
from results.files import user_path, with_bytes
from servers.gguf import read_header
from servers.models import instead_of_model, resolve

if TYPE_CHECKING:
    from servers.gguf import GgufHeader
    from sweeps.manifest.reader import ModelChoice

MOST_NAMED = 8
_LATER_PART = re.compile(r"-(?!00001)\d{5}-of-\d{5}\.gguf$")


class ChosenModels(NamedTuple):
    """left_out: a sentence without a full stop about files that match a glob but are not models, or an empty text."""

    models: list[ModelChoice]
    left_out: str = ""


def chosen_models(choice: ModelChoice, folder: Path) -> ChosenModels:
    """One choice for each model, by path, sorted by name. folder: the base of relative paths.

    A glob matches only complete models: no later parts of split models, no adapters, vision parts and the like. An
    existing file is never a glob, whatever its name. Raises UsageError for a glob that matches nothing.
    """
    path = user_path(choice.text, folder)
    if path.exists() or not glob.has_magic(choice.text):
        return ChosenModels([choice])
    pattern = user_path(choice.text, Path(glob.escape(str(folder))))
    matched = _matched(pattern) or _matched(with_bytes(pattern))
    models, others = [], []
    for each in matched:
        if each.suffix != ".gguf":
            models += [each] if (each / "config.json").is_file() else []
        elif each.is_file() and not _LATER_PART.search(each.name):
            header = _header(each)
            if header is None or (header.not_a_model is None and header.split_no == 0):
                models.append(each)
            elif header.not_a_model is not None:
                others.append(f"{each.name} is {header.not_a_model.what}")
    if len(others) > MOST_NAMED:
        others[MOST_NAMED:] = [f"and {len(others) - MOST_NAMED} more"]
    if not models:
        only = ", ".join(others) or "only parts of models, folders and other files"
        raise UsageError(
            f"{choice.text} matches no model in {folder}{f': {only}' if matched else ''}",
            hint="give the model that they belong to" if others else instead_of_model(pattern),
        )
    left_out = f"{choice.text} skips files that are not models: {', '.join(others)}" if others else ""
    named = [
        dataclasses.replace(choice, text=str(each), name=choice.name if len(models) == 1 else None)
        for each in models
    ]
    return ChosenModels(named, left_out)


def model_argument(text: str, folder: Path) -> str:
    """The argument for `run --model`. Looks into the model; raises UsageError if it is missing or can't be served."""
    path = user_path(text, folder)
    looks_like_path = text.endswith(".gguf") or text.startswith((".", "~", "/"))
    argument = str(path) if path.exists() or (looks_like_path and not text.startswith("hf:")) else text
    resolve(argument)
    return argument


def _matched(pattern: Path) -> list[Path]:
    return sorted(Path(each) for each in glob.glob(str(pattern), recursive=True))  # noqa: PTH207 - absolute


def _header(path: Path) -> GgufHeader | None:
    """The file's header; None if it is broken, which its run will report."""
    try:
        return read_header(path)
    except UsageError:
        return None
