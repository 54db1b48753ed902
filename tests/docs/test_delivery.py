"""docs/delivery.md: every sentence of the promise names the tests that fail when it is broken, and they exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
PAGE = (ROOT / "docs" / "delivery.md").read_text("utf-8")
SECTIONS = {int(part[0]): part for part in PAGE.split("\n## ")[1:] if part[0].isdigit()}
SENTENCES = dict(re.findall(r"^- \*\*(\d\.\d+)\*\* (.*?)(?=^- |^#|\Z)", PAGE, re.MULTILINE | re.DOTALL))
CITED = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")


def test_every_point_of_the_promise_is_there() -> None:
    """Eight points and the limits, each with sentences that are counted without a hole; no bullet goes uncounted."""
    assert list(SECTIONS) == [1, 2, 3, 4, 5, 6, 7, 8]
    assert len(SENTENCES) == len(re.findall(r"^\s*[-*] ", PAGE, re.MULTILINE))
    for point in range(1, 10):
        numbers = [int(name.split(".")[1]) for name in SENTENCES if name.startswith(f"{point}.")]
        assert numbers == list(range(1, len(numbers) + 1)) != [], point


@pytest.mark.parametrize("name", SENTENCES)
def test_every_sentence_names_tests_that_exist(name: str) -> None:
    """By file and function, or class; a test that was renamed is renamed here too."""
    cited = CITED.findall(SENTENCES[name])
    assert cited, SENTENCES[name]
    assert len(cited) == SENTENCES[name].count("::")
    for file, test in cited:
        assert test.lower().startswith("test")
        code = (ROOT / file).read_text("utf-8")
        assert re.search(rf"^(?:(?:async def|def|class) {test}\(|{test} = )", code, re.MULTILINE), f"{file}::{test}"
