"""The anomaly detector: does a skill complete less or more often in the last hour than on the day before it?

Without I/O: samples in, a verdict out.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import Final, Literal

__all__ = ["MIN_BASELINE", "MIN_CURRENT", "THRESHOLD", "Deviation", "Sample", "deviation"]

THRESHOLD: Final = 2.0
"""Standard deviations of the baseline from which on the last hour is an anomaly."""

MIN_BASELINE: Final = 5
"""Invocations that a baseline needs."""

MIN_CURRENT: Final = 2
"""Invocations that the last hour needs."""


@dataclass(frozen=True, slots=True)
class Sample:
    """Invocations, and how many of them completed."""

    count: int
    completed: int

    @property
    def rate(self) -> float:
        """The share that completed, 0 to 1; of an empty sample 0."""
        return self.completed / self.count if self.count else 0.0

    @property
    def spread(self) -> float:
        """The standard deviation of one invocation's outcome.

        Where all ended alike it would be 0, and the first that ends otherwise infinitely unusual: then it is that of a
        sample with one more of each outcome (the rule of succession), the smaller the more there were.
        """
        rate = self.rate
        if not 0 < rate < 1:
            rate = (self.completed + 1) / (self.count + 2)
        return sqrt(rate * (1 - rate))


@dataclass(frozen=True, slots=True)
class Deviation:
    """An anomaly. The values are percentages that completed; the score counts standard deviations, above 0."""

    kind: Literal["drop", "spike"]
    baseline: float
    observed: float
    score: float


def deviation(current: Sample, baseline: Sample, threshold: float = THRESHOLD) -> Deviation | None:
    """Return how unusual the last hour is; None when it is not, or when there are too few invocations to tell."""
    if baseline.count < MIN_BASELINE or current.count < MIN_CURRENT:
        return None
    score = abs(current.rate - baseline.rate) / baseline.spread
    if score < threshold:
        return None
    kind: Literal["drop", "spike"] = "drop" if current.rate < baseline.rate else "spike"
    return Deviation(kind, 100 * baseline.rate, 100 * current.rate, score)
