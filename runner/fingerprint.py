"""By what a run is known again: everything that determines its result, and nothing else.

In it:

- the benchmark, its own options (of a file its content, not its path), and the parser;
- the model's content (sha256 of all its files), wherever it lies and whatever it is called; of a model that the
  server fetches itself, and of a server that already runs, the name;
- what is asked of the model: limit, completions a sample, temperature, token limit, seed, prompt style, order;
- the server as asked: kind, binary, command, address of one that already runs, GPU layers, context, slots, shares of
  vLLM, and its own arguments. Slots too: they change the speed, which is a result, and greedy answers a little;
- somebody else's script by its content, and its arguments.

Not in it: the port, folders, timeouts, restarts and retries, names and labels; the sandbox's level, by which
verdicts don't change (tests hold it to that); the versions of the server's build and of this program, which records
have: who installs a new build and wants everything anew makes a new sweep.

Settings count as asked: one that is left out, and the same one given with its default value, are two.
"""

from __future__ import annotations

import functools
import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from results.errors import UsageError
from servers.models import identity
from settings.benchmarks import all_options

if TYPE_CHECKING:
    from runner.spec import RunSpec
    from servers.models import Model

VERSION = 1  # raised when the same run gets another fingerprint
_DIGITS = 32


def fingerprint(spec: RunSpec) -> str:
    """Hexadecimal digits. Reads the model's files the first time (their hash is kept by path, size, time and inode).

    Raises UsageError when a file can't be read.
    """
    return digest({"version": VERSION, **determining(spec, model=_content_of(spec.server.model))})


def determining(spec: RunSpec, *, model: str | None) -> dict[str, Any]:
    """What a run's result depends on, by setting; what was not asked for is left out. model: what it is known by."""
    server, script = spec.server, spec.script
    files = {option.name for option, _ in all_options().values() if option.is_path}
    found = {
        "benchmark": spec.benchmark.name,
        "model": model if server.model else server.model_name,
        "server": server.kind,
        "server_binary": server.server_binary,
        "server_command": server.command,
        "base_url": server.base_url,
        "gpu_layers": server.gpu_layers,
        "ctx_size": server.ctx_size,
        "parallel": server.parallel,
        "gpu_memory_utilization": server.gpu_memory_utilization,
        "tensor_parallel_size": server.tensor_parallel_size,
        "server_args": list(server.extra_args) or None,
        "script": _file_sha256(script.path) if script.path else None,
        "script_args": list(script.args) or None,
        "parser": spec.parser,
        **vars(spec.sampling),
        **{
            name.replace("-", "_"): _file_sha256(Path(value)) if name in files else value
            for name, value in spec.options.items()
        },
    }
    return {name: value for name, value in found.items() if value is not None}


def digest(facts: dict[str, Any]) -> str:
    """Of anything that JSON can say; the order of keys doesn't matter."""
    text = json.dumps(facts, sort_keys=True, ensure_ascii=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:_DIGITS]


def _content_of(model: Model | None) -> str | None:
    """The sha256 where there are files, else the name."""
    return (identity(model).sha256 or model.name) if model else None


def _file_sha256(path: Path) -> str:
    """Of a folder its path: data sets can be large ones."""
    try:
        if path.is_dir():
            return str(path.resolve())
        status = path.stat()
        return _hashed(path, (status.st_size, status.st_mtime_ns, status.st_ino))
    except OSError as error:
        raise UsageError(f"{path} can't be read: {error.strerror or error}") from error


@functools.lru_cache(maxsize=256)
def _hashed(path: Path, _signature: tuple[int, int, int]) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
