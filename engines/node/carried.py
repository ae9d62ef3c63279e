"""`python -m engines.node.carried ADDRESS --sha256 SUM -- WORDS`: do an attempt that lies in a store.

The machine doesn't share a disk with the coordinator. Only what has that checksum is done: others may be able to write
to the store. The attempt's folder is made anew here, `unit_program FOLDER WORDS` runs in it, and what grows there is
put into the store at most half a second later; `end.json` last. However this program ends, so does the unit.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from engines.carriers.blobs import (
    CLAIM,
    FILES,
    FROM,
    GROUP,
    TO,
    Checksum,
    group_name,
    grouped,
    pack_name,
)
from engines.carriers.choose import blobs_at
from engines.carriers.growing_files import GrowingFiles
from engines.carriers.packs import MOST_BYTES, pack, packed, unpack, write_piece
from engines.carriers.received_files import ReceivedFiles
from engines.node.attempt_files import LOG, UNIT, read_end
from engines.node.own_folder import require_safe_parents
from processes.signals import ENDING
from results.durable import explained
from results.errors import BenchError, ResultsError
from results.files import open_to_append
from runner.display import Lines
from runner.script import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from engines.carriers.blobs import Blobs

BEAT_S: Final = (
    30.0  # at most between two packs, so that whoever waits for them knows that this machine works
)
LOOK_S: Final = 0.5
CHECK_S: Final = 1.0  # after which to look at the claim again, and then after longer times
GRACE_S: Final = 60.0  # for a unit that was stopped to write its records
KEEP_TRYING_S: Final = 600.0  # to put the last of it into a store that can't be reached
KEEP_TRYING_STOPPED_S: Final = 10.0  # the same after a signal: who sent it may not wait longer


def main(words: Sequence[str]) -> int:
    """Do the attempt at an address. Returns 0 if its `end.json` lies in the store, whatever it says."""
    parser = argparse.ArgumentParser(prog="python -m engines.node.carried", description=__doc__)
    parser.add_argument("address", help="where the attempt lies: s3://bucket/prefix/name, or a folder")
    parser.add_argument("--sha256", required=True, help="the checksum of what was put there")
    parser.add_argument("--workdir", type=Path, help="where to make its folder here (default: $TMPDIR)")
    parser.add_argument(
        "--claim", default=secrets.token_hex(8), help="what to leave there to say who does it"
    )
    parser.add_argument("--until-eof", action="store_true", help="stop when standard input ends")
    # Split here, because argparse takes no rest after options that follow the address.
    ours, unit_words = _split(words)
    given = parser.parse_args(ours)
    try:
        with _asked_to_stop() as stop:
            if given.until_eof:
                threading.Thread(target=_wait_for_eof, args=(stop,), name="until-eof", daemon=True).start()
            blobs = blobs_at(given.address)
            return carry(
                blobs,
                unit_words,
                stop=stop,
                sha256=given.sha256,
                workdir=given.workdir,
                claim=given.claim,
            )
    except BenchError as error:
        Lines().say(f"error: {error.message}" + (f" ({error.hint})" if error.hint else ""))
        return error.exit_code


def _split(words: Sequence[str]) -> tuple[Sequence[str], Sequence[str]]:
    """Our own words, and those after --."""
    at = words.index("--") if "--" in words else len(words)
    return words[:at], words[at + 1 :]


def carry(
    blobs: Blobs,
    words: Sequence[str],
    *,
    stop: threading.Event,
    sha256: str,
    workdir: Path | None = None,
    claim: str,
) -> int:
    """The same at blobs that are open, until `stop` is set. sha256: of what was put there. claim: who does it, and
    nobody else. Raises ResultsError if the store can't be used or has something else, or another program does or did
    this attempt.
    """
    with _folder(workdir) as attempt:
        try:
            if blobs.get(pack_name(TO, 1), 1) is None:
                raise ResultsError("there is no attempt at that address", hint="was it removed meanwhile?")
            if blobs.get(CLAIM, 1) is not None:
                raise ResultsError(
                    "another program began this attempt before, on a machine that was taken away",
                    hint="the sweep begins another attempt, which goes on from what that one had done",
                )
            blobs.put(CLAIM, claim.encode())
            _bring(blobs, attempt, sha256)
        except OSError as error:
            raise ResultsError(
                f"cannot read the attempt from its store: {error}",
                hint="look at this machine's keys for the store",
            ) from error
        outgoing, claimed = _Outgoing(blobs, attempt), _Claim(blobs, claim)
        with _unit_program(attempt, words) as program:
            while program.poll() is None and not stop.is_set():
                claimed.check()
                outgoing.put_what_is_new()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    program.wait(LOOK_S)
        claimed.check(at_once=True)
        outgoing.put_the_end(KEEP_TRYING_STOPPED_S if stop.is_set() else KEEP_TRYING_S)
        return 0 if read_end(attempt) else 1


@contextlib.contextmanager
def _asked_to_stop() -> Iterator[threading.Event]:
    """Set by a signal that ends programs. No exception: it could come between a file's being read and its being put."""
    stop = threading.Event()
    before = {number: signal.getsignal(number) for number in ENDING}
    for number, handler in before.items():
        if handler is not signal.SIG_IGN:
            signal.signal(number, lambda *_: stop.set())
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _wait_for_eof(stop: threading.Event) -> None:
    with contextlib.suppress(OSError):
        while os.read(0, 4096):
            pass
    stop.set()


