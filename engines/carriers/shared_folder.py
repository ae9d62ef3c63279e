"""A folder that this machine and the others see under the same path, as on a cluster: nothing has to be carried."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from engines.contract import Finding


class SharedFolder:
    """A `Carrier` whose address is the attempt's own path."""

    def put(self, attempt: Path, name: str) -> str:  # noqa: ARG002 - where it is, it is found
        return str(attempt.absolute())

    def program(self, address: str) -> tuple[str, ...]:
        return "-m", "engines.node.unit_program", address

    def fetch(self, address: str, attempt: Path) -> bool:  # noqa: ARG002 - it is there already
        return False

    def remove(self, address: str) -> None:
        """The attempt's folder is the store's."""

    def check(self) -> Finding | None:
        return None
