"""The report: a table on the terminal, and docs/performance.md."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from bench.processes import CACHE, ROOT
from bench.result import Claim, Result, Row, number

__all__ = ["PAGE", "keep", "kept_results", "page", "show"]

PAGE: Final = ROOT / "docs" / "performance.md"
_KEPT: Final = CACHE / "results.json"

_INTRODUCTION: Final = """\
# Performance

What `scripts/bench/run` measured; it wrote this page. Numbers of one section come from one run, with the other systems
side by side in turns, and are medians of its repetitions; the range is that of all repetitions. Absolute numbers belong
to the machine below: compare ratios.
"""

_LEGEND: Final = """\
The factor is how often the goal fits into what was measured: below 1 it is missed by that much. On a busy machine other
work took the cores while this was measured: what is missed there has to be measured again, unless it is CPU time."""


def show(result: Result) -> None:
    """Print a benchmark for people at a terminal."""
    print(f"\n{result.title}\n{'-' * len(result.title)}\n{result.region}\n")
    width = max((len(row.what) for row in result.rows), default=0)
    for row in result.rows:
        print(f"  {row.what:<{width}}  {number(row.median):>9} {row.unit:<16} {_range(row):<18} {row.note}".rstrip())
    for claim in result.claims:
        print(f"  {_verdict(claim):<18} {claim.text}: {claim.measured}")
    for note in result.notes:
        print(f"  note: {note}")


def kept_results() -> dict[str, Result]:
    """Return the results of the last runs at full size, by name."""
    if not _KEPT.exists():
        return {}
    return {name: Result.from_json(values) for name, values in json.loads(_KEPT.read_text("utf-8")).items()}


def keep(result: Result) -> None:
    """Keep a result for the page, in the place of the one before."""
    kept = {**kept_results(), result.name: result}
    _KEPT.parent.mkdir(parents=True, exist_ok=True)
    _KEPT.write_text(json.dumps({name: one.as_json() for name, one in kept.items()}, indent=1), "utf-8")


def page(names: Sequence[str], machine: Mapping[str, str], path: Path = PAGE) -> None:
    """Write the page from what was kept of these benchmarks, in their order; say which were never run."""
    kept = kept_results()
    known = [kept[name] for name in names if name in kept]
    path.write_text("\n".join(_lines(known, [name for name in names if name not in kept], machine)) + "\n", "utf-8")


def _lines(results: list[Result], missing: list[str], machine: Mapping[str, str]) -> Iterator[str]:
    yield _INTRODUCTION
    if missing:
        yield f"Not measured yet: {', '.join(missing)}.\n"
    yield from (f"- {name}: {value}" for name, value in machine.items())
    yield "\n## What is to be reached\n"
    yield "| | | measured | factor |\n|---|---|---|---|"
    for result in results:
        for claim in result.claims:
            verdict = "met" if claim.met else "missed on a busy machine" if result.busy else "**missed**"
            yield f"| {verdict} | {claim.text} | {claim.measured} | {claim.factor:.2f} |"
    yield f"\n{_LEGEND}"
    for result in results:
        yield from _section(result)


def _section(result: Result) -> Iterator[str]:
    yield f"\n## {result.title}\n"
    yield f"{result.region}\n"
    yield "| what | median | range | |\n|---|---|---|---|"
    for row in result.rows:
        yield f"| {row.what} | {number(row.median)} {row.unit} | {_range(row)} | {row.note} |"
    if result.notes:
        yield ""
        yield from (f"- {note}" for note in result.notes)
    about = ", ".join(f"{name} {value}" for name, value in result.about.items())
    yield f"\nMeasured: {about}."


def _range(row: Row) -> str:
    return f"{number(min(row.runs))} to {number(max(row.runs))}" if len(row.runs) > 1 else ""


def _verdict(claim: Claim) -> str:
    return f"met ({claim.factor:.2f}x)" if claim.met else f"MISSED ({claim.factor:.2f}x)"
