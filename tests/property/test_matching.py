"""Matching, on patterns and topics of every shape."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from taskcopilot.bridge.pattern_index import PatternIndex
from taskcopilot.topics import ENTITIES, Pattern, Selector, glob_match

LETTERS = "ab:[.?*"
ENTITY = st.sampled_from(sorted(ENTITIES))
TOPICS = st.builds("{}:{}".format, ENTITY, st.text("ab:[.", min_size=1, max_size=6))
PATTERNS = st.one_of(
    st.just("*"),
    TOPICS,
    st.builds("{}:*".format, ENTITY),
    st.builds(
        "{}:{}".format, ENTITY | st.sampled_from(["*", "t?sk", "*a*"]), st.text("ab:[.?*", min_size=1, max_size=6)
    ),
).map(Pattern.parse)


def reference(pattern: str, text: str) -> bool:
    """Match by regular expression: slow on hostile patterns, plainly right on short ones."""
    translated = "".join({"*": ".*", "?": "."}.get(char, re.escape(char)) for char in pattern)
    return re.fullmatch(translated, text, re.DOTALL) is not None


@given(st.text(LETTERS, max_size=10), st.text(LETTERS, max_size=10))
def test_the_matcher_agrees_with_the_reference(pattern: str, text: str) -> None:
    """T2: on any pattern and any text."""
    assert reference(pattern, text) == glob_match(pattern, text)


@given(
    st.lists(st.tuples(st.booleans(), st.integers(0, 4), st.lists(PATTERNS, max_size=4))),
    st.lists(TOPICS, max_size=8),
)
def test_the_index_answers_as_asking_everybody_would(
    changes: list[tuple[bool, int, list[Pattern]]], topics: list[str]
) -> None:
    """D2: each owner once, whatever came and went before, and asked twice alike."""
    index: PatternIndex[int] = PatternIndex()
    held: dict[int, set[Pattern]] = {}
    for adding, owner, patterns in changes:
        mine = held.setdefault(owner, set())
        if adding:
            index.add(owner, map(Selector, patterns))
            mine.update(patterns)
        else:
            index.remove(owner, map(Selector, patterns))
            mine.difference_update(patterns)
        for topic in topics:
            expected = {owner for owner, patterns in held.items() if any(p.matches(topic) for p in patterns)}
            for _ in range(2):
                answer = index.match(topic, "task.updated")
                assert len(answer) == len(set(answer))
                assert expected == set(answer)
    assert sum(map(len, held.values())) == len(index)
