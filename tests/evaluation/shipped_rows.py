"""Rows of our own for the shipped suites, in the exact form of their data sets, where the program finds them."""

from __future__ import annotations

import shutil
from pathlib import Path

from evaluation.suites.loader import read_suite_file
from settings.suites import shipped_suites

ROWS = Path(__file__).with_name("suite_rows")
NAMES = sorted(path.name for path in ROWS.iterdir())  # others have tests of their own


def put_rows(folder):
    """Copy them to where a user puts data by hand. folder: $XDG_DATA_HOME."""
    for name in NAMES:
        for task, declared in read_suite_file(shipped_suites()[name]).suite.tasks.items():
            data = declared.data
            place = folder / "bench_runner" / "data" / data.hub / (data.config or "default")
            place.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROWS / name / f"{task}.jsonl", place / f"{data.split}.jsonl")
    return folder


def environment(folder):
    """In which a program finds these rows and nothing else."""
    return {
        "XDG_DATA_HOME": str(put_rows(folder / "data")),
        "XDG_CONFIG_HOME": str(folder / "config"),
        "HF_HUB_OFFLINE": "1",
        "HF_HOME": str(folder / "hf"),
    }
