"""How a transport writes what the hub delivers. Wires are values: members with equal wires share their bytes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import orjson

from taskcopilot.bridge.cursor import Gap
from taskcopilot.bridge.frames import text_frame
from taskcopilot.bridge.protocol import encode_event, encode_gap
from taskcopilot.bridge.window import Encoded
from taskcopilot.clock import Clock, iso

__all__ = ["EventStreamWire", "WebSocketWire", "Wire", "conflated"]


class Wire(Protocol):
    """What the hub asks of a transport's format."""

    @property
    def delay(self) -> float:
        """Seconds that events may wait for others, so that they travel together; 0 for none."""
        ...

    @property
    def most(self) -> int:
        """How many events may wait; the last of them sends all."""
        ...

    def join(self, entries: Sequence[Encoded], *, replayed: bool = False) -> bytes:
        """Return the bytes of some events, in their order."""
        ...

    def gap(self, gap: Gap) -> bytes:
        """Return the bytes of the notice that events are gone."""
        ...


@dataclass(frozen=True, slots=True)
class WebSocketWire:
    """Uncompressed text frames: one per event, or, for who asked for batches, one per batch."""

    clock: Clock
    delay: float = 0.0
    most: int = 1
    batched: bool = False
    conflate: frozenset[str] = frozenset()

    def join(self, entries: Sequence[Encoded], *, replayed: bool = False) -> bytes:
        """See Wire."""
        kept = conflated(entries, self.conflate) if self.conflate else entries
        if not kept:
            return b""
        if self.batched:
            envelopes = [_envelope(entry, replayed) for entry in kept]
            slices = (envelopes[at : at + self.most] for at in range(0, len(envelopes), self.most))
            return b"".join(text_frame(self._batch(part)) for part in slices)
        if replayed:
            return b"".join(text_frame(_envelope(entry, replayed)) for entry in kept)
        return b"".join([entry.frame for entry in kept])

    def gap(self, gap: Gap) -> bytes:
        """See Wire."""
        return text_frame(encode_gap(gap, iso(self.clock.now())))

    def _batch(self, envelopes: list[bytes]) -> bytes:
        at = iso(self.clock.now()).encode()
        return b'{"type":"batch","timestamp":"%b","payload":{"events":[%b]}}' % (at, b",".join(envelopes))


@dataclass(frozen=True, slots=True)
class EventStreamWire:
    """Server-sent events, each batch as one chunk of a chunked HTTP answer. The id of an event is its cursor."""

    epoch: str
    delay: float = 0.0
    most: int = 1

    def join(self, entries: Sequence[Encoded], *, replayed: bool = False) -> bytes:
        """See Wire."""
        return chunk(b"".join(self._event(entry, replayed) for entry in entries))

    def gap(self, gap: Gap) -> bytes:
        """See Wire."""
        return chunk(
            b"event: gap\nid: %b:%d\ndata: %b\n\n" % (self.epoch.encode(), gap.last, orjson.dumps(gap.as_json()))
        )

    def _event(self, entry: Encoded, replayed: bool) -> bytes:
        envelope = _envelope(entry, replayed)
        return b"id: %b:%d\ndata: %b\n\n" % (self.epoch.encode(), entry.event.seq, envelope)


def chunk(data: bytes) -> bytes:
    """Return a chunk of HTTP's chunked coding; nothing for nothing, because an empty chunk ends the answer."""
    return b"%x\r\n%b\r\n" % (len(data), data) if data else b""


def conflated(entries: Sequence[Encoded], types: frozenset[str]) -> list[Encoded]:
    """Leave out what a later entry of the same topic and type makes old news, for the given types."""
    newest: set[tuple[str, str]] = set()
    kept: list[Encoded] = []
    for entry in reversed(entries):
        key = (entry.event.topic, entry.event.type)
        if entry.event.type in types and key in newest:
            continue
        newest.add(key)
        kept.append(entry)
    kept.reverse()
    return kept


def _envelope(entry: Encoded, replayed: bool) -> bytes:
    return encode_event(entry.event, replayed=True) if replayed else entry.envelope
