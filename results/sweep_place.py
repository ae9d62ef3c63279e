"""Which run of which sweep a record is, how it ended in a race, and of which shards it was made."""

from __future__ import annotations

import enum
import re

import msgspec


class RaceEnd(enum.StrEnum):
    """How a configuration ended in a race; see `results.stats.racing`."""

    WINNER = "winner"  # the last one left
    IN_FRONT = "in_front"  # the leader, when no samples are left or others are undecided
    NOT_BEATEN = "not_beaten"  # not the leader, when no samples are left
    BEATEN = "beaten"
    BEHIND = "behind"
    UNDECIDED = "undecided"  # too many of its answers were lost
    WITHDRAWN = "withdrawn"  # it failed


class RaceResult(msgspec.Struct, frozen=True, kw_only=True):
    """samples: how many of `total` it answered. lost: lost answers among them. by: label of the run that beat it, or
    that it is behind.
    """

    end: RaceEnd
    samples: int
    total: int
    lost: int = 0
    by: str = ""

    @property
    def stopped_early(self) -> bool:
        """Whether it was stopped before the end, so that it has fewer samples than the others."""
        return self.end in {RaceEnd.BEATEN, RaceEnd.BEHIND, RaceEnd.UNDECIDED, RaceEnd.WITHDRAWN}


class Reduction(msgspec.Struct, frozen=True, kw_only=True):
    """A setting that was lowered after memory ran out."""

    setting: str
    before: int
    after: int


class ShardFacts(msgspec.Struct, frozen=True, kw_only=True):
    """One shard, in the record of the run that it became a part of. shard: such as 2/4. time_taken_s: its whole run;
    generate_s: first request to last answer. host, gpus: where it was answered.
    """

    run_id: str
    shard: str
    completions: int | None = None
    began: str = ""
    time_taken_s: float | None = None
    generate_s: float | None = None
    energy_j: float | None = None
    host: str = ""
    gpus: tuple[str, ...] = ()


class SweepPlace(msgspec.Struct, frozen=True, kw_only=True):
    """Which run of which sweep this is.

    fingerprint: hash of everything that determines its results. label: distinguishes it from the sweep's other runs.
    nonce: ends the model's name at every server of the sweep. reductions: in order. race_result: None without a race
    and until its end. reduced, race: the same as sentences, in older records; reading fills the fields above from them.
    earlier_tries: how many runs the sweep began for this fingerprint before.
    """

    sweep_id: str
    fingerprint: str
    label: str
    nonce: str
    reductions: tuple[Reduction, ...] = ()
    race_result: RaceResult | None = None
    reduced: tuple[str, ...] = ()
    race: str = ""
    earlier_tries: int = 0

    def __post_init__(self) -> None:
        if self.reduced and not self.reductions:
            found = tuple(filter(None, map(_reduction, self.reduced)))
            msgspec.structs.force_setattr(self, "reductions", found)
        if self.race and self.race_result is None:
            msgspec.structs.force_setattr(self, "race_result", _race_result(self.race))
        msgspec.structs.force_setattr(self, "reduced", ())
        msgspec.structs.force_setattr(self, "race", "")


# The sentences of older records.
_RACE = (
    r"(?s)(?P<what>winner|in front|not beaten|withdrawn|stopped) after (?P<samples>\d+) of (?P<total>\d+) samples"
    r"(?:: (?:it failed|(?P<how>beaten|behind)(?: by)? (?P<by>.*?)(?:, and would not be shown better)?))?"
)
_REDUCTION = r"(?P<setting>\w+) from (?P<before>\d+) to (?P<after>\d+)"


def _race_result(words: str) -> RaceResult | None:
    found = re.fullmatch(_RACE, words)
    end = found and (found["how"] or found["what"].replace(" ", "_"))
    if not found or end not in set(RaceEnd):
        return None
    return RaceResult(
        end=RaceEnd(end),
        samples=int(found["samples"]),
        total=int(found["total"]),
        by=found["by"] or "",
    )


def _reduction(words: str) -> Reduction | None:
    found = re.fullmatch(_REDUCTION, words)
    if found is None:
        return None
    return Reduction(setting=found["setting"], before=int(found["before"]), after=int(found["after"]))
