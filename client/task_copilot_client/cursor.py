"""Cursors and gaps: where in the log a client is, and what of it is gone. Values, compared by content."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

__all__ = ["Cursor", "Gap", "as_seq", "oldest"]

_CURSOR: Final = re.compile(r"(?:([0-9A-Za-z._-]{1,64}):)?([0-9]{1,18})", re.ASCII)

_LARGEST: Final = 10**18
"""No log is that long; a number beyond it was not written by a bridge."""


@dataclass(frozen=True, slots=True)
class Gap:
    """Events that can no longer be delivered, both ends included."""

    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Cursor:
    """A claim to have everything up to `seq`, in the log named by `epoch`; None is whichever log is asked."""

    epoch: str | None
    seq: int

    def __str__(self) -> str:
        return str(self.seq) if self.epoch is None else f"{self.epoch}:{self.seq}"

    @classmethod
    def parse(cls, value: object) -> Cursor:
        """Read `42`, `"42"` or `"<epoch>:42"`; raise ValueError for anything else."""
        text = str(value) if isinstance(value, int | Cursor) and not isinstance(value, bool) else value
        match = _CURSOR.fullmatch(text) if isinstance(text, str) else None
        if match is None:
            raise ValueError(f"since: expected an event number or a cursor '<epoch>:<seq>', got {value!r}")
        return cls(match[1], int(match[2]))

    def is_comparable(self, other: Cursor) -> bool:
        """Tell whether both may be of one log. Numbers of different logs mean nothing to each other."""
        return self.epoch is None or other.epoch is None or self.epoch == other.epoch


def oldest(cursors: Iterable[Cursor | None]) -> Cursor | None:
    """Return the lowest cursor of the log that the first one belongs to; None when there is none at all."""
    present = [cursor for cursor in cursors if cursor is not None]
    return min((cursor for cursor in present if cursor.is_comparable(present[0])), key=lambda c: c.seq, default=None)


def as_seq(value: Any) -> int | None:
    """Read an event number as JSON brings it; None for what is none, so that a strange one harms nothing."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if not 0 <= value < _LARGEST or value != int(value):
        return None
    return int(value)
