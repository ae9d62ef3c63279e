"""Resolve the user's name for a model, and collect the facts that identify it."""

from __future__ import annotations

import contextlib
import glob
import hashlib
import re
import shlex
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from results.errors import UsageError
from results.file_hashes import SPLIT, files_sha256, parts_of
from results.files import close_names, user_path
from results.plain_text import in_unicode
from results.records import ModelIdentity
from servers.demo_model import fetch
from servers.gguf import GgufHeader, read_header
from servers.library.places import HUB, OLLAMA, find_kept, kept_by_ollama

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_OLLAMAS = re.compile(r"\w[\w.-]*:\w[\w.-]*")
_HUB_LINK = re.compile(
    r"//(?:huggingface\.co|hf\.co)/([\w.-]+/[\w.-]+)(?:/(?:resolve|blob)/[^/]+/([^?#]+\.gguf))?"
)
_BLOB = re.compile(r"sha256-[0-9a-f]{64}")
HUB_NAME = re.compile(r"\w[\w.-]*/[\w.-]+")


@dataclass(frozen=True, kw_only=True)
class Model:
    """A model. kind: a GGUF file, a Hugging Face folder, or a name that the server looks up itself."""

    kind: Literal["gguf", "hf_folder", "name"]
    name: str
    path: Path | None = None
    header: GgufHeader | None = None

    def files(self) -> tuple[Path, ...]:
        """The model's files on this disk: all parts of a split GGUF file; () for a name."""
        if self.path is None:
            return ()
        if self.kind == "hf_folder":
            kept = (".safetensors", ".bin", ".json", ".model", ".txt", ".jinja")
            return tuple(
                sorted(path for path in self.path.iterdir() if path.is_file() and path.suffix in kept)
            )
        return parts_of(self.path) if self.header and self.header.split_count > 1 else (self.path,)


def resolve(text: str | None) -> Model:
    """The model for a user's text: None or "demo", a path, hf:owner/name/file.gguf, a name such as owner/name, or one
    of `servers.library.places`, such as ollama:qwen2.5:7b.

    Reads and checks a GGUF file's header. May fetch from the network. Raises UsageError.
    """
    if text is None or text == "demo":
        return _gguf(fetch())
    if not text.strip():
        raise UsageError("the model's name is empty", hint="an unset variable in the shell?")
    try:
        if text.startswith(HUB):
            return _gguf(_from_hub(text))
        if "://" in text:
            raise UsageError(f"{text} is a link, not a model", hint=_instead_of_link(text))
        kept = None if user_path(text).exists() else find_kept(text)
        if kept is not None and kept.path is not None:
            model = _gguf(kept.path)
            return (
                replace(model, name=in_unicode(text.removeprefix(OLLAMA)))
                if text.startswith(OLLAMA)
                else model
            )
        return _here(text)
    except (
        OSError,
        RuntimeError,
    ) as error:  # another user's folder, a name that is too long, ~ of an unknown user
        raise UsageError(
            f"{text} can't be read: {getattr(error, 'strerror', None) or error}",
            hint="give a .gguf file that you may read",
        ) from error


def identity(model: Model) -> ModelIdentity:
    """The model's identity without its hash, which needs the whole model read. Raises UsageError for missing files."""
    header = model.header
    with _explained(model):
        there = [file.stat() for file in model.files()]
    return ModelIdentity(
        name=model.name,
        path=str(model.path.absolute()) if model.path else None,
        size_bytes=sum(each.st_size for each in there) if there else None,
        modified_ns=max(each.st_mtime_ns for each in there) if there else None,
        architecture=header.architecture if header else None,
        quantization=header.quantization if header else None,
        parameter_count=header.parameter_count if header else None,
        context_length=header.context_length if header else None,
        layer_count=header.layer_count if header else None,
        chat_template_sha256=(
            hashlib.sha256(header.chat_template.encode()).hexdigest()
            if header and header.chat_template
            else None
        ),
    )


def content_sha256(model: Model) -> str | None:
    """The sha256 of the model's content (all its files, ordered by name); None for a model without files.

    Reads the whole model once; the hash is cached by path, size, time and inode. Raises UsageError if a file can't be
    read.
    """
    files = model.files()
    with _explained(model):
        return files_sha256(files) if files else None


@contextlib.contextmanager
def _explained(model: Model) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UsageError(
            f"{model.path} can't be read: {error.strerror or error}", hint="give a file that you may read"
        ) from error


def _name(path: Path) -> str:
    """A model's name: that of its file, but Ollama's own name where its file is called by a hash."""
    if _BLOB.fullmatch(path.name):
        ours = path.resolve()
        names = (each.name for each in kept_by_ollama() if each.path and each.path.resolve() == ours)
        return next(names, path.stem).removeprefix(OLLAMA)
    return path.stem


