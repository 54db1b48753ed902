"""What a subscribe may ask for beside its topics; all of it optional, all of it checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from taskcopilot.bridge.cursor import Cursor
from taskcopilot.errors import InvalidArgumentError
from taskcopilot.topics import MAX_STARS

__all__ = [
    "CONFLATABLE",
    "MAX_BATCH_EVENTS",
    "MAX_BATCH_MS",
    "MAX_LAST",
    "MAX_TYPES",
    "MAX_TYPE_LENGTH",
    "STARTS",
    "Batch",
    "read",
]

MAX_LAST: Final = 1_000
"""Past events that `last` may ask for; who wants more uses a cursor."""

CONFLATABLE: Final = frozenset({"stream.progress", "agent.heartbeat"})
"""Events that only say how things stand: the newest says it all. What ends or blocks something is never left out."""

STARTS: Final = ("since", "last", "snapshot")
"""Options that say where delivery starts: one of them at most (S5)."""

MAX_TYPES: Final = 20
MAX_TYPE_LENGTH: Final = 64
MAX_BATCH_MS: Final = 10_000
MAX_BATCH_EVENTS: Final = 1_000
_DEFAULT_BATCH_EVENTS: Final = 100


@dataclass(frozen=True, slots=True)
class Batch:
    """A wish to get many events in one message: within `seconds`, or as soon as there are `events` of them."""

    seconds: float
    events: int


def read(payload: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options as keyword arguments of Subscribe; raises InvalidArgumentError that names the field."""
    starts = [name for name in STARTS if payload.get(name) not in (None, False)]
    if len(starts) > 1:
        raise InvalidArgumentError(f"{starts[1]}: not together with {starts[0]}", field=starts[1])
    return {
        "since": None if payload.get("since") is None else Cursor.parse(payload["since"]),
        "last": _number(payload.get("last"), "last", 1, MAX_LAST),
        "types": _types(payload.get("filter")),
        "snapshot": _flag(payload.get("snapshot"), "snapshot"),
        "batch": _batch(payload.get("batch")),
        "conflate": _conflate(payload.get("conflate")),
    }


def _types(value: Any) -> frozenset[str] | None:
    if value is None:
        return None
    types = _object(value, "filter", {"eventTypes"}).get("eventTypes")
    if not isinstance(types, list) or not 1 <= len(types) <= MAX_TYPES or not all(map(_is_type, types)):
        raise InvalidArgumentError(
            f"filter.eventTypes: expected 1 to {MAX_TYPES} event types or globs", field="filter.eventTypes"
        )
    return frozenset(types)


def _is_type(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= MAX_TYPE_LENGTH and value.count("*") <= MAX_STARS


def _batch(value: Any) -> Batch | None:
    if value is None:
        return None
    given = _object(value, "batch", {"maxMs", "maxEvents"})
    milliseconds = _number(given.get("maxMs"), "batch.maxMs", 1, MAX_BATCH_MS)
    if milliseconds is None:
        raise InvalidArgumentError("batch.maxMs: expected a number of milliseconds", field="batch.maxMs")
    events = _number(given.get("maxEvents"), "batch.maxEvents", 1, MAX_BATCH_EVENTS)
    return Batch(milliseconds / 1000, events or _DEFAULT_BATCH_EVENTS)


def _conflate(value: Any) -> frozenset[str] | None:
    if value is None:
        return None
    if not isinstance(value, list) or not all(isinstance(item, str) and item in CONFLATABLE for item in value):
        raise InvalidArgumentError(
            f"conflate: expected a list out of {', '.join(sorted(CONFLATABLE))}", field="conflate"
        )
    return frozenset(value)


def _object(value: Any, name: str, known: set[str]) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise InvalidArgumentError(f"{name}: expected an object", field=name)
    for key in value:
        if key not in known:
            raise InvalidArgumentError(
                f"{name}.{key}: unknown; known are {', '.join(sorted(known))}", field=f"{name}.{key}"
            )
    return value


def _number(value: Any, name: str, least: int, most: int) -> int | None:
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise InvalidArgumentError(f"{name}: expected a whole number from {least} to {most}", field=name)
    return value


def _flag(value: Any, name: str) -> bool:
    if value is not None and not isinstance(value, bool):
        raise InvalidArgumentError(f"{name}: expected true or false", field=name)
    return bool(value)
