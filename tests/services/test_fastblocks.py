"""fastblocks over a real socket: every dialect, every request, every broadcast, every error."""

from __future__ import annotations

from typing import Any

import pytest

from taskcopilot.errors import InvalidArgumentError
from taskcopilot.services.fastblocks import SERVICE, Fastblocks
from tests.helpers.broadcasts import TIME, Broadcast, check_broadcast, check_refused
from tests.helpers.dialects import House, check_dialects

LATER = "2026-01-08T12:00:05.000Z"

BROADCASTS = [
    Broadcast(
        "ui_updated",
        ("cart", {"items": 3, "component_id": "other"}),
        "ui.updated",
        {"component_id": "cart", "items": 3},
        ["ui:cart", "global"],
    ),
    Broadcast(
        "ui_updated",
        ("cart", {"items": 3, "page_id": "home"}),
        "ui.updated",
        {"component_id": "cart", "items": 3, "page_id": "home"},
        ["ui:cart", "page:home", "global"],
    ),
    Broadcast(
        "component_rendered",
        ("cart", {"render_time": 12.5}),
        "component.rendered",
        {"component_id": "cart", "render_time": 12.5},
        ["component:cart", "global"],
    ),
    Broadcast(
        "component_rendered",
        ("cart", {"page_id": "home"}),
        "component.rendered",
        {"component_id": "cart", "page_id": "home"},
        ["component:cart", "page:home", "global"],
    ),
    Broadcast(
        "state_changed",
        ("user.theme", {"dark": True}),
        "state.changed",
        {"state_path": "user.theme", "new_value": {"dark": True}},
        ["state", "global"],
    ),
]


@pytest.fixture
def fastblocks(house: House) -> Fastblocks:
    """The broadcasts."""
    return Fastblocks(house.publisher)


@pytest.mark.parametrize("broadcast", BROADCASTS, ids=lambda broadcast: f"{broadcast.event}-{broadcast.rooms[1]}")
async def test_a_broadcast_reaches_every_room_of_it(house: House, broadcast: Broadcast) -> None:
    """`global` included, and the page where one is named; a named argument wins over metadata."""
    await check_broadcast(house, Fastblocks, broadcast, elsewhere="component:other")


async def test_a_component_is_told_from_its_events(house: House, fastblocks: Fastblocks) -> None:
    """What was told of it adds up, with how it was rendered last and how often."""
    client = await house.client("fastblocks")
    await fastblocks.broadcast_ui_updated("cart", {"items": 3, "page_id": "home"})
    told = await client.request("get_component_status", component_id="cart")
    assert told["seq"] == 1
    assert told["data"] == {
        "component_id": "cart",
        "status": "active",
        "timestamp": TIME,
        "metadata": {"page_id": "home", "items": 3},
        "updated_at": TIME,
    }
    house.clock.advance(5)
    await fastblocks.broadcast_component_rendered("cart", {"render_time": 12.5, "status": "stale"})
    await fastblocks.broadcast_component_rendered("cart", {"render_time": 7, "status": {"no": "text"}})
    rendered = (await client.request("get_component_status", component_id="cart"))["data"]
    assert rendered == {
        "component_id": "cart",
        "status": "stale",
        "timestamp": LATER,
        "metadata": {"page_id": "home", "items": 3},
        "updated_at": TIME,
        "render_info": {"render_time": 7, "status": {"no": "text"}},
        "render_count": 2,
        "rendered_at": LATER,
    }
    await fastblocks.broadcast_ui_updated("cart", {"items": 4})
    updated = (await client.request("get_component_status", component_id="cart"))["data"]
    assert (updated["metadata"], updated["render_count"]) == ({"page_id": "home", "items": 4}, 2)


