"""What a session knows of one machine."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engines.contract import Attempt
    from engines.node import messages
    from engines.ssh.connection import Connection
    from engines.ssh.placement import Slots
    from engines.ssh.settings import Place


@dataclass
class Host:
    """A machine. useless: why nothing can be done there as long as this runs. why: what went wrong last. earlier:
    attempts of a coordinator that is gone, which may go on there for `silence_s`. ends_until: so long it has for
    that, in monotonic seconds of this machine.
    """

    place: Place
    connection: Connection | None = None
    slots: Slots | None = None
    attempts: dict[str, Attempt] = field(default_factory=dict)
    failed: int = 0
    next_try: float = 0.0
    why: str = ""
    useless: str = ""
    earlier: tuple[str, ...] = ()
    ready: messages.Ready | None = None
    ends_until: float = 0.0

    @property
    def address(self) -> str:
        return self.place.address

    @property
    def is_settled(self) -> bool:
        """Whether it is known what it can do, or that it can't be reached."""
        return bool(self.useless or self.slots is not None or self.failed)

    @property
    def is_able(self) -> bool:
        return self.slots is not None and not self.useless
