"""A run's identity: a hash of every setting that determines its result.

The table of settings says which do (`Determines`). Of the given settings, the hash includes:

- for the model and every other file, its content (sha256), whatever its path and name; of a prompt file, what it adds
  to the prompts, whatever else it says; for a model that the server fetches itself, and for a server that is already
  running, the name;
- the number of slots too, because it changes the speed, which is a result, and slightly even greedy answers.

It does not include settings that determine nothing (port, folders, timeouts, restarts, names); the sandbox's level,
which doesn't change verdicts (tests check this); nor the versions of the server and of this program. Records have
these, and only a run that is equal in them, too, is reused (`runner/reuse.py`).

Leaving a setting out and giving the default that script or server would choose are different fingerprints.
"""

from __future__ import annotations

import functools
import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from results.errors import UsageError
from results.files import open_to_read
from settings.metric_texts import metric_hashes
from settings.optimising.rows import datasets_content
from settings.setting import Determines

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runner.spec import RunSpec
    from servers.models import Model

VERSION = 1  # raised if the same run would get another fingerprint
_DIGITS = 32
_BY_CONTENT = {"model_draft", "prompt"}  # what of their files counts is told below


def fingerprint(spec: RunSpec) -> str:
    """The fingerprint, in hexadecimal. Reads the model's files the first time; hashes are cached by path, size, time
    and inode. Raises UsageError if a file can't be read.
    """
    return digest({"version": VERSION, **determining(spec, model=_known_by(spec.server.model))})


def served_by(spec: RunSpec, effective: Mapping[str, Any]) -> str | None:
    """A hash of all that a server's answers depend on beside the request: the content of the model, and the settings
    that were asked for and those in force. None if that isn't known.

    effective: as `servers.effective` read them back. Raises UsageError if a file can't be read.
    """
    model = spec.server.model
    known = _sha256_of(model) if model is not None else spec.server.model_name
    if known is None or not effective:
        return None
    table = spec.asked.table
    asked = {
        name: value
        for name, value in determining(spec, model=known).items()
        if name not in table or table[name].determines is Determines.SERVER
    }
    of_server = {
        name: value for name, value in asked.items() if name not in {"benchmark", "parser", "kld_way"}
    }
    return digest({"asked": of_server, "effective": dict(effective)})


def determining(spec: RunSpec, *, model: str | None) -> dict[str, Any]:
    """The given settings that a run's result depends on. model: what identifies it."""
    found = {
        name: _identity(_kind(spec, name, value), value)
        for name, value in spec.asked.given.items()
        if spec.asked.table[name].determines is not Determines.NOTHING
        if value != spec.asked.table[name].default and name not in _BY_CONTENT
    }
    followed = {
        "benchmark": spec.benchmark.name,
        "model": model if spec.server.model else spec.server.model_name,
        "server": spec.server.kind,
        "parser": spec.parser,
        "kld_way": spec.kld_way,
        "suite": spec.suite_sha256,
        "prompt": spec.prompt_sha256,
        **_of_search(spec),
        "draft": spec.draft_sha256,
        "own_metrics": digest(metric_hashes(own)) if (own := spec.asked["metrics"]) else None,
    }
    return {name: value for name, value in {**found, **followed}.items() if value not in {None, ()}}


def _of_search(spec: RunSpec) -> dict[str, Any]:
    """What a search may cost determines what it finds, unlike the result of a plain run; of its files the content
    counts.
    """
    if spec.asked["optimizer"] is None:
        return {}
    datasets = spec.asked["datasets"]
    told = None if datasets is None else datasets_content(datasets, _content)
    return {**{name: spec.asked[name] for name in ("max_cost", "max_tokens_total")}, "datasets": told}


def _kind(spec: RunSpec, name: str, value: Any) -> str:
    """A reference is a model, a run, or a file: of that the content counts."""
    return "path" if name == "kld_reference" and Path(value).exists() else spec.asked.table[name].kind


def _identity(kind: str, value: Any) -> Any:
    if kind == "adapters":
        from servers.lora import adapter_contents

        return tuple(adapter_contents(value))
    return _content(value) if kind == "path" else value


def digest(facts: dict[str, Any]) -> str:
    """A hash of facts that JSON can represent; the order of keys doesn't matter."""
    text = json.dumps(facts, sort_keys=True, ensure_ascii=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:_DIGITS]


def _known_by(model: Model | None) -> str | None:
    """What identifies the model: its sha256 if it has files, otherwise its name."""
    return (_sha256_of(model) or model.name) if model else None


def _sha256_of(model: Model) -> str | None:
    from servers.models import content_sha256  # a server that runs already needs none of it

    return content_sha256(model)


def _content(name: str) -> str:
    """The hash of a file's content; the path of a folder, because data sets can be large."""
    path = Path(name)
    try:
        if path.is_dir():
            return str(path.resolve())
        status = path.stat()
        return _hashed(path, (status.st_size, status.st_mtime_ns, status.st_ino))
    except OSError as error:
        raise UsageError(
            f"{path} can't be read: {error.strerror or error}", hint="give a regular file that you may read"
        ) from error


@functools.lru_cache(maxsize=256)
def _hashed(path: Path, _signature: tuple[int, int, int]) -> str:
    with open_to_read(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
