"""What a run was asked to be: validated before anything starts, kept in the record as its config."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path  # noqa: TC003 - a dataclass field
from typing import TYPE_CHECKING, Any

from results.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from servers.request import ServerRequest
    from settings.benchmarks import Benchmark

_HIGHEST = 1_000_000  # of any count: more is a slip of the finger, and would only fail later


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """What is asked of the model. None: the script's default."""

    limit: int | None = None
    n_samples: int | None = None
    temperature: float | None = None
    max_tokens: int | None = None
    seed: int | None = None
    prompt_style: str | None = None
    shuffle: int | None = None

    def __post_init__(self) -> None:
        for name in ("limit", "n_samples", "max_tokens"):
            require_count(name, getattr(self, name))
        if self.temperature is not None and not 0 <= self.temperature <= 5:
            raise UsageError(f"--temperature {self.temperature} is out of range", hint="0 (greedy) to 5")
        if self.seed is not None and not 0 <= self.seed < 2**31:
            raise UsageError(f"--seed {self.seed} is out of range", hint="0 to 2147483647")
        if self.shuffle is not None and not 0 <= self.shuffle < 2**31:
            raise UsageError(f"--shuffle {self.shuffle} is out of range", hint="0 to 2147483647")

    def options(self) -> dict[str, str]:
        """Those that were given, by their option's name without the dashes."""
        return {name.replace("_", "-"): str(value) for name, value in vars(self).items() if value is not None}


@dataclass(frozen=True, kw_only=True)
class ScriptChoice:
    """Which program runs the benchmark. path: somebody else's script; None: our own.

    args: arguments for somebody else's script, with placeholders such as {base_url}. timeout_s: for the whole
    script; None: as long as it makes progress.
    """

    path: Path | None = None
    args: tuple[str, ...] = ()
    timeout_s: float | None = None
    sandbox: str = "auto"


@dataclass(frozen=True, kw_only=True)
class Supervision:
    """How patient the harness is. None of it determines a result."""

    ready_timeout_s: float = 600.0
    stall_timeout_s: float = 120.0
    max_restarts: int = 3


@dataclass(frozen=True, kw_only=True)
class RunSpec:
    """One run, as asked. options: the benchmark's own, by name; resume: the id of an earlier run that this one
    continues.
    expansions: what a manifest's variables filled in, (value, as written): a record has them as written.
    """

    benchmark: Benchmark
    server: ServerRequest
    sampling: Sampling
    script: ScriptChoice
    supervision: Supervision
    parser: str
    results_dir: Path
    options: Mapping[str, str] = field(default_factory=dict)
    resume: str | None = None
    expansions: tuple[tuple[str, str], ...] = ()
    config: dict[str, Any] = field(default_factory=dict)

    def as_written(self, command: tuple[str, ...]) -> tuple[str, ...]:
        """A command line for the record: what a variable of a manifest filled in may be a secret."""
        if not self.expansions:
            return command
        from settings.variables import unexpanded

        return tuple(unexpanded(word, self.expansions) for word in command)


def require_count(name: str, value: int | None) -> None:
    """A number of things: at least 1, and no slip of the finger."""
    if value is not None and not 1 <= value <= _HIGHEST:
        option = f"--{name.replace('_', '-')}"
        raise UsageError(f"{option} {value} is out of range", hint=f"{option} takes 1 to {_HIGHEST}")
