"""What the time goes into: own time by function, or by imported package, as one line for the report.

Profiling slows the profiled down, so it is done in a run of its own, whose times do not count.
"""

from __future__ import annotations

import cProfile
import pstats
import re
from collections import Counter
from pathlib import Path
from typing import Final

__all__ = ["by_function", "by_package"]

_SHOWN: Final = 7
_IMPORT: Final = re.compile(r"^import time:\s+(\d+) \|\s+\d+ \|\s*(\S+)", re.MULTILINE)

_METHOD: Final = re.compile(r"'(\w+)' of '([\w.]+)' objects")
"""How cProfile names a method that is built in."""


def by_function(what: str, profile: cProfile.Profile) -> str:
    """Return the functions with the most own time, and their shares of all."""
    rows = pstats.Stats(profile).stats  # type: ignore[attr-defined]
    own = Counter({_name(*place): row[2] for place, row in rows.items()})
    return _line(what, own, "own time of functions")


def by_package(what: str, importtime: str) -> str:
    """Return the packages whose modules took longest to import, from what `python -X importtime` wrote."""
    own: Counter[str] = Counter()
    for microseconds, module in _IMPORT.findall(importtime):
        own[module.partition(".")[0]] += int(microseconds)
    return _line(what, own, f"imports, {own.total() / 1_000:.0f} ms in all")


def _line(what: str, own: Counter[str], kind: str) -> str:
    total = own.total() or 1
    shares = [f"{name} {time / total:.0%}" for name, time in own.most_common(_SHOWN)]
    return f"Profile of {what} ({kind}): {', '.join(shares)}."


def _name(file: str, _line: int, function: str) -> str:
    if found := _METHOD.search(function):
        return f"`{found[2].rpartition('.')[2]}.{found[1]}`"
    if file == "~":
        return "`" + function.strip("<>").removeprefix("built-in ").removeprefix("method ") + "`"
    return f"`{Path(file).stem}.{function}`"
