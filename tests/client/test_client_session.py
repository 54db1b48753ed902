"""A conversation without a socket: what is asked, and what becomes of the answers."""

from __future__ import annotations

import itertools
import json
import logging
from typing import Any

import pytest

from task_copilot_client.cursor import Cursor, Gap
from task_copilot_client.feed import Feed
from task_copilot_client.session import Session
from task_copilot_client.subscriptions import Registry
from tests.client.bridge_model import Conversation, Log
from tests.client.bridge_parts import ListOutbox


class Talk:
    """A session and the bridge that it talks to."""

    def __init__(self, log: Log | None = None, **options: Any) -> None:
        self.log = log or Log()
        self.options = options
        self.registry = Registry()
        self.outbox = ListOutbox()
        self.gaps: list[Gap] = []
        self.feed = Feed(self.registry, self.outbox, self.gaps.append)
        self.numbers = itertools.count(1)
        self.said: list[dict[str, Any]] = []
        self.begin()

    def begin(self) -> None:
        self.session = Session(self.feed, self.numbers, lambda: "now")
        self.bridge = Conversation(self.log, **self.options)

    def subscribe(self, *patterns: str, since: str | None = None) -> Any:
        return self.registry.add(patterns, lambda *_: None, None if since is None else Cursor.parse(since))

    def settle(self) -> None:
        while requests := self.session.requests():
            self.say(requests)
        if self.session.needs_restart:
            self.begin()
            self.settle()

    def say(self, requests: list[str]) -> None:
        for request in requests:
            self.said.append(json.loads(request))
            for answer in self.bridge.receive(request):
                self.hear(answer)

    def hear(self, message: Any) -> list[str]:
        return self.session.receive(json.dumps(message).encode())

    def publish(self, topic: str) -> None:
        for message in self.bridge.commit(self.log.publish(topic, "task.updated", None)):
            self.hear(message)

    def had(self, registration: Any) -> list[int]:
        return [item.event.seq for item in self.outbox.items if registration.id in item.takers]


@pytest.fixture
def talk() -> Talk:
    """A new conversation with a new log."""
    return Talk()


def test_a_new_conversation_asks_for_everything_at_once(talk: Talk) -> None:
    """One request names all patterns once, so that one replay serves everybody in order."""
    talk.subscribe("task:*", "*")
    talk.subscribe("task:*", "stream:1")
    talk.settle()
    assert [message["payload"] for message in talk.said] == [{"topics": ["task:*", "*", "stream:1"]}]


def test_the_first_subscription_starts_at_the_head_that_the_bridge_tells(talk: Talk) -> None:
    """D3: without `since`, the cursor begins at `subscribed.seq`."""
    talk.log.publish("task:1", "x", None)
    talk.subscribe("*")
    talk.settle()
    assert talk.feed.position == Cursor("epoch-1", 1)


def test_a_new_conversation_resumes_all_patterns_from_the_cursor(talk: Talk) -> None:
    """D4: what happened in between is replayed, and nothing else."""
    first, second = talk.subscribe("task:*"), talk.subscribe("stream:*")
    talk.settle()
    talk.publish("task:1")
    talk.log.publish("stream:1", "x", None)
    talk.begin()
    talk.settle()
    assert talk.said[-1]["payload"] == {"topics": ["task:*", "stream:*"], "since": "epoch-1:1"}
    assert (talk.had(first), talk.had(second)) == ([1], [2])


def test_a_late_subscription_gets_nothing_of_before_and_costs_the_others_nothing(talk: Talk) -> None:
    """It is asked for alone, without `since`, and moves no cursor."""
    first = talk.subscribe("task:*")
    talk.settle()
    talk.log.publish("task:1", "x", None)  # still under way to us
    late = talk.subscribe("*")
    talk.settle()
    assert talk.feed.position == Cursor("epoch-1", 0)
    talk.hear(talk.log.events[0])
    assert (talk.had(first), talk.had(late)) == ([1], [])


def test_a_late_subscription_with_since_gets_its_past_and_the_others_nothing_twice(talk: Talk) -> None:
    """The conversation begins anew from the older cursor; floors keep the others from repetitions."""
    first = talk.subscribe("*")
    talk.settle()
    for number in range(4):
        talk.publish(f"task:{number}")
    late = talk.subscribe("task:*", since="epoch-1:1")
    talk.settle()
    talk.publish("task:9")
    assert (talk.had(first), talk.had(late)) == ([1, 2, 3, 4, 5], [2, 3, 4, 5])


