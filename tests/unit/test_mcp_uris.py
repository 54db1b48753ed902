"""The addresses of resources: what they mean, and what a change changes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskcopilot.errors import NotFoundError
from taskcopilot.events import Event
from taskcopilot.mcp.uris import KINDS, Address, changed, uri_of


@given(st.sampled_from(KINDS), st.text(min_size=1))
def test_every_id_has_an_address_that_leads_back_to_it(kind: str, identifier: str) -> None:
    """Whatever characters are in it."""
    assert Address.parse(uri_of(kind, identifier)) == Address(kind, identifier)


@pytest.mark.parametrize(
    "uri", ["", "task", "task://", "prd://1", "task://1?a=b", "events://old", "events://recent?until=1", "TASK://1"]
)
def test_what_is_no_address_of_ours_is_not_found(uri: str) -> None:
    """The error quotes it."""
    with pytest.raises(NotFoundError, match="Unknown resource"):
        Address.parse(uri)


def event(topic: str, data: bytes) -> Event:
    """Return an event."""
    return Event(1, "2026-01-08T12:00:00.000Z", topic, "any.type", data)


def test_a_change_changes_what_it_is_about_and_what_it_names() -> None:
    """A task's event is news of its stream, too; all events are recent; each is told once."""
    events = [
        event("task:T", b'{"taskId":"T","streamId":"S A"}'),
        event("stream:S A", b'{"streamId":"S A"}'),
        event("agent:me", b'{"taskId":"T","streamId":null}'),
        event("pool:p", b"{}"),
    ]
    assert changed(events) == ["task://T", "stream://S%20A", "events://recent"]
    assert changed([]) == []
