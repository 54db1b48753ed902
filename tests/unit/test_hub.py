"""The hub: fan-out, groups, replay, slow readers."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from taskcopilot.bridge import catch_up, window
from taskcopilot.bridge.cursor import Cursor, Gap
from taskcopilot.bridge.hub import WINDOW, Hub, Limits
from taskcopilot.bridge.member import Member, MemberState
from taskcopilot.bridge.window import Encoded
from taskcopilot.bridge.wire import WebSocketWire
from taskcopilot.topics import Pattern, Selector
from tests.helpers.clock import FakeClock
from tests.helpers.logs import MemoryLog
from tests.helpers.sinks import MemorySink
from tests.helpers.waiting import settle, until

WIRE = WebSocketWire(FakeClock(datetime(2026, 1, 8, tzinfo=UTC)))


def patterns(*texts: str) -> list[Pattern]:
    return [Pattern.parse(text) for text in texts]


def selectors(*texts: str, types: frozenset[str] | None = None) -> list[Selector]:
    return [Selector.of(text, types) for text in texts]


class Bench:
    """A hub over a log in memory, and peers in memory."""

    def __init__(self, *, events: int = 1_000, size: int = 1_000_000) -> None:
        self.log = MemoryLog()
        self.hub = Hub(self.log, self.log.state, Limits(events, size))

    def client(self, *texts: str, since: int | None = None) -> tuple[Member, MemorySink]:
        sink = MemorySink()
        member = self.hub.attach(sink, WIRE)
        if texts:
            self.hub.hold(member, selectors(*texts), None if since is None else Cursor("epoch", since))
        return member, sink

    def publish(self, *topics: str) -> None:
        self.hub.receive(self.log.append(*topics))


async def test_a_live_client_gets_what_matches_in_order_once() -> None:
    """D1, D2: three patterns match the same event, one copy arrives."""
    bench = Bench()
    _, sink = bench.client("task:*", "task:1", "*:1")
    bench.publish("task:1", "stream:2", "task:2")
    bench.publish("stream:1")
    await settle()
    assert sink.seqs == [1, 3, 4]


async def test_the_first_event_of_a_quiet_moment_goes_out_at_once() -> None:
    """No timer: it is written before `receive` returns; the rest of the turn is joined into one write."""
    bench = Bench()
    _, sink = bench.client("*")
    bench.publish("task:1")
    assert sink.seqs == [1]
    for number in range(50):
        bench.publish(f"task:{number}")
    assert sink.seqs == [1]
    await settle()
    assert sink.seqs == list(range(1, 52))
    assert sink.writes == 2


async def test_an_event_is_encoded_once_for_all_who_share_the_wire(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many groups and clients there are."""
    bench = Bench()
    for texts in (("*",), ("*",), ("task:*",), ("task:1", "*")):
        bench.client(*texts)
    encoded = []
    monkeypatch.setattr(window, "encode_event", lambda event: encoded.append(event.seq) or b"{}")
    bench.publish("task:1", "stream:1")
    assert encoded == [1, 2]


async def test_clients_with_the_same_patterns_share_a_group() -> None:
    """In whatever order they named them; the group goes with its last member."""
    bench = Bench()
    members = [bench.client("task:*", "stream:*")[0], bench.client("stream:*", "task:*")[0]]
    assert bench.hub.statistics().groups == 1
    for member in members:
        bench.hub.detach(member)
        bench.hub.detach(member)
    assert (bench.hub.statistics().groups, bench.hub.statistics().patterns, bench.hub.statistics().members) == (0, 0, 0)


async def test_live_events_wait_until_the_replay_is_done() -> None:
    """D4: what is committed during the replay comes after it, without hole or repetition."""
    bench = Bench()
    bench.publish(*["task:1", "stream:1"] * (catch_up.PAGE + 10))
    member, sink = bench.client("task:*", since=3)
    bench.publish("task:1")
    await until(lambda: member.state is MemberState.LIVE)
    bench.publish("task:1")
    total = len(bench.log.events)
    assert sink.seqs == [seq for seq in range(4, total + 1) if bench.log.events[seq - 1].topic == "task:1"]
    flags = [message.get("replayed", False) for message in sink.messages]
    assert flags == [True] * (len(flags) - 2) + [False, False]


async def test_what_an_older_pattern_delivered_is_not_delivered_again() -> None:
    """D4: a second subscribe with a cursor brings only what the first one did not cover."""
    bench = Bench()
    bench.publish("task:1", "stream:1", "task:2")
    member, sink = bench.client("task:1")
    bench.publish("task:1", "task:2")
    bench.hub.hold(member, selectors("task:*"), Cursor("epoch", 0))
    await until(lambda: member.state is MemberState.LIVE)
    assert sink.seqs == [4, 1, 3, 5]


