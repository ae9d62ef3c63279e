"""The matrix of the command line, `sweep 'models/*.gguf' --gpu-layers 0,80`, -> the same manifest as of a file."""

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
    """models: files, globs or names, as many as the shell made of a glob; none is the demo model, or what a server
    that already runs serves. A comma in one belongs to its name.

    options: settings by name, as the texts of the command line; None and () are not given. Of numbers and of
    choices (such as benchmarks) several stand with commas between them, which makes an axis; of benchmarks' own options
    too, where the whole is no value. In other texts a comma is part of the value. test_mode is that of the manifest.
    Raises UsageError with all that is wrong, by option.
    """
    given = {name: value for name, value in options.items() if value is not None and value != ()}
    unknown = [name for name in given if name not in known and name != "test_mode"]
    if unknown:
        raise UsageError(f"--{_dashed(unknown[0])} is not an option of sweep")
    document: dict[str, Any] = {"test_mode": True} if given.pop("test_mode", False) else {}
    matrix: dict[str, Any] = {}
    for name, value in given.items():
        found = _values(known[name], value)
        matrix[name] = found if name == "server_args" or len(found) > 1 else found[0]
    if models:
        matrix["model"] = [_model(text) for text in models]
    document["matrix"] = matrix
    text = encode_indented(document).decode()
    return parse_manifest(text, form="json", name=COMMAND_LINE, folder=Path.cwd(), table=known)


def _values(setting: Setting, value: Any) -> list[Any]:
    if setting.name == "server_args":
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
    """A path made absolute, so that the manifest means the same wherever it is read again."""
    here = user_path(text)
    looks_like_path = text.endswith(".gguf") and not text.startswith("hf:")
    if here.exists():
        return str(here.absolute())
    if glob.has_magic(text) or looks_like_path:
        return str(here if here.is_absolute() else Path(glob.escape(str(Path.cwd()))) / here)
    return text


def _dashed(name: str) -> str:
    return name.replace("_", "-")
