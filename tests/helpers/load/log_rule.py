"""The log rule: what a client heard is what the log holds, whole, once, and in order."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

import orjson

from tests.helpers.load.heard import Frames, Heard
from tests.helpers.load.writer import Caller


class StoredLog:
    """The events of the log by number, as GET /api/events tells them. It must have no hole."""

    def __init__(self, epoch: str, events: list[dict[str, Any]], head: int) -> None:
        assert [event["seq"] for event in events] == list(range(1, head + 1))
        self.events = {event["seq"]: event for event in events}
        self.epoch = epoch
        self.head = head

    @classmethod
    async def read(cls, port: int) -> StoredLog:
        """Read all pages."""
        events: list[dict[str, Any]] = []
        async with Caller.connected(port) as caller:
            page = await caller.get("/api/events?since=0&limit=1000")
            while page["events"]:
                assert "gap" not in page
                events += page["events"]
                page = await caller.get(f"/api/events?since={page['next']}&limit=1000")
        return cls(page["epoch"], events, page["head"])

    def matching(self, wanted: Callable[[str], bool]) -> array[int]:
        """Return the numbers of the events whose topic is wanted."""
        return array("q", (seq for seq, event in self.events.items() if wanted(event["payload"]["topic"])))

    def moments(self) -> dict[int, float]:
        """Return when each event happened, as wall time in seconds; the log tells whole milliseconds, rounded down."""
        return {seq: datetime.fromisoformat(event["timestamp"]).timestamp() for seq, event in self.events.items()}

    def check_acknowledged(self, acknowledged: Mapping[str, str]) -> None:
        """Fail unless every task that was answered is in the log, with its title."""
        created = {
            event["payload"]["data"]["taskId"]: event["payload"]["data"]["taskTitle"]
            for event in self.events.values()
            if event["payload"]["eventType"] == "task.created"
        }
        assert acknowledged.items() <= created.items()

    def check_frames(self, frames: Frames) -> None:
        """Fail unless all clients heard the same bytes, and these are the events of the log."""
        assert not frames.differing
        for seq, frame in frames.live.items():
            assert orjson.loads(frame) == self.events[seq]
        for seq, frame in frames.replayed.items():
            assert orjson.loads(frame) == {**self.events[seq], "replayed": True}

    def check_heard(self, heard: Iterable[Heard], wanted: Callable[[str], bool]) -> None:
        """Fail unless each client heard exactly the wanted events, once, in order, up to the head."""
        expected = self.matching(wanted)
        assert len(expected)
        for one in heard:
            assert one.seqs == expected, first_difference(one.seqs, expected)

    def delays(self, heard: Iterable[Heard], after: int = 0) -> list[float]:
        """Return the milliseconds between each event after a number and each client that heard it, sorted."""
        moments = self.moments()
        return sorted(
            (moment - moments[seq]) * 1_000
            for one in heard
            for seq, moment in zip(one.seqs, one.moments, strict=True)
            if seq > after
        )


def first_difference(found: array[int], expected: array[int]) -> str:
    """Say where two lists of numbers part."""
    for place, (left, right) in enumerate(zip(found, expected, strict=False)):
        if left != right:
            return f"heard {left} instead of {right}, after {list(found[max(0, place - 3) : place])}"
    return f"heard {len(found)} events of {len(expected)}"


def percentile(ordered: list[float], share: float) -> float:
    """Return the value below which that share of the sorted values lies."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def summary(ordered: list[float]) -> str:
    """Return p50, p99 and the maximum of sorted milliseconds."""
    half, most = percentile(ordered, 0.5), percentile(ordered, 0.99)
    return f"p50 {half:.1f}, p99 {most:.1f}, max {ordered[-1]:.1f} ms"
