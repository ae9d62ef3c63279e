"""The engines by name. Each is imported when it is asked for."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

from results.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from engines.contract import Engine
    from runner.display import Display

LOCAL: Final = "local"
# name -> module with `Settings`, a frozen msgspec struct that refuses unknown fields, and `make(settings, display)`.
ENGINES: Final[Mapping[str, str]] = {
    "ssh": "engines.ssh.engine",
    "slurm": "engines.slurm.engine",
    "ray": "engines.ray.engine",
    "modal": "engines.modal.engine",
}
# Whose attempts end with their coordinator: known without the program or package that the engine itself needs.
END_WITH_COORDINATOR: Final = frozenset({"ssh", "ray"})
NAMES: Final = (LOCAL, *ENGINES)


def settings_type(name: str) -> type[Any]:
    """What an engine takes. Raises UsageError for a name that isn't one."""
    found: type[Any] = _module(name).Settings
    return found


def settings_help(name: str) -> Mapping[str, str]:
    """What each of an engine's settings means, in a sentence."""
    found: Mapping[str, str] = _module(name).FIELDS
    return found


def make_engine(name: str, settings: object, display: Display) -> Engine:
    """The engine. settings: of its `settings_type`. Raises UsageError if the settings or what it needs are wrong."""
    engine: Engine = _module(name).make(settings, display)
    return engine


def _module(name: str) -> Any:
    if name not in ENGINES:
        raise UsageError(f"there is no engine {name!r}", hint=f"one of {', '.join(NAMES)}")
    try:
        return importlib.import_module(ENGINES[name])
    except ModuleNotFoundError as error:
        if error.name and ENGINES[name].startswith(error.name):
            raise UsageError(
                f"this bench_runner has no engine {name}", hint="install it whole again"
            ) from error
        raise
