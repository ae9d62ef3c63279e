"""The house keeps its shape: one-way dependencies, two sides that share little, small modules, own names."""

from __future__ import annotations

import ast
import importlib.metadata
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[1]
OURS = (
    "bench_runner",
    "choosing",
    "commands",
    "documents",
    "engines",
    "evaluation",
    "parsers",
    "processes",
    "results",
    "runner",
    "sandbox",
    "scripts",
    "servers",
    "settings",
    "sweeps",
    "telemetry",
    "web",
)
MAX_LINES = 400

# From the top of the harness to its ground: a room may import what stands below it. Rooms of one row don't know
# each other. Of `results` the folders stand above the settings, and the types, errors and arithmetic below. The script
# side is another program; both have the same ground.
HARNESS = (
    ("bench_runner",),
    ("commands",),
    ("web",),
    ("choosing",),
    ("sweeps",),
    ("engines",),
    ("runner",),
    ("servers", "telemetry", "parsers"),
    ("results.views",),
    ("results.compare",),
    ("results.store",),
    ("settings", "processes"),
    ("documents",),
    ("results",),
)
SCRIPT = (("scripts",), ("evaluation",), ("sandbox",))
# What both sides must do alike: the settings, the types on disk, the errors, the arithmetic, how a program ends, and
# how bytes get to disk durably. A room by its name, a module by its own.
SHARED = (
    "documents",
    "settings",
    "results",
    "results.completion_lines",
    "results.data_pin",
    "results.durable",
    "results.errors",
    "results.extras",
    "results.failed_check",
    "results.file_hashes",
    "results.files",
    "results.folders",
    "results.json_text",
    "results.leaving",
    "results.locks",
    "results.messages",
    "results.open_files",
    "results.own_file",
    "results.plain_text",
    "results.prompts",
    "results.records",
    "results.response_store",
    "results.scores",
    "results.spending",
    "results.standby",
    "results.stats",
    "results.sweep_place",
    "results.telemetry",
)


@cache
def modules() -> tuple[Path, ...]:
    found = [path for name in OURS for path in sorted((ROOT / name).rglob("*.py"))]
    command_line = ROOT / "bench_runner.py"
    return (*found, command_line) if command_line.exists() else (*found,)


