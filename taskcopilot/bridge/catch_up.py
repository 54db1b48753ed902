"""How a member that is behind reads the log until it is live: first what it asked to have replayed, then the rest.

The last step, from "nothing is left" to "member of the group", has no await in it: an event is either read here or
delivered there, never both, never neither.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Final, Protocol

from taskcopilot.bridge.cursor import Gap
from taskcopilot.bridge.measures import Measures
from taskcopilot.bridge.member import Member, MemberState
from taskcopilot.bridge.window import Encoded, Window
from taskcopilot.errors import BridgeError
from taskcopilot.events import Event
from taskcopilot.store.event_log import LogState

__all__ = ["CatchUp", "Live", "Log"]

_log: Final = logging.getLogger(__name__)

PAGE: Final = 64
"""Events looked at between two pauses: short reading transactions, and short turns of the threads that work on them.

Where there is one core for all threads, the writer waits for such a turn several times in each commit: at 500 events a
change took 6 ms in the middle instead of 1, at 64 1.5; fewer still only make catching up slower (measured).
"""

RETRY: Final = 0.25
"""Seconds until a log that could not be read is tried again."""


class Log(Protocol):
    """The stored log; the database is one."""

    async def read_log(self, after: int, limit: int) -> tuple[LogState, list[Event]]:
        """Return the state of the log and up to `limit` events after a number, of one snapshot."""
        ...


class Live(Protocol):
    """What catching up leads to; the hub is it."""

    head: int
    measures: Measures

    def join_live(self, member: Member) -> None:
        """Let a member that is at the head have its group's bytes from now on."""
        ...

    def note_pruned(self, pruned_to: int) -> None:
        """Learn that retention removed events up to a number."""
        ...


class CatchUp:
    """Runs members through the log. One task per member that is behind."""

    def __init__(self, hub: Live, log: Log, window: Window) -> None:
        self._hub = hub
        self._log = log
        self._window = window

    async def run(self, member: Member) -> None:
        """Bring the member to the head and let it go live; ends early when the member is gone."""
        try:
            while member.state is MemberState.CATCHING_UP:
                await member.sink.drain()
                await self._step(member)
                await asyncio.sleep(0)
        except ConnectionError:
            _log.debug("a client went away while it was catching up")
        except Exception:  # noqa: BLE001
            about = {"connection": member.connection, "seq": member.position}
            _log.exception("catching up failed; the client is cut off and may come back", extra=about)
            member.sink.abort()
        finally:
            member.task = None

    async def _step(self, member: Member) -> None:
        if member.replays:
            await self._replay(member)
        elif member.position < self._hub.head:
            await self._advance(member)
        else:
            self._hub.join_live(member)

    async def _replay(self, member: Member) -> None:
        """Take one page of the first replay."""
        replay = member.replays[0]
        page = await self._page(member, replay.after, replay.until)
        wanted = [entry for entry in page if replay.wants(entry.event, member.holdings)]
        self._hub.measures.replayed += len(wanted)
        member.sink.write(member.wire.join(wanted, replayed=True))
        replay.after = page[-1].event.seq if page else replay.until
        if replay.after >= replay.until:
            member.replays.popleft()

    async def _advance(self, member: Member) -> None:
        """Take one page of what was committed since the member was last live."""
        head = self._hub.head
        page = await self._page(member, member.position, head)
        if member.replays:
            return  # asked for while we read: older events come first
        wanted = [entry for entry in page if member.holdings.wants(entry.event)]
        self._hub.measures.replayed += len(wanted)
        member.sink.write(member.wire.join(wanted))
        member.position = page[-1].event.seq if page else head

    async def _page(self, member: Member, after: int, until: int) -> list[Encoded]:
        """Return the next entries after a number, at most up to another; none when there are none any more."""
        page = self._window.after(after, PAGE)
        if page is None:
            page = await self._stored(member, after)
        return [entry for entry in page if entry.event.seq <= until]

    async def _stored(self, member: Member, after: int) -> Sequence[Encoded]:
        """Read a page of the log; tell the member when retention was faster than it."""
        while True:
            try:
                state, events = await self._log.read_log(after, PAGE)
            except BridgeError as error:
                about = {"connection": member.connection, "seq": after}
                _log.warning("cannot read the log after event %d, trying again: %s", after, error, extra=about)
                await asyncio.sleep(RETRY)
                continue
            if state.pruned_to > after:
                self._hub.note_pruned(state.pruned_to)
                self._hub.measures.gaps += 1
                member.sink.write(member.wire.gap(Gap(after + 1, state.pruned_to)))
            return [Encoded(event) for event in events]
