"""Do an attempt in a folder of this machine, and give what its folder gains to whoever asked, until its program ends.

It runs inside a process of a scheduler. If that process ends in any way, so do the unit's program, its server and its
script: a guardian of `processes` sees to that.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import stat
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from engines.carriers.growing_files import GrowingFiles
from engines.carriers.packs import packed, unpack, write_piece
from engines.carriers.received_files import ReceivedFiles
from engines.node.attempt_files import LOG
from engines.node.own_folder import require_safe_parents
from processes import process as processes
from results.durable import explained
from results.errors import BenchError, ResultsError
from results.files import read_file
from results.locks import is_locked, lock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

LOOK_S: Final = 0.25
PART_BYTES: Final = (
    64 * 1024
)  # what Ray sends along at once; larger results would die with the node that holds them
ABANDONED_GRACE_S: Final = 1.0
OLD_S: Final = 60.0
_SET_BY_RAY: Final = ("SPT_NOENV", "PYTHONBREAKPOINT")
_ROOT: Final = Path(__file__).resolve().parents[2]
PLACE, PART, EXIT, REFUSED = "place", "part", "exit", "refused"


def work(
    order: Mapping[str, Any], packs: Sequence[bytes], *, node_id: str, stop: Callable[[], float | None]
) -> Iterator[tuple[Any, ...]]:
    """Do the attempt that came in `packs`, see `engines.carriers.packs`, or that `program` of the order gets itself.

    order: `words` for the unit's program, `workdir` and `python`, "" for this machine's own, `gpus`, and `program`,
    empty for the unit's own. stop: how many seconds the program has to end, once it should. Yields `("place", host,
    node_id)`, then `("part", bytes, whether a pack is whole with it)` as the folder grows, and last `("exit", how its
    program ended)` or `("refused", why, hint)`.
    """
    yield PLACE, socket.gethostname(), node_id
    try:
        with _folder(order["workdir"]) as folder:
            python = order["python"] or sys.executable
            if order["program"]:
                command = (python, *order["program"], *order["words"])
                yield from _watched(command, folder, order, stop, None)
                return
            files = ReceivedFiles(folder, with_unit=True)
            for pack in packs:
                for piece in unpack(pack)[0]:
                    write_piece(files, piece)
            growing = GrowingFiles(folder)
            growing.known_already()
            command = (python, "-m", "engines.node.unit_program", str(folder), *order["words"])
            yield from _watched(command, folder, order, stop, growing)
    except ResultsError as error:
        yield REFUSED, error.message, "look at its disk, or name another folder there by workdir:"
    except BenchError as error:
        yield REFUSED, error.message, error.hint


def _watched(
    command: tuple[str, ...],
    folder: Path,
    order: Mapping[str, Any],
    stop: Callable[[], float | None],
    growing: GrowingFiles | None,
) -> Iterator[tuple[Any, ...]]:
    """Run the program, and give what grows meanwhile."""
    env = environment(os.environ, gpus=order["gpus"])
    program = processes.start(command, output=folder / LOG, env=env, cwd=_ROOT)
    try:
        ended = None
        while ended is None:
            ended = program.wait(LOOK_S)
            if ended is None and (grace_s := stop()) is not None:
                ended = program.stop(grace_s)
            if ended is not None:
                program.stop(ABANDONED_GRACE_S)  # nothing of it writes any more
            if growing is not None:
                yield from _parts(growing)
        yield EXIT, ended.describe()
    finally:
        program.stop(ABANDONED_GRACE_S)


def _parts(growing: GrowingFiles) -> Iterator[tuple[Any, ...]]:
    for pack in packed(growing.pieces()):
        for at in range(0, len(pack), PART_BYTES):
            yield PART, pack[at : at + PART_BYTES], at + PART_BYTES >= len(pack)


def environment(given: Mapping[str, str], *, gpus: float) -> dict[str, str]:
    """That of the unit's program: the node's own, without Ray's token and what Ray sets for its workers. With no GPU
    of its own it sees none: others may be using them.
    """
    kept = {
        name: value
        for name, value in given.items()
        if not name.startswith("RAY_") and name not in _SET_BY_RAY
    }
    before = _started_with(given.get("RAY_RAYLET_PID", ""))
    threads = "OMP_NUM_THREADS"  # Ray sets it to the CPUs that a task asks for, often 1
    kept.pop(threads, None)
    if threads in before:
        kept[threads] = before[threads]
    if not gpus:
        kept.update(dict.fromkeys(("CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES"), ""))
    return kept


def _started_with(pid: str) -> dict[str, str]:
    """The environment in which Ray was started on this machine; {} if that isn't known."""
    try:
        entries = read_file(Path(f"/proc/{int(pid)}/environ")).split(b"\0")
    except (OSError, ValueError):
        return {}
    pairs = (os.fsdecode(entry).partition("=") for entry in entries)
    return {name: value for name, _, value in pairs if name}


@contextlib.contextmanager
def _folder(workdir: str) -> Iterator[Path]:
    """A new folder for an attempt, removed at the end. Those of processes that were killed are removed here too."""
    base = Path(workdir) if workdir else Path(tempfile.gettempdir())
    prefix = f"bench-runner-ray-{os.getuid()}-"
    with explained("make a folder in", base):
        if workdir:
            require_safe_parents(base)
        _clear(base, prefix)
        path = Path(tempfile.mkdtemp(prefix=prefix, dir=base))
    try:
        with lock(path):  # a folder can be locked itself
            attempt = path / "attempt"
            attempt.mkdir()
            yield attempt
    finally:
        shutil.rmtree(path, ignore_errors=True)


def _clear(base: Path, prefix: str) -> None:
    for path in base.glob(f"{prefix}*"):
        with contextlib.suppress(OSError):
            status = path.lstat()
            ours = stat.S_ISDIR(status.st_mode) and status.st_uid == os.getuid()
            if ours and time.time() - status.st_mtime > OLD_S and not is_locked(path):
                shutil.rmtree(path, ignore_errors=True)