@pytest.mark.parametrize("value", [None, False, 0, "", "dark", 2.5, [1, [2]], {"a": {"b": None}}])
async def test_state_is_what_was_set_at_the_path(house: House, fastblocks: Fastblocks, value: Any) -> None:
    """Any JSON value, null included; other paths are not touched, and a path is a name, not a way into a value."""
    client = await house.client("fastblocks")
    await fastblocks.broadcast_state_changed("user", {"theme": "light"})
    await fastblocks.broadcast_state_changed("user.theme", "light")
    await fastblocks.broadcast_state_changed("user.theme", value)
    known = await client.request("get_state", state_path="user.theme")
    assert known["data"] == {"state_path": "user.theme", "value": value, "timestamp": TIME}
    assert (await client.request("get_state", state_path="user"))["data"]["value"] == {"theme": "light"}


async def test_the_state_is_resumed_where_a_client_left(house: House, fastblocks: Fastblocks) -> None:
    """A subscribe with `since` gets what came in between, once, marked as replayed."""
    client = await house.client("fastblocks")
    for value in range(3):
        await fastblocks.broadcast_state_changed("n", value)
    await client.subscribe("state", since=1)
    heard = await client.sync()
    assert [(message["seq"], message["data"]["new_value"], message["replayed"]) for message in heard] == [
        (2, 1, True),
        (3, 2, True),
    ]


@pytest.mark.parametrize(
    ("event", "data", "code"),
    [
        ("get_component_status", {"component_id": "nobody"}, "NOT_FOUND"),
        ("get_state", {"state_path": "nowhere"}, "NOT_FOUND"),
        ("get_component_status", {}, "INVALID_ARGUMENT"),
        ("get_state", {"state_path": None}, "INVALID_ARGUMENT"),
        ("get_page", {}, "UNKNOWN_REQUEST"),
        ("subscribe", {"channel": "ui:"}, "INVALID_CHANNEL"),
        ("subscribe", {"channel": "state:user"}, "INVALID_CHANNEL"),
        ("subscribe", {"channel": ["state"]}, "INVALID_CHANNEL"),
        ("subscribe", {}, "INVALID_CHANNEL"),
        ("subscribe", {"channel": "global", "since": "never"}, "INVALID_ARGUMENT"),
        ("unsubscribe", {"channel": "page"}, "INVALID_CHANNEL"),
    ],
)
async def test_every_bad_request_gets_its_code(house: House, event: str, data: dict[str, Any], code: str) -> None:
    """With its correlation, and the connection goes on."""
    await check_refused(house, "fastblocks", event, data, code)


async def test_an_unknown_id_is_named_by_its_argument(house: House) -> None:
    """`data.field` says what to correct."""
    client = await house.client("fastblocks")
    for request, field in (("get_component_status", "component_id"), ("get_state", "state_path")):
        assert (await client.request(request, **{field: "nobody"}))["data"] == {"field": field}


@pytest.mark.parametrize("room", ["ui:cart", "component:cart", "component:a:b ü", "page:home", "state", "global"])
async def test_every_dialect_joins_and_leaves(house: House, room: str) -> None:
    """The forms of the documents and of the clients; a component may be named by `data.component_id`."""
    await check_dialects(await house.client("fastblocks"), room)


@pytest.mark.parametrize(
    ("event", "data", "field"),
    [
        ("ui.updated", {"items": 3}, "component_id"),
        ("ui.updated", {"component_id": "cart", "page_id": 5}, "page_id"),
        ("component.rendered", {"component_id": ""}, "component_id"),
        ("state.changed", {"state_path": "user.theme"}, "new_value"),
        ("state.changed", {"state_path": "user.theme", "new_value": 1, "old_value": 0}, "old_value"),
    ],
)
async def test_an_event_that_is_none_is_refused(house: House, event: str, data: dict[str, Any], field: str) -> None:
    """The error names the field, nobody hears of it, and nothing is kept."""
    client = await house.client("fastblocks")
    await client.subscribe("global")
    with pytest.raises(InvalidArgumentError) as refused:
        await house.publisher.publish(SERVICE, event, data)
    assert refused.value.field == field
    assert await client.sync() == []
    assert house.server.core.recorder.head == 0
