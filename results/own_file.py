"""A Python file of a user's own code: loaded, with what goes wrong told by the file's own line."""

from __future__ import annotations

import importlib.util
import traceback
from typing import TYPE_CHECKING

from results.errors import UsageError
from results.files import instead_of, unreadable

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

_LONGEST = 1000  # characters of an error's text


def load_own_file(path: Path, *, setting: str, page: str) -> ModuleType:
    """Runs the file. setting: that names it; page: the hint where the file is wrong.

    Raises UsageError where it is missing, fails, or ends its process by SystemExit.
    """
    about = (setting,)
    if why := unreadable(path):
        raise UsageError(f"--{setting} {path}: {why}", hint=instead_of(path), settings=about)
    spec = importlib.util.spec_from_file_location(f"own_{setting}_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise UsageError(f"--{setting} {path} is not a Python file", hint=page, settings=about)
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        raise UsageError(f"{place_in(path, error)}: {words_of(error)}", hint=page, settings=about) from error
    return module


def words_of(error: BaseException) -> str:
    """Its type and text, at most so much; a user's own error may be unable to say its text."""
    try:
        text = str(error)
    except Exception:  # noqa: BLE001 - it is a user's code
        text = "its text can't be told"
    return f"{type(error).__name__}: {text[:_LONGEST]}"


def place_in(path: Path, error: BaseException) -> str:
    """The file, and the last line of it that was reached."""
    if isinstance(error, SyntaxError) and error.filename == str(path):
        return f"{path}, line {error.lineno}"
    lines = [
        frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)
    ]
    return f"{path}, line {lines[-1]}" if lines else str(path)
