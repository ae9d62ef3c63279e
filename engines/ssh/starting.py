"""Bring an attempt to a connected machine and start it: its model, if that isn't there, and its files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engines.node import messages
from engines.node.frames import MOST_DATA
from results.errors import UsageError
from results.files import open_to_read
from servers.models import content_sha256

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from engines.contract import Attempt
    from engines.ssh.connection import Connection
    from engines.unit import Unit
    from servers.models import Model

_ASK_EVERY = 16  # parts of a model, between looks for an answer


class NotThereError(Exception):
    """The machine can't do it; another one may."""

    def __init__(self, why: str, hint: str = "") -> None:
        super().__init__(why)
        self.why = why
        self.hint = hint


def start_attempt(connection: Connection, attempt: Attempt, cards: tuple[str, ...]) -> None:
    """Returns once it was asked for. Raises NotThereError, GoneError, UsageError if the model can't be read here, and
    OSError if the attempt's folder can't.
    """
    folders = tuple(_bring(connection, model) for model in _models(attempt.unit))
    connection.receive(attempt.name, attempt.folder)
    for path in _files(attempt.folder):
        for offset, data in _parts(path):
            name = str(path.relative_to(attempt.folder))
            connection.send(messages.Put(attempt=attempt.name, path=name, offset=offset), data)
    connection.send(messages.Start(attempt=attempt.name, cards=cards, models=folders))


def _models(unit: Unit) -> list[Model]:
    """The unit's model, if it has files here."""
    found: dict[Path, Model] = {}
    for each in unit.todo:
        model = each.spec.server.model if each.spec is not None else None
        if model is not None and model.path is not None:
            found[model.path] = model
    return list(found.values())


def _bring(connection: Connection, model: Model) -> str:
    """Have the model on the machine. Returns the folder to look in there."""
    files = model.files()
    sha256 = content_sha256(model)
    if model.path is None or sha256 is None:
        raise UsageError(f"the model {model.name} has no files", hint="give a file")
    wanted = messages.WantModel(
        sha256=sha256,
        path=str(model.path.absolute()),
        name=model.path.name,
        is_folder=model.kind == "hf_folder",
        files=tuple(messages.ModelFile(name=file.name, size_bytes=file.stat().st_size) for file in files),
    )
    with connection.bringing(sha256):
        state = connection.ask_model(wanted)
        if not state.why and state.have is not None:
            if len(state.have) != len(files):
                raise NotThereError("it speaks of other files than the model has")
            missing_bytes = sum(file.stat().st_size for file in files) - sum(state.have)
            connection.say(f"copying {model.path.name}: {missing_bytes / 1e6:.0f} MB")
            state = _push(connection, sha256, list(zip(files, state.have, strict=True)))
    if state.why or state.have is not None:
        raise NotThereError(f"the model can't be copied there: {state.why}")
    return state.folder


def _push(connection: Connection, sha256: str, files: list[tuple[Path, int]]) -> messages.ModelState:
    sent = 0
    for number, (path, have) in enumerate(files):
        for offset, data in _parts(path, have):
            if not data:
                continue
            connection.send(messages.ModelPart(sha256=sha256, file=number, offset=offset), data)
            sent += 1
            if sent % _ASK_EVERY == 0 and (trouble := connection.model_trouble(sha256)) is not None:
                return trouble
    return connection.ask_model(messages.ModelWhole(sha256=sha256))


def _parts(path: Path, offset: int = 0) -> Iterator[tuple[int, bytes]]:
    """The file's content from an offset, at least one part."""
    with open_to_read(path) as file:
        file.seek(offset)
        while (data := file.read(MOST_DATA)) or offset == 0:
            yield offset, data
            if not data:
                break
            offset += len(data)


def _files(folder: Path) -> list[Path]:
    return sorted(
        path
        for path in folder.rglob("*")
        if path.is_file() and not path.is_symlink() and path.suffix != ".lock"
    )
