"""What the deployed function does on Modal's machine: `engines.node.carried` on the mounted Volume."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from engines.carriers.blobs import FROM, pack_name
from engines.carriers.choose import blobs_at
from engines.carriers.growing_files import Piece
from engines.carriers.packs import pack
from engines.contract import EndKind
from engines.modal.app_file import MODELS
from engines.modal.service import DEPLOY_HINT
from engines.node.attempt_files import END, NodeEnd
from results.json_text import encode
from runner.display import Lines
from runner.script import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable

COMMIT_S: Final = 1.0  # between two commits of the Volume
MOST_RELOAD_S: Final = 30.0  # between two looks at what others have written there
LAST_COMMITS: Final = 10
GRACE_S: Final = 25.0  # Modal kills a machine that it takes away half a minute after it says so


class Volume(Protocol):
    """`modal.Volume`, as far as it is used."""

    def commit(self) -> None: ...

    def reload(self) -> None: ...


def do_unit(name: str, expected: str, deployed: str, *, sha256: str, folder: str, volume: Volume) -> int:
    """Do the attempt of that name below the folder, or at that address in an object store. expected, deployed: which
    deployment. sha256: of what was put there. Returns as `carried`.
    """
    commit, reload, claim = _at_modal(volume)
    address = name if "://" in name else str(Path(folder) / name)
    if expected != deployed:
        end = NodeEnd(
            kind=EndKind.REFUSED,
            why="what is deployed at Modal has other settings, or is another version of bench_runner",
            hint=DEPLOY_HINT,
        )
        pieces = [Piece(END, 0, encode(end), replaces=True)]
        blobs_at(address).put(pack_name(FROM, 1), pack(pieces, last=True))
        commit()
        return 0
    command = [
        sys.executable,
        "-m",
        "engines.node.carried",
        address,
        "--sha256",
        sha256,
        "--claim",
        claim,
        "--until-eof",
        "--",
    ]
    if Path(MODELS).is_dir():
        command += ["--models", MODELS]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE) as program:
        try:
            wait_s, reload_at = COMMIT_S, time.monotonic()
            while program.poll() is None:
                # After our claim was committed, to see whether it was given to somebody else in the same instant.
                if _worked(commit) and time.monotonic() >= reload_at:
                    if _worked(reload):
                        wait_s = min(2 * wait_s, MOST_RELOAD_S)
                    reload_at = time.monotonic() + wait_s
                _wait(program, COMMIT_S)
        except BaseException:  # the call is cancelled, or its machine taken away
            if program.stdin is not None:
                program.stdin.close()
            _wait(program, GRACE_S)
            program.kill()
            raise
        finally:
            for _ in range(LAST_COMMITS):
                if _worked(commit):
                    break
                time.sleep(COMMIT_S)
    return program.returncode


def _at_modal(volume: Volume) -> tuple[Callable[[], None], Callable[[], None], str]:
    """How to commit and to reload, and the id of this call; none means anything in a test, without Modal."""
    import modal

    if modal.is_local():
        return (lambda: None), (lambda: None), "local"
    volume.reload()  # this machine may have been here before the attempt was put
    return volume.commit, volume.reload, modal.current_function_call_id() or "1"


def _worked(do: Callable[[], None]) -> bool:
    """Whether it did; what fails is made up for by the next one. A Volume isn't reloaded while its files are open."""
    try:
        do()
    except Exception as error:  # noqa: BLE001 - whatever Modal says, the unit goes on
        Lines().say(f"the Volume can't be committed or reloaded now: {error}")
        return False
    return True


def _wait(program: subprocess.Popen[bytes], within_s: float) -> None:
    try:
        program.wait(within_s)
    except subprocess.TimeoutExpired:
        return
