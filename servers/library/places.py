"""Where Ollama, LM Studio, llama.cpp and the Hugging Face hub keep models, and the names that `--model` takes for them.

- `ollama:NAME[:TAG]`: a manifest below $OLLAMA_MODELS/manifests names the blob, which is a GGUF file.
- `lmstudio:OWNER/NAME/FILE.gguf`: below its folder of models.
- `llama.cpp:FILE.gguf`: in llama.cpp's own cache ($LLAMA_CACHE).
- `hf:OWNER/NAME/FILE.gguf`, and OWNER/NAME for vLLM: the hub's cache ($HF_HUB_CACHE, $HF_HOME).

What lies there was written by other programs, and may be of any form: nothing in it is trusted.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from results.errors import UsageError
from results.files import open_to_read

if TYPE_CHECKING:
    from collections.abc import Iterator

OLLAMA, LM_STUDIO, LLAMA_CPP, HUB = "ollama:", "lmstudio:", "llama.cpp:", "hf:"
_OLLAMAS_REGISTRY = ("registry.ollama.ai", "library")
_MODEL_LAYER = "application/vnd.ollama.image.model"
_DIGEST = re.compile(r"sha256[:-]([0-9a-f]{64})")
_LONGEST_MANIFEST_BYTES = 1 << 20
_MOST_ENTRIES = 20_000  # of one folder with all below it
_DEEPEST = 6  # folders below a root


@dataclass(frozen=True)
class Kept:
    """A model in another program's keeping. name: for --model. path: None if its file can't be told, for a reason."""

    name: str
    path: Path | None
    problem: str = ""


def ollama_folders() -> list[Path]:
    """The folders of Ollama's models that exist: the one that is set, the user's, those of its services."""
    asked = os.environ.get("OLLAMA_MODELS")
    usual = (
        Path.home() / ".ollama" / "models",
        Path("/usr/share/ollama/.ollama/models"),
        Path("/var/lib/ollama/.ollama/models"),
        Path("/var/lib/ollama/models"),
    )
    return _existing((Path(asked),) if asked else usual)


def lm_studio_folders() -> list[Path]:
    home = Path.home()
    return _existing((home / ".lmstudio" / "models", home / ".cache" / "lm-studio" / "models"))


def llama_cpp_folder() -> Path:
    cache = os.environ.get("XDG_CACHE_HOME")
    asked = os.environ.get("LLAMA_CACHE")
    return Path(asked) if asked else (Path(cache) if cache else Path.home() / ".cache") / "llama.cpp"


def hub_folder() -> Path:
    """The hub's cache; huggingface_hub reads the same variables, and takes a second to import."""
    env = os.environ
    if cache := env.get("HF_HUB_CACHE") or env.get("HUGGINGFACE_HUB_CACHE"):
        return Path(cache)
    if home := env.get("HF_HOME"):
        return Path(home) / "hub"
    cache = env.get("XDG_CACHE_HOME")
    return (Path(cache) if cache else Path.home() / ".cache") / "huggingface" / "hub"


def find_kept(text: str) -> Kept | None:
    """What is kept under this name; None if it is no name of this form. Raises UsageError if there is none."""
    if text.startswith(OLLAMA):
        return _in_ollama(text)
    if text.startswith(LM_STUDIO):
        return _below(text, LM_STUDIO, lm_studio_folders(), "LM Studio")
    if text.startswith(LLAMA_CPP):
        return _below(text, LLAMA_CPP, _existing((llama_cpp_folder(),)), "llama.cpp's cache")
    return None


def kept_by_ollama() -> Iterator[Kept]:
    """Ollama's models, in the order of their names."""
    for folder in ollama_folders():
        manifests = folder / "manifests"
        for path in files_below(manifests, suffix=""):
            words = path.relative_to(manifests).parts
            if len(words) >= 3:
                yield _of_manifest(folder, path, _ollamas_name(words))


def kept_by_lm_studio() -> Iterator[Kept]:
    for folder in lm_studio_folders():
        for path in files_below(folder, suffix=".gguf"):
            yield Kept(f"{LM_STUDIO}{path.relative_to(folder).as_posix()}", path)


def kept_by_llama_cpp() -> Iterator[Kept]:
    folder = llama_cpp_folder()
    for path in files_below(folder, suffix=".gguf"):
        yield Kept(f"{LLAMA_CPP}{path.relative_to(folder).as_posix()}", path)


def kept_by_hub() -> Iterator[Kept]:
    """GGUF files and folders of the revision that a name without one means; kept.path is the folder of the latter."""
    for repository in _entries(hub_folder()):
        words = repository.name.split("--")
        if words[0] != "models" or len(words) != 3:
            continue
        name = "/".join(words[1:])
        revision = _text(repository / "refs" / "main")
        snapshot = repository / "snapshots" / revision
        if (
            not re.fullmatch(r"[0-9a-zA-Z._-]{1,100}", revision)
            or revision in {".", ".."}
            or not snapshot.is_dir()
        ):
            continue
        for path in files_below(snapshot, suffix=".gguf"):
            yield Kept(f"{HUB}{name}/{path.relative_to(snapshot).as_posix()}", path)
        if (snapshot / "config.json").is_file():
            yield Kept(name, snapshot)


