"""Which models of a sweep are one model in several forms, such as its quantisations, by what their files say."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

from results.files import read_file
from results.json_text import NOT_THAT_JSON
from runner.fingerprint import digest

if TYPE_CHECKING:
    from pathlib import Path

    from runner.spec import RunSpec
    from servers.models import Model

# How the weights are kept, at the end of a name: Q4_K_M, UD-Q4_K_XL, IQ2_XS, BF16, AWQ, GPTQ-Int4, 4bit, i1-GGUF.
_FORM = re.compile(
    r"[-_. ]+(UD|i\d|imat(rix)?|I?Q\d\w*|TQ\d\w*|B?F16|FP?(8|16|32)|F32|MXFP4\w*|NVFP4|AWQ|GPTQ|EXL[23]|GGUF|"
    r"W\d+A\d+|Int[48]|[2-8]-?bits?|bnb|dynamic|quantized)$",
    re.IGNORECASE,
)


def model_family(spec: RunSpec) -> str:
    """A key that is the same for all forms of one model; "" if the run's model is not known here.

    Of a GGUF file it is made of general.name without the quantisation, and of the architecture and its size; without a
    name, the file's counts. Of a folder, its name counts.
    """
    model = spec.server.model
    if model is None:
        return ""
    header = model.header
    name = base_name((header.name if header else None) or model.name)
    size = (header.architecture, header.layer_count, header.embedding_length) if header else ()
    return digest({"name": name, "size": size})[:12] if name else ""


def base_name(name: str) -> str:
    """The name without what says how the weights are kept, for comparing: lower case, one kind of separator."""
    name = name.strip().rpartition("/")[2]
    while (shorter := _FORM.sub("", name)) not in {name, ""}:
        name = shorter
    return re.sub(r"[\s._-]+", "-", name).lower()


def decides_its_style(spec: RunSpec) -> bool:
    """Whether it is found out how this run's model is asked: by our own script, without --prompt-style."""
    given = spec.asked["prompt_style"]
    return spec.external_script is None and given in {None, "auto"}


def chat_template(model: Model) -> str | None:
    """The model's chat template; "" if it has none, None if that isn't known here."""
    if model.header is not None:
        return model.header.chat_template or ""
    if model.kind != "hf_folder" or model.path is None:
        return None
    return _of_folder(model.path)


class _Tokenizer(msgspec.Struct):
    chat_template: object = None


def _of_folder(folder: Path) -> str | None:
    try:
        return read_file(folder / "chat_template.jinja").decode(errors="replace")
    except OSError:
        pass
    try:
        told = msgspec.json.decode(read_file(folder / "tokenizer_config.json"), type=_Tokenizer)
    except (OSError, *NOT_THAT_JSON):
        return None
    return str(told.chat_template or "")
