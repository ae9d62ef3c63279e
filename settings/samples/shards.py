"""A run that is split by samples: which of them each shard has, and what can't be split."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple, Self, TypeVar

from results.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from settings.asked import Asked

_T = TypeVar("_T")
# In the summary of a shard: warnings that the completions themselves don't show.
SERVER_WARNINGS = "server_warnings"
_WRITTEN = re.compile(r"([1-9][0-9]*)/([1-9][0-9]*)")
_NOT_SPLIT = {
    "speed": "its requests load one server together",
    "kld": "it reads one text from its beginning to its end",
    "ifeval": "lm-eval chooses and judges its samples itself",
}
_CAPS = {"max_cost": "costs", "max_tokens_total": "tokens"}


class Shard(NamedTuple):
    """One of `total` shards of a run, `number` from 1: every total-th sample, in the order in which the whole run asks
    them, so that easy and hard ones are spread evenly.
    """

    number: int
    total: int

    @classmethod
    def read(cls, text: str) -> Self:
        """Such as 2/4. Raises UsageError."""
        found = _WRITTEN.fullmatch(text)
        shard = cls(int(found[1]), int(found[2])) if found else cls(0, 0)
        if not 1 <= shard.number <= shard.total:
            raise UsageError(
                f"{text!r} is no shard", hint="such as 2/4, the second of four", settings=("shard",)
            )
        return shard

    @property
    def written(self) -> str:
        return f"{self.number}/{self.total}"

    def of(self, samples: Sequence[_T]) -> Sequence[_T]:
        """Its own ones of all samples of the run."""
        return samples[self.number - 1 :: self.total]


def all_shards(count: int) -> tuple[Shard, ...]:
    """The shards of a run, in their order."""
    return tuple(Shard(number, count) for number in range(1, count + 1))


def require_shardable(asked: Asked, *, benchmark: str, parser: str) -> None:
    """Raise UsageError for a run that can't be split by its samples, and say why."""
    count = asked["shards"]
    if count is None or count == 1:
        return
    capped = next((name for name in _CAPS if asked[name] is not None), None)
    if asked["script"] is not None:
        why, hint = "another program chooses its samples itself", "leave --shards out"
    elif benchmark in _NOT_SPLIT:
        why, hint = f"{benchmark} can't be split: {_NOT_SPLIT[benchmark]}", "leave --shards out"
    elif parser != "summary":
        why, hint = (
            f"only our own parser knows what the shards' results are together, not {parser}",
            ("leave --shards or --parser out"),
        )
    elif capped is not None:
        option = asked.table[capped].option
        why = f"no shard knows the {_CAPS[capped]} of the others, so nobody could hold {option}"
        hint = f"leave --shards or {option} out"
    elif asked["limit"] is not None and asked["limit"] < count:
        why, hint = (
            f"{asked['limit']} samples can't be split into {count}",
            "give fewer shards or a larger --limit",
        )
    else:
        return
    raise UsageError(f"--shards {count}: {why}", hint=hint, settings=("shards",))