def _bring(blobs: Blobs, attempt: Path, sha256: str) -> None:
    """Raises OSError, ResultsError."""
    last = False
    checksum, files = Checksum(), ReceivedFiles(attempt, with_unit=True)
    for number in itertools.count(1):
        data = blobs.get(pack_name(TO, number), MOST_BYTES + 1)
        if data is None or last:
            break
        checksum.add(data)
        pieces, last = unpack(data)
        for piece in pieces:
            write_piece(files, piece)
    if not last or not (attempt / UNIT).is_file():
        raise ResultsError("the attempt is not whole in its store", hint="was it removed meanwhile?")
    if checksum.text != sha256:
        raise ResultsError(
            "what lies in the store is not what the sweep has put there, so nothing of it is done",
            hint="see who else can write to the store, and change its keys",
        )


@contextlib.contextmanager
def _folder(workdir: Path | None) -> Iterator[Path]:
    with explained("make a folder in", workdir or Path(tempfile.gettempdir())):
        if workdir is not None:
            require_safe_parents(workdir)
        path = Path(tempfile.mkdtemp(prefix="bench-attempt-", dir=workdir))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


@contextlib.contextmanager
def _unit_program(attempt: Path, words: Sequence[str]) -> Iterator[subprocess.Popen[bytes]]:
    """The program. It ends when its standard input does: with the block, or with this process, however that ends. It
    has a session of its own, so that a Ctrl-C reaches it once, through this program.
    """
    command = [sys.executable, "-m", "engines.node.unit_program", str(attempt), "--until-eof", *words]
    with explained("write to", attempt), open_to_append(attempt / LOG) as log:
        program = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=log, stderr=log, cwd=ROOT, start_new_session=True
        )
    try:
        yield program
    finally:
        if program.stdin is not None:
            program.stdin.close()
        try:
            program.wait(GRACE_S)
        except subprocess.TimeoutExpired:
            program.kill()  # its guardians end what it started
            program.wait()


class _Claim:
    """Two programs may find no claim in the same instant; or the sweep gives the attempt up in it. The last one to
    write has it, which the other one finds here.
    """

    def __init__(self, blobs: Blobs, claim: str) -> None:
        self._blobs = blobs
        self._claim = claim.encode()
        self._wait_s = CHECK_S
        self._check_at = time.monotonic() + CHECK_S

    def check(self, *, at_once: bool = False) -> None:
        """Now and then, or at once, look whether it is still ours. Raises ResultsError if it isn't."""
        if time.monotonic() < self._check_at and not at_once:
            return
        self._wait_s = min(2 * self._wait_s, BEAT_S)
        self._check_at = time.monotonic() + self._wait_s
        with contextlib.suppress(OSError):
            if self._blobs.get(CLAIM, len(self._claim) + 1) not in {None, self._claim}:
                raise ResultsError(
                    "the sweep has given this attempt up, or another program does it",
                    hint="the sweep's own program says how it goes on",
                )


class _Outgoing:
    """What goes back into the store, pack by pack. A pack that couldn't be put is put again before any other."""

    def __init__(self, blobs: Blobs, attempt: Path) -> None:
        self._blobs = blobs
        self._attempt = attempt
        self._files = GrowingFiles(attempt)
        self._files.known_already()
        self._number = 1
        self._left: Iterator[bytes] = iter(())
        self._held: bytes | None = None
        self._last_put = time.monotonic()
        self._packs: list[bytes] = []  # of this group so far

    def put_what_is_new(self) -> bool:
        """Without `end.json`. Returns False if the store can't be reached now."""
        return self._put(with_end=False)

    def put_the_end(self, within_s: float) -> None:
        """Everything, `end.json` after all that it speaks of, and whole files for people. Raises ResultsError."""
        give_up = time.monotonic() + within_s
        while not self._put(with_end=True):
            if time.monotonic() > give_up:
                raise ResultsError(
                    "the store can't be reached: the end of the attempt is not in it",
                    hint="the sweep goes on with what had come",
                )
            time.sleep(LOOK_S)
        with contextlib.suppress(OSError):  # only a convenience
            for relative in self._files.names():
                self._blobs.put_file(f"{FILES}/{relative}", self._attempt / relative)

    def _group(self, data: bytes) -> None:
        """Put each so many packs once more in one blob. A reader that doesn't find it takes them one by one."""
        self._packs.append(data)
        if self._number % GROUP:
            return
        group = grouped(self._packs)
        if group is not None:
            with contextlib.suppress(OSError):
                self._blobs.put(group_name(FROM, self._number), group)
        self._packs.clear()

    def _put(self, *, with_end: bool) -> bool:
        if not self._drain():
            return False
        self._left = packed(self._files.pieces(with_end=with_end))
        if time.monotonic() - self._last_put >= BEAT_S:
            self._left = itertools.chain(self._left, (pack(()),))
        return self._drain()

    def _drain(self) -> bool:
        try:
            while (data := self._held or next(self._left, None)) is not None:
                self._held = data
                self._blobs.put(pack_name(FROM, self._number), data)
                self._held = None
                self._last_put = time.monotonic()
                self._group(data)
                self._number += 1
        except OSError as error:
            Lines().say(f"the store can't be reached now: {error}")
            return False
        return True


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