def test_a_connection_that_has_delivered_is_not_asked_for_its_past(talk: Talk) -> None:
    """D4 leaves out what was delivered on the same connection, so a past needs a new one, whoever is left by then."""
    first = talk.subscribe("*")
    talk.settle()
    talk.registry.discard({first.id})
    talk.log.publish("task:1", "x", None)
    second = talk.subscribe("*", since="0")
    assert talk.session.requests() == []
    assert talk.session.needs_restart
    talk.settle()
    assert talk.had(second) == [1]


def test_a_ping_moves_the_cursor_of_a_quiet_client(talk: Talk) -> None:
    """D8: `ping.payload.seq` says up to where all is sent; it is answered with a pong."""
    talk.subscribe("stream:*")
    talk.settle()
    talk.publish("task:1")
    assert [json.loads(text)["type"] for text in talk.hear(talk.bridge.ping())] == ["pong"]
    assert talk.feed.position == Cursor("epoch-1", 1)


def test_a_ping_that_overtakes_the_answer_moves_nothing(talk: Talk) -> None:
    """Until our request is answered, the bridge's "everything" is not what we asked for."""
    wanted = talk.subscribe("*", since="0")
    talk.log.publish("task:1", "x", None)
    requests = talk.session.requests()
    talk.hear(talk.bridge.ping())
    talk.say(requests)
    assert talk.had(wanted) == [1]


def test_a_gap_is_reported_and_passed(talk: Talk) -> None:
    """D5: what retention removed is told, the rest is delivered."""
    for number in range(5):
        talk.log.publish(f"task:{number}", "x", None)
    talk.log.pruned_to = 3
    wanted = talk.subscribe("*", since="epoch-1:1")
    talk.settle()
    assert talk.gaps == [Gap(2, 3)]
    assert talk.had(wanted) == [4, 5]


def test_a_gap_while_connected_is_reported_and_passed(talk: Talk) -> None:
    """A client that fell behind retention is told so, and resumes behind the gap."""
    talk.subscribe("*")
    talk.settle()
    talk.hear({"type": "gap", "payload": {"from": 1, "to": 7}})
    assert (talk.gaps, talk.feed.position) == ([Gap(1, 7)], Cursor("epoch-1", 7))


@pytest.mark.parametrize("since", ["other:1", "epoch-1:99", "99"])
def test_a_cursor_of_another_log_or_past_the_head_starts_at_the_head(talk: Talk, since: str) -> None:
    """D5: the gap is told, and events after the head are delivered whatever their number."""
    talk.log.publish("task:1", "x", None)
    wanted = talk.subscribe("*", since=since)
    talk.settle()
    talk.publish("task:2")
    assert (talk.gaps, talk.had(wanted)) == ([Gap(1, 1)], [2])


def test_a_bridge_that_comes_back_with_another_log_is_followed(talk: Talk) -> None:
    """D5: numbers of the old log are forgotten, and the gap is told."""
    wanted = talk.subscribe("*")
    talk.settle()
    for _ in range(5):
        talk.publish("task:1")
    talk.log = Log(epoch="epoch-2")
    talk.log.publish("task:2", "x", None)
    talk.begin()
    talk.settle()
    talk.publish("task:3")
    assert talk.gaps == [Gap(1, 1)]
    assert talk.had(wanted) == [1, 2, 3, 4, 5, 2]
    assert talk.feed.cursor == Cursor("epoch-2", 2)


def test_a_late_cursor_of_another_log_is_told_its_gap(talk: Talk) -> None:
    """It starts at the head like a new one; the others are not disturbed."""
    first = talk.subscribe("*")
    talk.settle()
    talk.publish("task:1")
    late = talk.subscribe("task:*", since="other:1")
    talk.settle()
    talk.publish("task:2")
    assert (talk.gaps, talk.had(first), talk.had(late)) == ([Gap(1, 1)], [1, 2], [2])


def test_a_refused_registration_is_removed_and_the_others_of_its_request_are_asked_for_again(talk: Talk) -> None:
    """R2 refuses the joint request whole; only the one to blame loses by it."""
    good, bad, better = talk.subscribe("task:*"), talk.subscribe("stream:*", "nonsense"), talk.subscribe("*")
    talk.settle()
    assert bad.answer.error.code == "WS_INVALID_TOPIC"
    assert bad.answer.error.topics == ("stream:*", "nonsense")
    assert talk.registry.snapshot() == (good, better)
    assert good.answer.wait(0)
    assert good.answer.error is None
    assert talk.bridge.held.keys() == {"task:*", "*"}


