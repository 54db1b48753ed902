"""The hub: fans committed events out to its members. It never waits for a socket.

An event goes: bus -> `receive` -> the groups whose patterns match -> one join per group -> one write per member. The
first event of a quiet moment is written at once; those that come in the same turn of the event loop are joined into
one write, so batches grow with the load and no timer is needed.

A member is live or catching up. A live one whose peer does not keep up leaves its group with its position and costs
nothing more; it reads the log from there as it drains, and goes live again at the head. A client that resumes from a
cursor starts in the same state: one mechanism serves replay, resume and slow readers.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from taskcopilot.bridge.catch_up import CatchUp, Log
from taskcopilot.bridge.cursor import Cursor, Position
from taskcopilot.bridge.measures import Measures
from taskcopilot.bridge.member import Group, Member, MemberState, Sink
from taskcopilot.bridge.pattern_index import PatternIndex
from taskcopilot.bridge.subscriptions import Replay
from taskcopilot.bridge.window import Encoded, Window
from taskcopilot.bridge.wire import Wire
from taskcopilot.events import Event
from taskcopilot.store.event_log import LogState
from taskcopilot.topics import Pattern, Selector, Sight

__all__ = ["Hub", "Limits", "Statistics"]

_log: Final = logging.getLogger(__name__)

WINDOW: Final = 2_048
"""Events kept in memory for who falls behind a little: about a megabyte, some seconds of a busy bridge."""

PASSING_BYTES: Final = 65_536
"""Who has so much waiting does not get passing events: by the time it reads them they are old."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What may wait for a client's peer before the client leaves live delivery."""

    events: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Statistics:
    """The hub at one moment."""

    members: int
    live: int
    catching_up: int
    groups: int
    patterns: int
    head: int


