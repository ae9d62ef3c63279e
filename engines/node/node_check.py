"""`python -m engines.node.node_check`: what this machine has for a sweep, as a line of JSON. It starts nothing that
stays, and prints no value of a variable.
"""

from __future__ import annotations

import argparse
import itertools
import os
import shutil
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from runner.host import harness_facts, host_facts
from servers.discovery import servers_found
from telemetry.devices import usable_gpus

if TYPE_CHECKING:
    from collections.abc import Sequence

MOST_MODELS = 10_000  # files that are counted in a folder of models


class NodeServer(msgspec.Struct, frozen=True, kw_only=True):
    """A server's program, or that it is missing. note: what to do about it."""

    name: str
    ok: bool
    version: str = ""
    path: str = ""
    note: str = ""


class NodeCheck(msgspec.Struct, frozen=True, kw_only=True):
    """What a machine has. host, harness: as in records. usable_gpus: cards that a run there may take. models: the size
    of each file or folder that was asked for, None if it isn't there. folders: how many .gguf files each folder has,
    None if it can't be read. variables: whether they are set. time: seconds since 1970, when it was written.
    """

    host: dict[str, Any]
    harness: dict[str, Any]
    servers: tuple[NodeServer, ...]
    usable_gpus: int
    workdir: str
    disk_free_bytes: int | None
    models: dict[str, int | None] = {}
    folders: dict[str, int | None] = {}
    variables: dict[str, bool] = {}
    time: float


def main(words: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m engines.node.node_check", description=__doc__)
    parser.add_argument("--workdir", type=Path, default=Path(), help="where attempts are made")
    parser.add_argument("--model", action="append", default=[], help="a model that a sweep needs")
    parser.add_argument("--models", action="append", default=[], help="a folder of models")
    parser.add_argument("--variable", action="append", default=[], help="a variable that a sweep needs")
    given = parser.parse_args(words)
    workdir = given.workdir.expanduser().absolute()
    found = NodeCheck(
        host=host_facts(),
        harness=harness_facts(),
        servers=tuple(
            NodeServer(name=each.name, ok=each.ok, version=each.version, path=each.path, note=each.note)
            for each in servers_found()
        ),
        usable_gpus=len(usable_gpus()),
        workdir=str(workdir),
        disk_free_bytes=_free(workdir),
        models={name: _size(Path(name)) for name in given.model},
        folders={name: _count(Path(name).expanduser()) for name in given.models},
        variables={name: bool(os.environ.get(name)) for name in given.variable},
        time=time.time(),
    )
    sys.stdout.write(msgspec.json.encode(found).decode() + "\n")
    return 0


def _free(folder: Path) -> int | None:
    """Of the disk that the folder is, or will be, on."""
    for place in (folder, *folder.parents):
        try:
            return shutil.disk_usage(place).free
        except OSError:
            continue
    return None


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError:
        return None


def _count(folder: Path) -> int | None:
    if not folder.is_dir():
        return None
    return sum(1 for _ in itertools.islice(folder.rglob("*.gguf"), MOST_MODELS))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
