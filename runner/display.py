"""Show the progress of a run on stderr: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import datetime as dt
import math
import sys
import time
from typing import TYPE_CHECKING, Any, Protocol

from results.plain_text import indented

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

PLAIN_EVERY_S = 10.0


class Display(Protocol):
    """Where a run reports what it is doing."""

    def say(self, text: str) -> None:
        """Show a message. It is made safe to print, whatever it contains."""

    def progress(self, event: dict[str, Any]) -> None:
        """Show a progress event of the script."""

    def close(self) -> None:
        """Restore the terminal and reset the counters after a run. Is idempotent."""


def display_for_stderr() -> Display:
    """A bar if stderr is a terminal, otherwise lines."""
    return Bar() if sys.stderr.isatty() else Lines()


class TokenRate:
    """Tokens per second since the first mark. Tokens are counted per whole answer, so a short window would jump. Where
    the count begins anew, so does the rate.
    """

    def __init__(self) -> None:
        self._first: tuple[float, int] | None = None

    def update(self, now: float, tokens: int) -> float | None:
        """Add a mark. Returns the rate, or None until there are two marks."""
        if self._first is None or tokens < self._first[1]:
            self._first = (now, tokens)
        seconds = now - self._first[0]
        return (tokens - self._first[1]) / seconds if seconds > 0 else None


class TimeLeft:
    """The time left, by the answers since the first mark, however far apart they come."""

    def __init__(self) -> None:
        self._first: tuple[float, int] | None = None
        self._last = (0.0, 0)
        self._total = 0

    def update(self, now: float, done: int, total: int) -> None:
        """Add a mark. The first one has what was there before."""
        if self._first is None or done < self._first[1]:
            self._first = self._last = (now, done)
        if done > self._last[1]:
            self._last = (now, done)
        self._total = total

    def seconds(self, now: float) -> float | None:
        """None until there is an answer since the first mark."""
        last_s, done = self._last
        if self._first is None or done == self._first[1] or last_s <= self._first[0]:
            return None
        each_s = (last_s - self._first[0]) / (done - self._first[1])
        return max(0.0, (self._total - done) * each_s - (now - last_s))

    def __str__(self) -> str:
        """As a clock, at this moment."""
        seconds = self.seconds(time.monotonic())
        return "-:--:--" if seconds is None else str(dt.timedelta(seconds=math.ceil(seconds)))


class Lines:
    """Plain lines: one for every tenth of the run or every ten seconds, whichever is rarer."""

    def __init__(self) -> None:
        self._rate = TokenRate()
        self._left = TimeLeft()
        self._last_s = 0.0
        self._last_done = 0

    def say(self, text: str) -> None:
        print(indented(text), file=sys.stderr, flush=True)

    def progress(self, event: dict[str, Any]) -> None:
        done, total = _count(event, "done"), _count(event, "total")
        now = time.monotonic()
        rate = self._rate.update(now, _count(event, "completion_tokens"))
        self._left.update(now, done, total)
        far = done - self._last_done >= max(1, total // 10)
        if done > self._last_done and (done == total or (far and now - self._last_s >= PLAIN_EVERY_S)):
            self._last_s, self._last_done = now, done
            speed = f", {rate:.0f} tokens/s" if rate else ""
            left = f", eta {self._left}" if done < total and self._left.seconds(now) is not None else ""
            self.say(f"  {done}/{total} completions{speed}{left}")

    def close(self) -> None:
        self._rate, self._left = TokenRate(), TimeLeft()
        self._last_s, self._last_done = 0.0, 0


class TrialLines:
    """How a search for a better prompt goes on: a line when the best prompt changes, and else every ten seconds."""

    def __init__(self) -> None:
        self._best: float | None = None
        self._last_s = -math.inf

    def line(self, event: dict[str, Any]) -> str:
        """Of an event of a trial; "" where it is too soon."""
        now = time.monotonic()
        is_last = event["trial"] == event["of"]
        if event["best"] == self._best and not is_last and now - self._last_s < PLAIN_EVERY_S:
            return ""
        self._best, self._last_s = event["best"], now
        return (
            f"  trial {event['trial']} of {event['of']}: best {event['best']:.1f} of 100 on validation, "
            f"seed prompt {event['seed']:.1f}; {event['calls']} requests"
        )


class Bar:
    """A progress bar with completions done, tokens/s and the time left."""

    def __init__(self) -> None:
        from rich.console import Console

        self._console = Console(stderr=True, highlight=False, markup=False, emoji=False)
        self._rate = TokenRate()
        self._left = TimeLeft()
        self._bar: Progress | None = None
        self._task: TaskID | None = None

    def say(self, text: str) -> None:
        self._console.print(indented(text), soft_wrap=True)

    def progress(self, event: dict[str, Any]) -> None:
        now = time.monotonic()
        rate = self._rate.update(now, _count(event, "completion_tokens"))
        self._left.update(now, _count(event, "done"), _count(event, "total"))
        bar, task = self._started()
        bar.update(
            task,
            completed=_count(event, "done"),
            total=_count(event, "total"),
            rate=f"{rate:.0f} tokens/s" if rate else "",
        )

    def _started(self) -> tuple[Progress, TaskID]:
        if self._bar is None or self._task is None:
            from rich import progress

            self._bar = progress.Progress(
                progress.TextColumn("{task.description}"),
                progress.BarColumn(),
                progress.MofNCompleteColumn(),
                progress.TextColumn("{task.fields[rate]}"),
                progress.TimeElapsedColumn(),
                progress.TextColumn("eta {task.fields[left]}"),  # written anew whenever it is drawn
                console=self._console,
            )
            self._task = self._bar.add_task("completions", total=None, rate="", left=self._left)
            self._bar.start()
        return self._bar, self._task

    def close(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None
        self._rate, self._left = TokenRate(), TimeLeft()


def _count(event: dict[str, Any], name: str) -> int:
    value = event.get(name)
    return value if isinstance(value, int) else 0
