"""LoRA adapters: what they are, checked before a server starts, and the options that load them."""

from __future__ import annotations

import functools
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from results.errors import UsageError
from results.files import open_to_read, read_file, unreadable
from servers.gguf import read_header
from servers.gguf_kinds import ADAPTER
from settings.adapters import adapter_text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from servers.models import Model

_ABOUT = ("lora",)
_RANKS = (8, 16, 32, 64, 128, 256, 320, 512)  # vLLM's --max-lora-rank; its default is 16
_DEFAULT_RANK = 16
_WEIGHTS = ("adapter_model.safetensors", "adapter_model.bin")


@dataclass(frozen=True)
class Adapter:
    """A LoRA adapter, with an absolute path: a GGUF file for llama.cpp, PEFT's folder for vLLM."""

    path: Path
    scale: float | None = None

    def files(self) -> tuple[Path, ...]:
        """What its effect is made of."""
        if not self.path.is_dir():
            return (self.path,)
        names = ("adapter_config.json", *_WEIGHTS)
        return tuple(self.path / name for name in names if (self.path / name).is_file())


def adapter_of(text: str) -> Adapter:
    """The adapter that FILE or FILE:SCALE names."""
    file, scale = adapter_text(text)
    return Adapter(Path(file), scale)


def adapter_contents(texts: Iterable[str]) -> list[str]:
    """What identifies adapters: the hashes of their files, and the scale. Raises UsageError if one can't be read."""
    found = []
    for adapter in map(adapter_of, texts):
        try:
            status = [(path, path.stat()) for path in adapter.files()]
            hashes = [_sha256(path, (each.st_size, each.st_mtime_ns, each.st_ino)) for path, each in status]
        except OSError as error:
            raise UsageError(
                f"--lora {adapter.path}: {error.strerror or error}",
                hint="give a file that you may read",
                settings=_ABOUT,
            ) from error
        found.append(" ".join([*hashes, f"{1.0 if adapter.scale is None else adapter.scale:g}"]))
    return found


@functools.lru_cache(maxsize=64)
def _sha256(path: Path, _signature: tuple[int, int, int]) -> str:
    with open_to_read(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def llama_options(adapters: tuple[Adapter, ...], model: Model) -> list[str]:
    """llama-server's options for the adapters, in their order. Raises UsageError for what it could not load."""
    words = []
    for adapter in adapters:
        path = str(adapter.path)
        _require_gguf_adapter(adapter.path, model)
        if {",", '"'} & {*path} or (adapter.scale is not None and ":" in path):
            raise UsageError(
                f"--lora {path}: llama-server can't read a name with this character",
                hint="rename the file, or link to it by a name without commas, quotes and colons",
                settings=_ABOUT,
            )
        words += ["--lora", path] if adapter.scale is None else ["--lora-scaled", f"{path}:{adapter.scale:g}"]
    return words


def vllm_options(adapters: tuple[Adapter, ...], alias: str) -> list[str]:
    """The options of vLLM for one adapter, which it serves as a model of its own name. Raises UsageError."""
    if not adapters:
        return []
    (adapter, *more) = adapters
    if more or adapter.scale is not None:
        what = "several adapters at once" if more else "an adapter by a scale of its own"
        raise UsageError(
            f"vLLM does not apply {what}",
            hint="merge the adapter into the model, or give one",
            settings=_ABOUT,
        )
    config = _peft_config(adapter.path)
    rank = config.get("r")
    words = ["--enable-lora", "--lora-modules", f"{alias}={adapter.path}"]
    if isinstance(rank, int) and rank > _DEFAULT_RANK:
        words += ["--max-lora-rank", str(next((each for each in _RANKS if each >= rank), rank))]
    return words


def _require_gguf_adapter(path: Path, model: Model) -> None:
    if path.is_dir():
        raise UsageError(
            f"--lora {path} is a folder",
            hint="llama.cpp loads a GGUF file: convert it with llama.cpp's convert_lora_to_gguf.py",
            settings=_ABOUT,
        )
    try:
        header = read_header(path)
    except UsageError as error:
        raise UsageError(f"--lora {error.message}", hint=error.hint, settings=_ABOUT) from error
    if header.not_a_model is not ADAPTER:
        what = header.not_a_model.what if header.not_a_model else "a model"
        raise UsageError(
            f"--lora {path} is {what}, not a LoRA adapter", hint="give the adapter's file", settings=_ABOUT
        )
    wanted = model.header.architecture if model.header else ""
    if header.architecture and wanted and header.architecture != wanted:
        raise UsageError(
            f"--lora {path} is for models of architecture {header.architecture}, and {model.name} is of {wanted}",
            hint="give the adapter's own base model",
            settings=_ABOUT,
        )


def _peft_config(folder: Path) -> dict[str, Any]:
    if not folder.is_dir() or not any((folder / name).is_file() for name in _WEIGHTS):
        raise UsageError(
            f"--lora {folder} is no folder of an adapter",
            hint="vLLM loads PEFT's folder, with adapter_config.json and adapter_model.safetensors",
            settings=_ABOUT,
        )
    path = folder / "adapter_config.json"
    try:
        config = json.loads(read_file(path))
    except OSError as error:
        raise UsageError(
            f"--lora {path}: {unreadable(path) or error.strerror}",
            hint="give PEFT's folder, with adapter_config.json",
            settings=_ABOUT,
        ) from error
    except (ValueError, RecursionError) as error:
        raise UsageError(
            f"--lora {path} is not valid JSON", hint="fetch the adapter again", settings=_ABOUT
        ) from error
    return config if isinstance(config, dict) else {}
