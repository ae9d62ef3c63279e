"""The random order of samples that runs share. Both sides need it: the script that goes through the samples, and the
race that reads the results.
"""

from __future__ import annotations

import hashlib


def order_key(seed: int, task_id: str) -> bytes:
    """A sort key: the order depends only on the seed and each sample's own id."""
    return hashlib.sha256(f"{seed}/{task_id}".encode()).digest()
