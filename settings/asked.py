"""The settings of one run: a value for every row of the table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Self

from results.errors import UsageError
from settings.secrets import without_secrets, without_secrets_in
from settings.table import TABLE
from settings.values import read_value
from settings.variables import as_written


class Asked(Mapping[str, Any]):
    """Every setting's value by name, immutable. A setting that wasn't given has its default.

    given: the values that were given, by name; None counts as not given.
    """

    def __init__(self, given: Mapping[str, Any], table: Mapping[str, Any] = TABLE) -> None:
        if unknown := given.keys() - table.keys():
            raise KeyError(f"no such setting: {', '.join(sorted(unknown))}")
        self.table = table
        self.given = {name: given[name] for name in table if given.get(name) is not None}

    def __getitem__(self, name: str) -> Any:
        found = self.given.get(name)
        return self.table[name].default if found is None else found

    def __iter__(self) -> Iterator[str]:
        return iter(self.table)

    def __len__(self) -> int:
        return len(self.table)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Asked) and self.given == other.given

    def __hash__(self) -> int:
        return hash(tuple(sorted(map(str, self.given.items()))))

    def but(self, **changes: Any) -> Self:
        """A copy with other values; None means not given."""
        return type(self)({**self.given, **changes}, self.table)

    def written(self) -> dict[str, Any]:
        """The given values as plain JSON, as the user wrote them: variables by name. `read` is the inverse."""
        return {name: as_written(value) for name, value in self.given.items()}

    def recorded(self) -> dict[str, Any]:
        """The given values as plain JSON, for a record. Values that may hold a secret are as the user wrote them, with
        keys hidden; all others have their variables filled in.
        """
        return {
            name: _hidden(as_written(value))
            if self.table[name].may_hold_secret
            else list(value)
            if isinstance(value, tuple)
            else value
            for name, value in self.given.items()
        }

    @classmethod
    def read(cls, written: Mapping[str, Any], table: Mapping[str, Any] = TABLE) -> Self:
        """Read the output of `written`, with today's variables. Raises UsageError, also for an unknown setting."""
        if unknown := written.keys() - table.keys():
            raise UsageError(f"there is no setting {min(unknown)}", hint="update bench_runner")
        return cls(
            {name: read_value(table[name], value) for name, value in written.items()},
            table,
        )


def _hidden(value: Any) -> Any:
    if isinstance(value, str):
        return without_secrets_in(value)
    return list(without_secrets(value)) if isinstance(value, list) else value
