"""Turn a matrix on the command line, `sweep 'models/*.gguf' --gpu-layers 0,80`, into a manifest like a file's."""

from __future__ import annotations

import glob
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from results.errors import UsageError
from results.files import user_path
from results.json_text import encode_indented
from settings.table import TABLE
from sweeps.manifest.problems import COMMAND_LINE
from sweeps.manifest.reader import parse_manifest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from settings.setting import Setting
    from sweeps.manifest.reader import Manifest


def manifest_from_options(
    models: Sequence[str], options: Mapping[str, Any], known: Mapping[str, Setting] = TABLE
) -> Manifest:
    """Build a manifest from the arguments of `sweep`. Raises UsageError with all errors, by option.

    models: files, globs or names, already expanded by the shell or not; a comma belongs to the name. Without any, it is
    the demo model, or the model of a server that is already running.
    options: settings by name, as texts from the command line; None and () mean not given. Commas separate several
    numbers or choices (such as benchmarks), which make an axis; also several values of a benchmark's own options,
    unless the whole text is a valid value. In other texts a comma is part of the value. test_mode is the manifest's.
    """
    given = {name: value for name, value in options.items() if value is not None and value != ()}
    unknown = [name for name in given if name not in known and name != "test_mode"]
    if unknown:
        raise UsageError(f"--{_dashed(unknown[0])} is not an option of sweep")
    document: dict[str, Any] = {"test_mode": True} if given.pop("test_mode", False) else {}
    matrix: dict[str, Any] = {}
    for name, value in given.items():
        found = _values(known[name], value)
        matrix[name] = found if known[name].takes_list or len(found) > 1 else found[0]
    if models:
        matrix["model"] = [_model(text) for text in models]
    document["matrix"] = matrix
    text = encode_indented(document).decode()
    return parse_manifest(text, form="json", name=COMMAND_LINE, folder=Path.cwd(), table=known)


def _values(setting: Setting, value: Any) -> list[Any]:
    if setting.takes_list and not isinstance(value, str):
        return [list(value)]
    texts = value if isinstance(value, list | tuple) else [value]
    return [_plain(setting, part) for text in texts for part in _parts(setting, text)]


def _parts(setting: Setting, text: Any) -> list[Any]:
    if not isinstance(text, str):
        return [text]
    parts = [part.strip() for part in text.split(",")]
    if setting.is_own:
        whole = not setting.pattern or re.fullmatch(setting.pattern, text)
        return [text] if whole or not all(re.fullmatch(setting.pattern, part) for part in parts) else parts
    return parts if setting.is_numeric or setting.kind == "size" or setting.choices else [text]


def _plain(setting: Setting, text: Any) -> Any:
    if isinstance(text, str) and setting.is_numeric:
        for kind in (int, float):
            try:
                return kind(text)
            except ValueError:
                continue
    return text


def _model(text: str) -> str:
    """Make a path absolute, so that the manifest means the same when it is read again elsewhere."""
    here = user_path(text)
    looks_like_path = text.endswith(".gguf") and not text.startswith("hf:")
    if here.exists():
        return str(here.absolute())
    if glob.has_magic(text) or looks_like_path:
        return str(here if here.is_absolute() else Path(glob.escape(str(Path.cwd()))) / here)
    return text


def _dashed(name: str) -> str:
    return name.replace("_", "-")
