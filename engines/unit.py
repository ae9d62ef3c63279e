"""A unit of work: one server configuration and its runs, as an engine gets it and as a machine reads it.

Settings travel as written: `${ENV}` is filled in on the machine that runs them, so no unit holds a secret.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import msgspec

from engines.planned_run import PlannedRun
from engines.server_group import ToDo
from results.errors import UsageError
from results.json_text import NOT_THAT_JSON, encode_indented
from results.store.family_styles import FamilyStyle  # noqa: TC001 - a type on disk
from results.sweep_place import Reduction  # noqa: TC001 - a type on disk
from runner.fingerprint import fingerprint
from runner.host import harness_facts
from runner.spec_json import SpecDocument, spec_document, spec_from
from servers.capacity.memory_estimate import estimate_server
from servers.plan import PROVIDER
from servers.vllm import card_count
from settings.asked import Asked

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from pathlib import Path


UNIT_VERSION = 1


class Needs(msgspec.Struct, frozen=True, kw_only=True):
    """What a unit's server takes. gpus: cards, 0 if it computes on the processors or elsewhere. needs_gpus: whether a
    machine with fewer cards must not do it; otherwise it takes what cards there are, as `run` does. gpu_memory_bytes,
    memory_bytes: in total; None if not known.
    """

    gpus: int = 0
    needs_gpus: bool = False
    gpu_memory_bytes: int | None = None
    memory_bytes: int | None = None


class UnitRun(msgspec.Struct, frozen=True, kw_only=True):
    """A run of a unit. fingerprint: of the spec, as the coordinator found it; a machine that finds another one would
    run something else. planned: of the planned run that it stands for, where that is another one. launch: see
    `PlannedRun.needs`. resume: the id of the run in the attempt's folder to go on with.
    """

    index: int
    label: str
    fingerprint: str
    planned: str = ""
    spec: SpecDocument
    launch: dict[str, Any] = {}
    reductions: tuple[Reduction, ...] = ()
    resume: str | None = None

    @property
    def known_as(self) -> str:
        """The fingerprint by which the sweep knows it."""
        return self.planned or self.fingerprint


class UnitDocument(msgspec.Struct, frozen=True, kw_only=True):
    """`unit.json`. total: runs of the whole sweep. styles: how families of models are asked, as far as decided.
    harness: the program that wrote it; another one would judge otherwise. families: those whose style it may decide.
    """

    schema_version: int = UNIT_VERSION
    unit_id: str
    sweep_id: str
    nonce: str
    may_reduce: bool
    total: int
    runs: tuple[UnitRun, ...]
    needs: Needs
    styles: dict[str, FamilyStyle] = {}
    harness: dict[str, Any] = {}
    families: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Unit:
    """One server configuration and what is to do on it. unit_id: that of its group, fit for file names. families: the
    families of models whose style these runs may have to decide. written: what it was read from, see `of`.
    """

    unit_id: str
    sweep_id: str
    nonce: str
    may_reduce: bool
    total: int
    todo: tuple[ToDo, ...]
    families: frozenset[str] = frozenset()
    written: UnitDocument | None = None

    @classmethod
    def of(cls, document: UnitDocument) -> Self:
        """A unit that was written earlier, to watch or to cancel: its runs can't be started again from it."""
        todo = (
            ToDo(
                PlannedRun(
                    index=run.index,
                    label=run.label,
                    asked=Asked(run.spec.settings),
                    spec=None,
                    group=document.unit_id,
                    needs=run.launch,
                    known_as=run.known_as,
                ),
                None,
            )
            for run in document.runs
        )
        return cls(
            unit_id=document.unit_id,
            sweep_id=document.sweep_id,
            nonce=document.nonce,
            may_reduce=document.may_reduce,
            total=document.total,
            todo=tuple(todo),
            families=frozenset(document.families),
            written=document,
        )

    def without(self, fingerprints: Collection[str]) -> Self:
        """The same without these runs: another unit has done them, of files with the same content."""
        todo = tuple(each for each in self.todo if each.planned.fingerprint not in fingerprints)
        return dataclasses.replace(self, todo=todo)

    @functools.cached_property
    def fingerprints(self) -> frozenset[str]:
        """Of its runs. Reads the models' files for their hashes, the first time."""
        if self.written is not None:
            return frozenset(run.known_as for run in self.written.runs)
        return frozenset(each.planned.fingerprint for each in self.todo)

    @functools.cached_property
    def needs(self) -> Needs:
        """By the same estimates as on this machine, though cards elsewhere may be larger."""
        return self.written.needs if self.written is not None else needs_of(self.todo[0].planned)

    @property
    def label(self) -> str:
        """For people: its first run's, and how many more."""
        if not self.todo:
            return self.unit_id
        more = len(self.todo) - 1
        return self.todo[0].planned.label + (f" and {more} more" if more else "")

    def document(self, styles: dict[str, FamilyStyle]) -> UnitDocument:
        """To write. Reads the models' files for their hashes, the first time. Raises UsageError if it can't."""
        return UnitDocument(
            unit_id=self.unit_id,
            sweep_id=self.sweep_id,
            nonce=self.nonce,
            may_reduce=self.may_reduce,
            total=self.total,
            runs=tuple(
                UnitRun(
                    index=each.planned.index,
                    label=each.planned.label,
                    fingerprint=fingerprint(each.spec),
                    planned=each.planned.fingerprint,
                    spec=spec_document(each.spec),
                    launch=dict(each.planned.needs),
                    reductions=each.reduced,
                    resume=each.resume,
                )
                for each in self.todo
                if each.spec is not None
            ),
            needs=self.needs,
            styles=styles,
            harness=_harness(),
            families=tuple(sorted(self.families)),
        )


