"""docs/security.md: every attack names the tests that carry it out, they exist, and all random tests are counted."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
PAGE = (ROOT / "docs" / "security.md").read_text("utf-8")
SECTIONS = {part.partition("\n")[0]: part for part in PAGE.split("\n## ")[1:]}
FUNCTION = re.compile(r"^def (test_\w+)\((.*?)(?=^(?:def|class|@)|\Z)", re.MULTILINE | re.DOTALL)
CITED = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")


def rows(section: str) -> dict[str, list[str]]:
    """Return the rows of a section's table, by their first cell, without its head."""
    lines = [line for line in SECTIONS[section].splitlines() if line.startswith("|")][2:]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {first: rest for first, *rest in cells}


ATTACKS = rows("Threats and tests")
RANDOM = rows("At random")


def exists(file: str, test: str) -> bool:
    """Tell whether a file holds a test, by function or class."""
    code = (ROOT / file).read_text("utf-8")
    return re.search(rf"^(?:(?:async def|def|class) {test}\(|{test} = )", code, re.MULTILINE) is not None


@pytest.mark.parametrize("attack", ATTACKS)
def test_every_attack_names_tests_that_exist(attack: str) -> None:
    """A test that was renamed is renamed here too."""
    happens, tests = ATTACKS[attack]
    assert happens
    cited = CITED.findall(tests)
    assert cited
    assert len(cited) == tests.count("::")
    for file, test in cited:
        assert test.startswith("test")
        assert exists(file, test), f"{file}::{test}"


def test_every_random_test_is_counted() -> None:
    """What tests/security sends at random has a row with a number, and no row is of a test that is gone."""
    counted = {CITED.fullmatch(tests).groups() for tests in (row[0] for row in RANDOM.values())}  # type: ignore[union-attr]
    assert all(exists(*each) for each in counted)
    assert all(re.match(r"[\d,]+ ", row[1]) for row in RANDOM.values())
    found = set()
    for file in (ROOT / "tests" / "security").glob("test_*.py"):
        tests = re.findall(
            r"^def (test_\w+)\((.*?)(?=^(?:def|class|@)|\Z)", file.read_text("utf-8"), re.MULTILINE | re.DOTALL
        )
        found |= {(str(file.relative_to(ROOT)), test) for test, body in tests if "@given" in body}
    assert found <= counted
    assert len(found) > 5


def test_every_kind_of_attacker_is_answered() -> None:
    """Who may try what, what is not defended, and how to report are there."""
    assert len(rows("Who may try what")) >= 5
    assert SECTIONS["What is not defended"].count("\n- **") >= 5
    assert "How to report" in SECTIONS
