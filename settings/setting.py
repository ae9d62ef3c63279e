"""What one setting is: the type of the table's rows."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

MOST = 1_000_000  # of any count: more is a slip of the finger
LARGEST_SEED = 2**31 - 1

Kind = Literal["text", "whole", "number", "size", "flag", "words", "json", "path", "model"]


class Determines(enum.Enum):
    """What depends on a setting; from it follow fingerprints, and the rules of resuming and comparing.

    RESULT: the answers or their verdicts. Runs that differ in it are two, and their scores are not compared.
    SAMPLES: which samples are answered. Runs that differ in it are two, compared on the samples that both have.
    SERVER: the model or how it is served. Runs that differ in it are two, and comparing them is the point.
    NOTHING: patience, places and names.
    """

    RESULT = "result"
    SAMPLES = "samples"
    SERVER = "server"
    NOTHING = "nothing"


class Section(enum.StrEnum):
    """Where --help shows it."""

    BENCHMARK = "Benchmark"
    MODEL = "Model and server"
    SAMPLING = "Samples and sampling"
    JUDGING = "Executed code"
    PATIENCE = "Supervision"
    OWN = "Of single benchmarks"


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One setting of a run. Everything that must know settings reads these rows.

    name: with underscores; the option has dashes. aliases: further options on the command line.
    kind: `size` is bytes (512M, 2G), `words` a list or a text that is split as a shell does it, `json` an object,
    `path` of a file or folder that exists, `flag` true or false.
    choices: the only values there are, but for those that match `also`. pattern: what the whole of a text matches.
    minimum, maximum: inclusive. above: exclusive. default: what holds when it is not given; None: decided elsewhere,
    and default_text says how.
    servers: the kinds of server that know it; empty: all. instead: by kind of server, what to do where it is unknown.
    server_option: by kind of server, the server's own option that takes the value.
    benchmarks: those that know it; empty: all but those of `not_for`.
    to_script: handed to our own scripts, as the option of the same name.
    may_hold_secret: a record has the text as it was written, with the names of variables and not their values.
    """

    name: str
    kind: Kind
    help: str
    section: Section
    determines: Determines
    metavar: str = ""
    aliases: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()
    also: str = ""
    pattern: str = ""
    minimum: float | None = None
    maximum: float | None = None
    above: float | None = None
    default: Any = None
    default_text: str = ""
    servers: tuple[str, ...] = ()
    instead: Mapping[str, str] | None = None
    server_option: Mapping[str, str] | None = None
    benchmarks: tuple[str, ...] = ()
    not_for: tuple[str, ...] = ()
    to_script: bool = False
    may_hold_secret: bool = False

    @property
    def option(self) -> str:
        """As on the command line."""
        return f"--{self.name.replace('_', '-')}"

    @property
    def is_own(self) -> bool:
        """Whether it belongs to single benchmarks."""
        return bool(self.benchmarks)

    @property
    def is_numeric(self) -> bool:
        return self.kind in {"whole", "number"}

    def knows_benchmark(self, name: str) -> bool:
        return name in self.benchmarks if self.benchmarks else name not in self.not_for
