"""List the models on this machine, with what their files say. A broken file is an entry with a problem."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from results.errors import UsageError
from results.file_hashes import parts_of
from results.files import open_to_read
from servers.gguf import read_header
from servers.library import places

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from servers.gguf import GgufHeader
    from servers.library.places import Kept

_LATER_PART = re.compile(r"-(?!00001)\d{5}-of-\d{5}$")
_WEIGHTS = (".safetensors", ".bin")
_LONGEST_JSON_BYTES = 64 << 20


@dataclass(frozen=True, kw_only=True)
class Listed:
    """A model on this machine; None or "" for what isn't known.

    name: what --model takes. server: the kind that serves it. size_bytes: of all parts that are there. context_length:
    tokens in training. problem: why it can't be served as it is, as a sentence without a full stop; "" if nothing is
    known to be wrong.
    """

    name: str
    keeper: str
    server: str
    path: str
    size_bytes: int | None = None
    architecture: str = ""
    quantization: str = ""
    parameter_count: int | None = None
    context_length: int | None = None
    parts: int = 1
    problem: str = ""


def list_models(folders: Sequence[Path] = ()) -> list[Listed]:
    """The models in the keeping of other programs and in these folders, with all below them. Never raises for a broken
    file. Files that are no models, such as adapters, and later parts are left out.
    """
    from servers.demo_model import cached_path

    demo = cached_path()
    found = [*_listed("bench_runner", [places.Kept("demo", demo)] if demo else [])]
    for keeper, kept in (
        ("Ollama", places.kept_by_ollama()),
        ("LM Studio", places.kept_by_lm_studio()),
        ("llama.cpp", places.kept_by_llama_cpp()),
        ("Hugging Face", places.kept_by_hub()),
    ):
        found += _listed(keeper, kept)
    for folder in folders:
        found += _listed(str(folder), _in_folder(folder))
    return found


def kept_names() -> list[str]:
    """The names of the models in other programs' keeping, for completion: without a look into the files."""
    kept = (places.kept_by_ollama, places.kept_by_lm_studio, places.kept_by_llama_cpp, places.kept_by_hub)
    names = [each.name for of in kept for each in of() if not _LATER_PART.search(Path(each.name).stem)]
    return ["demo", *names]


def _in_folder(folder: Path) -> Iterator[Kept]:
    if (folder / "config.json").is_file():
        yield places.Kept(str(folder), folder)
    for path in places.files_below(folder, suffix=".gguf"):
        yield places.Kept(str(path), path)
    for path in places.files_below(folder, suffix=".json"):
        if path.name == "config.json" and path.parent != folder:
            yield places.Kept(str(path.parent), path.parent)


def _listed(keeper: str, kept: Iterable[Kept]) -> Iterator[Listed]:
    for each in kept:
        if each.path is None:
            yield Listed(name=each.name, keeper=keeper, server="llama.cpp", path="", problem=each.problem)
        elif each.path.is_dir():
            yield _of_folder(each.name, keeper, each.path)
        elif not _LATER_PART.search(each.path.stem):
            listed = _of_gguf(each.name, keeper, each.path)
            if listed is not None:
                yield listed


def _of_gguf(name: str, keeper: str, path: Path) -> Listed | None:
    """The entry of a GGUF file; None if it is no model."""
    parts = parts_of(path)
    there = [size for part in parts if (size := _size(part)) is not None]
    bare = Listed(
        name=name, keeper=keeper, server="llama.cpp", path=str(path), size_bytes=sum(there), parts=len(parts)
    )
    try:
        header = read_header(path)
        if header.not_a_model is not None or header.split_no:
            return None
        more, problem = _of_parts(parts[1:], header)
    except UsageError as error:
        return _but(bare, problem=error.message.removeprefix(f"{path} "))
    return _but(
        bare,
        architecture=header.architecture,
        quantization=header.quantization or "",
        parameter_count=header.parameter_count + more,
        context_length=header.context_length,
        problem=problem,
    )


def _of_parts(others: Sequence[Path], header: GgufHeader) -> tuple[int, str]:
    """The parameters in the other parts, and what is wrong with them."""
    missing = [part.name for part in others if not part.is_file()]
    if missing:
        return 0, f"{len(missing)} of {len(others) + 1} parts are missing"
    if header.split_count > 1 and len(others) + 1 != header.split_count:
        return 0, f"it is one of {header.split_count} parts, which its name doesn't say"
    return sum(read_header(part).parameter_count for part in others), ""


def _of_folder(name: str, keeper: str, folder: Path) -> Listed:
    """The entry of a Hugging Face folder, whose weights may be links to blobs."""
    from servers.vllm import trained_length

    config = _json(folder / "config.json")
    sizes = [size for path in _files(folder) if path.suffix in _WEIGHTS and (size := _size(path)) is not None]
    index = _json(folder / "model.safetensors.index.json").get("weight_map")
    wanted = {file for file in index.values() if isinstance(file, str)} if isinstance(index, dict) else set()
    missing = [file for file in wanted if "\0" in file or not (folder / file).is_file()]
    problem = "it has no weights" if not sizes else ""
    if missing:
        problem = f"{len(missing)} of {len(wanted)} files of weights are missing"
    kinds = config.get("architectures")
    quantization = config.get("quantization_config")
    method = quantization.get("quant_method") if isinstance(quantization, dict) else config.get("torch_dtype")
    return Listed(
        name=name,
        keeper=keeper,
        server="vllm",
        path=str(folder),
        size_bytes=sum(sizes),
        architecture=str(kinds[0]) if isinstance(kinds, list) and kinds else "",
        quantization=method if isinstance(method, str) else "",
        context_length=trained_length(folder),
        parts=max(1, len(wanted)),
        problem=problem,
    )


def _but(listed: Listed, **changes: Any) -> Listed:
    import dataclasses

    return dataclasses.replace(listed, **changes)


def _json(path: Path) -> dict[str, Any]:
    try:
        with open_to_read(path) as file:
            found = json.loads(file.read(_LONGEST_JSON_BYTES))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _files(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size if path.is_file() else None
    except OSError:
        return None
