"""Other people's programs that do the same, each in an environment of its own: `python -m tests.benchmarks.peers`.

They never come into this project's environment: inspect-ai alone brings a hundred packages.
"""

from __future__ import annotations

import dataclasses
import subprocess
import sys
import venv
from typing import TYPE_CHECKING

from tests.benchmarks.programs import ROOT

if TYPE_CHECKING:
    from pathlib import Path

FOLDER = ROOT / ".bench-peers"


@dataclasses.dataclass(frozen=True)
class Peer:
    """A program, and the requirements that bring it."""

    name: str
    program: str
    requirements: tuple[str, ...]

    @property
    def folder(self) -> Path:
        return FOLDER / self.name

    @property
    def command(self) -> Path:
        return self.folder / "bin" / self.program

    @property
    def installed(self) -> bool:
        return (self.folder / ".installed").exists()

    @property
    def how(self) -> str:
        return f"not installed: python -m tests.benchmarks.peers {self.name}"

    def install(self) -> None:
        """Is idempotent. Raises CalledProcessError."""
        if self.installed:
            return
        print(f"installing {self.name} into {self.folder}", file=sys.stderr)
        venv.create(self.folder, with_pip=True, clear=True)
        pip = [str(self.folder / "bin" / "python"), "-m", "pip", "--disable-pip-version-check"]
        subprocess.run([*pip, "install", "--quiet", *self.requirements], check=True)
        (self.folder / ".installed").touch()


GGUF_HUMANEVAL = Peer(
    "gguf-humaneval-benchmark", "gguf-humaneval-benchmark", ("gguf-humaneval-benchmark==0.1.0",)
)
INSPECT = Peer("inspect-ai", "inspect", ("inspect-ai==0.3.285", "openai==3.52.0"))
# Its evaluator alone; the rest of it wants transformers, datasets and the clients of three services.
EVALPLUS = Peer("evalplus", "python", ("--no-deps", "evalplus==0.3.1", "numpy==2.2.6", "psutil==7.1.0"))
PEERS = (GGUF_HUMANEVAL, INSPECT, EVALPLUS)


def main(names: list[str]) -> int:
    failed = False
    for peer in PEERS:
        if not names or peer.name in names:
            try:
                peer.install()
            except subprocess.CalledProcessError as error:
                print(f"{peer.name} could not be installed: {error}", file=sys.stderr)
                failed = True
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
