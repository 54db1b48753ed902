"""The delivery promise under any mix of operations: promises D1 to D5, D8 and D9.

The model is a list of events and, per client, what it may expect: an event is expected when one of its patterns matches
and was held from before it. Clients stall, resume, leave, and come back with their cursor.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from taskcopilot.bridge.cursor import Cursor
from taskcopilot.bridge.hub import Hub, Limits
from taskcopilot.bridge.member import Member, MemberState
from taskcopilot.bridge.window import Window
from taskcopilot.bridge.wire import WebSocketWire
from taskcopilot.topics import Pattern, Selector
from tests.helpers.clock import FakeClock
from tests.helpers.logs import MemoryLog
from tests.helpers.sinks import MemorySink
from tests.helpers.waiting import settle, until

TOPICS = st.sampled_from(["task:1", "task:2", "task:12", "stream:1", "stream:A", "agent:me"])
PATTERNS = st.sampled_from(["*", "task:*", "task:1", "task:1*", "*:1", "stream:?", "agent:*"]).map(Pattern.parse)
CLIENTS = st.integers(0, 2)


@dataclass
class Expectation:
    """One client of the model: its connection, and from where on it holds each pattern."""

    member: Member
    sink: MemorySink
    held: dict[Pattern, int] = field(default_factory=dict)
    had: set[int] = field(default_factory=set)
    """Numbers that its patterns had brought when the test last forgot what came."""


class Delivery(RuleBasedStateMachine):
    """Clients of one hub over one log."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.log = MemoryLog()
        self.clients: list[Expectation] = []

    @initialize(past=st.lists(TOPICS, max_size=6), window=st.integers(1, 5))
    def start(self, past: list[str], window: int) -> None:
        """Start a hub in the middle of a log, with a small window so that both ways of catching up are taken."""
        self.log.append(*past)
        self.hub = Hub(self.log, self.log.state, Limits(events=3, bytes=400))
        self.hub._window = self.hub._catch_up._window = Window(window)
        self.wire = WebSocketWire(FakeClock())
        self.clients = [self.connect() for _ in range(3)]

    def connect(self) -> Expectation:
        sink = MemorySink()
        return Expectation(self.hub.attach(sink, self.wire), sink)

    def run(self, work) -> None:
        self.loop.run_until_complete(asyncio.wait_for(work, 30))

    def expected(self, client: Expectation) -> set[int]:
        return self.matched(client) - client.had

    def matched(self, client: Expectation) -> set[int]:
        return {
            event.seq
            for event in self.log.events
            for pattern, after in client.held.items()
            if after < event.seq and pattern.matches(event.topic)
        }

    @rule(topics=st.lists(TOPICS, min_size=1, max_size=5), turns=st.integers(0, 3))
    def commit(self, topics: list[str], turns: int) -> None:
        """Events are committed and published."""

        async def work() -> None:
            self.hub.receive(self.log.append(*topics))
            await settle(turns)

        self.run(work())

    @rule(who=CLIENTS, patterns=st.lists(PATTERNS, min_size=1, max_size=3), back=st.none() | st.integers(0, 30))
    def subscribe(self, who: int, patterns: list[Pattern], back: int | None) -> None:
        """A client asks for patterns, from now on or from a number of events back."""
        client, head = self.clients[who], len(self.log.events)
        after = head if back is None else max(0, head - back)

        async def work() -> None:
            since = None if back is None else Cursor("epoch", after)
            assert self.hub.hold(client.member, list(map(Selector, patterns)), since).after == after
            await settle(1)

        self.run(work())
        for pattern in patterns:
            client.held[pattern] = min(after, client.held.get(pattern, after))

    @rule(who=CLIENTS, patterns=st.lists(PATTERNS, min_size=1, max_size=2))
    def unsubscribe(self, who: int, patterns: list[Pattern]) -> None:
        """A client that has everything drops patterns; what it asks for again later comes again."""
        client = self.clients[who]
        self.run(self.caught_up(client))
        assert set(client.sink.seqs) == self.expected(client)
        client.sink.forget()
        for pattern in patterns:
            client.held.pop(pattern, None)
        client.had = self.matched(client)

        async def work() -> None:
            self.hub.drop(client.member, patterns)

        self.run(work())

    @rule(who=CLIENTS)
    def stall(self, who: int) -> None:
        """A client stops reading."""
        self.clients[who].sink.stall()

    @rule(who=CLIENTS)
    def resume(self, who: int) -> None:
        """It reads again, and is live in the end."""
        self.run(self.caught_up(self.clients[who]))

    @rule(who=CLIENTS, turns=st.integers(1, 12))
    def read_a_little(self, who: int, turns: int) -> None:
        """It reads again, and whatever comes next comes in the middle of its catching up."""
        self.clients[who].sink.resume()
        self.run(settle(turns))

    @rule(who=CLIENTS)
    def come_back(self, who: int) -> None:
        """A client leaves; another takes its place with its patterns and the cursor that it was told last."""
        old = self.clients[who]
        self.run(self.caught_up(old))
        cursor = self.hub.complete_up_to(old.member)

        async def work() -> None:
            self.hub.detach(old.member)
            new = self.clients[who] = self.connect()
            self.hub.receive(self.log.append("task:1", "stream:A"))
            if old.held:
                self.hub.hold(new.member, list(map(Selector, old.held)), Cursor("epoch", cursor))
                new.held = dict.fromkeys(old.held, cursor)
            await settle(1)

        self.run(work())

    async def caught_up(self, client: Expectation) -> None:
        client.sink.resume()
        await until(lambda: client.member.state is MemberState.LIVE)
        self.hub.flush()

    @invariant()
    def nothing_came_that_was_not_expected_and_nothing_twice(self) -> None:
        """At any moment, also in the middle of catching up."""
        for client in self.clients:
            seqs = client.sink.seqs
            assert len(seqs) == len(set(seqs))
            assert set(seqs) <= self.expected(client)

    @invariant()
    def live_events_come_in_order(self) -> None:
        """Only what a later subscribe asked to be replayed is older than what came before."""
        for client in self.clients:
            live = [m["seq"] for m in client.sink.messages if m["type"] == "event" and not m.get("replayed")]
            assert live == sorted(live)

    def teardown(self) -> None:
        """In the end every client that reads has exactly what it was to get, and nothing is left running."""
        for client in self.clients:
            self.run(self.caught_up(client))
            assert set(client.sink.seqs) == self.expected(client)
            self.hub.detach(client.member)
        self.run(settle())
        assert not asyncio.all_tasks(self.loop)
        self.loop.close()


Delivery.TestCase.settings = settings(max_examples=250, stateful_step_count=25, deadline=None)


class TestDelivery(Delivery.TestCase):
    """Run the machine."""
