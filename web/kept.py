"""What pages make of results, kept as long as these stay the same."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_T = TypeVar("_T")


class KeptByParts(Generic[_T]):
    """By the very objects that it was made of, which are replaced when a run changes: rows of a `RunStore`, tables of
    `CachedTables`. So nothing kept is ever out of date. Safe to use from several threads.

    most: how many are kept; the one that was used least lately is forgotten.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        # With the parts, so that no other object gets their ids meanwhile.
        self._kept: OrderedDict[tuple[int, ...], tuple[tuple[object, ...], _T]] = OrderedDict()

    def get(self, parts: Iterable[object], make: Callable[[], _T]) -> _T:
        """What was made of these parts, or is made now."""
        held = tuple(parts)
        key = tuple(map(id, held))
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key][1]
        made = make()
        with self._lock:
            self._kept[key] = held, made
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)
        return made
