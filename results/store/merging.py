"""Take runs over from another machine's results folder, from single run folders, or from an archive.

Everything is copied into `.merging` and checked there, before the first run is taken. Then each run is renamed into its
place and logged, in this order, so that kill -9 leaves whole runs only; the next run logs what was not logged yet.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import stat
import zipfile
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

from results.durable import explained, sync_folder
from results.errors import NewerRecord, ParseError, ResultsError, UsageError
from results.files import instead_of, open_to_read, unreadable
from results.locks import lock
from results.records import Remarks, RunRecord, RunStatus, encode_record
from results.store.archive_file import RUN_FILES, SPARE_BYTES, unpack
from results.store.remarks import labelled
from results.store.removal import AT_ONCE, UNLOGGED, empty_trash
from results.store.run_folder import RunFolder
from results.store.run_id import RUN_ID, id_of_another
from results.store.run_log import RUN_LOG_NAME, RunLog
from results.store.runs import end_record
from results.store.sweep_folder import SWEEPS, SweepFolder, all_sweeps
from results.store.verdicts import read_verdicts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

_FAR = re.compile(r"[\w.@-]+:")  # a folder of another machine, or a link
MERGING = ".merging"
_SHOWN = 8
_NOT_COPIED = {"harness.lock"}


@dataclass(frozen=True)
class Merged:
    """What became of the runs, by id. taken: also those under another id, new_ids. same: they are here already.
    unlabelled: their labels were in use here. sweeps: the plans that were taken.
    """

    taken: tuple[str, ...]
    same: tuple[str, ...]
    new_ids: dict[str, str]
    unlabelled: dict[str, str]
    sweeps: tuple[str, ...]


@dataclass
class _Plan:
    taken: list[RunFolder] = field(default_factory=list)
    same: list[str] = field(default_factory=list)
    new_ids: dict[str, str] = field(default_factory=dict)
    unlabelled: dict[str, str] = field(default_factory=dict)


def merge(results_dir: Path, sources: Iterable[Path], *, warn: Callable[[str], None]) -> Merged:
    """Take over the runs of these archives, results folders and run folders.

    A run that is here already is left out. One whose id is that of another run here gets a new id, always the same one.
    Raises UsageError and ResultsError, with nothing taken, if a source has no runs, or if anything in it is damaged,
    unsafe or newer.
    """
    sources = list(sources)
    for source in sources:
        if why := unreadable(source, or_folder=True):
            far = _FAR.match(str(source))
            hint = f"copy it here first, as with rsync -a {source}/ other/" if far else instead_of(source)
            raise UsageError(f"{source} can't be read: {why}", hint=hint)
    results_dir = results_dir.absolute()
    log = RunLog(results_dir / RUN_LOG_NAME, warn=warn)
    with explained("write to", results_dir):
        results_dir.mkdir(parents=True, exist_ok=True)
    log.check()
    empty_trash(results_dir, warn=warn)
    with _staging(results_dir) as staging:
        sweeps: dict[str, SweepFolder] = {}
        plan = _Plan()
        for number, source in enumerate(sources):
            into = staging / str(number)
            into.mkdir()
            if source.is_dir():
                plan.same += _copy_runs(source, into, results_dir)
                sweeps |= {sweep.sweep_id: sweep for sweep in all_sweeps(source)}
            elif source.suffix.lower() == ".zip" or zipfile.is_zipfile(source):
                unpack(source, into)
            else:
                raise UsageError(
                    f"{source} is neither a folder nor an archive", hint="give a results folder or FILE.zip"
                )
        staged = [RunFolder(path) for path in sorted(staging.glob("*/*"))]
        _require_whole(staged)
        _fill(plan, results_dir, staged)
        _take(results_dir, plan, log)
        return Merged(
            taken=tuple(run.run_id for run in plan.taken),
            same=tuple(plan.same),
            new_ids=plan.new_ids,
            unlabelled=plan.unlabelled,
            sweeps=tuple(_take_sweeps(results_dir, staging, sweeps)),
        )


@contextlib.contextmanager
def _staging(results_dir: Path) -> Iterator[Path]:
    """An empty folder, removed at the end. What a killed merge left is removed first."""
    parent = results_dir / MERGING
    with contextlib.ExitStack() as held:
        with explained("write to", parent):
            parent.mkdir(exist_ok=True)
            if held.enter_context(lock(parent, within_s=0.5)) is None:
                raise ResultsError(f"another merge into {results_dir} is at work", hint="wait until it ends")
            for left in parent.iterdir():
                shutil.rmtree(left)
            staging = parent / "runs"
            staging.mkdir()
        try:
            yield staging
        finally:
            shutil.rmtree(staging, ignore_errors=True)


def _copy_runs(source: Path, into: Path, results_dir: Path) -> list[str]:
    """Copy the run folder, or all run folders in it, but those that are here already, whose ids are returned.

    Links and special files are left out. Raises ResultsError.
    """
    with explained("read", source):
        if (source / "run.json").is_file():
            found = [source.absolute()]
        else:
            inside = sorted([*source.iterdir(), *(source / "runs").glob("*")])
            found = [
                path for path in inside if not path.name.startswith(".") and (path / "run.json").is_file()
            ]
    if not found:
        raise UsageError(f"{source} has no runs", hint="give a results folder, a run's folder, or an archive")
    for folder in found:
        if RunFolder(folder).is_alive():
            raise ResultsError(f"{folder} is still running, so nothing was taken", hint="wait until it ends")
    same = {folder.name for folder in found if _is_here(RunFolder(folder), results_dir)}
    found = [folder for folder in found if folder.name not in same]
    with explained("copy runs into", into):
        size = sum(path.lstat().st_size for folder in found for path in folder.rglob("*"))
        if size + SPARE_BYTES > shutil.disk_usage(into).free:
            raise ResultsError(
                f"{source} has {size:,} bytes, more than there is room for in {into}",
                hint="free some space there, or choose another folder with --results-dir",
            )
        for folder in found:
            if (into / folder.name).exists():
                raise ResultsError(
                    f"{source} has the run {folder.name} twice", hint="remove one of the two folders"
                )
            shutil.copytree(folder, into / folder.name, ignore=_odd, copy_function=shutil.copyfile)
    return sorted(same)


def _is_here(run: RunFolder, results_dir: Path) -> bool:
    here = RunFolder(results_dir / run.run_id)
    return here.run_json.exists() and _same(run, here)


def _odd(folder: str, names: list[str]) -> set[str]:
    """What is not copied: links, special files, hidden files, the lock."""
    odd = set()
    for name in names:
        mode = os.lstat(os.path.join(folder, name)).st_mode  # noqa: PTH118 - names of a folder
        if name in _NOT_COPIED or name.startswith(".") or not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            odd.add(name)
    return odd


def _require_whole(staged: Iterable[RunFolder]) -> None:
    """Raise ResultsError, naming each, if runs are damaged; NewerRecord if one is newer than this program."""
    wrong = []
    for run in staged:
        try:
            _check(run)
        except NewerRecord as newer:  # its path is that of our copy
            message = newer.message.replace(str(run.run_json), f"{run.run_id}/{run.run_json.name}")
            raise NewerRecord(message, hint=newer.hint) from None
        except (ResultsError, ParseError) as error:
            wrong.append(f"{run.run_id}: {error.message.replace(f'{run.path}/', '')}")
    if wrong:
        more = [f"and {len(wrong) - _SHOWN} more"] if len(wrong) > _SHOWN else []
        raise ResultsError(
            f"{len(wrong)} damaged run{'s' * (len(wrong) != 1)}, so nothing was taken:\n"
            + "\n".join([*wrong[:_SHOWN], *more]),
            hint="get them again, or name the folders of the others one by one",
        )


def _check(run: RunFolder) -> None:
    if not RUN_ID.fullmatch(run.run_id):
        raise ResultsError("its folder's name is not that of a run")
    record = run.read_record()
    if record.run_id != run.run_id:
        raise ResultsError(f"its record is that of {record.run_id}")
    if record.status is RunStatus.STARTED:
        end_record(run)
    with explained("read", run.path):
        settings = run.path / "settings.json"
        if settings.exists():
            _require_json(settings)
        if not run.completions.exists():
            return
        verdicts, unreadable = read_verdicts(run.completions)
    if record.status is not RunStatus.SUCCEEDED or record.score is None:
        return  # a torn last line is no damage there
    if unreadable:
        raise ResultsError(f"{unreadable} lines of {run.completions.name} can't be read")
    counted = sum(record.score.outcomes.values())
    if counted and len(verdicts) != counted:
        raise ResultsError(f"{run.completions.name} has {len(verdicts)} completions, its record {counted}")


def _require_json(path: Path) -> None:
    """Raise ResultsError unless the file is JSON."""
    with open_to_read(path) as file:
        try:
            msgspec.json.decode(file.read())
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise ResultsError(f"{path.name} can't be read: {error}") from error


def _fill(plan: _Plan, results_dir: Path, staged: Iterable[RunFolder]) -> None:
    taken: dict[str, RunFolder] = {}
    for run in staged:
        known = taken.get(run.run_id) or RunFolder(results_dir / run.run_id)
        if not known.path.exists():
            kept = run
        elif _same(run, known):
            plan.same.append(run.run_id)
            continue
        else:
            new_id = id_of_another(run.run_id, _digest(run).encode())
            if new_id in taken or (results_dir / new_id).exists():
                plan.same.append(run.run_id)  # it was taken before
                continue
            kept = _renamed(run, new_id)
            plan.new_ids[new_id] = run.run_id
        taken[kept.run_id] = kept
        plan.taken.append(kept)
    for run in plan.taken:
        record = run.read_record()
        label = record.remarks.label
        if label and (labelled(results_dir, label) or label in plan.unlabelled.values()):
            run.write_record(
                msgspec.structs.replace(record, remarks=msgspec.structs.replace(record.remarks, label=""))
            )
            plan.unlabelled[run.run_id] = label


def _renamed(run: RunFolder, new_id: str) -> RunFolder:
    record = run.read_record()
    renamed = RunFolder(run.path.rename(run.path.with_name(new_id)))
    renamed.write_record(msgspec.structs.replace(record, run_id=new_id, merged_from=run.run_id))
    return renamed


def _same(run: RunFolder, other: RunFolder) -> bool:
    try:
        return _digest(run) == _digest(other)
    except ResultsError:  # that one is damaged
        return False


def _digest(run: RunFolder) -> str:
    """A hash of what the run is: its record without what users say of it, its completions and settings."""
    record = run.read_record()
    digest = hashlib.sha256(encode_record(_without_names(record)))
    for name in RUN_FILES[1:4]:
        path = run.path / name
        if path.exists():
            with explained("read", path), open_to_read(path) as file:
                digest.update(f"{name}\0".encode() + hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def _without_names(record: RunRecord) -> RunRecord:
    return msgspec.structs.replace(record, remarks=Remarks(), merged_from="")


def _take(results_dir: Path, plan: _Plan, log: RunLog) -> None:
    """Rename the runs into their places, and log them."""
    os.sync()  # what was copied; one by one it would take long
    notes = results_dir / UNLOGGED
    for first in range(0, len(plan.taken), AT_ONCE):
        some = plan.taken[first : first + AT_ONCE]
        with contextlib.ExitStack() as claimed:
            for run in some:  # so that a run that begins now leaves them alone
                claimed.enter_context(run.claim())
            with explained("take runs over into", results_dir):
                notes.mkdir(exist_ok=True)
                for run in some:
                    (notes / run.run_id).touch()
                sync_folder(notes)
                for run in some:
                    run.path.rename(results_dir / run.run_id)
                sync_folder(results_dir)
            log.append_all([RunFolder(results_dir / run.run_id) for run in some])
            with explained("remove notes from", notes):
                for run in some:
                    (notes / run.run_id).unlink(missing_ok=True)


def _take_sweeps(results_dir: Path, staging: Path, sweeps: dict[str, SweepFolder]) -> list[str]:
    """Copy the plans of sweeps that are not here, so that their runs have a status and a report."""
    found = []
    for sweep_id, sweep in sorted(sweeps.items()):
        target = results_dir / SWEEPS / sweep_id
        if target.exists() or not RUN_ID.fullmatch(sweep_id):
            continue
        copy = SweepFolder(staging / sweep_id)
        with explained("take over", sweep.path):
            target.parent.mkdir(exist_ok=True)
            copy.path.mkdir()
            copy.write(sweep.read())
            for run in sweep.reused.references().values():
                copy.reused.note(run)
            copy.path.rename(target)
            sync_folder(target.parent)
        found.append(sweep_id)
    return found
