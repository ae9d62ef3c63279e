"""The type of the table's rows: one setting."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Any, Literal

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping

MOST = 1_000_000  # the limit of every count: more is a typing error
LARGEST_SEED = 2**31 - 1

Kind = Literal[
    "text", "whole", "number", "size", "flag", "words", "json", "path", "model", "adapters", "weights"
]


class Determines(enum.Enum):
    """What depends on a setting. Fingerprints and the rules for resuming and comparing follow from it.

    RESULT: the answers or their verdicts. Runs that differ in it are different runs; their scores are not compared.
    SAMPLES: which samples are answered. Such runs are different too, and compared on the samples that both have.
    SERVER: the model or how it is served. Such runs are different too, and comparing them is the point.
    NOTHING: timeouts, places and names.
    """

    RESULT = "result"
    SAMPLES = "samples"
    SERVER = "server"
    NOTHING = "nothing"


class Section(enum.StrEnum):
    """The heading in --help."""

    BENCHMARK = "Benchmark"
    MODEL = "Model and server"
    SAMPLING = "Samples and sampling"
    JUDGING = "Executed code"
    SCORING = "Composite score"
    OPTIMISER = "Search of a better prompt"
    COST = "Cost and cache"
    PATIENCE = "Supervision"
    OWN = "Options of single benchmarks"


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """One setting of a run.

    name: with underscores; the option has dashes. aliases: other names on the command line.
    kind: `size` is bytes (512M, 2G), `words` a list or a text that is split like in a shell, `json` an object,
    `path` a file or folder that exists, `flag` true or false, `adapters` one or several FILE[:SCALE], `weights`
    PART=WEIGHT,... or a mapping.
    choices: the allowed values, besides those that match `also`; more_choices: further ones, which help doesn't list.
    pattern: the whole text must match it.
    minimum, maximum: inclusive. above: exclusive. default: the value if none is given; None if it is decided elsewhere,
    in a way that default_text describes.
    servers: the kinds of server that support it; empty: all. instead: by kind of server, what to do if it doesn't.
    server_option: by kind of server, the server's own option for it.
    benchmarks: those that support it; empty: all except `not_for`.
    to_script: our own scripts get it as the option of the same name.
    hidden: no user gives it; a run has it that this program made.
    may_hold_secret: a record has the text as the user wrote it, with the names of variables instead of their values.
    """

    name: str
    kind: Kind
    help: str
    section: Section
    determines: Determines
    metavar: str = ""
    aliases: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()
    more_choices: tuple[str, ...] = ()
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
    hidden: bool = False
    may_hold_secret: bool = False

    @property
    def option(self) -> str:
        """Its name on the command line."""
        return f"--{self.name.replace('_', '-')}"

    @property
    def every_choice(self) -> tuple[str, ...]:
        """The allowed values, also those that help doesn't list."""
        return (*self.choices, *self.more_choices)

    @property
    def is_own(self) -> bool:
        """Whether only some benchmarks have it."""
        return bool(self.benchmarks)

    @property
    def is_numeric(self) -> bool:
        return self.kind in {"whole", "number"}

    @property
    def takes_list(self) -> bool:
        """Whether a list is one value of it."""
        return self.kind in {"words", "adapters"}

    def knows_benchmark(self, name: str) -> bool:
        return name in self.benchmarks if self.benchmarks else name not in self.not_for