class Hub:
    """The members of one process. Used from the event loop only; nothing here raises for the sake of one member."""

    def __init__(self, log: Log, state: LogState, limits: Limits, measures: Measures | None = None) -> None:
        self._limits = limits
        self.measures = measures or Measures()
        self._epoch = state.epoch
        self._pruned_to = state.pruned_to
        self.head = state.head
        """The newest event that was handed to the hub."""
        self._members: set[Member] = set()
        self._groups: dict[tuple[Wire, frozenset[Selector]], Group] = {}
        self._index: PatternIndex[Group] = PatternIndex()
        self._window = Window(WINDOW)
        self._dirty: list[Group] = []
        self._in_turn = False
        self._committed = 0.0
        self._catch_up = CatchUp(self, log, self._window)

    @property
    def log_state(self) -> LogState:
        """The log as far as the hub has seen it."""
        return LogState(self._epoch, self.head, self._pruned_to)

    def note_pruned(self, pruned_to: int) -> None:
        """Learn that retention removed events up to a number."""
        self._pruned_to = max(self._pruned_to, pruned_to)

    def statistics(self) -> Statistics:
        """Count members, groups and patterns."""
        live = sum(member.state is MemberState.LIVE for member in self._members)
        members = len(self._members)
        return Statistics(members, live, members - live, len(self._groups), len(self._index), self.head)

    def attach(self, sink: Sink, wire: Wire) -> Member:
        """Take in a client that holds nothing yet."""
        member = Member(sink, wire, self.head)
        self._members.add(member)
        return member

    def detach(self, member: Member) -> None:
        """Let a client go; idempotent. Nothing is written to it any more."""
        self._leave_group(member)
        member.state = MemberState.GONE
        self._members.discard(member)
        if member.task is not None:
            member.task.cancel()
            member.task = None

    def hold(
        self, member: Member, selectors: Sequence[Selector], since: Cursor | None, wire: Wire | None = None
    ) -> Position:
        """Let the member have what the selectors match, from a cursor, or from now on.

        Registered when this returns; the caller writes its answer before anything else runs, so the answer precedes the
        first event. The position says where delivery starts and what is missing. `wire` is how the member gets its
        events from now on, by default as before.
        """
        self.flush()
        member.wire = wire or member.wire
        position = Position(self.head) if since is None else since.locate(self.log_state)
        self.measures.gaps += position.gap is not None
        reached = self.head if member.state is MemberState.LIVE else member.position
        already = member.holdings.copy()
        member.holdings.hold(selectors, position.after)
        if position.after < reached:
            member.replays.append(Replay(selectors, position.after, reached, already))
        self._place(member, reached)
        return position

    def look_through(self, member: Member, view: Sight | None, wire: Wire | None = None) -> None:
        """Let the member see what somebody else may see from now on; what it holds stays the same."""
        self.flush()
        member.wire = wire or member.wire
        reached = self.head if member.state is MemberState.LIVE else member.position
        member.holdings.look_through(view)
        for replay in member.replays:
            replay.look_through(view)
        self._place(member, reached)

    def drop(self, member: Member, patterns: Iterable[Pattern], wire: Wire | None = None) -> None:
        """Let the member have the patterns no longer; `wire` as for `hold`."""
        self.flush()
        member.wire = wire or member.wire
        reached = self.head if member.state is MemberState.LIVE else member.position
        member.holdings.drop(patterns)
        self._place(member, reached)

    def complete_up_to(self, member: Member) -> int:
        """Write what is pending and return the number up to which the member has every event that it wants."""
        self.flush()
        return member.complete_up_to(self.head)

    def receive(self, events: Sequence[Event]) -> None:
        """Take committed events from the bus, in seq order."""
        if not self._dirty:
            self._committed = self.measures.committed()
        for event in events:
            entry = Encoded(event)
            self._window.append(entry)
            for group in self._index.match(event.topic, event.type, event.rooms, event.about):
                self._queue(group, entry)
        self.head = events[-1].seq
        if not self._in_turn:
            self._in_turn = True
            self._write_dirty()
            asyncio.get_running_loop().call_soon(self._end_turn)

    def pass_on(self, events: Sequence[Event]) -> None:
        """Write passing events to the live members in their rooms, after all that was received before.

        Nothing of them is kept: who is catching up, or has much waiting, does not get them.
        """
        self.flush()
        for event in events:
            entry = Encoded(event)
            for group in self._index.match_rooms(event.rooms, event.topic, event.about):
                data = group.wire.join([entry])
                for member in tuple(group.members):
                    if member.sink.buffered() < PASSING_BYTES:
                        member.sink.write(data)

    def flush(self) -> None:
        """Write what is pending, also what may still wait for others."""
        self._write_dirty()
        for group in [group for group in self._groups.values() if group.timer is not None]:
            self._write_group(group)

    def _queue(self, group: Group, entry: Encoded) -> None:
        """Let an event wait for the end of the turn, or for the others that its wire wants it to travel with."""
        group.pending.append(entry)
        waiting = len(group.pending)
        if waiting == group.wire.most == 1:
            self._dirty.append(group)
        elif waiting == group.wire.most:
            self._write_group(group)
        elif group.timer is None and waiting < group.wire.most:
            group.timer = asyncio.get_running_loop().call_later(group.wire.delay, self._write_group, group)

    def _write_dirty(self) -> None:
        if not self._dirty:
            return
        dirty, self._dirty = self._dirty, []
        for group in dirty:
            self._write_group(group)
        self.measures.delivery.observe(self.measures.now() - self._committed)

    def _write_group(self, group: Group) -> None:
        """Write what waits for a group: one join, one write per member."""
        if group.timer is not None:
            group.timer.cancel()
            group.timer = None
        pending, group.pending = group.pending, []
        if pending:
            data = group.wire.join(pending)
            self.measures.live += len(pending) * len(group.members)
            for member in tuple(group.members):
                self._write_live(member, data, pending)

    def _end_turn(self) -> None:
        """Write what came since the first event of this turn; keep joining while more keeps coming."""
        if not self._dirty:
            self._in_turn = False
            return
        self._write_dirty()
        asyncio.get_running_loop().call_soon(self._end_turn)

    def _write_live(self, member: Member, data: bytes, entries: Sequence[Encoded]) -> None:
        member.sink.write(data)
        if not (waiting := member.sink.buffered()):
            member.outstanding = 0
            return
        member.outstanding += len(entries)
        if waiting > self._limits.bytes or member.outstanding > self._limits.events:
            reached = entries[-1].event.seq
            self.measures.slow += 1
            about = {"connection": member.connection, "seq": reached}
            _log.info("a client leaves live delivery at event %d: %d bytes wait for it", reached, waiting, extra=about)
            self._fall_behind(member, reached)

    def _place(self, member: Member, reached: int) -> None:
        """Put the member where it belongs: in the group of its patterns, or on its own way through the log."""
        self._leave_group(member)
        if member.replays or reached < self.head:
            self._fall_behind(member, reached)
        else:
            self.join_live(member)

    def join_live(self, member: Member) -> None:
        """Let the member have its group's bytes from the next event on. It must have everything up to the head."""
        self.flush()  # a safety net: what still waits for the group is not news to this member
        member.state = MemberState.LIVE
        member.outstanding = 0
        if not member.holdings:
            return
        key = (member.wire, member.holdings.selectors)
        group = self._groups.get(key)
        if group is None:
            group = self._groups[key] = Group(*key)
            self._index.add(group, group.selectors)
        group.members.add(member)
        member.group = group

    def _leave_group(self, member: Member) -> None:
        group, member.group = member.group, None
        if group is None:
            return
        group.members.discard(member)
        if not group.members:
            if group.timer is not None:
                group.timer.cancel()
            self._index.remove(group, group.selectors)
            del self._groups[group.wire, group.selectors]

    def _fall_behind(self, member: Member, reached: int) -> None:
        self._leave_group(member)
        member.state = MemberState.CATCHING_UP
        member.position = reached
        if member.task is None:
            member.task = asyncio.create_task(self._catch_up.run(member), name="catch-up")