def name_of(path: Path) -> str:
    """As it is imported."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


@cache
def module_names() -> frozenset[str]:
    return frozenset(map(name_of, modules()))


@cache
def imports(path: Path) -> tuple[str, ...]:
    """The dotted name of every module of ours that is imported, also inside functions and of types only."""
    return tuple(_imports(path, module_names()))


def _imports(path: Path, known: frozenset[str]) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path} imports relatively"
            # `from results import records` names a module, `from results.records import Score` does not.
            inside = {f"{node.module}.{alias.name}" for alias in node.names}
            names = [*(inside & known), *([node.module] if inside - known else [])]
        else:
            continue
        yield from (name for name in names if name.partition(".")[0] in OURS)


def room_of(name: str) -> str:
    """Of a module: the room that the rows name, which may be a folder in another."""
    rooms = {room for row in (*HARNESS, *SCRIPT) for room in row}
    inner = ".".join(name.split(".")[:2])
    return inner if inner in rooms else name.partition(".")[0]


def row_of(room: str, rows: tuple[tuple[str, ...], ...]) -> int | None:
    return next((number for number, rooms in enumerate(rows) if room in rooms), None)


def is_shared(name: str) -> bool:
    parts = name.split(".")
    if parts[0] == "results":
        return ".".join(parts[:2]) in SHARED
    return parts[0] in SHARED


def forbidden(owner: str, name: str) -> bool:
    """owner, name: modules, of which the first imports the second."""
    room, other = room_of(owner), room_of(name)
    if room == other:
        return False
    script, harness = row_of(room, SCRIPT), row_of(room, HARNESS)
    if script is not None:
        below = row_of(other, SCRIPT)
        return not is_shared(name) if below is None else below <= script
    below = row_of(other, HARNESS)
    return below is None or harness is None or below <= harness


def violations(paths: list[Path]) -> set[tuple[str, str]]:
    """(module, module of ours that it may not import)."""
    found = set()
    for path in paths:
        owner = name_of(path)
        found |= {(owner, name) for name in imports(path) if forbidden(owner, name)}
    return found


def circles(edges: dict[str, set[str]]) -> list[list[str]]:
    """Modules that import each other, also by way of others."""

    def reached(start: str) -> set[str]:
        found: set[str] = set()
        waiting = [start]
        while waiting:
            new = edges.get(waiting.pop(), set()) - found
            found |= new
            waiting += new
        return found

    ends = {name: reached(name) for name in edges}
    groups = {
        tuple(sorted({name, *(n for n in ends[name] if name in ends[n])}))
        for name in edges
        if name in ends[name]
    }
    return [list(group) for group in sorted(groups)]


def test_dependencies_point_one_way():
    assert violations(modules()) == set()


@pytest.mark.parametrize(
    ("owner", "name", "wrong"),
    [
        ("results", "servers.launch", True),
        ("servers", "parsers.registry", True),
        ("runner", "scripts.run_human_eval", True),
        ("runner", "engines.lane", True),
        ("engines", "sweeps.manifest.reader", True),
        ("processes", "settings.table", True),
        ("scripts", "runner.run", True),
        ("scripts", "processes.process", True),
        ("sandbox", "evaluation.loop.runner", True),
        ("evaluation", "results.store.run_log", True),
        ("evaluation", "results.records", False),
        ("evaluation", "results.stats.intervals", False),
        ("scripts", "settings.table", False),
        ("runner", "results.store.run_log", False),
        ("sweeps", "engines.lane", False),
        ("results.compare.comparability", "settings.table", False),
        ("results.compare.comparability", "results.views.run_text", True),
        ("results.records", "settings.table", True),
        ("results.stats.paired", "results.store.run_log", True),
        ("settings.table", "results.errors", False),
        ("servers", "processes.process", False),
    ],
)
def test_the_rule_itself_tells_right_from_wrong(owner, name, wrong):
    assert forbidden(owner, name) is wrong


def test_no_two_modules_import_each_other():
    """Also not through imports inside functions, nor for types: a circle is two subjects that are one."""
    assert circles({name_of(path): set(imports(path)) - {name_of(path)} for path in modules()}) == []


def test_a_circle_is_seen():
    edges = {"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}, "e": {"f"}, "f": {"e"}, "g": set()}
    assert circles(edges) == [["a", "b", "c"], ["e", "f"]]


def test_what_the_script_side_shares_brings_nothing_else_along():
    """A shared module that imports the rest of the harness would load it in every script."""
    for path in modules():
        if is_shared(name_of(path)):
            assert [name for name in imports(path) if not is_shared(name)] == [], path


def test_every_room_says_what_is_in_it():
    for path in modules():
        if path.name == "__init__.py":
            assert ast.get_docstring(ast.parse(path.read_bytes())), path


MOST_FILES = 24


def test_a_reader_can_hold_a_room():
    rooms: dict[Path, int] = {}
    for path in modules():
        rooms[path.parent] = rooms.get(path.parent, 0) + 1
    assert {room: count for room, count in rooms.items() if count > MOST_FILES} == {}


def test_no_dependency_installs_a_package_of_our_name():
    """The packages are plain top-level ones: a dependency's `results` would take the place of ours."""
    for name, distributions in importlib.metadata.packages_distributions().items():
        others = set(distributions) - {"bench-runner", "bench_runner"}
        assert name not in OURS or not others, f"{name} comes from {others}"


def test_modules_stay_small():
    sizes = {str(path.relative_to(ROOT)): len(path.read_bytes().splitlines()) for path in modules()}
    assert {name: size for name, size in sizes.items() if size > MAX_LINES} == {}


def test_names_of_test_files_are_unique():
    """Without packages, the second file of a name is an error of the whole suite, but of no run of its folder alone."""
    places = {}
    for path in (ROOT / "tests").rglob("test_*.py"):
        places.setdefault(path.name, []).append(str(path.relative_to(ROOT)))
    assert not [found for found in places.values() if len(found) > 1]
