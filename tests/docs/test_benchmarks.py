"""The benchmarks run; what they find is for docs/performance.md."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.skipif(sys.platform != "linux", reason="the benchmarks read /proc and pin cores")
def test_a_quick_look_at_one_benchmark_reports_numbers_and_claims(tmp_path: Path) -> None:
    """The command of scripts/bench/run, small and once; it leaves the page as it is."""
    page = ROOT / "docs" / "performance.md"
    before = page.read_bytes() if page.exists() else None
    found = tmp_path / "found.json"
    path = os.pathsep.join([str(ROOT / "scripts"), str(ROOT), os.environ.get("PYTHONPATH", "")])
    result = subprocess.run(
        [sys.executable, "-m", "bench", "--quick", "--only", "routing", "--json", str(found)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert "Routing" in result.stdout
    (routing,) = json.loads(found.read_text("utf-8"))["results"]
    assert all(value > 0 for row in routing["rows"] for value in row["runs"])
    assert {claim["text"].rpartition(",")[2].strip() for claim in routing["claims"]} >= {"below 5 us an event"}
    assert (page.read_bytes() if page.exists() else None) == before


def test_an_unknown_benchmark_is_named() -> None:
    """And nothing is measured."""
    path = os.pathsep.join([str(ROOT / "scripts"), str(ROOT), os.environ.get("PYTHONPATH", "")])
    result = subprocess.run(
        [sys.executable, "-m", "bench", "--only", "coffee"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 2
    assert "unknown: coffee" in result.stderr
