"""Which engine a sweep runs on: by its options, its manifest, or as it was kept in its folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from documents.problems import Problem, refuse
from documents.tree import Node
from engines.registry import LOCAL, make_engine, settings_type
from results.errors import UsageError
from results.files import user_path
from results.store.sweep_folder import EngineText
from sweeps.manifest.engine_part import read_engine, read_settings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from engines.contract import Engine
    from results.store.sweep_folder import Sweep
    from runner.display import Display

HOSTS = "hosts"
FILES = (".yaml", ".yml", ".json", ".toml")


def chosen_engine(
    name: str | None, settings: Mapping[str, Any], otherwise: EngineText | None
) -> EngineText | None:
    """The engine that options ask for; None for this machine. otherwise: that of the manifest or of the sweep so far.
    Its settings stay, if it is the same engine, except for those given now.

    Raises UsageError for a setting that the engine doesn't have, or a value that can't be.
    """
    name = name or (otherwise.name if otherwise else None) or LOCAL
    if name == LOCAL:
        if settings:
            option = next(iter(settings)).replace("_", "-")
            raise UsageError(
                f"--{option} needs an engine", hint=f"add --engine NAME, or leave out --{option}"
            )
        return None
    fields = settings_type(name).__struct_fields__
    for option in settings:
        if option not in fields:
            shown = option.replace("_", "-")
            raise UsageError(f"--{shown} is not for the engine {name}", hint=f"leave out --{shown}")
    before = otherwise.settings if otherwise is not None and otherwise.name == name else {}
    asked = EngineText(name=name, settings={**before, **settings})
    problems: list[Problem] = []
    read_engine(_node({"name": name, **asked.settings}), problems, where=f"--engine {name}")
    _refuse(problems, f"see `bench_runner.py sweep --help` and docs/engines.md for what {name} takes")
    return asked


def engine_for(sweep: Sweep, display: Display) -> Engine | None:
    """The engine of a sweep, ready to run; None for this machine.

    Raises UsageError for a setting, naming its field, that is wrong or not set here, and if the engine can't be used.
    """
    return make_chosen(sweep.engine, Path(sweep.manifest.folder), display)


def make_chosen(chosen: EngineText | None, folder: Path, display: Display) -> Engine | None:
    """Like `engine_for`. folder: the base of relative paths."""
    if chosen is None or chosen.name == LOCAL:
        return None
    problems: list[Problem] = []
    settings = read_settings(chosen.name, _node(chosen.settings), problems)
    _refuse(problems, f"change it in the manifest's engine: part, or give --engine {chosen.name} again")
    return make_engine(chosen.name, _with_absolute_hosts(settings, folder), display)


def _with_absolute_hosts(settings: Any, folder: Path) -> Any:
    """A file of hosts is relative to the manifest, like every other file in it."""
    hosts = getattr(settings, HOSTS, None)
    if isinstance(hosts, str) and hosts.lower().endswith(FILES):
        return msgspec.structs.replace(settings, hosts=str(folder / user_path(hosts)))
    return settings


def with_absolute_hosts(settings: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """The settings as written, but for a file of hosts, which is found from any folder."""
    hosts = settings.get(HOSTS)
    if isinstance(hosts, str) and hosts.lower().endswith(FILES):
        return {**settings, HOSTS: str(folder / user_path(hosts))}
    return dict(settings)


def hosts_as_written(text: str) -> str:
    """`--hosts`, so that it means the same in another folder."""
    return str(user_path(text).absolute()) if text.lower().endswith(FILES) else text


def _node(value: Any) -> Node:
    """Plain values as a document has them, without lines."""
    if isinstance(value, dict):
        return Node({str(key): _node(each) for key, each in value.items()}, 0)
    if isinstance(value, list | tuple):
        return Node([_node(each) for each in value], 0)
    return Node(value, 0, str(value))


def _refuse(problems: list[Problem], hint: str) -> None:
    refuse(
        "engine", [Problem(None, "", f"{each.field}: {each.what}", each.hint) for each in problems], hint=hint
    )
