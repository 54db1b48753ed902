"""How long to wait before the next try: exponential, with full jitter, so that a herd of clients spreads out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

__all__ = ["FIRST", "full_jitter"]

FIRST: Final = 0.5
"""Seconds that the first wait stays below: a bridge that was only restarted is found within a second."""

_MAX_DOUBLINGS: Final = 32
"""Keeps the power small when a bridge is away for days; the cap rules long before."""


def full_jitter(failures: int, random: Callable[[], float], *, cap: float, first: float = FIRST) -> float:
    """Return the seconds to wait after so many failures in a row: evenly spread over [0, min(cap, first * 2^n)).

    `random` returns a float in [0, 1).
    """
    ceiling = first * 2.0 ** min(failures, _MAX_DOUBLINGS)
    return random() * min(cap, ceiling)
