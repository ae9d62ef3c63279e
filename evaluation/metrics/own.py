"""Metrics of a user's own: functions `f(answer, expected, row)` that give a fraction. Their code is trusted.

answer: the model's text without its thoughts, or what it chose; expected: the sample's right answer; row: its data.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import math
import traceback
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from results.errors import ScriptError, UsageError
from settings.metric_texts import file_of, metric_name, metric_texts

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import ModuleType

_PAGE = "docs/statistics.md shows a complete one"
_ABOUT = ("metrics",)
_GOING_ON = (
    "correct the function and run anew, or go on with --resume but without --metrics: what was judged is kept"
)


@dataclass(frozen=True)
class OwnMetric:
    """name: `MODULE.FUNCTION`, without a path."""

    name: str
    function: Callable[[str, Any, dict[str, Any]], Any]

    def __call__(self, answer: str, expected: Any, row: dict[str, Any], *, task_id: str) -> float:
        """Its value for one answer. Raises ScriptError if it fails, or gives no fraction."""
        try:
            value = self.function(answer, expected, dict(row))
        except Exception as error:
            frames = traceback.extract_tb(error.__traceback__)
            place = f" ({frames[-1].filename}, line {frames[-1].lineno})" if frames else ""
            raise ScriptError(
                f"--metrics {self.name} failed on the answer to {task_id}: {type(error).__name__}: {error}{place}",
                hint=_GOING_ON,
            ) from error
        if not isinstance(value, bool | int | float) or not math.isfinite(value) or not 0 <= value <= 1:
            raise ScriptError(
                f"--metrics {self.name} gave {value!r:.80} for the answer to {task_id}, which is no number from 0 to 1",
                hint=_GOING_ON,
            )
        return float(value)


def own_metrics(value: str) -> tuple[OwnMetric, ...]:
    """Those that `--metrics` names. Raises UsageError for one that can't be loaded or called."""
    found = tuple(OwnMetric(metric_name(text), _function(text)) for text in metric_texts(value))
    names = [metric.name for metric in found]
    for name in names:
        if names.count(name) > 1:
            raise UsageError(
                f"--metrics: two are called {name}", hint="rename one of the files", settings=_ABOUT
            )
    return found


def _function(text: str) -> Callable[..., Any]:
    module, _, attribute = text.rpartition(".")
    path = file_of(text)
    loaded = _of_file(path, text) if "/" in module else _installed(module, text)
    function = getattr(loaded, attribute, None)
    if not callable(function):
        raise UsageError(
            f"--metrics {text}: {module} has no function {attribute}", hint=_PAGE, settings=_ABOUT
        )
    try:
        inspect.signature(function).bind("answer", "expected", {})
    except (TypeError, ValueError) as error:
        raise UsageError(
            f"--metrics {text} can't be called as {attribute}(answer, expected, row): {error}",
            hint=_PAGE,
            settings=_ABOUT,
        ) from error
    return function  # type: ignore[no-any-return]


def _of_file(path: Path, text: str) -> ModuleType:
    if not path.is_file():
        raise UsageError(f"--metrics {text}: there is no file {path}", hint=_PAGE, settings=_ABOUT)
    spec = importlib.util.spec_from_file_location(f"own_metrics_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise UsageError(f"--metrics {text}: {path} is not a Python file", hint=_PAGE, settings=_ABOUT)
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        lines = [
            frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)
        ]
        line = error.lineno if isinstance(error, SyntaxError) else (lines or [None])[-1]
        raise UsageError(
            f"--metrics {text}: {path}, line {line}: {type(error).__name__}: {error}",
            hint="correct that file",
            settings=_ABOUT,
        ) from error
    return module


def _installed(module: str, text: str) -> ModuleType:
    try:
        return importlib.import_module(module)
    except Exception as error:
        raise UsageError(
            f"--metrics {text}: there is no {module}.py in the current folder, and no module {module} can be imported: "
            f"{type(error).__name__}: {error}",
            hint="give FOLDER/FILE.FUNCTION, or install the module into the environment of bench_runner",
            settings=_ABOUT,
        ) from error
