"""A function of a user's own, as `FILE.FUNCTION`: from the Python file FILE.py beside the suite, and from nowhere else.

So a suite can't call what happens to be installed, such as `os.system`.
"""

from __future__ import annotations

import difflib
import functools
import importlib.util
import traceback
from typing import TYPE_CHECKING, Any, cast

from results.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path
    from types import ModuleType

    from evaluation.suites.loader import SuiteFile


def own_function(file: SuiteFile, name: str, place: str, *, known: Iterable[str]) -> Callable[..., Any]:
    """Raises UsageError. place: of the name, for messages; known: names that need no file."""
    module_name, dot, attribute = name.rpartition(".")
    if not dot or not module_name.isidentifier() or not attribute.isidentifier():
        close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
        hint = f"did you mean {close[0]}? " if close else ""
        raise UsageError(
            f"{place}: there is no {name!r}",
            hint=f"{hint}known: {', '.join(sorted(known)) or 'none'}; or FILE.FUNCTION of a file beside the suite",
        )
    path = file.path.absolute().parent / f"{module_name}.py"
    if not path.is_file():
        raise UsageError(f"{place}: there is no {path}", hint=f"put the file there; it defines {attribute}")
    found = getattr(_module(path, place, path.stat().st_mtime_ns), attribute, None)
    if not callable(found):
        raise UsageError(f"{place}: {path.name} defines no function {attribute}", hint="define it there")
    return cast("Callable[..., Any]", found)


@functools.lru_cache(maxsize=64)
def _module(path: Path, place: str, _modified_ns: int) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"own_code_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise UsageError(f"{place}: {path} is not a Python file", hint="give one")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        frames = [
            frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)
        ]
        line = error.lineno if isinstance(error, SyntaxError) else (frames or [None])[-1]
        raise UsageError(
            f"{place}: {path}, line {line}: {type(error).__name__}: {error}", hint="correct that file"
        ) from error
    return module
