"""What a coordinator and a machine's host program say to each other. Data travels beside a message, see `frames`.

An attempt is named as by `engines.contract.Attempt.name`. Paths are relative to its folder.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

_Path = Annotated[str, Meta(min_length=1, max_length=1024)]
_Name = Annotated[str, Meta(min_length=1, max_length=512)]
_Bytes = Annotated[int, Meta(ge=0, le=1 << 50)]
_Sha256 = Annotated[str, Meta(pattern="^[0-9a-f]{64}$", max_length=64)]
_Why = Annotated[str, Meta(max_length=4096)]


class _Message(msgspec.Struct, frozen=True, kw_only=True, tag_field="say", tag=str.lower):
    pass


class Beat(_Message, frozen=True, kw_only=True):
    """Both say it twice a second: we are there."""


# The coordinator's


class Hello(_Message, frozen=True, kw_only=True):
    """First. gpus: use at most so many cards. environment: variables for the unit programs; never written anywhere."""

    workdir: str
    gpus: int | None
    models: tuple[str, ...]
    cache_bytes: int
    silence_s: float
    environment: dict[str, str]


class Put(_Message, frozen=True, kw_only=True):
    """The data belongs at `offset` of the attempt's file. A first one makes the attempt's folder."""

    attempt: _Name
    path: _Path
    offset: _Bytes


class Start(_Message, frozen=True, kw_only=True):
    """All files are there: start the unit. cards: uuids of those that it may use. models: more folders to look in."""

    attempt: _Name
    cards: tuple[str, ...]
    models: tuple[str, ...]


class Stop(_Message, frozen=True, kw_only=True):
    """End an attempt: SIGTERM, after `grace_s` SIGKILL. Its files and its end come as always."""

    attempt: _Name
    grace_s: float


class Remove(_Message, frozen=True, kw_only=True):
    """Everything has come: forget the attempt's folder."""

    attempt: _Name


class ModelFile(msgspec.Struct, frozen=True, kw_only=True):
    name: _Path
    size_bytes: _Bytes


class WantModel(_Message, frozen=True, kw_only=True):
    """Is that model there, or how much of it? sha256: as of `content_sha256`. name: of its file or folder."""

    sha256: _Sha256
    path: str
    name: _Path
    is_folder: bool
    files: tuple[ModelFile, ...]


class ModelPart(_Message, frozen=True, kw_only=True):
    """The data belongs at `offset` of that file of a wanted model."""

    sha256: _Sha256
    file: int
    offset: _Bytes


class ModelWhole(_Message, frozen=True, kw_only=True):
    """All parts have been sent: is it the model?"""

    sha256: _Sha256


class EndOthers(_Message, frozen=True, kw_only=True):
    """End what is left of these attempts of coordinators that are gone."""

    attempts: tuple[_Name, ...]
    grace_s: float


# The host program's


class Card(msgspec.Struct, frozen=True, kw_only=True):
    uuid: Annotated[str, Meta(max_length=128)]
    kind: Annotated[str, Meta(max_length=64)] = ""
    name: Annotated[str, Meta(max_length=256)] = ""
    memory_bytes: int | None = None


class Ready(_Message, frozen=True, kw_only=True):
    """The answer to Hello. harness: as in records. clock_s: seconds since 1970 there. pid: of the host program."""

    harness: dict[str, Any]
    hostname: Annotated[str, Meta(max_length=256)]
    cards: Annotated[tuple[Card, ...], Meta(max_length=1024)]
    disk_free_bytes: int
    memory_bytes: int
    clock_s: float
    pid: int


class Grew(_Message, frozen=True, kw_only=True):
    """The data follows what came of the file before, at `offset`."""

    attempt: _Name
    path: _Path
    offset: _Bytes


class Replaced(_Message, frozen=True, kw_only=True):
    """The data is a part of the file's new content; with the last part, it takes the place of what came before."""

    attempt: _Name
    path: _Path
    offset: _Bytes
    last: bool


class Ended(_Message, frozen=True, kw_only=True):
    """The attempt's program has ended, and all its files have come. why: how, if it was not by itself. started: whether
    it ran at all.
    """

    attempt: _Name
    why: _Why = ""
    started: bool = True


class ModelState(_Message, frozen=True, kw_only=True):
    """folder: to be given to Start. have: None if the model is there; else how many bytes of each file. why: it can't
    be had there.
    """

    sha256: _Sha256
    folder: str = ""
    have: Annotated[tuple[_Bytes, ...], Meta(max_length=4096)] | None = None
    why: _Why = ""


class OthersEnded(_Message, frozen=True, kw_only=True):
    """The answer to EndOthers."""


class Trouble(_Message, frozen=True, kw_only=True):
    """The host program can't go on."""

    why: _Why


FromCoordinator = Beat | Hello | Put | Start | Stop | Remove | WantModel | ModelPart | ModelWhole | EndOthers
FromHost = Beat | Ready | Grew | Replaced | Ended | ModelState | OthersEnded | Trouble
