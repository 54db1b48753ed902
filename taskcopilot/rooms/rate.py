"""How many messages one connection may send: a bucket of them, and a bucket of patience for who does not care."""

from __future__ import annotations

from typing import Final

__all__ = ["BURST", "RATE", "Bucket", "Pace"]

RATE: Final = 100.0
"""Messages a second."""

BURST: Final = 150.0
"""Messages at once."""

_FORGIVEN: Final = 10.0
"""Messages beyond the rate that are forgiven a second; who sends more is disconnected after another burst of them."""


class Bucket:
    """Fills with tokens at a rate, up to a limit; full at the start. Time is given, in seconds that never go back."""

    def __init__(self, rate: float, limit: float, now: float) -> None:
        self._rate = rate
        self._limit = limit
        self._tokens = limit
        self._at = now

    def take(self, now: float) -> float:
        """Take a token and return 0, or return the seconds until there is one."""
        self._tokens = min(self._limit, self._tokens + (now - self._at) * self._rate)
        self._at = now
        if self._tokens < 1:
            return (1 - self._tokens) / self._rate
        self._tokens -= 1
        return 0.0


class Pace:
    """Decides on each message of a connection."""

    def __init__(self, now: float) -> None:
        self._messages = Bucket(RATE, BURST, now)
        self._patience = Bucket(_FORGIVEN, BURST, now)

    def wait(self, now: float) -> float:
        """Return 0 for a message that may be read, or the seconds until the next one may."""
        return self._messages.take(now)

    def is_out_of_patience(self, now: float) -> bool:
        """A message came too early: tell whether it was one too many."""
        return self._patience.take(now) > 0
