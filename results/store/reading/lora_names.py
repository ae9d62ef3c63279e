"""The names of a run's LoRA adapters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


def lora_names(config: Mapping[str, Any]) -> list[str]:
    """The adapters in a record's config by the names of their files, with their scales: "style.gguf:0.5"."""
    lora = config.get("lora")
    return [str(each).rpartition("/")[2] for each in lora] if isinstance(lora, list | tuple) else []