def test_too_many_patterns_cost_the_youngest_registration() -> None:
    """R3: the limit names nobody, so the oldest keep what they have."""
    talk = Talk(max_patterns=2)
    kept = [talk.subscribe("task:1"), talk.subscribe("task:2")]
    late = talk.subscribe("task:3")
    talk.settle()
    assert late.answer.error.code == "WS_SUBSCRIPTION_LIMIT"
    assert list(talk.registry.snapshot()) == kept


def test_a_refusal_does_not_cost_the_past_of_the_others(talk: Talk) -> None:
    """After a rejected resume, the rest resumes from the same cursor."""
    wanted = talk.subscribe("*")
    talk.settle()
    talk.log.publish("task:1", "x", None)
    talk.subscribe("nonsense")
    talk.begin()
    talk.settle()
    assert talk.had(wanted) == [1]


def test_patterns_that_nobody_wants_any_more_are_ended(talk: Talk) -> None:
    """A pattern is unsubscribed when its last registration goes."""
    talk.subscribe("task:*", "stream:*")
    second = talk.subscribe("stream:*")
    talk.settle()
    talk.registry.remove(["task:*", "stream:*"], None)
    talk.settle()
    assert talk.said[-1]["payload"] == {"topics": ["stream:*", "task:*"]}
    assert talk.bridge.held == {}
    assert second not in talk.registry.snapshot()


def test_a_registration_that_leaves_before_its_answer_is_ended_after_it(talk: Talk) -> None:
    """The bridge is not left with patterns that nobody wants."""
    talk.subscribe("task:*")
    talk.settle()
    late = talk.subscribe("stream:*")
    requests = talk.session.requests()
    talk.registry.discard({late.id})
    assert talk.session.requests() == []
    talk.say(requests)
    talk.settle()
    assert talk.bridge.held.keys() == {"task:*"}


def test_a_pattern_of_two_registrations_is_kept_for_the_second(talk: Talk) -> None:
    """Ending one registration takes nothing from the other."""
    first, second = talk.subscribe("task:*"), talk.subscribe("task:*")
    talk.settle()
    talk.registry.discard({first.id})
    talk.settle()
    talk.publish("task:1")
    assert talk.had(second) == [1]


def test_the_original_server_delivers_without_numbers() -> None:
    """No epoch, no seq: events are handed out as they come, and there is no cursor."""
    talk = Talk(old=True)
    first = talk.subscribe("task:*")
    talk.settle()
    talk.publish("task:1")
    late = talk.subscribe("*", since="0")
    talk.settle()
    talk.publish("task:1")
    assert (len(talk.had(first)), len(talk.had(late))) == (2, 1)
    assert talk.feed.position in (None, Cursor(None, 0))
    assert talk.bridge.held.keys() == {"task:*", "*"}


def test_errors_without_an_id_belong_to_the_oldest_request() -> None:
    """The original server echoes no id in errors, and answers in order."""
    talk = Talk(old=True)
    talk.subscribe("task:*")
    talk.settle()
    bad = talk.subscribe("nonsense")
    talk.settle()
    assert bad.answer.error.code == "WS_INVALID_TOPIC"


def test_frames_that_make_no_sense_are_reported_and_skipped(talk: Talk, caplog: pytest.LogCaptureFixture) -> None:
    """Nothing that comes ends the conversation."""
    wanted = talk.subscribe("*")
    talk.settle()
    for frame in (b"\xff", b"nonsense", b"[]", b'{"type":"event","payload":{}}', b'{"type":"new"}'):
        assert talk.session.receive(frame) == []
    talk.hear({"type": "error", "payload": {"code": "WS_UNKNOWN_TYPE", "message": "?"}})
    talk.publish("task:1")
    assert talk.had(wanted) == [1]
    assert len([record for record in caplog.records if record.levelno == logging.WARNING]) == 5


def test_answers_to_nobody_change_nothing(talk: Talk) -> None:
    """Ids that are not ours, of any type, are ignored."""
    talk.subscribe("*")
    talk.settle()
    for request_id in (None, 7, ["x"], {"a": 1}, "unsub-9"):
        talk.hear({"type": "subscribed", "id": request_id, "payload": {"epoch": "z", "seq": 9}})
        talk.hear({"type": "error", "id": request_id, "payload": {}})
    assert talk.feed.cursor == Cursor("epoch-1", 0)
    assert len(talk.registry.snapshot()) == 1
