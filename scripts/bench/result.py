"""What a benchmark finds: numbers with their unit, and claims that hold or do not."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

__all__ = ["Claim", "Plan", "Result", "Row", "at_least", "at_most", "loops", "number", "percentile"]


@dataclass(frozen=True)
class Plan:
    """How much to measure. `quick` only shows that the benchmarks work; its numbers mean little."""

    quick: bool = False

    @property
    def repeats(self) -> int:
        """How many times a number is measured; its median counts."""
        return 1 if self.quick else 5

    def size(self, quick: int, full: int) -> int:
        """Choose between two sizes."""
        return quick if self.quick else full


@dataclass(frozen=True)
class Row:
    """A measured thing: the values of its runs, in one unit. The median speaks for them."""

    what: str
    unit: str
    runs: Sequence[float]
    note: str = ""

    @property
    def median(self) -> float:
        """The middle of the runs."""
        return statistics.median(self.runs)


@dataclass(frozen=True)
class Claim:
    """What is to be reached, what was measured, and by which factor it is met (above 1) or missed (below 1)."""

    text: str
    measured: str
    factor: float

    @property
    def met(self) -> bool:
        """Whether it is reached."""
        return self.factor >= 1


@dataclass
class Result:
    """One benchmark. `region` says what is inside the measured region."""

    name: str
    title: str
    region: str
    rows: list[Row] = field(default_factory=list)
    claims: list[Claim] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    about: dict[str, str] = field(default_factory=dict)
    busy: bool = False
    """Whether other work kept the machine busy meanwhile."""

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Result:
        """Undo `as_json`."""
        rows = [Row(**row) for row in values["rows"]]
        claims = [Claim(**claim) for claim in values["claims"]]
        return cls(**{**values, "rows": rows, "claims": claims})


def at_least(text: str, value: float, limit: float, unit: str) -> Claim:
    """Claim that a value reaches a limit."""
    return Claim(text, f"{number(value)} {unit}", value / limit)


def at_most(text: str, value: float, limit: float, unit: str) -> Claim:
    """Claim that a value stays within a limit."""
    return Claim(text, f"{number(value)} {unit}", limit / value if value > 0 else float("inf"))


def loops(found: Mapping[str, float], uvloop: str, asyncio: str, unit: str) -> str:
    """Say how the two event loops compare."""
    fast, plain = found[uvloop], found[asyncio]
    return f"uvloop against asyncio: {number(fast)} against {number(plain)} {unit}, {number(fast / plain)} times."


def number(value: float) -> str:
    """Write a number with three digits that mean something."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value below which the share of all lies."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
