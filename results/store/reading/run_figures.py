"""What a run's record says of it in a table: family, quantisation, speed, and the settings that a table shows."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from results.prompts.prompt_file import PROMPT_SHA256
from results.stats.speed import answering_speed, measured_loads
from results.store.reading.lora_names import lora_names
from settings.scoring.options import SCORING_SETTINGS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from results.records import RunRecord

# Fields of the config that a table shows elsewhere, or that say nothing.
_NO_SETTING = {
    "path", "port", "nonce", "parser", "limit", "shuffle", "sandbox", "options", "lora_content", "family_style",
    "draft_sha256", PROMPT_SHA256, "cache", "cache_size", "max_cost", "max_tokens_total",
    *(setting.name for setting in SCORING_SETTINGS),
}  # fmt: skip
_QUANTIZATION = re.compile(
    r"[-._](?:i?q\d\w*|tq\d\w*|f16|bf16|f32|fp16|fp8|int[48]|w\da\d+|awq|gptq|mxfp4|nvfp4)(?=[-._]|$)",
    re.IGNORECASE,
)


def quantization_of(record: RunRecord) -> str:
    """As its file or server says, else as its name does; "" if neither does."""
    told = record.model_identity.quantization if record.model_identity is not None else None
    if told:
        return told
    named = _QUANTIZATION.search(record.model)
    return named[0][1:] if named else ""


def family_of(record: RunRecord) -> str:
    """The model's name without the quantisation, the same for all quantisations of one model."""
    return _QUANTIZATION.sub("", record.model) or record.model


def tokens_per_s_of(record: RunRecord) -> tuple[float | None, float | None, float | None]:
    """The speed with its interval; of a speed benchmark, that of its fastest load.

    At depths, it is how fast the shortest chat is written, since the time of all requests is mostly that of reading.
    """
    score = record.score
    if score is None:
        return None, None, None
    loads = [load for load in measured_loads(score.details) if load.valid]
    if loads and all(load.load.depth is not None for load in loads):
        shortest = min(loads, key=lambda load: (load.load.prompt_tokens, load.load.concurrency))
        written = shortest.generation_tokens_per_s
        return (None, None, None) if written is None else (written.p50, None, None)
    rates = [load.output_tokens_per_s for load in loads]
    if rates:
        fastest = max(rates, key=lambda rate: rate.value)
        return fastest.value, fastest.low, fastest.high
    return answering_speed(score), None, None


def shown_settings(record: RunRecord) -> dict[str, Any]:
    """The settings that a table may show, with the benchmark's own options and the cards."""
    options = record.config.get("options")
    own = options if isinstance(options, dict) else {}
    if lora := lora_names(record.config):
        own = {**own, "lora": " ".join(lora)}
    if isinstance(draft := record.config.get("model_draft"), str):
        own = {**own, "model_draft": draft.rpartition("/")[2]}
    if isinstance(prompt := record.config.get("prompt"), str):
        told = str(record.config.get(PROMPT_SHA256) or "nothing")[:8]
        own = {**own, "prompt": f"{prompt.rpartition('/')[2]} {told}"}
    asked = {name: value for name, value in record.config.items() if name not in _NO_SETTING}
    gpus: Sequence[object] = record.host.get("gpus") or ()
    cards = [str(gpu.get("name")) for gpu in gpus if isinstance(gpu, dict)]
    return {**asked, **own, "GPUs": cards or None}


def short(value: object) -> str:
    """A setting's value for a table."""
    if value is None:
        return "not set"
    if isinstance(value, list | tuple):
        return " ".join(map(str, value))
    text = str(value)
    hexadecimal = len(text) >= 40 and all(letter in "0123456789abcdef" for letter in text)
    return text[:8] if hexadecimal else text
