"""Patterns, topics and cursors at random, against plain models that are too slow or too simple to be wrong."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from taskcopilot.bridge.cursor import Cursor, Gap
from taskcopilot.errors import InvalidArgumentError, InvalidPatternError
from taskcopilot.store.event_log import LogState
from taskcopilot.topics import ENTITIES, MAX_PATTERN_LENGTH, MAX_STARS, Pattern, glob_match

pytestmark = pytest.mark.timeout(900)

AT_ONCE = 20
"""Pairs in an example of Hypothesis, which costs more than they do."""

ODD = st.sampled_from("ab:*?[].\\^$\u00e9\u212a\U0001f600\u202e\u0301")
TEXTS = st.text(ODD, max_size=24) | st.sampled_from(["*a" * 8, "a" * 120, "*" * 8 + "b", "?" * 30, "a" * 60 + "b"])
PAIRS = st.lists(st.tuples(TEXTS, TEXTS), min_size=AT_ONCE, max_size=AT_ONCE)


def reference(pattern: str, text: str) -> bool:
    """Fill the whole table of which beginning of the pattern matches which beginning of the text."""
    row = [True] + [False] * len(text)
    for char in pattern:
        above, row = row, [row[0] and char == "*"]
        for place, letter in enumerate(text):
            row.append(above[place + 1] or row[place] if char == "*" else above[place] and char in ("?", letter))
    return row[-1]


def test_the_matcher_agrees_with_a_slow_one(size: Callable[[int, int], int], say: Callable[[str], None]) -> None:
    """T2, T5: on 50,000 pairs, and in no time on each."""
    wanted, done, longest = size(5_000, 50_000), 0, 0.0

    @settings(max_examples=wanted // AT_ONCE, deadline=None, database=None)
    @given(PAIRS)
    def agrees(pairs: list[tuple[str, str]]) -> None:
        nonlocal done, longest
        for pattern, text in pairs:
            began = time.perf_counter()
            answer = glob_match(pattern, text)
            longest = max(longest, time.perf_counter() - began)
            assert answer == reference(pattern, text)
            done += 1

    agrees()
    say(f"{done} pairs, {longest * 1000:.2f} ms at most")
    assert done >= wanted
    assert longest < 0.25


PATTERNS = st.one_of(
    st.text(max_size=140),
    TEXTS,
    st.builds("{}:{}".format, st.sampled_from([*sorted(ENTITIES), "*", "t?sk", "nothing", "Task", ""]), TEXTS),
)


def is_pattern(text: str) -> bool:
    """Say T2 to T4 once more, in other words."""
    entity, *identifier = text.split(":", 1)
    fits = len(text) <= MAX_PATTERN_LENGTH and text.count("*") <= MAX_STARS
    seen = not any(char != " " and re.match(r"[^\S ]", char) for char in text) and text.isprintable()
    about = entity in ENTITIES or any(char in entity for char in "*?")
    return text == "*" or (fits and seen and about and entity != "" and identifier not in ([], [""]))


def test_the_grammar_is_what_the_protocol_says(size: Callable[[int, int], int], say: Callable[[str], None]) -> None:
    """T2, T3, T4: whatever is given is taken as it is, or refused with the name of the field."""
    wanted, taken, refused = size(5_000, 50_000), 0, 0

    @settings(max_examples=wanted // AT_ONCE, deadline=None, database=None)
    @given(st.lists(PATTERNS, min_size=AT_ONCE, max_size=AT_ONCE))
    def parses(texts: list[str]) -> None:
        nonlocal taken, refused
        for text in texts:
            try:
                pattern = Pattern.parse(text)
            except InvalidPatternError as error:
                refused += 1
                assert error.field == "topics"
                assert not is_pattern(text)
            else:
                taken += 1
                assert is_pattern(text)
                assert pattern.text == text

    parses()
    say(f"{taken} patterns taken, {refused} texts refused")
    assert taken + refused >= wanted
    assert min(taken, refused) > wanted // 50


EPOCHS = st.sampled_from(["e", "other", "3f6c-1", ""])
CURSORS = st.one_of(
    st.builds("{}:{}".format, EPOCHS, st.integers(-2, 130)),
    st.integers(-2, 130),
    st.integers(-2, 130).map(str),
    st.sampled_from([None, True, 1.0, [], {}, "1 ", " 1", "1\n", "+1", "e:e:1", "\u0661", "9" * 19, 10**18, -0]),
    st.text(max_size=8),
)
LOGS = st.tuples(st.integers(0, 120), st.integers(0, 120)).map(lambda pair: (max(pair), min(pair)))


def test_a_cursor_leads_where_a_list_says(size: Callable[[int, int], int], say: Callable[[str], None]) -> None:
    """D5: of any log and any cursor, nothing that is retained is missing, and what is gone is the gap."""
    wanted, found, refused = size(2_000, 20_000), 0, 0

    @settings(max_examples=wanted, deadline=None, database=None)
    @given(CURSORS, LOGS)
    def leads(given_: object, log: tuple[int, int]) -> None:
        nonlocal found, refused
        head, pruned_to = log
        written = re.fullmatch(r"(?:([0-9A-Za-z._-]{1,64}):)?([0-9]{1,18})", str(given_), re.ASCII)
        sound = isinstance(given_, str | int) and not isinstance(given_, bool) and written is not None
        try:
            position = Cursor.parse(given_).locate(LogState("e", head, pruned_to))
        except InvalidArgumentError as error:
            refused += 1
            assert error.field == "since"
            assert not sound
            return
        found += 1
        assert sound
        assert written is not None
        epoch, seq = written[1], int(written[2])
        retained = set(range(pruned_to + 1, head + 1))
        if epoch not in (None, "e") or seq > head:
            assert (position.after, position.gap) == (head, Gap(1, head) if head else Gap(0, 0))
            return
        asked = set(range(seq + 1, head + 1))
        assert set(range(position.after + 1, head + 1)) == asked & retained
        gone = sorted(asked - retained)
        assert position.gap == (Gap(gone[0], gone[-1]) if gone else None)

    leads()
    say(f"{found} cursors found, {refused} refused")
    assert found + refused >= wanted
    assert min(found, refused) > wanted // 20
