"""A run without a server: its script runs a program of its own, whose processes are measured in the server's place."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from parsers.contract import read_end
from results.errors import ScriptError, ServerOutOfMemory
from results.plain_text import tail
from results.stats.divergence import PERPLEXITY_LOG
from runner.kld.stall import Idleness
from servers.effective import differences, from_log
from servers.start_failure import exhausted_memory

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from processes.process import ManagedProcess
    from servers.plan import LaunchPlan

_LOG_BYTES = 1 << 20
_TAIL_BYTES = 8 << 10
PHASES = frozenset({"reference", "load", "generate"})  # of the script, and of telemetry


class NoServer:
    """Like `runner.serving.MeasuredServer`, but of the script. Also looks after it; see
    `runner.script.following.Watching`.

    stall_timeout_s: after so long without processor time or progress it counts as hung. load_s: seconds from the
    program's start until it began to compute; None until then.
    """

    is_started = True  # with the run, so that nothing was there before it

    def __init__(self, plan: LaunchPlan, folder: Path, *, stall_timeout_s: float) -> None:
        self.load_s: float | None = None
        self._plan = plan
        self._log = folder / PERPLEXITY_LOG
        self._script: ManagedProcess | None = None
        self._loading_since: float | None = None
        self._stall_timeout_s = stall_timeout_s
        self._idleness = Idleness()

    def acquire(self, meanwhile: Callable[[], None]) -> None:
        """There is none."""

    def release(self, error: BaseException | None) -> None:
        """Nothing to stop: whatever the script started ends with it."""

    def note_script(self, process: ManagedProcess) -> None:
        self._script = process

    def note_phase(self, name: str) -> None:
        """The script begins a phase."""
        if name == "load":
            self._loading_since = time.monotonic()
        elif name == "generate" and self._loading_since is not None:
            self.load_s = time.monotonic() - self._loading_since

    def pids(self) -> frozenset[int]:
        """Pids of the script's living processes."""
        return frozenset() if self._script is None else self._script.tree()

    def metrics(self) -> None:
        """It has none."""

    def note_progress(self) -> None:
        self._idleness.note_progress()

    def look(self, in_flight: int | None, meanwhile: Callable[[], None]) -> None:
        """Raises ScriptError if it hangs. It is not restarted: a pass can't begin in its middle."""
        del in_flight, meanwhile
        idle_s = self._idleness.seconds(self.pids())
        if idle_s > self._stall_timeout_s:
            raise ScriptError(
                f"llama-perplexity hangs: no processor time and no progress for {idle_s:.0f} s",
                hint="look at `dmesg`, a GPU's driver may be stuck; --stall-timeout says how long to wait",
                log_tail=tail(read_end(self._log, _TAIL_BYTES)),
            )

    def watched(self) -> Sequence[int]:
        return ()

    def effective(self) -> tuple[dict[str, Any], tuple[str, ...]]:
        """What the program really used, by its log, and a sentence for each difference from what was asked."""
        text = read_end(self._log, _LOG_BYTES)
        found = {name: value for name, value in from_log(text).items() if value is not None}
        left_out = tuple(
            f"llama-perplexity has no option {option}: it was left out" for option in self._plan.left_out
        )
        no_gpu = found.get("gpu_layers") == 0
        from servers.discovery import version_of

        if build := version_of(self._plan.tool[0]):
            found["build"] = build
        return found, (*left_out, *differences(self._plan.asked, found, no_gpu=no_gpu))

    def failure(self, error: ScriptError) -> ScriptError | ServerOutOfMemory:
        """The script's error; that memory ran out, if the program says so, because less may help then."""
        where = exhausted_memory(read_end(self._log, _LOG_BYTES))
        if not where:
            return error
        return ServerOutOfMemory(
            error.message,
            where=where,
            hint=error.hint,
            log_tail=error.log_tail,
            command=error.command,
        )
