"""Where a model that has answered goes on with a question of its own."""

from __future__ import annotations

import re

NEXT_QUESTION = re.compile(
    r"^[\W_]{0,6}(?:Question(?:\s+\d+)?\s*[:.]|Q\d*\s*[:.]|(?:User|Human)\s*:|The following are multiple choice)",
    re.MULTILINE,
)
