"""The matcher: promises T2 and T5, and the same answers as the server's."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from task_copilot_client.matching import glob_match
from taskcopilot.topics import glob_match as of_the_server

PATTERNS = st.text("ab:*?[.", max_size=10)
TOPICS = st.text("ab:[.", max_size=12)


@given(PATTERNS, TOPICS)
def test_client_and_server_agree(pattern: str, topic: str) -> None:
    """T2: what the server sends is what the client hands out."""
    assert glob_match(pattern, topic) == of_the_server(pattern, topic)


@given(PATTERNS, TOPICS)
def test_star_and_question_mark_are_all_there_is(pattern: str, topic: str) -> None:
    """T2: a star is any run, a question mark one character, the rest stands for itself."""
    expression = "".join({"*": ".*", "?": "."}.get(character, re.escape(character)) for character in pattern)
    assert glob_match(pattern, topic) == bool(re.fullmatch(expression, topic, re.DOTALL))


@pytest.mark.parametrize(
    ("pattern", "topic", "expected"),
    [
        ("*", "task:1", True),
        ("task:*", "task:", True),
        ("task:*", "tasks:1", False),
        ("task:T-?", "task:T-1", True),
        ("task:T-?", "task:T-12", False),
        ("Task:*", "task:1", False),
        ("task:[1]", "task:1", False),
        ("*:a:b", "task:a:b", True),
    ],
)
def test_matching_by_example(pattern: str, topic: str, expected: bool) -> None:
    """T2 by example."""
    assert glob_match(pattern, topic) is expected


def test_many_stars_take_no_time() -> None:
    """T5: no pattern makes the matcher backtrack for long."""
    started = time.perf_counter()
    assert not glob_match("*a*a*a*a*a*a*a*b", "a" * 5_000)
    assert time.perf_counter() - started < 1
