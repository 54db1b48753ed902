"""The promise of the client as a state machine: whatever happens in whatever order, nothing is lost or comes twice."""

from __future__ import annotations

import itertools
import json
from collections import deque
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from task_copilot_client.cursor import Cursor, Gap
from task_copilot_client.feed import Feed
from task_copilot_client.machine import Outcome
from task_copilot_client.polling_source import PollingSource
from task_copilot_client.session import Session
from task_copilot_client.subscriptions import Registration, Registry
from tests.client.bridge_model import Conversation, Log, matches
from tests.client.bridge_parts import FakeHttp, ListOutbox, quiet_signals

TOPICS = ["task:1", "task:2", "stream:1"]
PATTERNS = ["*", "task:*", "task:1", "*:1", "stream:?"]


class Delivery(RuleBasedStateMachine):
    """The feed with both transports over a model of the bridge, and messages that are under way for any time."""

    def __init__(self) -> None:
        super().__init__()
        self.log = Log(epoch="e1")
        self.epochs = itertools.count(2)
        self.registry = Registry()
        self.outbox = ListOutbox()
        self.gaps: list[tuple[str, Gap]] = []
        self.feed = Feed(self.registry, self.outbox, lambda gap: self.gaps.append((self.log.epoch, gap)))
        self.polling = PollingSource(FakeHttp(lambda: self.log), self.feed)
        self.session: Session | None = None
        self.had: dict[int, list[int]] = {}
        self.start: dict[int, int] = {}
        self.reconnect()

    def reconnect(self) -> None:
        self.session = Session(self.feed, itertools.count(1), lambda: "now")
        self.talk = Conversation(self.log)
        self.to_bridge: deque[str] = deque()
        self.to_client: deque[dict[str, Any]] = deque()

    # -- what may happen -------------------------------------------------------------------------------------------

    @rule(topic=st.sampled_from(TOPICS))
    def publish(self, topic: str) -> None:
        """An event is committed."""
        event = self.log.publish(topic, "task.updated", None)
        if self.session is not None:
            self.to_client.extend(self.talk.commit(event))

    @rule(patterns=st.lists(st.sampled_from(PATTERNS), min_size=1, max_size=2), back=st.none() | st.integers(0, 20))
    def subscribe(self, patterns: list[str], back: int | None) -> None:
        """Somebody subscribes, from now on or from a cursor of the present log."""
        since = None if back is None else Cursor(self.log.epoch, max(0, self.log.head - back))
        new = self.registry.add(patterns, lambda *_: None, since)
        self.had[new.id] = []
        if since is not None:
            self.start[new.id] = since.seq

    @precondition(lambda self: self.registry.snapshot())
    @rule(data=st.data())
    def unsubscribe(self, data: st.DataObject) -> None:
        """Somebody has enough."""
        self.registry.discard({data.draw(st.sampled_from(self.registry.snapshot())).id})

    @precondition(lambda self: self.session)
    @rule()
    def client_speaks(self) -> None:
        """The client sends what it has to say."""
        self.to_bridge.extend(self.session.requests())
        if self.session.needs_restart:
            self.reconnect()

    @precondition(lambda self: self.session and self.to_bridge)
    @rule()
    def bridge_hears(self) -> None:
        """The bridge takes one message."""
        self.to_client.extend(self.talk.receive(self.to_bridge.popleft()))

    @precondition(lambda self: self.session and self.to_client)
    @rule()
    def client_hears(self) -> None:
        """The client looks at the registry, and takes one message."""
        self.client_speaks()
        if self.to_client:
            self.to_bridge.extend(self.session.receive(json.dumps(self.to_client.popleft()).encode()))
            self.note_starts()

    @precondition(lambda self: self.session)
    @rule()
    def bridge_pings(self) -> None:
        """The bridge says up to where all is sent."""
        self.to_client.append(self.talk.ping())

    @rule()
    def lose_connection(self) -> None:
        """What was under way is gone; a new WebSocket is open."""
        self.reconnect()

    @rule()
    def poll(self) -> None:
        """No WebSocket can be had; the log is polled."""
        self.session = None
        assert self.polling.poll(quiet_signals()) is Outcome.POLLED
        self.note_starts()

    @rule()
    def consume(self) -> None:
        """The callback thread hands out one event."""
        if self.outbox.items:
            item = self.outbox.items.popleft()
            for taker in item.takers:
                self.had[taker].append(item.event.seq)

    @rule()
    def come_to_rest(self) -> None:
        """Everything that is under way arrives."""
        for _ in range(4):
            self.exchange()
        while self.outbox.items:
            self.consume()

    def exchange(self) -> None:
        if self.session is None:
            self.poll()
            return
        self.client_speaks()
        while self.to_bridge:
            self.bridge_hears()
        while self.to_client:
            self.client_hears()

    @precondition(lambda self: self.log.head)
    @rule(count=st.integers(1, 5))
    def prune(self, count: int) -> None:
        """Retention removes old events."""
        self.log.pruned_to = min(self.log.head, self.log.pruned_to + count)

    @rule()
    def new_log(self) -> None:
        """The bridge comes back with another log; all that is known of the old one is handed out first."""
        while self.outbox.items:
            self.consume()
        self.log = Log(epoch=f"e{next(self.epochs)}")
        self.had = {known: [] for known in self.had}
        self.start = {}
        self.reconnect()

    # -- what must hold --------------------------------------------------------------------------------------------

    def note_starts(self) -> None:
        """A registration without `since` starts where the log ended when it came into force."""
        if self.feed.cursor is not None and self.feed.cursor.epoch == self.log.epoch:
            for known, floor in self.feed._ledger._floors.items():
                self.start.setdefault(known, floor)

    def wanted(self, registration: Registration, up_to: int) -> list[int]:
        start = self.start.get(registration.id, up_to)
        return [event["seq"] for event in self.log.events[start:up_to] if matches(registration.patterns, event)]

    def is_told(self, seq: int) -> bool:
        return any(epoch == self.log.epoch and gap.first <= seq <= gap.last for epoch, gap in self.gaps)

    def check(self, up_to: int) -> None:
        for registration in self.registry.snapshot():
            had = self.had[registration.id]
            missing = set(self.wanted(registration, up_to)).difference(had)
            assert all(self.is_told(seq) for seq in missing), (registration, missing)

    @invariant()
    def in_order_and_once(self) -> None:
        """Every registration gets a growing sequence of numbers, and only of its topics."""
        for registration in self.registry.snapshot():
            had = self.had[registration.id]
            assert all(one < two for one, two in itertools.pairwise(had))
            assert set(had) <= set(self.wanted(registration, self.log.head))

    @invariant()
    def cursor_is_safe(self) -> None:
        """The public cursor is never past an event that a callback has not had."""
        position = self.feed.position
        if position is not None and position.epoch == self.log.epoch:
            self.check(position.seq)

    def teardown(self) -> None:
        """When everything has come to rest, everybody has had everything."""
        self.come_to_rest()
        assert all(self.feed.is_active(registration) for registration in self.registry.snapshot())
        self.check(self.log.head)


Delivery.TestCase.settings = settings(max_examples=150, stateful_step_count=50)
TestDelivery = Delivery.TestCase
