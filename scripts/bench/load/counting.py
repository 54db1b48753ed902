"""Counting events in what a socket gave, whatever the cuts between two reads."""

from __future__ import annotations

__all__ = ["Counter"]


class Counter:
    """Counts a marker in a stream. The marker must not overlap itself, so a run of one character has to stand alone."""

    def __init__(self, marker: bytes) -> None:
        self._marker = marker
        self._overlap = len(marker) - 1
        self._end = b""

    def feed(self, buffer: bytearray, size: int) -> int:
        """Return how many markers end within the first `size` bytes, which follow what was fed before."""
        found = buffer.count(self._marker, 0, size)
        if self._end:
            found += (self._end + buffer[: min(size, self._overlap)]).count(self._marker)
        last = bytes(buffer[max(0, size - self._overlap) : size])
        self._end = last if size >= self._overlap else (self._end + last)[-self._overlap :]
        return found
