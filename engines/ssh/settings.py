"""What the ssh engine takes, and which machines it uses: `hosts.yaml`, or `a,b`."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Annotated, Final

import msgspec
from msgspec import Meta

from documents.problems import Problem, refuse
from documents.reading import read_file, read_text
from documents.typed import TypedReader
from results.errors import UsageError
from results.files import user_path
from runner.script import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

HINT = "docs/engines.md shows the file; or give names: a,b"
_FILES = (".yaml", ".yml", ".json", ".toml")
# What ssh and a shell there could take for something else is no address: an option, a space, a quote.
_ADDRESS: Final = r"^[A-Za-z0-9_][A-Za-z0-9_.@:%\[\]/-]{0,254}$(?!\n)"
_VARIABLE: Final = r"^[A-Za-z_][A-Za-z0-9_]{0,127}$(?!\n)"
_Text = Annotated[str, Meta(min_length=1, max_length=4096)]
_Name = Annotated[str, Meta(pattern=_VARIABLE, extra={"rule": "is not the name of a variable"})]
_Address = Annotated[str, Meta(pattern=_ADDRESS, extra={"rule": "is not the address of a machine"})]

FIELDS: Final[Mapping[str, str]] = {
    "hosts": "a file such as hosts.yaml, or addresses: a,b",
    "python": "the interpreter of bench_runner's environment there; default: this one's path",
    "checkout": "the folder of bench_runner there; default: this one's",
    "workdir": "a folder there for attempts and models; default: ~/.cache/bench_runner/ssh",
    "models": "folders there in which to look for models, before one is copied",
    "environment": "names of variables of this machine that the programs there get too",
    "ssh": "the ssh command with its own options, such as: ssh -F FILE",
    "cache_gb": "how much of copied models a machine keeps; the least recently used go first",
    "silence_s": "after how many seconds without a sign of life a connection counts as dead",
}


class Host(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A machine. address: what `ssh` takes, such as user@name or a name in ~/.ssh/config. gpus: use only so many of its
    cards, 0 for none; None for all that its programs may use. The rest as in `Settings`; None for what stands there.
    """

    address: _Address
    workdir: _Text | None = None
    gpus: Annotated[int, Meta(ge=0, le=1024)] | None = None
    environment: tuple[_Name, ...] | None = None
    python: _Text | None = None
    checkout: _Text | None = None
    models: tuple[_Text, ...] | None = None


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the engine takes; `FIELDS` says what each is. Paths are those there, but `hosts` and `ssh`."""

    hosts: _Text = "hosts.yaml"
    python: _Text | None = None
    checkout: _Text | None = None
    workdir: _Text = "~/.cache/bench_runner/ssh"
    models: tuple[_Text, ...] = ()
    environment: tuple[_Name, ...] = ()
    ssh: _Text = "ssh"
    cache_gb: Annotated[float, Meta(gt=0)] = 200.0
    silence_s: Annotated[float, Meta(ge=1, le=600)] = 2.0


class _HostsFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    hosts: tuple[Host, ...]


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """A host with everything decided."""

    address: str
    workdir: str
    python: str
    checkout: str
    models: tuple[str, ...]
    environment: tuple[str, ...]
    gpus: int | None


def read_places(settings: Settings) -> tuple[Place, ...]:
    """The machines, in the order given. Raises UsageError, for a file with every mistake in it."""
    is_file = settings.hosts.endswith(_FILES)
    hosts = _from_file(user_path(settings.hosts)) if is_file else _from_names(settings.hosts)
    return tuple(
        Place(
            address=host.address,
            workdir=host.workdir or settings.workdir,
            python=host.python or settings.python or sys.executable,
            checkout=host.checkout or settings.checkout or str(ROOT),
            models=settings.models if host.models is None else host.models,
            environment=settings.environment if host.environment is None else host.environment,
            gpus=host.gpus,
        )
        for host in hosts
    )


def _from_file(path: Path) -> tuple[Host, ...]:
    source = read_file(path, kind="a file of hosts")
    root, problems = read_text(source.text, source.form, source.name, hint=HINT)
    found = TypedReader(problems).struct(root, _HostsFile)
    if found is not None and not problems:
        if not found.hosts:
            problems.append(Problem(root.line, "hosts", "is empty, so there is no machine"))
        lines = [each.line for each in root.value["hosts"].value]
        problems += [
            Problem(lines[number], f"hosts[{number}].address", "stands here twice")
            for number in _repeated(found.hosts)
        ]
    refuse(source.name, problems, hint=HINT)
    return found.hosts if found is not None else ()


def _from_names(text: str) -> tuple[Host, ...]:
    names = [name.strip() for name in text.split(",") if name.strip()]
    wrong = [name for name in names if re.search(_ADDRESS, name) is None]
    if wrong or not names:
        raise UsageError(f"{wrong[0] if wrong else text!r} is not the address of a machine", hint=HINT)
    hosts = tuple(Host(address=name) for name in names)
    for number in _repeated(hosts):
        raise UsageError(f"{names[number]} stands twice among the hosts", hint="leave one out")
    return hosts


def _repeated(hosts: Iterable[Host]) -> list[int]:
    known: set[str] = set()
    again = []
    for number, host in enumerate(hosts):
        if host.address in known:
            again.append(number)
        known.add(host.address)
    return again