def needs_of(planned: PlannedRun) -> Needs:
    """What the run's server takes."""
    server = planned.spec.server if planned.spec else None
    if server is None or server.kind == PROVIDER or server.is_running:
        return Needs()
    if server.kind == "vllm":
        cards = card_count(server, planned.needs)
        return Needs(gpus=cards, needs_gpus=cards > 1)
    memory = None
    with contextlib.suppress(UsageError, OSError):
        memory = estimate_server(server, planned.needs)
    return Needs(
        gpus=0 if server.gpu_layers == 0 else 1,
        needs_gpus=bool(server.gpu_layers),
        gpu_memory_bytes=memory.gpu_bytes if memory and memory.gpu_bytes else None,
        memory_bytes=memory.host_bytes if memory else None,
    )


@functools.cache
def _harness() -> dict[str, Any]:
    """Of this program as it was when the first unit was written: machines with a later one would judge otherwise."""
    return harness_facts()


def write_unit(document: UnitDocument) -> bytes:
    return encode_indented(document)


def read_unit(data: bytes) -> UnitDocument:
    """Raises UsageError for any other document or a newer version."""
    try:
        document = msgspec.json.decode(data, type=UnitDocument)
    except NOT_THAT_JSON as error:
        raise UsageError(f"not a unit in JSON: {error}", hint="the sweep makes a new attempt") from error
    if document.schema_version > UNIT_VERSION:
        raise UsageError(
            f"a unit of version {document.schema_version}; this bench_runner reads {UNIT_VERSION}",
            hint="update bench_runner on this machine",
        )
    return document


def planned_here(document: UnitDocument, *, look_in: Iterable[Path] = ()) -> list[PlannedRun]:
    """The unit's runs on this machine. look_in: folders to search for models that are not at their path.

    Raises UsageError if this machine would run something else: a setting that doesn't work here, another model, or
    another fingerprint.
    """
    places = tuple(look_in)
    found = []
    for run in document.runs:
        spec = spec_from(run.spec, look_in=places)
        ours = fingerprint(spec)
        if ours != run.fingerprint:
            raise UsageError(
                f"{run.label}: this machine would run something else: its fingerprint is {ours[:12]}, not "
                f"{run.fingerprint[:12]}",
                hint="a file that a setting names has another content there",
            )
        found.append(
            PlannedRun(
                index=run.index,
                label=run.label,
                asked=spec.asked,
                spec=spec,
                group=document.unit_id,
                needs=run.launch,
                known_as=run.known_as,
            )
        )
    return found
