"""LoRA adapters as users write them: FILE, or FILE:SCALE."""

from __future__ import annotations

import math
import re
from typing import NamedTuple

_SCALED = re.compile(r"(.+):(-?(?:\d+(?:\.\d*)?|\.\d+)(?:e[-+]?\d+)?)", re.IGNORECASE | re.DOTALL)


class AdapterText(NamedTuple):
    """file: as the user wrote it. scale: None if none was given, which means 1."""

    file: str
    scale: float | None

    @property
    def written(self) -> str:
        """The text again."""
        return self.file if self.scale is None else f"{self.file}:{self.scale:g}"


def adapter_text(text: str) -> AdapterText:
    """Split FILE:SCALE. What stands behind the last colon is a scale if it is a number."""
    found = _SCALED.fullmatch(text)
    scale = float(found[2]) if found else math.inf
    return AdapterText(found[1], scale) if found and math.isfinite(scale) else AdapterText(text, None)
