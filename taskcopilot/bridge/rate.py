"""How much somebody may ask for: a bucket of tokens, and a bucket of patience for who does not care."""

from __future__ import annotations

from typing import Final

__all__ = ["Bucket", "Pace"]

_BURST: Final = 1.5
"""Seconds' worth of messages that may come at once."""

_FORGIVEN: Final = 0.1
"""How far beyond the rate is forgiven; who sends more is disconnected after another burst."""


class Bucket:
    """Fills with tokens at a rate, up to a limit; full at the start. Time is given, in seconds that never go back."""

    __slots__ = ("_at", "_limit", "_rate", "_tokens")

    def __init__(self, rate: float, limit: float, now: float) -> None:
        self._rate = rate
        self._limit = max(1.0, limit)
        self._tokens = self._limit
        self._at = now

    def take(self, now: float) -> float:
        """Take a token and return 0, or return the seconds until there is one."""
        self._fill(now)
        if self._tokens < 1:
            return (1 - self._tokens) / self._rate
        self._tokens -= 1
        return 0.0

    def is_full(self, now: float) -> bool:
        """Tell whether it is as good as a new one."""
        self._fill(now)
        return self._tokens >= self._limit

    def _fill(self, now: float) -> None:
        self._tokens = min(self._limit, self._tokens + (now - self._at) * self._rate)
        self._at = now


class Pace:
    """Decides on each message of a connection: so many a second, and half as many more at once."""

    __slots__ = ("_messages", "_patience")

    def __init__(self, rate: float, now: float) -> None:
        self._messages = Bucket(rate, rate * _BURST, now)
        self._patience = Bucket(rate * _FORGIVEN, rate * _BURST, now)

    def wait(self, now: float) -> float:
        """Return 0 for a message that may be read, or the seconds until the next one may."""
        return self._messages.take(now)

    def is_out_of_patience(self, now: float) -> bool:
        """A message came too early: tell whether it was one too many."""
        return self._patience.take(now) > 0
