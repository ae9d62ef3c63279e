"""Tell the user's own program, or the desktop, that a run or a sweep has ended: `--notify`.

The command is split into words as in a shell, and no shell runs it. Placeholders are filled in after that, with values
of letters, digits and `._:-` only. So each stays within its word and means nothing, even if the command is a shell.
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import signal
import subprocess
from typing import TYPE_CHECKING

from results.errors import Interrupted, UsageError
from results.plain_text import plain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

DESKTOP = "desktop"
MOST_S = 30.0  # how long the command may take
_PLACEHOLDER = re.compile(r"\{(\w+)\}")
_NAMES = ("id", "status", "score")
_UNSAFE = re.compile(r"[^A-Za-z0-9._:-]+")
_SHOWN = 200  # characters of what a failing command printed


class Ended:
    """What is told. run_id: of the run or sweep; "" if it never began. status: set by `notifying` if it ends in an
    error. score: in percent; of a sweep, the highest.
    """

    def __init__(self) -> None:
        self.run_id = ""
        self.status = "succeeded"
        self.score: float | None = None

    def values(self) -> dict[str, str]:
        """The placeholders' values, harmless in any place of a command line."""
        told = {
            "id": self.run_id or "none",
            "status": self.status,
            "score": "none" if self.score is None else f"{self.score:.1f}",
        }
        return {name: _UNSAFE.sub("_", value).lstrip("-") for name, value in told.items()}


def read_notify(text: str | None) -> tuple[str, ...]:
    """The words of the command; () for none. Raises UsageError for one that can't work."""
    if text is None:
        return ()
    import shutil

    if text.strip() == DESKTOP:
        if shutil.which("notify-send") is None:
            raise UsageError(
                "--notify desktop needs notify-send, which is not installed",
                hint="install libnotify-bin (or libnotify), or give a command: --notify 'COMMAND {id} {status}'",
            )
        return ("notify-send", "--app-name=bench_runner", "bench_runner: {status}", "{id}: score {score}")
    try:
        words = tuple(shlex.split(text))
    except ValueError as error:
        raise UsageError(f"--notify {text}: {error}", hint="close the quotes") from error
    if not words:
        raise UsageError("--notify is empty", hint="an unset variable in the shell?")
    unknown = [name for word in words for name in _PLACEHOLDER.findall(word) if name not in _NAMES]
    if unknown:
        known = " ".join(f"{{{name}}}" for name in _NAMES)
        raise UsageError(f"--notify: unknown placeholder {{{unknown[0]}}}", hint=f"known: {known}")
    if shutil.which(os.path.expanduser(words[0])) is None:  # noqa: PTH111 - a text
        raise UsageError(f"--notify: there is no program {words[0]}", hint="give its path, or install it")
    return words


@contextlib.contextmanager
def notifying(
    command: tuple[str, ...], *, warn: Callable[[str], None], most_s: float = MOST_S
) -> Iterator[Ended]:
    """Tell how the block ended, whatever its end. The block fills in what is told.

    A command that fails or takes longer than most_s is a warning, and changes nothing else.
    """
    ended = Ended()
    try:
        yield ended
    except BaseException as error:
        if ended.status == "succeeded":
            ended.status = "interrupted" if isinstance(error, Interrupted | KeyboardInterrupt) else "failed"
        raise
    finally:
        if command and (problem := _tell(command, ended, most_s)):
            warn(f"--notify: {plain(problem)}")


def _tell(command: tuple[str, ...], ended: Ended, most_s: float) -> str:
    """Run the command. Returns what went wrong, or ""."""
    import tempfile

    values = ended.values()
    words = [_PLACEHOLDER.sub(lambda found: values[found[1]], word) for word in command]
    words[0] = os.path.expanduser(words[0])  # noqa: PTH111 - a text
    with tempfile.TemporaryFile() as output:  # no pipe: what it leaves in the background may keep that open
        try:
            process = subprocess.Popen(
                words,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            return f"{words[0]} can't be run: {error.strerror or error}"
        try:
            code = process.wait(most_s)
        except subprocess.TimeoutExpired:
            return f"{words[0]} took longer than {most_s:g} s and was stopped"
        finally:
            if process.returncode is None:  # also when a signal came
                with contextlib.suppress(OSError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        if code == 0:
            return ""
        output.seek(0)
        printed = output.read()
        last = printed.decode(errors="replace").strip().rpartition("\n")[2][:_SHOWN]
        return f"{words[0]} ended with code {code}" + (f": {last}" if last else "")
