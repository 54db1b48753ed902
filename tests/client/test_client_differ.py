"""From two states to the events between them, without any I/O."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from task_copilot_client.differ import FIRST_STATUS, events_between
from task_copilot_client.messages import Event, MalformedError
from task_copilot_client.snapshot import Snapshot, read_snapshot

STATUSES = ("pending", "in_progress", "blocked", "completed", "cancelled")
CREATED, CHANGED = "2026-01-08T12:00:00.000Z", "2026-01-08T12:00:01.000Z"


def task(name: str, status: str = "pending", *, at: str = CHANGED, stream: str | None = None, **fields: Any) -> Any:
    """A task as the original server writes it."""
    metadata = {} if stream is None else {"streamId": stream, "streamName": stream.lower()}
    times = {"createdAt": CREATED, "updatedAt": at}
    return {"id": name, "title": f"title {name}", "status": status, "metadata": metadata} | fields | times


def state(*tasks: Any) -> Snapshot:
    """A state of these tasks."""
    return read_snapshot({"tasks": list(tasks), "totalTasks": len(tasks)})


def kinds(events: list[Event]) -> list[tuple[str, str]]:
    """Topics and types."""
    return [(event.topic, event.type) for event in events]


def test_equal_states_have_nothing_between_them() -> None:
    """Polling a quiet server says nothing."""
    assert events_between(state(task("A", stream="S")), state(task("A", stream="S"))) == []


def test_a_new_task_was_created() -> None:
    """With the keys of the real event, the time of its creation, and marked as synthetic."""
    (event,) = events_between(state(), state(task("A", assignedAgent="qa")))
    data = {"taskId": "A", "taskTitle": "title A", "assignedAgent": "qa", "createdAt": CREATED}
    assert event == Event("task:A", "task.created", data, None, synthetic=True)
    assert (event.at, event.synthetic, event.cursor) == (CREATED, True, None)


def test_a_new_task_that_is_not_pending_has_changed_since() -> None:
    """Every task begins pending."""
    events = events_between(state(), state(task("A", "completed")))
    assert [event.type for event in events] == [
        "task.created",
        "task.updated",
        "task.status_changed",
        "task.completed",
    ]
    assert events[2].data["oldStatus"] == FIRST_STATUS


def test_the_events_of_a_change_come_in_the_order_of_the_server() -> None:
    """Contract 3.2: updated, status_changed, blocked; then the stream's progress and what follows of it."""
    before = state(task("A", "in_progress", at=CREATED, stream="S"), task("B", at=CREATED, stream="S"))
    after = state(task("A", "blocked", stream="S", blockedReason="no key"), task("B", at=CREATED, stream="S"))
    events = events_between(before, after)
    assert kinds(events) == [
        ("task:A", "task.updated"),
        ("task:A", "task.status_changed"),
        ("task:A", "task.blocked"),
        ("stream:S", "stream.progress"),
        ("stream:S", "stream.blocked"),
    ]
    updated, changed, blocked, progress, stream_blocked = (event.data for event in events)
    assert updated["changes"] == [
        {"field": "status", "oldValue": "in_progress", "newValue": "blocked"},
        {"field": "blockedReason", "oldValue": None, "newValue": "no key"},
    ]
    assert changed == {
        "taskId": "A",
        "taskTitle": "title A",
        "oldStatus": "in_progress",
        "newStatus": "blocked",
        "blockedReason": "no key",
        "streamId": "S",
        "statusChangedAt": CHANGED,
    }
    assert blocked == {"taskId": "A", "taskTitle": "title A", "blockedReason": "no key", "blockedAt": CHANGED}
    assert progress == {
        "streamId": "S",
        "streamName": "s",
        "totalTasks": 2,
        "completedTasks": 0,
        "inProgressTasks": 0,
        "blockedTasks": 1,
        "progressPercentage": 0.0,
        "lastUpdated": CHANGED,
    }
    assert stream_blocked == {
        "streamId": "S",
        "streamName": "s",
        "blockedReason": "1 task(s) blocked",
        "blockedTaskIds": ["A"],
    }


def test_the_last_completed_task_completes_its_stream() -> None:
    """Progress 100, then completed, with the keys of the real event."""
    before = state(task("A", "completed", at=CREATED, stream="S"), task("B", at=CREATED, stream="S"))
    after = state(task("A", "completed", at=CREATED, stream="S"), task("B", "completed", stream="S"))
    progress, completed = events_between(before, after)[-2:]
    assert (progress.type, progress.data["progressPercentage"]) == ("stream.progress", 100.0)
    assert completed.type == "stream.completed"
    assert completed.data == {
        "streamId": "S",
        "streamName": "s",
        "totalTasks": 2,
        "completedAt": CHANGED,
        "duration": 0,
    }


