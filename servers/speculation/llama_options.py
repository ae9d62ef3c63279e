"""llama-server's options of speculative decoding, as its build spells them.

Builds of late 2026 speculate only if --spec-type says how: with --model-draft alone they load the draft model and never
ask it. Earlier builds have no --spec-type, or only for n-grams, and other names for the number of proposed tokens.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from results.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from servers.request import OwnOption

ALIASES = {
    "--model-draft": ("-md", "--spec-draft-model", "--model-draft"),
    "--spec-type": ("--spec-type",),
    "--spec-draft-n-max": ("--spec-draft-n-max", "--draft", "--draft-n", "--draft-max"),
    "--spec-draft-n-min": ("--spec-draft-n-min", "--draft-n-min", "--draft-min"),
    "--spec-draft-p-min": ("--spec-draft-p-min", "--draft-p-min"),
    "--gpu-layers-draft": ("-ngld", "--spec-draft-ngl", "--n-gpu-layers-draft", "--gpu-layers-draft"),
}
_EARLIER = {
    "--spec-draft-n-max": "--draft-max",
    "--spec-draft-n-min": "--draft-min",
    "--spec-draft-p-min": "--draft-p-min",
}
_SIMPLE = "draft-simple"
_ALL = 999  # layers, which all builds understand


def spelt(own: Sequence[OwnOption], types: str | None, help_text: str | None) -> list[tuple[str, str]]:
    """The options with their values. types: the ways to speculate. help_text: what the server's --help printed; None
    for the built-in llama.cpp or if it printed nothing: then the newest names are used.

    Raises UsageError for a way to speculate that the build doesn't know.
    """
    if types is None:
        return []
    words = []
    if types != _SIMPLE or help_text is None or _SIMPLE in help_text:
        if help_text is not None and "--spec-type" not in help_text:
            raise UsageError(
                f"this llama-server does not speculate by {types}: it has no --spec-type",
                hint="use a newer build, or a draft model alone",
                settings=("spec_type",),
            )
        words.append(("--spec-type", types))
    for setting, option, value in own:
        if value is None or setting == "spec_type":
            continue
        is_known = help_text is None or option in help_text
        number = _ALL if setting == "gpu_layers_draft" and value < 0 else value
        words.append((option if is_known else _EARLIER.get(option, option), str(number)))
    return words
