"""Delete runs: their folders, their lines in the run log, and what waits to be logged.

A run is gone in one step, when its folder is renamed into `.trash`. Whatever is killed after that leaves the folder
there, and `empty_trash` does the rest; it is called by the next command that writes.
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from results.durable import explained, sync_folder
from results.errors import ResultsError
from results.records import DeletedRun
from results.store.run_log import RUN_LOG_NAME, RunLog

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from results.store.run_folder import RunFolder
    from results.store.sweep_folder import SweepFolder

TRASH = ".trash"
UNLOGGED = ".unlogged"
AT_ONCE = 200  # runs that are claimed together; each claim is an open file


def disk_usage(folder: Path) -> int:
    """Bytes that a folder takes on the disk. What can't be read counts as nothing."""
    found = 0
    for parent, _, names in os.walk(folder):
        for path in (parent, *(os.path.join(parent, name) for name in names)):  # noqa: PTH118 - often
            with contextlib.suppress(OSError):
                found += os.lstat(path).st_blocks * 512
    return found


def require_deletable(folders: Iterable[RunFolder]) -> None:
    """Raise ResultsError if a run, or the sweep that it belongs to, is still running."""
    for folder in folders:
        if folder.is_alive():
            raise ResultsError(
                f"{folder.run_id} is still running, so nothing was deleted",
                hint="wait until it ends, or stop it",
            )
        sweep = _sweep_of(folder)
        if sweep is not None and sweep.worker_pid() is not None:
            raise ResultsError(
                f"{folder.run_id} belongs to the sweep {sweep.sweep_id}, which is running, so nothing was deleted",
                hint=f"wait until it ends, or stop it: cancel {sweep.sweep_id}",
            )


def delete_runs(results_dir: Path, folders: Sequence[RunFolder], *, warn: Callable[[str], None]) -> int:
    """Delete the runs for good, and return the bytes that this frees. Their sweeps know that they are gone.

    Raises ResultsError, before anything is deleted, if one is still running.
    """
    results_dir = results_dir.absolute()
    require_deletable(folders)
    empty_trash(results_dir, warn=warn)
    freed = 0
    for first in range(0, len(folders), AT_ONCE):
        some = folders[first : first + AT_ONCE]
        freed += sum(disk_usage(folder.path) for folder in some)
        with contextlib.ExitStack() as claimed:
            for folder in some:
                claimed.enter_context(folder.claim())
            for folder in some:
                _tell_sweep(folder)
            trash = results_dir / TRASH

            def move(some: Sequence[RunFolder] = some, trash: Path = trash) -> None:
                trash.mkdir(exist_ok=True)
                for folder in some:
                    folder.path.rename(trash / folder.run_id)
                sync_folder(results_dir)
                sync_folder(trash)

            _log(results_dir, warn).remove([folder.run_id for folder in some], first=move)
            _discard(results_dir, [folder.run_id for folder in some])
    return freed


def empty_trash(results_dir: Path, *, warn: Callable[[str], None]) -> None:
    """Finish deletions, also those that were cut off. Does nothing if there are none. Raises ResultsError."""
    trash = results_dir / TRASH
    with explained("read", trash):
        try:
            names = sorted(os.listdir(trash))  # noqa: PTH208 - names only
        except FileNotFoundError:
            return
    if not names:
        return
    gone = [name for name in names if not (results_dir / name).exists()]
    _log(results_dir, warn).remove(gone)
    with explained("remove what was deleted from", trash):
        for name in {*names} - {*gone}:  # a run of this id is here again
            _remove(trash / name)
    _discard(results_dir, gone)


def _discard(results_dir: Path, names: Iterable[str]) -> None:
    """Remove runs that are in the trash and not in the log any more."""
    trash = results_dir / TRASH
    with explained("remove what was deleted from", trash):
        for name in names:
            (results_dir / UNLOGGED / name).unlink(missing_ok=True)
            _remove(trash / name)
        sync_folder(trash)


def _remove(path: Path) -> None:
    if path.is_symlink() or path.is_file():
        path.unlink(missing_ok=True)
        return
    import shutil  # with what packs archives; most commands remove nothing

    with contextlib.suppress(FileNotFoundError):  # another process empties it too
        shutil.rmtree(path)


def _log(results_dir: Path, warn: Callable[[str], None]) -> RunLog:
    return RunLog(results_dir / RUN_LOG_NAME, warn=warn)


def _sweep_of(folder: RunFolder) -> SweepFolder | None:
    """The folder of the sweep that a run belongs to, if it is there."""
    try:
        place = folder.read_record().sweep
    except ResultsError:  # damaged; it may be deleted all the same
        return None
    from results.store.sweep_folder import SWEEPS, SweepFolder

    found = SweepFolder(folder.path.parent / SWEEPS / place.sweep_id) if place is not None else None
    return found if found is not None and found.path.is_dir() else None


def _tell_sweep(folder: RunFolder) -> None:
    sweep = _sweep_of(folder)
    if sweep is None:
        return
    record = folder.read_record()
    if record.sweep is not None:
        sweep.note_deleted(
            DeletedRun(run_id=record.run_id, fingerprint=record.sweep.fingerprint, label=record.sweep.label)
        )