async def test_two_replays_on_one_connection_bring_each_event_once() -> None:
    """Overlapping patterns, the second asked for while the first one still runs."""
    bench = Bench()
    bench.publish(*(f"task:{number}" for number in range(catch_up.PAGE * 2)))
    member, sink = bench.client("task:*", since=catch_up.PAGE)
    bench.hub.hold(member, selectors("task:1*"), Cursor("epoch", 0))
    bench.publish("task:17")
    await until(lambda: member.state is MemberState.LIVE)
    wanted = {e.seq for e in bench.log.events if e.seq > catch_up.PAGE or e.topic.startswith("task:1")}
    assert sorted(sink.seqs) == sorted(wanted)


async def test_what_is_asked_for_while_the_log_is_read_comes_in_order_too() -> None:
    """D4: the page that was being read then is not delivered before the older events of the new pattern."""
    bench = Bench(events=1)
    bench.publish("stream:1", "task:1")
    slow, sink = bench.client("task:*")
    sink.stall()
    await settle()
    bench.publish("task:1", "task:1")
    bench.publish(*["stream:1"] * WINDOW, "task:1")
    sink.resume()
    bench.log.turns = 50
    await until(lambda: bench.log.reads)
    bench.hub.hold(slow, selectors("stream:*"), Cursor("epoch", 0))
    await until(lambda: slow.state is MemberState.LIVE)
    streams = [m["seq"] for m in sink.messages if m["payload"]["topic"] == "stream:1"]
    assert streams == [1, *range(5, WINDOW + 5)]


async def test_without_a_cursor_nothing_older_is_delivered() -> None:
    """D3: also when the client is catching up at that moment with another pattern."""
    bench = Bench()
    bench.publish("task:1", "stream:1")
    member, sink = bench.client("task:*", since=0)
    bench.publish("stream:1")
    bench.hub.hold(member, selectors("stream:*"), None)
    bench.publish("stream:1")
    await until(lambda: member.state is MemberState.LIVE)
    assert sink.seqs == [1, 4]


async def test_a_slow_client_leaves_at_the_bound_and_gets_everything_in_order_later() -> None:
    """D9: what waits for it stays bounded, the log keeps the rest, the others notice nothing."""
    bench = Bench(events=10)
    slow, slow_sink = bench.client("task:*")
    _, healthy_sink = bench.client("task:*")
    slow_sink.stall()
    for number in range(WINDOW * 2):
        bench.publish(f"task:{number}")
        await settle(1)
    assert slow.state is MemberState.CATCHING_UP
    assert healthy_sink.seqs == list(range(1, WINDOW * 2 + 1))
    frame = len(WIRE.join([Encoded(bench.log.events[-1])]))
    assert slow_sink.buffered() <= 13 * frame
    slow_sink.resume()
    await until(lambda: slow.state is MemberState.LIVE)
    bench.publish("task:last")
    assert slow_sink.seqs == list(range(1, WINDOW * 2 + 2))
    assert not any(message.get("replayed") for message in slow_sink.messages)


async def test_a_client_leaves_live_delivery_at_the_bound_in_bytes_too() -> None:
    """D9: few large events weigh as much as many small ones."""
    bench = Bench(size=300)
    slow, sink = bench.client("*")
    sink.stall()
    bench.publish("task:" + "x" * 400)
    assert slow.state is MemberState.CATCHING_UP


async def test_a_small_lag_is_served_from_memory() -> None:
    """The common catch-up never touches the database."""
    bench = Bench()
    bench.publish(*["task:1"] * 100)
    member, sink = bench.client("*", since=20)
    await until(lambda: member.state is MemberState.LIVE)
    assert (len(sink.seqs), bench.log.reads) == (80, 0)


async def test_a_client_overtaken_by_retention_is_told_the_gap() -> None:
    """D5: also when the events went while it was connected."""
    bench = Bench(events=1)
    slow, sink = bench.client("*")
    sink.stall()
    for _ in range(2):
        bench.publish("task:1", "task:1")
        await settle()
    bench.publish(*["task:1"] * WINDOW)
    bench.log.pruned_to = 40
    sink.resume()
    await until(lambda: slow.state is MemberState.LIVE)
    gaps = [message["payload"] for message in sink.messages if message["type"] == "gap"]
    assert gaps == [{"from": 3, "to": 40}]
    assert sink.seqs == [1, 2, *range(41, len(bench.log.events) + 1)]


async def test_a_cursor_below_retention_is_answered_with_the_gap() -> None:
    """D5: and delivery starts behind it."""
    bench = Bench()
    bench.publish(*["task:1"] * 9)
    bench.log.pruned_to = 5
    bench.hub.note_pruned(5)
    member, sink = bench.client()
    position = bench.hub.hold(member, selectors("*"), Cursor("epoch", 2))
    await until(lambda: member.state is MemberState.LIVE)
    assert (position.gap, sink.seqs) == (Gap(3, 5), [6, 7, 8, 9])


