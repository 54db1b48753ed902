"""What was worked out from rows and is true for as long as they are: kept by key and revision."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from typing import Any, Final, TypeVar

__all__ = ["Derived"]

T = TypeVar("T")

_LIMIT: Final = 20_000
"""Values that are kept at most: a stream's summary is about 2 kB."""


class Derived:
    """Remembers values by key, each for one revision of what it was made of. Safe to use from several threads.

    A revision is a number that the database moves whenever the value could change; the reader looks it up in the
    snapshot that it computes from. Values of uncommitted transactions must stay out: a rollback gives their revision
    to other content.
    """

    def __init__(self, limit: int = _LIMIT) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._values: dict[Hashable, tuple[Hashable, Any]] = {}

    def get(self, key: Hashable, revision: Hashable, make: Callable[[], T]) -> T:
        """Return the value of this key at this revision, made now unless it is known.

        Two threads that miss at once both make it. The values read longest ago go first when there are too many.
        """
        with self._lock:
            known = self._values.pop(key, None)
            if known is not None:
                self._values[key] = known  # the end of the dict is what was used last
        if known is not None and known[0] == revision:
            return known[1]  # type: ignore[no-any-return]
        value = make()
        with self._lock:
            self._values.pop(key, None)
            self._values[key] = revision, value
            while len(self._values) > self._limit:
                del self._values[next(iter(self._values))]
        return value