def files_below(folder: Path, *, suffix: str) -> list[Path]:
    """The files below a folder with that suffix, sorted, without following links to folders. Never raises OSError."""
    found: list[Path] = []
    waiting, seen = [(folder, 0)], 0
    while waiting:
        here, depth = waiting.pop()
        for entry in _entries(here):
            seen += 1
            if seen > _MOST_ENTRIES:
                return sorted(found)
            try:
                is_folder, is_file = entry.is_dir() and not entry.is_symlink(), entry.is_file()
            except OSError:
                continue
            if is_folder and depth < _DEEPEST:
                waiting.append((entry, depth + 1))
            elif (
                is_file and entry.suffix.lower() == (suffix or entry.suffix.lower()) and entry.name[0] != "."
            ):
                found.append(entry)
    return sorted(found)


def _in_ollama(text: str) -> Kept:
    words = text.removeprefix(OLLAMA).split("/")
    name, colon, tag = words[-1].partition(":")
    words = [*words[:-1], name, tag if colon else "latest"]
    if len(words) == 2:
        words = [*_OLLAMAS_REGISTRY, *words]
    elif len(words) == 3:
        words = [_OLLAMAS_REGISTRY[0], *words]
    if all(words) and not {".", ".."} & {*words} and "\0" not in text:
        for folder in ollama_folders():
            manifest = folder.joinpath("manifests", *words)
            if manifest.is_file():
                kept = _of_manifest(folder, manifest, text)
                if kept.path is None:
                    raise UsageError(
                        f"{text}: {kept.problem}", hint=f"ollama pull {text.removeprefix(OLLAMA)}"
                    )
                return kept
    raise _missing(text, "Ollama", [each.name for each in kept_by_ollama()])


def _of_manifest(folder: Path, manifest: Path, name: str) -> Kept:
    found: Any = None
    try:
        with open_to_read(manifest) as file:
            found = json.loads(file.read(_LONGEST_MANIFEST_BYTES))
    except (OSError, ValueError, RecursionError):
        return Kept(name, None, "its manifest can't be read")
    layers = found.get("layers") if isinstance(found, dict) else None
    digests = [
        match[1]
        for layer in (layers if isinstance(layers, list) else ())
        if isinstance(layer, dict) and layer.get("mediaType") == _MODEL_LAYER
        if (match := _DIGEST.fullmatch(str(layer.get("digest"))))
    ]
    if len(digests) != 1:
        what = (
            "no model on this machine" if not digests else "a model in several files, which is not supported"
        )
        return Kept(name, None, f"its manifest names {what}")
    blob = folder / "blobs" / f"sha256-{digests[0]}"
    return Kept(name, blob) if blob.is_file() else Kept(name, None, "its file is missing")


def _ollamas_name(words: tuple[str, ...]) -> str:
    """Ollama's own name: qwen2.5:7b, user/name:tag, hf.co/owner/name:tag."""
    before = words[:-2]
    if before == _OLLAMAS_REGISTRY:
        before = ()
    elif before[0] == _OLLAMAS_REGISTRY[0]:
        before = before[1:]
    return f"{OLLAMA}{'/'.join((*before, words[-2]))}:{words[-1]}"


def _below(text: str, prefix: str, folders: list[Path], whose: str) -> Kept:
    relative = Path(text.removeprefix(prefix))
    if relative.parts and not relative.is_absolute() and ".." not in relative.parts:
        for folder in folders:
            if (folder / relative).is_file():
                return Kept(text, folder / relative)
    listed = kept_by_lm_studio() if prefix == LM_STUDIO else kept_by_llama_cpp()
    raise _missing(text, whose, [each.name for each in listed])


def _missing(text: str, whose: str, names: list[str]) -> UsageError:
    import difflib

    close = difflib.get_close_matches(text, names, n=3, cutoff=0.5)
    hint = (
        f"did you mean {', '.join(close)}?"
        if close
        else "`bench_runner.py models` lists the models on this machine"
    )
    return UsageError(f"{whose} has no model {text!r} here", hint=hint, settings=("model",))


def _existing(folders: tuple[Path, ...]) -> list[Path]:
    found = []
    for folder in folders:
        try:
            if folder.is_dir():
                found.append(folder)
        except OSError:  # another user's
            continue
    return found


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []


def _text(path: Path) -> str:
    try:
        with open_to_read(path) as file:
            return file.read(200).decode("utf-8", "replace").strip()
    except OSError:
        return ""