async def test_a_log_that_cannot_be_read_is_read_again() -> None:
    """A busy database delays a replay, it does not lose it."""
    bench = Bench()
    bench.publish(*["task:1"] * (WINDOW + 5))
    bench.log.failures = 1
    member, sink = bench.client("*", since=0)
    await until(lambda: member.state is MemberState.LIVE)
    assert len(sink.seqs) == WINDOW + 5


async def test_the_position_of_a_client_that_catches_up_is_its_own() -> None:
    """D8: the ping's number never claims what was not written."""
    bench = Bench(events=5)
    bench.publish(*["task:1"] * 10)
    member, sink = bench.client("*", since=4)
    assert bench.hub.complete_up_to(member) == 4
    await until(lambda: member.state is MemberState.LIVE)
    assert bench.hub.complete_up_to(member) == 10
    sink.stall()
    bench.publish(*["task:1"] * 20)
    await settle()
    bench.publish(*["task:1"] * 20)
    assert bench.hub.complete_up_to(member) == 30


async def test_dropping_a_pattern_ends_its_events_also_in_a_running_replay() -> None:
    """What nobody wants any more is not sent."""
    bench = Bench()
    bench.publish(*["task:1", "stream:1"] * 10)
    member, sink = bench.client("task:*", "stream:*", since=0)
    bench.hub.drop(member, patterns("stream:*"))
    await until(lambda: member.state is MemberState.LIVE)
    bench.publish("stream:1", "task:1")
    assert sink.seqs == [*range(1, 20, 2), 22]


async def test_a_client_that_leaves_in_the_middle_of_a_replay_leaves_nothing_behind() -> None:
    """No task, no group, no byte."""
    bench = Bench()
    bench.publish(*["task:1"] * 2_000)
    member, sink = bench.client("*", since=0)
    bench.hub.detach(member)
    await settle()
    assert member.task is None
    written = sink.writes
    bench.publish("task:1")
    await settle()
    assert (sink.writes, bench.hub.statistics().members) == (written, 0)


async def test_a_filter_lets_only_its_types_through() -> None:
    """Globs over event types; live, replayed, and when catching up."""
    bench = Bench()
    bench.publish("task:1")
    bench.log.events.append(replace(bench.log.events[0], seq=2, type="task.completed"))
    bench.hub.receive(bench.log.events[1:])
    sink = MemorySink()
    member = bench.hub.attach(sink, WIRE)
    bench.hub.hold(member, selectors("task:*", types=frozenset({"*.completed"})), Cursor("epoch", 0))
    await until(lambda: member.state is MemberState.LIVE)
    bench.publish("task:1")
    await settle()
    assert sink.seqs == [2]
    bench.hub.drop(member, patterns("task:*"))
    assert bench.hub.statistics().patterns == 0


async def test_a_batch_waits_for_its_time_or_its_number() -> None:
    """Many events in one message, only for who asked for it."""
    bench = Bench()
    sink, plain = MemorySink(), bench.client("*")[1]
    member = bench.hub.attach(sink, WIRE)
    bench.hub.hold(member, selectors("*"), None, replace(WIRE, delay=3_600, most=3, batched=True))
    for _ in range(4):
        bench.publish("task:1")
    await settle()
    assert plain.seqs == [1, 2, 3, 4]
    assert [len(message["payload"]["events"]) for message in sink.messages] == [3]
    assert bench.hub.complete_up_to(member) == 4
    batches = [[event["seq"] for event in message["payload"]["events"]] for message in sink.messages]
    assert batches == [[1, 2, 3], [4]]
    bench.publish("task:1")
    bench.hub.detach(member)
    await settle()
    assert bench.hub.statistics().groups == 1


async def test_a_batch_goes_out_when_its_time_is_over() -> None:
    """With however few events."""
    bench = Bench()
    sink = MemorySink()
    member = bench.hub.attach(sink, WIRE)
    bench.hub.hold(member, selectors("*"), None, replace(WIRE, delay=0.001, most=100, batched=True))
    bench.publish("task:1", "task:1")
    assert sink.messages == []
    await until(lambda: sink.messages)
    assert len(sink.messages[0]["payload"]["events"]) == 2


async def test_conflation_leaves_out_old_news_and_nothing_else() -> None:
    """Only the newest progress of each stream; what ends something always comes."""
    bench = Bench()
    sink = MemorySink()
    member = bench.hub.attach(sink, WIRE)
    wire = replace(WIRE, delay=3_600, most=1_000, conflate=frozenset({"stream.progress"}))
    bench.hub.hold(member, selectors("*"), None, wire)
    kinds = ["stream.progress", "task.completed", "stream.progress", "stream.completed", "stream.progress"]
    topics = ["stream:A", "stream:A", "stream:B", "stream:A", "stream:A"]
    events = [replace(e, type=kind) for e, kind in zip(bench.log.append(*topics), kinds, strict=True)]
    bench.log.events[:] = events
    bench.hub.receive(events)
    bench.hub.flush()
    assert sink.seqs == [2, 3, 4, 5]
