"""A library of NVIDIA's driver that does as a script says, for programs that a test starts."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCE = Path(__file__).with_name("nvml_stub.c")


@pytest.fixture(scope="session")
def nvml_library(tmp_path_factory):
    """The folder of a libnvidia-ml.so.1 made from nvml_stub.c."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("no C compiler on this machine")
    folder = tmp_path_factory.mktemp("nvml")
    library = folder / "libnvidia-ml.so.1"
    options = ("-shared", "-fPIC", "-Wall", "-Wextra", "-Werror", "-O1", f"-Wl,-soname,{library.name}")
    subprocess.run([compiler, *options, "-o", library, SOURCE], check=True)
    return folder


@pytest.fixture
def nvml(nvml_library, tmp_path):
    """A function from a script of nvml_stub.c to the environment in which programs see such a machine."""

    def environment(script, name="nvml.txt"):
        path = tmp_path / name
        path.write_bytes(script if isinstance(script, bytes) else script.encode())
        return {**os.environ, "LD_LIBRARY_PATH": str(nvml_library), "NVML_STUB": str(path)}

    return environment


@pytest.fixture
def python():
    """Runs lines of Python in an environment; returns what they printed as JSON, last."""

    def run(lines, environment, timeout_s=30):
        done = subprocess.run(
            [sys.executable, "-c", lines],
            env=environment,
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout_s,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    return run
