"""What all tests share."""

from __future__ import annotations

import gc
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from servers import demo_model as demo
from tests.leaks import no_leaks

__all__ = ["no_leaks"]

# How long an example takes says something of the machine, not of the code.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")
# Of the slow suite, the longest first: one that begins last keeps the other workers waiting.
LONGEST = (
    "test_sweep.py",
    "test_real_vllm.py",
    "test_forgery_suite.py",
    "test_continuations_on_servers.py",
    "test_watch_build.py",
    "test_race.py",
    "test_real_servers.py",
    "test_shipped_suites_whole.py",
    "test_run_kld.py",
    "test_real_llama_perplexity.py",
    "test_container.py",
)
# The thousands of tests that are collected stay to the end: to look through them for garbage again and again takes as
# long as to collect them.
gc.disable()
NVML_STUB = Path(__file__).with_name("telemetry") / "nvml_stub.c"

# As users have it: else each of hundreds of processes compiles all of our modules anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# Under nohup SIGHUP is ignored, in a script's background SIGINT and SIGQUIT, and programs inherit that; a handler they
# don't. Tests send them these signals.
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, lambda *_: None)
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGQUIT) is signal.SIG_IGN:
    signal.signal(signal.SIGQUIT, signal.SIG_DFL)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: LONGEST.index(item.path.name) if item.path.name in LONGEST else len(LONGEST))


def pytest_collection_finish() -> None:
    gc.enable()
    gc.freeze()


@pytest.fixture(scope="session")
def demo_model() -> Path:
    """The real small model, a GGUF file."""
    return demo.fetch()


@pytest.fixture(scope="session")
def llama_server_binary() -> Path:
    """The real llama-server, for tests marked `servers`."""
    return _made_by_test_servers("LLAMA_SERVER")


@pytest.fixture(scope="session")
def vllm_python() -> Path:
    """The Python that has a real vLLM, for tests marked `servers`."""
    return _made_by_test_servers("VLLM_PYTHON")


@pytest.fixture(scope="session")
def vllm_model() -> Path:
    """The demo model as a Hugging Face folder, for tests marked `servers`."""
    return _made_by_test_servers("VLLM_MODEL")


@pytest.fixture(scope="session")
def tools_python() -> Path:
    """The Python that has other people's evaluation tools, beside their commands; for tests marked `tools`."""
    path = Path(os.environ.get("TOOLS_PYTHON") or Path(__file__).parents[1] / ".tools" / "bin" / "python")
    if not path.exists():
        pytest.fail(f"{path} is not there: run these tests by `make test-tools`")
    return path


def _made_by_test_servers(variable: str) -> Path:
    path = os.environ.get(variable)
    if not path:
        pytest.fail(f"{variable} is not set: run these tests by `make test-servers`")
    return Path(path)


@pytest.fixture(scope="session")
def nvml_library(tmp_path_factory):
    """The folder of a libnvidia-ml.so.1 made from nvml_stub.c."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("no C compiler on this machine")
    folder = tmp_path_factory.mktemp("nvml")
    library = folder / "libnvidia-ml.so.1"
    options = ("-shared", "-fPIC", "-Wall", "-Wextra", "-Werror", "-O1", f"-Wl,-soname,{library.name}")
    subprocess.run([compiler, *options, "-o", library, NVML_STUB], check=True)
    return folder


@pytest.fixture
def nvml(nvml_library, tmp_path):
    """A function from a script of nvml_stub.c to the environment in which programs see such a machine."""

    def environment(script, name="nvml.txt"):
        path = tmp_path / name
        path.write_bytes(script if isinstance(script, bytes) else script.encode())
        return {**os.environ, "LD_LIBRARY_PATH": str(nvml_library), "NVML_STUB": str(path)}

    return environment
