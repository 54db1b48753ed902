"""Measure: `python -m bench`, or scripts/bench/run, which prepares the environment."""

from __future__ import annotations

import argparse
import importlib
import json
import os
import sys
import time
import traceback
from pathlib import Path
from typing import Final

from bench import machine, report
from bench.result import Plan, Result

BENCHMARKS: Final = (
    "burst",
    "paced",
    "routing",
    "write",
    "callback",
    "reads",
    "scale",
    "catch_up",
    "start",
    "micro",
    "soak",
    "traffic",
    "mcp",
)
"""The modules, in the order of the report. Each has `run(plan) -> Result`."""

_BUSY: Final = (
    "Other work kept the machine busy meanwhile: times on the clock are too long, and a miss of theirs proves nothing; "
    "CPU times hold."
)

_CPU_TIMED: Final = ("routing",)
"""Benchmarks that read nothing but CPU time, which other work does not lengthen much."""


def main() -> int:
    """Return 0 when everything was measured, whatever came out; 1 when a benchmark failed."""
    options = _options()
    machine.pin(machine.LOAD_CORE)
    plan = Plan(options.quick)
    results: list[Result] = []
    for name in options.only:
        try:
            results.append(_measure(name, plan))
        except Exception:  # noqa: BLE001 - what the others find is of use all the same
            traceback.print_exc()
            continue
        if not plan.quick:
            report.keep(results[-1])
    if options.json:
        facts = {"machine": machine.describe(), "results": [result.as_json() for result in results]}
        options.json.write_text(json.dumps(facts, indent=1), "utf-8")
    if not plan.quick:
        report.page(BENCHMARKS, machine.describe())
        print(f"\nwritten: {report.PAGE}")
    return 0 if len(results) == len(options.only) else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/bench/run", description="Measure the bridge beside other systems.")
    parser.add_argument(
        "--only", type=_names, default=BENCHMARKS, metavar="NAME,..", help=f"of {', '.join(BENCHMARKS)}"
    )
    parser.add_argument("--quick", action="store_true", help="small and once: shows that it works, and keeps nothing")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the numbers of every repetition")
    return parser.parse_args()


def _names(text: str) -> tuple[str, ...]:
    names = tuple(text.split(","))
    if unknown := set(names) - set(BENCHMARKS):
        raise argparse.ArgumentTypeError(f"unknown: {', '.join(sorted(unknown))}; there are {', '.join(BENCHMARKS)}")
    return names


def _measure(name: str, plan: Plan) -> Result:
    before = os.getloadavg()[0]
    began = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())
    result: Result = importlib.import_module(f"bench.{name}").run(plan)
    result.about = {"on": began, "load average before and after": f"{before:.1f} and {os.getloadavg()[0]:.1f}"}
    if before > machine.CORES and name not in _CPU_TIMED:
        result.busy = True
        result.notes.append(_BUSY)
    report.show(result)
    return result


if __name__ == "__main__":
    sys.exit(main())
