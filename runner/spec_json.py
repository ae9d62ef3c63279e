"""Write a RunSpec as JSON and read it back, for the same run at another time or on another machine.

Settings are kept as written, so that variables are filled in where the run happens. A model is identified by its
content; a different file in its place is an error.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import msgspec

from results.errors import UsageError
from results.files import user_path
from results.json_text import NOT_THAT_JSON, encode
from runner.request import build_spec
from servers.library.places import HUB
from servers.models import content_sha256, resolve
from settings.asked import Asked

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from runner.spec import RunSpec
    from servers.models import Model

VERSION = 1
DEMO = "demo"


class SpecModel(msgspec.Struct, frozen=True, kw_only=True):
    """name: in tables and records. path, sha256: None if the server finds the model itself."""

    name: str
    path: str | None = None
    sha256: str | None = None


class SpecDocument(msgspec.Struct, frozen=True, kw_only=True):
    """settings: those that were given, as written. lowered: the server's settings that replace them, after memory ran
    out.
    """

    version: int = VERSION
    settings: dict[str, Any]
    model: SpecModel | None
    lowered: dict[str, int] = {}


def encode_spec(spec: RunSpec) -> bytes:
    """As JSON. Raises like `spec_document`."""
    return encode(spec_document(spec))


def spec_document(spec: RunSpec) -> SpecDocument:
    """A spec, ready to be encoded. Reads the model's files for their hash, the first time. Raises UsageError if it
    can't read them.
    """
    model = spec.server.model
    return SpecDocument(
        settings=spec.asked.written(),
        model=None if model is None else _model_document(model),
        lowered={
            name: value
            for name in ("gpu_layers", "ctx_size")
            if (value := getattr(spec.server, name)) is not None and value != spec.asked[name]
        },
    )


def decode_spec(data: bytes, *, look_in: Iterable[Path] = ()) -> RunSpec:
    """Read a spec from JSON. Raises like `spec_from`, and UsageError for any other document."""
    try:
        document = msgspec.json.decode(data, type=SpecDocument)
    except NOT_THAT_JSON as error:
        raise UsageError(f"not a run in JSON: {error}") from error
    return spec_from(document, look_in=look_in)


def spec_from(document: SpecDocument, *, look_in: Iterable[Path] = ()) -> RunSpec:
    """The spec, on this machine. look_in: folders to search for a model that is not at its path. The demo model, and
    one that was given as hf:owner/name/file, may be fetched from the network.

    Raises UsageError for a newer version, for settings that don't work on this machine, and if the model is missing or
    a different one.
    """
    if document.version > VERSION:
        raise UsageError(
            f"a run of version {document.version}; this bench_runner reads {VERSION}",
            hint="update bench_runner",
        )
    asked = Asked.read(document.settings)
    model = None
    if document.model is not None:
        model = _found(document.model, look_in, document.settings.get("model"))
        asked = asked.but(model=str(model.path) if model.path is not None else asked["model"])
    spec = build_spec(asked, model=model)
    lowered: dict[str, Any] = {**document.lowered}
    return spec.with_server(dataclasses.replace(spec.server, **lowered))


def _model_document(model: Model) -> SpecModel:
    path = str(model.path.absolute()) if model.path is not None else None
    return SpecModel(name=model.name, path=path, sha256=content_sha256(model))


def _found(wanted: SpecModel, look_in: Iterable[Path], asked: Any) -> Model:
    """asked: as the user named it. What has a name everywhere is fetched, if it isn't there."""
    if wanted.path is None:
        return resolve(wanted.name)
    path = user_path(wanted.path)
    others = []
    for place in (path, *(folder / path.name for folder in look_in)):
        if not place.exists():
            continue
        model = resolve(str(place))
        if content_sha256(model) == wanted.sha256:
            return dataclasses.replace(model, name=wanted.name)
        others.append(place)
    if not others and (asked in {None, DEMO} or (isinstance(asked, str) and asked.startswith(HUB))):
        fetched = resolve(asked)
        if content_sha256(fetched) == wanted.sha256:
            return dataclasses.replace(fetched, name=wanted.name)
        others.append(fetched.path or path)
    if others:
        raise UsageError(
            f"{others[0]} is not the requested model (sha256 {wanted.sha256})",
            hint="put the same file there; otherwise this machine would run another model",
        )
    raise UsageError(f"the model {path} is not on this machine", hint="copy it to the same path")
