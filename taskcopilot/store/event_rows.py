"""Rows of the event log as events. Whatever an edit by hand has made of a row, reading goes on.

What is delivered is spliced into messages as it is stored; a row that would break them, or stop everybody behind it,
is replaced by an event that says so. The number stays: cursors and the order of numbers hold.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Sequence
from typing import Any, Final

import orjson

from taskcopilot.events import Event
from taskcopilot.store.lenient import query

__all__ = ["LARGEST", "SEPARATOR", "UNREADABLE", "event_of", "joined", "read_events"]

UNREADABLE: Final = "log.unreadable"
"""The type of the event that stands for a row that cannot be delivered; its data name the reason."""

SEPARATOR: Final = "\n"
"""Between the rooms of an event, and between what it is about: no name of either holds it."""

LARGEST: Final = 16_777_216
"""Characters of an event's data: a dozen times what a call can make of the largest body by default."""

_MOMENT: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", re.ASCII)
_TYPE: Final = re.compile(r"[A-Za-z0-9_.-]{1,256}", re.ASCII)
_UNKNOWN_MOMENT: Final = "1970-01-01T00:00:00.000Z"


def read_events(connection: sqlite3.Connection, sql: str, parameters: Sequence[Any]) -> list[Event]:
    """Return the events of a query for the columns seq, at, topic, type, data, rooms, about."""
    rows = query(connection, sqlite3.Cursor.fetchall, sql, parameters, errors="surrogateescape")
    return [event_of(row) for row in rows]


def event_of(row: Sequence[Any]) -> Event:
    """Return the event of a row (as `read_events` has it), or the one that says that it is unreadable.

    What it is about is for those who do not see everything: where that cannot be read, they do not see it.
    """
    seq, at, topic, kind, data, rooms, about = row
    reason = _problem(at, topic, kind, data, rooms)
    if reason is None:
        return Event(seq, at, topic, kind, data.encode(), _split(rooms), _split(about) if _is_text(about) else ())
    shown = topic if _is_topic(topic) else f"log:{seq}"
    moment = at if _is_like(_MOMENT, at) else _UNKNOWN_MOMENT
    return Event(seq, moment, shown, UNREADABLE, orjson.dumps({"seq": seq, "reason": reason}))


def joined(names: Sequence[str]) -> str | None:
    """Return names as a column holds them."""
    return SEPARATOR.join(names) or None


def _split(text: str | None) -> tuple[str, ...]:
    return tuple(text.split(SEPARATOR)) if text else ()


def _problem(at: Any, topic: Any, kind: Any, data: Any, rooms: Any) -> str | None:
    """Say which column holds what cannot be delivered, or None."""
    if not _is_like(_MOMENT, at):
        return "at is no time"
    if not _is_topic(topic):
        return "topic is no topic"
    if not _is_like(_TYPE, kind):
        return "type is no type"
    if rooms is not None and not _is_text(rooms):
        return "rooms is no text"
    if not isinstance(data, str) or len(data) > LARGEST:
        return "data is no text, or too much of it"
    return None if _is_object(data) else "data is no JSON object"


def _is_like(form: re.Pattern[str], value: Any) -> bool:
    return isinstance(value, str) and form.fullmatch(value) is not None


def _is_topic(value: Any) -> bool:
    return _is_text(value) and 0 < len(value) < LARGEST and 0 < value.find(":") < len(value) - 1


def _is_text(value: Any) -> bool:
    """Tell whether a value is text that can be written: no bytes, and no surrogates of what was no UTF-8."""
    return isinstance(value, str) and (value.isascii() or not _SURROGATE.search(value))


_SURROGATE: Final = re.compile("[\ud800-\udfff]")


def _is_object(data: str) -> bool:
    try:
        return isinstance(orjson.loads(data), dict)
    except orjson.JSONDecodeError:
        return False