@pytest.mark.parametrize(
    ("before", "after", "types"),
    [
        (task("A", stream="S"), task("A", at="later", stream="S"), ["task.updated"]),
        (task("A", stream="S"), task("A", at="later", stream="S", notes="n"), ["task.updated"]),
        (task("A", "blocked", stream="S"), task("A", "blocked", stream="S", at="later"), ["task.updated"]),
    ],
)
def test_a_change_without_a_new_status_is_an_update_only(before: Any, after: Any, types: list[str]) -> None:
    """As on the server: streams are told of statuses and counts."""
    assert [event.type for event in events_between(state(before), state(after))] == types


def test_a_task_that_is_gone_shows_in_the_counts_only() -> None:
    """There is no event for archiving; a stream without tasks says nothing any more, and does not complete so."""
    both = state(task("A", "completed", stream="S"), task("B", stream="S"), task("C", stream="T"))
    events = events_between(both, state(task("A", "completed", stream="S")))
    assert kinds(events) == [("stream:S", "stream.progress")]
    assert events[0].data["totalTasks"] == 1


def test_a_task_that_moves_shows_in_both_streams() -> None:
    """Each has other counts than before."""
    before = state(task("A", stream="S"), task("B", stream="S"), task("C", stream="T"))
    after = state(task("A", stream="S"), task("B", at="later", stream="T"), task("C", stream="T"))
    assert kinds(events_between(before, after)) == [
        ("task:B", "task.updated"),
        ("stream:S", "stream.progress"),
        ("stream:T", "stream.progress"),
    ]


def test_tasks_come_in_the_order_of_their_changes() -> None:
    """Not in the order of the list."""
    after = state(task("A", at="3"), task("B", at="1"), task("C", at="2"))
    assert [event.topic for event in events_between(state(), after)] == ["task:B", "task:C", "task:A"]


@pytest.mark.parametrize("body", [None, [], {}, {"tasks": None}, {"tasks": {}}])
def test_what_is_no_list_of_tasks_is_refused(body: Any) -> None:
    """It is no state of anything."""
    with pytest.raises(MalformedError):
        read_snapshot(body)


def test_a_strange_task_does_not_hide_the_others(caplog: pytest.LogCaptureFixture) -> None:
    """It is reported and left out; strange members count as absent."""
    strange = [None, 7, {}, {"id": 1}, {"id": "X", "status": None, "createdAt": "", "updatedAt": ""}]
    found = state(*strange, task("A", notes=5, metadata=[1]), task("B", metadata={"streamId": 3}))
    assert list(found.tasks) == ["A", "B"]
    assert {each.stream_id for each in found.tasks.values()} == {None}
    assert len(caplog.records) == len(strange)


HISTORIES = st.lists(
    st.dictionaries(
        st.sampled_from("ABCDE"),
        st.tuples(st.sampled_from(STATUSES), st.sampled_from([None, "S", "T"])),
        max_size=5,
    ),
    max_size=8,
)


@given(HISTORIES)
def test_the_events_of_a_history_lead_from_state_to_state(history: list[dict[str, tuple[str, str | None]]]) -> None:
    """Whoever knows nothing but the events knows every status that a task had, and the counts of every stream."""
    before, statuses = state(), {}
    for moment, step in enumerate(history):
        after = state(*(task(name, status, at=f"{moment:03}", stream=where) for name, (status, where) in step.items()))
        events = events_between(before, after)
        for event in events:
            if event.type == "task.created":
                statuses[event.data["taskId"]] = FIRST_STATUS
            elif event.type == "task.status_changed":
                assert statuses[event.data["taskId"]] == event.data["oldStatus"] != event.data["newStatus"]
                statuses[event.data["taskId"]] = event.data["newStatus"]
        statuses = {name: status for name, status in statuses.items() if name in step}
        assert statuses == {name: status for name, (status, _) in step.items()}
        _check_streams(before, after, events)
        before = after


def _check_streams(before: Snapshot, after: Snapshot, events: list[Event]) -> None:
    """Streams are told with their counts of now; those of whom nothing was told have the counts of before."""
    told = {event.data["streamId"]: event.data for event in events if event.type == "stream.progress"}
    ends = [event.data["streamId"] for event in events if event.type in ("stream.completed", "stream.blocked")]
    assert set(ends) <= set(told)
    assert len(ends) == len(set(ends))
    for name, stream in after.streams().items():
        data = told.get(name)
        if data is None:
            old = before.streams()[name]
            assert {status: old.count(status) for status in STATUSES} == {
                status: stream.count(status) for status in STATUSES
            }
        else:
            assert data["totalTasks"] == len(stream.tasks)
            assert data["completedTasks"] == stream.count("completed")
