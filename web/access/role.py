"""What a key lets its holder do."""

from __future__ import annotations

import enum


class Role(enum.StrEnum):
    """READ: look at everything that isn't somebody's own. RUN: also add jobs, and cancel one's own. ADMIN: also those
    of others. Each includes the ones before it.
    """

    READ = "read"
    RUN = "run"
    ADMIN = "admin"

    def includes(self, other: Role) -> bool:
        """Whether this role may do what the other one may."""
        order = [*Role]
        return order.index(self) >= order.index(other)
