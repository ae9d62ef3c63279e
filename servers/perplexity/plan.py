"""The command line of llama-perplexity, made of the settings of a server; and what must be right before it starts."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import msgspec

from results.errors import UsageError
from results.folders import cache_folder
from results.stats.divergence import KldReference
from servers.gguf import read_layout
from servers.llama_cpp import (
    ALL_AS_MANY,
    CTX,
    LAYERS,
    LORA,
    OURS,
    PARALLEL,
    TELLS_MORE,
    VERBOSITY,
    dashed,
    given_twice,
    help_of,
    refuse,
)
from servers.lora import llama_options
from servers.perplexity.program import NAME, known_options
from servers.plan import KIND_WITHOUT_SERVER, LaunchPlan
from servers.request import own_options
from settings.base_url import parse_base_url
from settings.option_words import option_groups

if TYPE_CHECKING:
    from collections.abc import Sequence

    from servers.models import Model
    from servers.request import PerplexityRequest, ServerRequest

_BYTES_PER_TOKEN = 3  # of text; only to tell the need of base logits before a program counts the tokens
_GIB = 1 << 30
# What only a run may set; the sizes of a server mean nothing here.
_DROPPED = frozenset({*CTX, *PARALLEL})
_REFUSED = {
    **OURS,
    **dict.fromkeys(("-f", "--file", "-bf", "--binary-file", "-p", "--prompt"), "the text is --kld-text"),
    "--chunks": "the number of windows is --limit",
    **dict.fromkeys(
        ("--kl-divergence", "--kl-divergence-base", "--save-all-logits"), "the reference is --kld-reference"
    ),
    **dict.fromkeys(
        ("--ppl-stride", "--ppl-output-type", "--hellaswag", "--winogrande", "--multiple-choice"),
        "bench_runner reads the log-probabilities of whole windows",
    ),
}


def perplexity_plan(request: ServerRequest, model: Model, asked: PerplexityRequest) -> LaunchPlan:
    """The plan of a run without a server: what its script is told. Raises UsageError, also if the disk has no room
    for the base logits.
    """
    if model.kind != "gguf" or model.path is None:
        raise UsageError(
            f"{NAME} reads GGUF files, not {model.path or model.name}",
            hint="give a .gguf file, or measure what a server predicts: --kld-way served",
            settings=("model", "kld_way"),
        )
    words = [dashed(word) for word in request.extra_args]
    refuse(words, _REFUSED)
    known = known_options(asked.binary)
    carried, left_out = _carried(request.extra_args, known)
    argv = [str(asked.binary), "-m", str(model.path.absolute())]
    settings: dict[str, Any] = {"window": asked.window}
    names = {word.partition("=")[0] for word in words}
    if request.gpu_layers is not None:
        if names & {*LAYERS}:
            raise given_twice("gpu_layers")
        argv += ["-ngl", str(ALL_AS_MANY if request.gpu_layers < 0 else request.gpu_layers)]
        settings["gpu_layers"] = request.gpu_layers
    if request.lora:
        if names & {*LORA}:
            raise given_twice("lora")
        argv += llama_options(request.lora, model)
    for name, option, value in own_options(request):
        if value is None:
            continue
        if option in names:
            raise given_twice(name)
        if not known or option in known:
            argv += [option, str(value)]
            settings[name] = value
        else:
            left_out.append(option)
    if not names & {*VERBOSITY} and TELLS_MORE in (help_of(asked.binary) or ""):
        argv += ["-lv", "4"]  # what was offloaded, and the types of the cache
    script = [*_reference_words(asked.reference)] if asked.reference is not None else []
    disk_bytes = None
    if asked.reference is not None:
        _require_same_vocabulary(model, asked.reference)
        disk_bytes = _require_disk(asked, asked.reference)
    return LaunchPlan(
        kind=KIND_WITHOUT_SERVER,
        argv=(),
        tool=(*argv, *carried),
        script_words=(*script, "--", *argv, *carried),
        base_url=parse_base_url("http://127.0.0.1:9"),
        asked=settings,
        left_out=tuple(left_out),
        disk_bytes=disk_bytes,
    )


def _carried(words: Sequence[str], known: frozenset[str]) -> tuple[list[str], list[str]]:
    """The server's own options that the program has too, with their values; and the names of the others."""
    carried: list[str] = []
    left_out: list[str] = []
    for group in option_groups(words):
        name = dashed(group[0]).partition("=")[0]
        if name in _DROPPED:
            continue
        if not known or name in known:
            carried += [dashed(group[0]), *group[1:]]
        else:
            left_out.append(name)
    return carried, left_out


def _reference_words(reference: Model) -> tuple[str, ...]:
    quantization = reference.header.quantization if reference.header else None
    facts = KldReference(name=reference.name, quantization=quantization)
    path = str(reference.path.absolute()) if reference.path is not None else ""
    return ("--reference-model", path, "--facts", msgspec.json.encode(facts).decode())


def _require_same_vocabulary(model: Model, reference: Model) -> None:
    """llama.cpp itself only logs it, and goes on."""
    ours, theirs = (read_layout(each.path).vocabulary if each.path else None for each in (model, reference))
    if ours is not None and theirs is not None and ours != theirs:
        raise UsageError(
            f"{model.name} has a vocabulary of {ours:,} tokens, the reference {reference.name} one of {theirs:,}: "
            "their predictions can't be compared",
            hint="a reference is the same model in another precision",
            settings=("kld_reference", "model"),
        )


def base_bytes(window: int, vocabulary: int, windows: int) -> int:
    """The size of base logits, without their tokens: two bytes for each token of the vocabulary at each scored
    position, and eight more for each position.
    """
    return (window - 1 - window // 2) * (vocabulary + vocabulary % 2 + 4) * 2 * windows


def _require_disk(asked: PerplexityRequest, reference: Model) -> int | None:
    """About what base logits need. The script checks it again once the sizes are known exactly. Raises UsageError."""
    vocabulary = read_layout(reference.path).vocabulary if reference.path is not None else None
    if vocabulary is None:
        return None
    windows = max(1, asked.text_bytes // _BYTES_PER_TOKEN // asked.window)
    windows = min(windows, asked.limit) if asked.limit is not None else windows
    need = base_bytes(asked.window, vocabulary, windows)
    folder = next(each for each in (cache_folder(), *cache_folder().absolute().parents) if each.exists())
    kept = cache_folder() / "base_logits"
    mine = sum(file.stat().st_size for file in kept.glob("*/logits")) if kept.is_dir() else 0
    free = shutil.disk_usage(folder).free + mine
    if need > min(free, asked.cache_bytes):
        most = (
            f"{free / _GIB:.1f} GiB are free there"
            if free < asked.cache_bytes
            else f"--kld-cache-size is {asked.cache_bytes / _GIB:.1f} GiB"
        )
        raise UsageError(
            f"the base logits of {reference.name} need about {need / _GIB:.1f} GiB in {kept}, and {most}",
            hint="use a smaller --limit (fewer windows), or set XDG_CACHE_HOME to a folder on another disk",
            settings=("limit", "kld_window", "kld_cache_size"),
        )
    return need
