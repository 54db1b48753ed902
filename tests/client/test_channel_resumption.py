"""Where a client of a service is in the log, without sockets: what passes, and where it resumes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from task_copilot_client.aio.client import FIRST_DELAY, MAX_DELAY
from task_copilot_client.aio.messages import ChannelMessage, encode
from task_copilot_client.aio.resumption import Resumption, Stretch
from task_copilot_client.backoff import full_jitter
from task_copilot_client.cursor import Cursor


def settled(*rooms: str, head: int = 0) -> Resumption:
    """A client that is in rooms from the head on."""
    resumption = Resumption()
    resumption.joined(rooms, None, "e", head)
    resumption.complete(head)
    return resumption


def test_the_pauses_double_from_one_second_to_sixty() -> None:
    """Evenly spread between nothing and that."""
    most = [full_jitter(n, lambda: 1.0, cap=MAX_DELAY, first=FIRST_DELAY) for n in range(9)]
    assert most == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert full_jitter(3, lambda: 0.25, cap=MAX_DELAY, first=FIRST_DELAY) == 2


def test_it_resumes_all_rooms_at_once_from_the_last_event() -> None:
    """One stretch, so that the replay is in the order of the log."""
    resumption = settled("a", head=3)
    assert [resumption.admits(seq) for seq in (4, 5, 5, 4, None, None)] == [True, True, False, False, True, True]
    resumption.joined(["b"], None, "e", 5)
    resumption.complete(5)
    assert resumption.stretches() == [Stretch(("a", "b"), Cursor("e", 5))]
    resumption.left(["a", "nothing"])
    assert resumption.stretches() == [Stretch(("b",), Cursor("e", 5))]


def test_a_replay_that_was_cut_off_goes_on_from_its_beginning_and_passes_once() -> None:
    """Until everything was sent, a room keeps its own place; what has passed meanwhile does not pass again."""
    resumption = settled("a", head=10)
    resumption.joined(["b"], 2, "e", 10)
    assert [resumption.admits(seq) for seq in (3, 4)] == [True, True]
    resumption.complete(6)
    assert not resumption.is_settled
    assert resumption.stretches() == [Stretch(("b",), Cursor("e", 2)), Stretch(("a",), Cursor("e", 10))]
    assert [resumption.admits(seq) for seq in (3, 4, 5, 11)] == [False, False, True, True]
    resumption.complete(10)
    assert resumption.is_settled
    assert not resumption.admits(11)
    assert resumption.admits(12)
    assert resumption.cursor == Cursor("e", 12)


def test_another_log_begins_anew() -> None:
    """Its numbers mean something else."""
    resumption = settled("a", head=10)
    assert resumption.joined(["a"], 10, "other", 2) is False
    resumption.complete(2)
    assert resumption.admits(3)
    assert resumption.stretches() == [Stretch(("a",), Cursor("other", 3))]


def test_without_a_log_it_resumes_from_now_on() -> None:
    """Servers of the ecosystem number nothing."""
    resumption = Resumption()
    assert resumption.joined(["a"], None, None, None)
    assert [resumption.admits(None), resumption.admits(None)] == [True, True]
    resumption.complete(None)
    assert resumption.stretches() == [Stretch(("a",), None)]
    assert resumption.cursor is None


@given(drops=st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6), st.booleans()), max_size=12))
def test_every_event_passes_once_in_order_wherever_the_connection_drops(drops: list[tuple[int, int, bool]]) -> None:
    """A service that replays from where it is asked to, and a connection that breaks anywhere."""
    resumption, head, passed = settled("a"), 0, []
    for new, reaches, says_so in drops:
        head += new
        (stretch,) = resumption.stretches()
        assert stretch.since is not None
        sent = list(range(stretch.since.seq + 1, head + 1))
        resumption.joined(["a"], stretch.since.seq, "e", head)
        passed += [seq for seq in sent[:reaches] if resumption.admits(seq)]
        if reaches >= len(sent) and says_so:
            resumption.complete(head)
    (stretch,) = resumption.stretches()
    assert stretch.since is not None
    resumption.joined(["a"], stretch.since.seq, "e", head)
    passed += [seq for seq in range(stretch.since.seq + 1, head + 1) if resumption.admits(seq)]
    resumption.complete(head)
    assert passed == list(range(1, head + 1))
    assert resumption.cursor == Cursor("e", head)


@pytest.mark.parametrize("frame", ["", "[]", '"text"', "{}", '{"type":1}', b"\xff"])
def test_what_is_no_message_is_refused(frame: str | bytes) -> None:
    """With a ValueError, and nothing else."""
    with pytest.raises(ValueError, match=r"."):
        ChannelMessage.parse(frame)


def test_strange_members_harm_nothing() -> None:
    """They count as absent; an error keeps its code under either name."""
    message = ChannelMessage.parse('{"type":"event","event":7,"data":[],"seq":"x","room":{},"replayed":1}')
    assert (message.event, message.data, message.seq, message.room, message.replayed) == ("", {}, None, None, False)
    refused = ChannelMessage.parse('{"type":"error","code":"NOT_FOUND","error_message":null}')
    assert str(refused.error) == "NOT_FOUND: NOT_FOUND"
    with pytest.raises(ValueError, match="JSON"):
        encode("request", "1", "x", {"a": float("nan")})