def _here(text: str) -> Model:
    path = user_path(text)
    if path.is_dir():
        return _folder(path)
    if path.exists():
        return _gguf(path)
    if HUB_NAME.fullmatch(text) and not text.endswith(".gguf") and not path.parent.is_dir():
        return Model(kind="name", name=text)
    if glob.has_magic(text):
        raise UsageError(
            f"there is no model {text!r}, and a run has one model",
            hint=f"`sweep {shlex.quote(text)} --benchmark ...` takes all that match",
        )
    raise UsageError(f"there is no model {text!r}", hint=instead_of_model(path))


def _gguf(path: Path) -> Model:
    if not path.is_file():
        raise UsageError(f"{path} is not a regular file", hint="give a .gguf file")
    header = read_header(path)
    if header.not_a_model is not None:
        raise UsageError(f"{path} is {header.not_a_model.what}, not a model", hint=header.not_a_model.hint)
    if header.split_no > 0:
        raise UsageError(
            f"{path} is part {header.split_no + 1} of {header.split_count}",
            hint="give the first part; llama.cpp finds the others in the same folder",
        )
    if header.split_count <= 1:
        return Model(kind="gguf", name=in_unicode(_name(path)), path=path, header=header)
    parts = parts_of(path)
    if len(parts) != header.split_count:
        raise UsageError(
            f"{path} is the first of {header.split_count} parts, but its name doesn't say so",
            hint=f"llama.cpp finds the others by name only: NAME-00001-of-{header.split_count:05}.gguf",
        )
    missing = [part.name for part in parts if not part.is_file()]
    if missing:
        raise UsageError(
            f"parts of {path} are missing: {_some(missing)}", hint="put them into the same folder"
        )
    parameters = header.parameter_count + sum(read_header(part).parameter_count for part in parts[1:])
    return Model(
        kind="gguf",
        name=in_unicode(SPLIT.sub("", path.stem)),
        path=path,
        header=replace(header, parameter_count=parameters),
    )


def _folder(path: Path) -> Model:
    if (path / "config.json").is_file():
        return Model(kind="hf_folder", name=in_unicode(path.resolve().name), path=path)
    inside = sorted(file.name for file in path.glob("*.gguf"))
    if inside:
        raise UsageError(
            f"{path} is a folder of GGUF files",
            hint=f"give one of its files: {_some(inside)}; or loop over them in the shell",
        )
    raise UsageError(
        f"{path} is a folder that contains no model",
        hint="a Hugging Face folder has a config.json; or give a .gguf file",
    )


def _instead_of_link(text: str) -> str:
    """What to give instead of a URL."""
    found = _HUB_LINK.search(text)
    if found:
        file = found[2] or "FILE.gguf"
        return f"give a file on the Hub as --model {HUB}{found[1]}/{file}"
    return "fetch the file and give its path; a server that is running is --base-url URL"


def _from_hub(text: str) -> Path:
    owner, _, rest = text.removeprefix("hf:").partition("/")
    name, _, file = rest.partition("/")
    if not (owner and name and file.endswith(".gguf")):
        raise UsageError(f"{text} is not a file on the Hub", hint="hf:owner/name/file.gguf")
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        fetched = [Path(hf_hub_download(f"{owner}/{name}", str(part))) for part in parts_of(Path(file))]
    except LocalEntryNotFoundError as error:
        raise UsageError(
            f"{text} is not on this machine, and huggingface.co can't be reached",
            hint="check the network, HF_ENDPOINT and HF_HUB_OFFLINE; or give a file on this machine",
        ) from error
    except Exception as error:  # its own errors, and those of requests or httpx, depending on the version
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise UsageError(
            f"{text} could not be fetched: {reason[0]}",
            hint="check the repository's and the file's name; a gated model needs HF_TOKEN",
        ) from error
    return fetched[0]


def instead_of_model(path: Path) -> str:
    """What to try instead of a model, or of a glob, that is not there."""
    if _OLLAMAS.fullmatch(path.name) and path.suffix != ".gguf":
        if any(each.name == f"{OLLAMA}{path.name}" for each in kept_by_ollama()):
            return f"did you mean {OLLAMA}{path.name}?"
        server = "--base-url http://127.0.0.1:11434"
        return f"if it is one of Ollama's, ask the server that has it: {server} --model {path.name}"
    folder = path.parent
    if not folder.is_dir():
        return f"there is no folder {folder} either; `--model demo` is the built-in one"
    names = sorted(entry.name for entry in folder.iterdir() if entry.suffix == ".gguf" or entry.is_dir())
    close = close_names(path, names, 3)
    if close:
        return f"did you mean {_some(folder / name for name in close)}?"
    files = [name for name in names if name.endswith(".gguf")]
    if files:
        return f"{folder} has {_some(files)}"
    return (
        "give a .gguf file, a Hugging Face folder, hf:owner/name/file.gguf, demo, or one that `models` lists"
    )


def _some(names: Iterable[object], most: int = 5) -> str:
    texts = [str(name) for name in names]
    return ", ".join(texts[:most]) + (f" and {len(texts) - most} more" if len(texts) > most else "")
