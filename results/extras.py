"""Optional parts of the installation, which setup.cfg lists as extras."""

from __future__ import annotations

import importlib.util
import shlex
import sys


def install_command(extra: str) -> str:
    """The command that adds the extra to the environment that runs this program."""
    return f"{shlex.quote(sys.executable)} -m pip install 'bench-runner[{extra}]'"


def has_parquet() -> bool:
    """Whether Parquet can be read and written."""
    try:
        return importlib.util.find_spec("pyarrow") is not None
    except ValueError:  # it is kept out on purpose
        return False
