"""Velocity: how many tasks were completed lately, and whether that grows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from math import floor
from typing import Final, Literal

from pydantic import Field

from taskcopilot.clock import iso
from taskcopilot.model import whole
from taskcopilot.tools.fields import ToolOutput

__all__ = ["Velocity", "velocity"]

Trend = Literal["improving", "stable", "declining", "insufficient_data"]

_PERIODS: Final = (7, 14, 30)

_ENOUGH: Final = 4
"""Fewer tasks make no trend."""

_THRESHOLD: Final = 0.2
"""The change between the halves of a period that counts as one."""

_SIGNS: Final[dict[Trend, str]] = {"improving": "↗", "stable": "→", "declining": "↘", "insufficient_data": "?"}


class Velocity(ToolOutput):
    """The tasks completed in the last days, and the trend from the first half of these days to the second."""

    period: str = Field(description="7d, 14d or 30d")
    tasks_completed: int
    tasks_per_day: int | float
    trend: Trend
    trend_indicator: str


def velocity(completed_at: Sequence[str], now: datetime) -> list[Velocity]:
    """Return the velocity of each period that ends now, from when tasks were completed."""
    return [_over(days, completed_at, now) for days in _PERIODS]


def _over(days: int, completed_at: Sequence[str], now: datetime) -> Velocity:
    start = now - timedelta(days=days)
    within = [at for at in completed_at if iso(start) <= at <= iso(now)]
    middle = iso(start + timedelta(days=days // 2))
    earlier = sum(at < middle for at in within)
    trend = _trend(earlier, len(within) - earlier)
    return Velocity(
        period=f"{days}d",
        tasks_completed=len(within),
        tasks_per_day=whole(floor(len(within) / days * 100 + 0.5) / 100),
        trend=trend,
        trend_indicator=_SIGNS[trend],
    )


def _trend(earlier: int, later: int) -> Trend:
    if earlier + later < _ENOUGH:
        return "insufficient_data"
    change = (later - earlier) / earlier if earlier else 1.0
    if change > _THRESHOLD:
        return "improving"
    return "declining" if change < -_THRESHOLD else "stable"
