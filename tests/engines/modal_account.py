"""An account at Modal of one's own: its client's real requests, answered by tests/programs/modal_stand_in.py."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from tests.command_line import PROGRAMS, ROOT, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TOKEN = {"MODAL_TOKEN_ID": "ak-good", "MODAL_TOKEN_SECRET": "as-very-secret-0123456789"}

SECRET = {"A_SECRET_OF_MODAL": "hf-very-secret-0123456789"}  # as the Secrets of an app set it on its machines


@dataclass
class Account:
    folder: Path

    @property
    def app_file(self) -> Path:
        """As deployed."""
        return self.folder / "app.py"

    @property
    def volume(self) -> Path:
        return self.folder / "volume"

    @property
    def log(self) -> str:
        return (self.folder / "calls.log").read_text()

    @property
    def environment(self) -> dict[str, str]:
        return {**TOKEN, "MODAL_SERVER_URL": (self.folder / "address").read_text()}

    def deploy(self, settings) -> None:
        from engines.modal.app_file import app_text

        self.app_file.write_text(app_text(settings))

    def calls(self, what: str = "start") -> list[dict]:
        """The calls that have started, or ended."""
        path = self.folder / "calls.jsonl"
        found = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
        return [each for each in found if each["what"] == what]

    def kill(self, call: dict) -> None:
        """Its machine is gone, at once."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(call["pid"], 9)

    @contextlib.contextmanager
    def queue(self) -> Iterator[None]:
        """Within the block no call starts."""
        held = self.folder / "held"
        held.touch()
        try:
            yield
        finally:
            held.unlink()


@contextlib.contextmanager
def modal_account(folder) -> Iterator[Account]:
    """With everything in the environment that Modal's client needs to use it."""
    pytest.importorskip("modal", reason="Modal's client is missing: make test-engines installs it")
    account = Account(folder / "modal")
    account.folder.mkdir()
    words = [sys.executable, PROGRAMS / "modal_stand_in.py", account.folder, account.app_file]
    with subprocess.Popen(words, env={**os.environ, **SECRET, "PYTHONPATH": str(ROOT)}) as process:
        try:
            assert wait_for((account.folder / "address").exists, 60)
            with pytest.MonkeyPatch.context() as patch:
                for name, value in account.environment.items():
                    patch.setenv(name, value)
                yield account
        finally:
            process.terminate()
