"""The random order of samples that runs have in common. Both sides need it: the script that goes through the samples,
and the race that reads what came of them.
"""

from __future__ import annotations

import hashlib


def order_key(seed: int, task_id: str) -> bytes:
    """Sorting by it gives an order that depends on nothing but the seed and each sample's own id."""
    return hashlib.sha256(f"{seed}/{task_id}".encode()).digest()
