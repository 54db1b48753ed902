"""Where a cursor leads: promise D5."""

from __future__ import annotations

import pytest

from taskcopilot.bridge.cursor import Cursor, Gap, Position
from taskcopilot.store.event_log import LogState

LOG = LogState("e", head=100, pruned_to=40)


@pytest.mark.parametrize(
    ("cursor", "position"),
    [
        (Cursor("e", 100), Position(100)),
        (Cursor(None, 100), Position(100)),
        (Cursor("e", 60), Position(60)),
        (Cursor("e", 40), Position(40)),
        (Cursor("e", 39), Position(40, Gap(40, 40))),
        (Cursor("e", 0), Position(40, Gap(1, 40))),
        (Cursor("e", 101), Position(100, Gap(1, 100))),
        (Cursor("other", 60), Position(100, Gap(1, 100))),
        (Cursor("other", 200), Position(100, Gap(1, 100))),
    ],
)
def test_a_cursor_is_found_or_the_gap_is_named(cursor: Cursor, position: Position) -> None:
    """D5: what is gone is told, and an unknown position starts at the head."""
    assert position == cursor.locate(LOG)


def test_a_cursor_reads_back_as_it_was_written() -> None:
    """The text that clients keep is the text that they send."""
    for cursor in (Cursor("e", 3), Cursor(None, 3)):
        assert cursor == Cursor.parse(str(cursor))
