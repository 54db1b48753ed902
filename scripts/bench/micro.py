"""The steps of an event's way one by one: tests/bench under pytest-benchmark."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Final

from bench.machine import SERVER_CORE
from bench.processes import ROOT, environment, scratch
from bench.result import Plan, Result, Row

__all__ = ["run"]

_REGION: Final = """\
One call of the function, in a loop that pytest-benchmark calibrates; the median of its rounds, whose range is that of
the middle half. `encode payload`: a typed payload to JSON; `encode frame`: an event to a WebSocket frame; `join`:
frames to one write; `match`: a topic to its clients among 5,000 ids; `append`: three events numbered and written,
without the commit."""


def run(plan: Plan) -> Result:
    """Run the file and take over its numbers."""
    with scratch() as directory:
        found = directory / "micro.json"
        seconds = "0.05" if plan.quick else "1.0"
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:randomly",
            "-p",
            "no:cacheprovider",
            "--noconftest",
            "-c",
            os.devnull,  # the suite's options are for plugins that measuring does not need
            f"--rootdir={ROOT}",
            "tests/bench/micro.py",
        ]
        options = [
            f"--benchmark-json={found}",
            f"--benchmark-max-time={seconds}",
            "--benchmark-disable-gc",
        ]
        done = subprocess.run(
            ["taskset", "-c", str(SERVER_CORE), *command, *options],
            cwd=ROOT,
            env=environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(done.stdout + done.stderr)
        measured = json.loads(found.read_text("utf-8"))["benchmarks"]
    rows = [
        Row(_name(one["name"]), "us", [one["stats"][key] * 1e6 for key in ("q1", "median", "q3")]) for one in measured
    ]
    return Result("micro", "Steps", _REGION, rows)


def _name(test: str) -> str:
    return test.removeprefix("test_").replace("_", " ").replace("[", ", ").rstrip("]")
