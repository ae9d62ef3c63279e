"""The finished runs of other sweeps, and of `run`, that a sweep refers to instead of running them again.

    RESULTS/sweeps/ID/reused/FINGERPRINT.json     which run stands for the planned one

The run's own record is not changed. If it is deleted, the sweep has no run in its place.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from pathlib import Path  # noqa: TC003 - a dataclass field
from typing import TYPE_CHECKING

import msgspec

from results.durable import explained, replace_file, sync_folder
from results.errors import NewerRecord, ResultsError
from results.files import read_file
from results.json_text import NOT_THAT_JSON, encode_indented
from results.records import RunRecord, RunStatus
from results.store.run_folder import RunFolder
from results.sweep_place import RaceResult, SweepPlace

if TYPE_CHECKING:
    from collections.abc import Callable


class ReusedRun(msgspec.Struct, frozen=True, kw_only=True):
    """A reference to a run. fingerprint, label: those of the planned run. race_result: how it ended in this sweep's
    race, if it did.
    """

    run_id: str
    fingerprint: str
    label: str
    race_result: RaceResult | None = None

    def as_seen(self, record: RunRecord) -> RunRecord:
        """The run's record as the sweep shows it: under the planned run's label. It is never written."""
        origin = record.sweep.sweep_id if record.sweep is not None else ""
        place = SweepPlace(
            sweep_id=origin,
            fingerprint=self.fingerprint,
            label=self.label,
            nonce="",
            race_result=self.race_result,
        )
        return msgspec.structs.replace(record, sweep=place)


@dataclass(frozen=True)
class ReusedRuns:
    """The references in one sweep's folder. path: where they are; results_dir: where the runs are."""

    path: Path
    results_dir: Path
    _seen: dict[str, tuple[object, RunRecord | None]] = field(default_factory=dict, repr=False, compare=False)

    def note(self, run: ReusedRun) -> None:
        """Refer to the run, instead of any other with that fingerprint. Raises ResultsError."""
        with explained("note a run in", self.path):
            self.path.mkdir(exist_ok=True)
            replace_file(self._file(run.fingerprint), encode_indented(run))

    def forget(self, fingerprint: str) -> None:
        """Refer to no run there, because the sweep has its own. Is idempotent. Raises ResultsError."""
        with explained("remove", self.path):
            try:
                self._file(fingerprint).unlink()
            except FileNotFoundError:
                return
            sync_folder(self.path)

    def references(self) -> dict[str, ReusedRun]:
        """By fingerprint. One that can't be read is left out: the sweep runs that itself."""
        found: dict[str, ReusedRun] = {}
        for path in self.path.glob("*.json"):
            with contextlib.suppress(OSError, *NOT_THAT_JSON):
                run = msgspec.json.decode(read_file(path), type=ReusedRun)
                found[run.fingerprint] = run
        return found

    def runs(self, *, warn: Callable[[str], None]) -> dict[str, tuple[RunFolder, RunRecord]]:
        """The runs that are still there, by fingerprint, as the sweep shows them. One that can't be read is reported to
        `warn`, once. Raises NewerRecord.
        """
        found: dict[str, tuple[RunFolder, RunRecord]] = {}
        for fingerprint, reused in self.references().items():
            folder = RunFolder(self.results_dir / reused.run_id)
            record = self._record(folder, warn)
            if record is not None and record.status is RunStatus.SUCCEEDED and _is_that(record, reused):
                found[fingerprint] = (folder, reused.as_seen(record))
        return found

    def _record(self, folder: RunFolder, warn: Callable[[str], None]) -> RunRecord | None:
        try:
            status = folder.run_json.stat()
        except OSError:
            return None
        signature = (status.st_mtime_ns, status.st_ino)
        if (seen := self._seen.get(folder.run_id)) is not None and seen[0] == signature:
            return seen[1]
        record = None
        try:
            record = folder.read_record()
        except NewerRecord:
            raise
        except ResultsError as error:
            warn(error.message)
        self._seen[folder.run_id] = (signature, record)
        return record

    def _file(self, fingerprint: str) -> Path:
        return self.path / f"{fingerprint}.json"


def _is_that(record: RunRecord, reused: ReusedRun) -> bool:
    """Whether it is the run that was meant: another one may have its id, after runs were merged."""
    place = record.sweep
    return reused.fingerprint in {record.fingerprint, place.fingerprint if place is not None else ""}
