"""docs/limits.md: every setting is there, with a test that uses it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from taskcopilot.config import TABLE, Setting

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "limits.md").read_text("utf-8")
ROWS = [line for line in PAGE.splitlines() if re.match(r"\| (?!-|setting|limit )", line) and not line.startswith("|--")]
CITED = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")


def test_every_setting_has_a_row_and_every_row_a_setting() -> None:
    """Once each."""
    named = re.findall(r"^\| `(--[\w-]+)` \|", PAGE, re.MULTILINE)
    assert sorted(named) == sorted(setting.flag for setting in TABLE)


@pytest.mark.parametrize("setting", TABLE, ids=lambda setting: setting.name)
def test_the_tests_of_a_setting_use_it(setting: Setting) -> None:
    """By name, as a flag, or by one of its variables, in the file of the test."""
    (row,) = [row for row in ROWS if row.startswith(f"| `{setting.flag}` |")]
    names = "|".join(map(re.escape, (setting.name, setting.flag, setting.variable, *setting.also)))
    cited = CITED.findall(row)
    assert cited
    for file, test in cited:
        code = (ROOT / file).read_text("utf-8")
        assert re.search(rf"(?<![\w-])(?:{names})(?![\w-])", code), f"{file}::{test} does not use {setting.name}"


@pytest.mark.parametrize("row", ROWS, ids=range(len(ROWS)))
def test_every_row_names_tests_that_exist(row: str) -> None:
    """By file and function; a test that was renamed is renamed here too."""
    cited = CITED.findall(row)
    assert cited, row
    assert len(cited) == row.count("::")
    for file, test in cited:
        assert re.search(rf"^(?:async )?def {test}\(", (ROOT / file).read_text("utf-8"), re.MULTILINE), (
            f"{file}::{test}"
        )
