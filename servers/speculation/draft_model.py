"""The draft model of a request: found, checked, and what identifies it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from results.errors import UsageError
from results.files import instead_of, unreadable, user_path
from servers.gguf import read_header, read_layout
from servers.gguf_kinds import DRAFT
from servers.library.places import HUB, find_kept
from servers.models import Model, content_sha256, identity, resolve
from settings.speculation_settings import MTP, NEEDS_DRAFT

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from results.records import ModelIdentity
    from servers.request import ServerRequest

_ABOUT = ("model_draft",)
_OPTION = "--model-draft"
_BY_ARCHITECTURE = {"eagle3": "draft-eagle3", "dflash": "draft-dflash"}


def draft_path(text: str) -> Path:
    """The absolute path of the file that --model-draft names: a path, hf:owner/name/file.gguf, `demo`, or a name that
    `models` lists. May fetch from the network. Raises UsageError.
    """
    path = user_path(text).absolute()
    if text == "demo" or text.startswith(HUB) or (not path.exists() and find_kept(text) is not None):
        found = resolve(text).path
        if found is not None:
            return found.absolute()
    if why := unreadable(path):
        raise UsageError(f"{_OPTION} {text}: {why}", hint=instead_of(path), settings=_ABOUT)
    return path


def draft_of(request: ServerRequest) -> Model | None:
    """The draft model or head with files on this machine; None without one. Raises UsageError for another file."""
    path = request.options.get("model_draft")
    if path is not None:
        return _gguf(Path(path))
    config = request.options.get("speculative_config")
    return _in_config(json.loads(config)) if config is not None else None


def draft_identity(request: ServerRequest) -> ModelIdentity | None:
    """What identifies the draft model, its hash included. Reads it once; hashes are cached. Raises UsageError."""
    draft = draft_of(request)
    if draft is None:
        return None
    return msgspec.structs.replace(identity(draft), sha256=content_sha256(draft))


def draft_sha256(request: ServerRequest) -> str | None:
    """The hash of the draft model; None without one on this machine. Raises UsageError."""
    draft = draft_of(request)
    return content_sha256(draft) if draft is not None else None


def spec_types(request: ServerRequest, draft: Model | None) -> str | None:
    """The ways to speculate that were asked for, or the one that fits the draft model; None without any.

    Raises UsageError for settings that contradict each other, or that the model has no heads for.
    """
    options = request.options
    asked: str | None = options.get("spec_type")
    if draft is None and asked is None:
        given = next((name for name in _OF_DRAFTS if options.get(name) is not None), None)
        if given is not None:
            raise UsageError(
                f"--{given.replace('_', '-')} needs a draft: nothing proposes tokens",
                hint="give --model-draft FILE or --spec-type too",
                settings=(given,),
            )
        return None
    if asked is None:
        return _fitting(draft)
    types = asked.split(",")
    needing = next((each for each in types if each in NEEDS_DRAFT), None)
    if needing is not None and draft is None:
        raise UsageError(
            f"--spec-type {needing} needs a draft model",
            hint="give one with --model-draft FILE",
            settings=("spec_type",),
        )
    if draft is not None and not any(each.startswith("draft-") for each in types):
        raise UsageError(
            f"--spec-type {asked} does not use --model-draft",
            hint="leave one of them out",
            settings=("spec_type",),
        )
    if MTP in types and draft is None and request.model is not None and not _has_mtp(request.model):
        raise UsageError(
            f"{request.model.name} has no MTP layers, which --spec-type {MTP} needs",
            hint="give a file of the model that has them, or its MTP file with --model-draft",
            settings=("spec_type",),
        )
    return asked


_OF_DRAFTS = ("spec_draft_n_max", "spec_draft_n_min", "spec_draft_p_min", "gpu_layers_draft")


def _fitting(draft: Model | None) -> str:
    header = draft.header if draft is not None else None
    if header is None or header.not_a_model is not DRAFT:
        return "draft-simple"
    return _BY_ARCHITECTURE.get(header.architecture, MTP)


def _gguf(path: Path) -> Model:
    """A language model, or a head for one."""
    try:
        header = read_header(path)
    except UsageError as error:
        raise UsageError(f"{_OPTION} {error.message}", hint=error.hint, settings=_ABOUT) from error
    if header.not_a_model is DRAFT:
        return Model(kind="gguf", name=path.stem, path=path, header=header)
    if header.not_a_model is not None:
        raise UsageError(
            f"{_OPTION} {path} is {header.not_a_model.what}, not a draft model",
            hint="give a smaller model of the same family",
            settings=_ABOUT,
        )
    try:
        return resolve(str(path))
    except UsageError as error:
        raise UsageError(f"{_OPTION} {error.message}", hint=error.hint, settings=_ABOUT) from error


def _in_config(config: Mapping[str, Any]) -> Model | None:
    """The folder that vLLM's configuration names; None for a name that vLLM fetches."""
    text = config.get("model")
    if not isinstance(text, str) or not user_path(text).is_dir():
        return None
    model = resolve(text)
    return model if model.path is not None else None


def _has_mtp(model: Model) -> bool:
    if model.path is None:
        return True  # the server knows better
    pairs = read_layout(model.path).pairs
    return any(key.endswith(".nextn_predict_layers") and value for key, value in pairs.items())
