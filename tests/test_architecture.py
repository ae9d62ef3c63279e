"""The house keeps its shape: one-way dependencies, two sides that share little, small modules, own names."""

from __future__ import annotations

import ast
import importlib.metadata
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[1]
OURS = (
    "bench_runner",
    "commands",
    "evaluation",
    "parsers",
    "results",
    "runner",
    "sandbox",
    "scripts",
    "servers",
    "telemetry",
    "web",
)
MAX_LINES = 400

# Beside itself, what a package may import of ours. The two sides are different processes.
HARNESS = {
    "bench_runner": {"commands", "web", "runner", "servers", "telemetry", "parsers", "results"},
    "commands": {"web", "runner", "servers", "telemetry", "parsers", "results"},
    "web": {"runner", "servers", "telemetry", "parsers", "results"},
    "runner": {"servers", "telemetry", "parsers", "results"},
    "servers": {"results"},
    "telemetry": {"results"},
    "parsers": {"results"},
    "results": set(),
}
SCRIPT = {
    "scripts": {"evaluation", "sandbox"},
    "evaluation": {"sandbox"},
    "sandbox": set(),
}
# What both sides must do alike: the types on disk, the errors, the arithmetic, and how bytes get there durably.
SHARED = {
    f"results.{name}"
    for name in ("durable", "errors", "records", "sample_order", "speed", "statistics", "telemetry")
}


def modules() -> list[Path]:
    found = [path for name in OURS for path in sorted((ROOT / name).rglob("*.py"))]
    command_line = ROOT / "bench_runner.py"
    return [*found, command_line] if command_line.exists() else found


def imports(path: Path) -> Iterator[str]:
    """The dotted name of every import of ours, also inside functions and of types only."""
    package = path.relative_to(ROOT).parts[:-1]
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            whole = ".".join([*base, *([node.module] if node.module else [])])
            # `from results import records` names a module, `from results.records import Score` does not.
            names = [f"{whole}.{alias.name}" if whole in OURS else whole for alias in node.names]
        else:
            continue
        yield from (name for name in names if name.partition(".")[0] in OURS)


def forbidden(owner: str, name: str) -> bool:
    top = name.partition(".")[0]
    if top == owner:
        return False
    if owner in SCRIPT:
        return name not in SHARED if top == "results" else top not in SCRIPT[owner]
    return top not in HARNESS[owner]


def violations(paths: list[Path]) -> set[tuple[str, str]]:
    """(file, module of ours that it may not import)."""
    found = set()
    for path in paths:
        where = path.relative_to(ROOT)
        owner = where.parts[0].removesuffix(".py")
        found |= {(str(where), name) for name in imports(path) if forbidden(owner, name)}
    return found


def test_dependencies_point_one_way():
    assert violations(modules()) == set()


@pytest.mark.parametrize(
    ("owner", "name", "wrong"),
    [
        ("results", "processes.process", True),
        ("servers", "parsers.registry", True),
        ("runner", "scripts.run_human_eval", True),
        ("scripts", "runner.run", True),
        ("sandbox", "evaluation.loop.runner", True),
        ("evaluation", "results.store.run_log", True),
        ("evaluation", "results.records", False),
        ("runner", "results.store.run_log", False),
    ],
)
def test_the_rule_itself_tells_right_from_wrong(owner, name, wrong):
    assert forbidden(owner, name) is wrong


def test_what_the_script_side_shares_stays_small():
    """A shared module that imports the rest of results would bring it along."""
    for name in SHARED:
        path = ROOT / f"{name.replace('.', '/')}.py"
        assert set(imports(path)) <= SHARED, name


def test_no_dependency_installs_a_package_of_our_name():
    """The packages are plain top-level ones: a dependency's `results` would take the place of ours."""
    for name, distributions in importlib.metadata.packages_distributions().items():
        others = set(distributions) - {"bench-runner", "bench_runner"}
        assert name not in OURS or not others, f"{name} comes from {others}"


def test_modules_stay_small():
    sizes = {str(path.relative_to(ROOT)): len(path.read_bytes().splitlines()) for path in modules()}
    assert {name: size for name, size in sizes.items() if size > MAX_LINES} == {}
