"""Recognise GGUF files that are not complete language models, by their metadata and the names of their tensors.

Names are from llama.cpp: gguf-py/gguf/constants.py (GGUFType, MODEL_ARCH_NAMES), convert_lora_to_gguf.py,
convert_hf_to_gguf.py (--mmproj, --mtp, --vocab-only), tools/imatrix, tools/cvector-generator. Many files don't give
their type; then architecture, keys and tensors decide.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping


class NotAModel(NamedTuple):
    """what: the kind of file, with its article. hint: what to do with it, or what to use instead."""

    what: str
    hint: str


def _beside(what: str, option: str) -> NotAModel:
    return NotAModel(what, f"give its model with --model, and this file after -- with {option}")


ADAPTER = NotAModel("a LoRA adapter", "give its model with --model, and this file with --lora")
CONTROL_VECTOR = _beside("a control vector", "--control-vector")
MMPROJ = _beside("the vision or audio part of a model (mmproj)", "--mmproj")
DRAFT = NotAModel(
    "a draft head for another model", "give its model with --model, and this file with --model-draft"
)
IMATRIX = NotAModel(
    "an importance matrix", "it is input for llama-quantize: give the model that it was computed for"
)
VOCABULARY = NotAModel("a vocabulary without weights", "give the whole model")
ENCODER = NotAModel("an embedding model, which generates no text", "give a model that generates text")
SPEECH = NotAModel("a speech decoder", "give a model that generates text")
OTHER = NotAModel("a file without a vocabulary", "give a model that generates text")

_BY_TYPE = {"adapter": ADAPTER, "imatrix": IMATRIX, "mmproj": MMPROJ}
_BY_ARCHITECTURE = {
    "clip": MMPROJ,
    "controlvector": CONTROL_VECTOR,
    "eagle3": DRAFT,
    "dflash": DRAFT,
    "gemma-embedding": ENCODER,
    "t5encoder": ENCODER,
    "wavtokenizer-dec": SPEECH,
}
_DIFFUSION = {"dream", "llada", "llada-moe", "rnd1"}  # they generate text without causal attention
_BY_KEY = {"adapter.": ADAPTER, "imatrix.": IMATRIX, "controlvector.": CONTROL_VECTOR, "clip.": MMPROJ}
_BY_TENSOR = (
    (re.compile(r".*\.lora_[ab]"), ADAPTER),
    (re.compile(r".*\.(in_sum2|counts)"), IMATRIX),
    (re.compile(r"direction\.\d+"), CONTROL_VECTOR),
    (re.compile(r"(v|a|mm)\..*"), MMPROJ),
)
_BLOCK = re.compile(r"blk\.(\d+)\.")


def not_a_model(pairs: Mapping[str, Any], tensors: Collection[str], *, is_part: bool) -> NotAModel | None:
    """What the file is; None if it is a language model, as far as it says. is_part: the rest is in other files."""
    architecture = str(pairs.get("general.architecture", ""))
    has_vocabulary = any(key.startswith("tokenizer.") for key in pairs)
    told = _BY_TYPE.get(str(pairs.get("general.type")))
    if told is None and has_vocabulary and not tensors and not is_part:
        return VOCABULARY
    told = told or _BY_ARCHITECTURE.get(architecture)
    if told is not None:
        return told
    for beginning, found in _BY_KEY.items():
        if any(key.startswith(beginning) for key in pairs):
            return found
    for pattern, found in _BY_TENSOR:
        if tensors and all(pattern.fullmatch(name) for name in tensors):
            return found
    if pairs.get(f"{architecture}.attention.causal") is False and architecture not in _DIFFUSION:
        return ENCODER
    if not has_vocabulary:
        return OTHER
    blocks = {int(block[1]) for name in tensors if (block := _BLOCK.match(name))}
    if blocks and 0 not in blocks and not is_part:  # only the last blocks, as exported by --mtp
        return DRAFT
    return None
