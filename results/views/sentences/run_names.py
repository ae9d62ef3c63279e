"""Names of runs that are shown together: each with what tells it from the others, and no more."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_ENDING_LENGTH = 4  # the last part of an id: a fraction of a second and a random number


def unique_names(names: Mapping[str, str]) -> dict[str, str]:
    """The names by the run's id, with the end of the id where several runs have one name.

    Where that end is another's too, which a few hundred runs of one name are enough for, it is the whole id.
    """
    with_endings = add_where_shared(names, {run_id: f"({run_id[-_ENDING_LENGTH:]})" for run_id in names})
    shared = Counter(with_endings.values())
    return {
        run_id: name if shared[name] == 1 else f"{names[run_id]} ({run_id})"
        for run_id, name in with_endings.items()
    }


def add_where_shared(names: Mapping[str, str], more: Mapping[str, str]) -> dict[str, str]:
    """Add to each name that several runs have. more: by the run's id."""
    shared = Counter(names.values())
    return {
        run_id: name if shared[name] == 1 else f"{name} {more[run_id]}".strip()
        for run_id, name in names.items()
    }
