"""The addresses of resources: what can be read, and what a change changes. Decides without I/O."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qs, quote, unquote

import orjson

from taskcopilot.errors import NotFoundError
from taskcopilot.events import Event

__all__ = ["KINDS", "RECENT", "Address", "changed", "uri_of"]

KINDS: Final = ("task", "stream", "checkpoint")
"""What has an address of its own; the same words as in topics."""

RECENT: Final = "events://recent"
"""The newest events; with `?since=<cursor>` those behind a cursor."""

_NAMED_IN: Final = {"taskId": "task", "streamId": "stream"}
"""Members of an event's data that name what else it changes: a task's progress is part of its stream."""


@dataclass(frozen=True, slots=True)
class Address:
    """What a URI means: a kind and the id of one of it; or kind `events`, and the cursor if there is one."""

    kind: str
    id: str = ""
    since: str | None = None

    @classmethod
    def parse(cls, uri: str) -> Address:
        """Read a URI; raises NotFoundError for what is none of ours."""
        base, _, query = uri.partition("?")
        kind, _, name = base.partition("://")
        if base == RECENT:
            parameters = parse_qs(query)
            if not set(parameters) - {"since"}:
                return cls("events", since=parameters.get("since", [None])[-1])
        elif kind in KINDS and name and not query:
            return cls(kind, unquote(name))
        raise NotFoundError(f"Unknown resource: {uri[:200]}", field="uri")


def uri_of(kind: str, identifier: str) -> str:
    """Return the URI of one task, stream or checkpoint, as its template expands to it."""
    return f"{kind}://{quote(identifier, safe='')}"


def changed(events: Iterable[Event]) -> list[str]:
    """Return the URIs of what the events changed, each once, in the order in which that happened."""
    uris: dict[str, None] = {}
    for event in events:
        kind, _, identifier = event.topic.partition(":")
        if kind in KINDS:
            uris[uri_of(kind, identifier)] = None
        data: dict[str, Any] = orjson.loads(event.data)
        for member, also in _NAMED_IN.items():
            if isinstance(name := data.get(member), str):
                uris[uri_of(also, name)] = None
        uris[RECENT] = None
    return list(uris)
