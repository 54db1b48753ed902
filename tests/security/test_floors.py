"""What we depend on is at least as new as the release that closed its known holes."""

from __future__ import annotations

import importlib.metadata
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FLOORS = {"aiohttp": (3, 14, 5), "pyjwt": (2, 13, 0), "mcp": (2, 0, 0)}
"""aiohttp: CVE-2026-54273, -54274, -54277, -54278, fixes of 3.14.4; PyJWT: CVE-2026-48526; mcp: CVE-2025-66416."""

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
DECLARED = [*PROJECT["dependencies"], *(each for extra in PROJECT["optional-dependencies"].values() for each in extra)]


def version(text: str) -> tuple[int, ...]:
    """Read the release of a version, three numbers of it."""
    numbers = [int(number) for number in re.match(r"[0-9.]+", text)[0].strip(".").split(".")]  # type: ignore[index]
    return tuple([*numbers, 0, 0][:3])


def lower_bounds(name: str) -> list[str]:
    """Return the lower bounds that the project declares for a package."""
    bounds = [re.fullmatch(rf"{name}(?:\[[\w,]+\])?>=([0-9.]+).*", each.lower()) for each in DECLARED]
    named = [each for each in DECLARED if re.match(rf"{name}\b", each.lower())]
    assert len(named) == len([bound for bound in bounds if bound]), f"{named}: without a lower bound"
    return [bound[1] for bound in bounds if bound]


@pytest.mark.parametrize("name", FLOORS)
def test_no_release_with_a_known_hole_is_allowed(name: str) -> None:
    """By the lower bound, which also holds for who installs without our constraints."""
    bounds = lower_bounds(name)
    assert bounds
    assert all(version(bound) >= FLOORS[name] for bound in bounds)


@pytest.mark.parametrize("name", FLOORS)
def test_no_release_with_a_known_hole_is_tested_with(name: str) -> None:
    """Installed, and pinned for the tests."""
    pinned = re.search(rf"^{name}==(.+)$", (ROOT / "constraints.txt").read_text("utf-8"), re.MULTILINE | re.IGNORECASE)
    assert pinned is not None
    for each in (pinned[1], importlib.metadata.version(name)):
        assert version(each) >= FLOORS[name]
