"""dhruva over a real socket: every dialect, every request, every broadcast, every error."""

from __future__ import annotations

from typing import Any

import pytest

from taskcopilot.errors import InvalidArgumentError
from taskcopilot.services.dhruva import SERVICE, Dhruva
from taskcopilot.services.event import MAX_MEMBERS
from tests.helpers.broadcasts import TIME, Broadcast, check_broadcast, check_refused
from tests.helpers.dialects import House, check_dialects

ADAPTER = "adapter:redis"
LATER = "2026-01-08T12:00:05.000Z"

BROADCASTS = [
    Broadcast(
        "adapter_stored",
        ("redis", {"version": "1.0", "adapter_id": "other"}),
        "adapter.stored",
        {"adapter_id": "redis", "version": "1.0"},
        [ADAPTER, "global"],
    ),
    Broadcast(
        "adapter_updated",
        ("redis", {"version": "1.1"}),
        "adapter.updated",
        {"adapter_id": "redis", "version": "1.1"},
        [ADAPTER, "global"],
    ),
    Broadcast(
        "adapter_distributed",
        ("redis", {"targets": ["shop"]}),
        "adapter.distributed",
        {"adapter_id": "redis", "targets": ["shop"]},
        [ADAPTER, "distribution", "global"],
    ),
    Broadcast(
        "storage_event",
        ("filesystem", {"operation": "sync", "bytes": 12}),
        "storage.event",
        {"storage_type": "filesystem", "operation": "sync", "bytes": 12},
        ["storage:filesystem", "global"],
    ),
]


@pytest.fixture
def dhruva(house: House) -> Dhruva:
    """The broadcasts."""
    return Dhruva(house.publisher)


@pytest.mark.parametrize("broadcast", BROADCASTS, ids=lambda broadcast: broadcast.event)
async def test_a_broadcast_reaches_every_room_of_it(house: House, broadcast: Broadcast) -> None:
    """`distribution` and `global` included; a named argument wins over metadata."""
    await check_broadcast(house, Dhruva, broadcast, elsewhere="adapter:other")


async def test_an_adapter_is_told_from_its_events(house: House, dhruva: Dhruva) -> None:
    """Updates change what they name, distributions change nothing of the adapter, storing begins anew."""
    client = await house.client("dhruva")
    await dhruva.broadcast_adapter_stored("redis", {"version": "1.0", "kind": "cache"})
    stored = await client.request("get_adapter_status", adapter_id="redis")
    assert stored["seq"] == 1
    assert stored["data"] == {
        "status": "found",
        "adapter_id": "redis",
        "adapter": {"adapter_id": "redis", "version": "1.0", "kind": "cache"},
        "stored_at": TIME,
        "updated_at": TIME,
    }
    house.clock.advance(5)
    await dhruva.broadcast_adapter_updated("redis", {"version": "1.1"})
    await dhruva.broadcast_adapter_distributed("redis", {"targets": ["shop"], "version": "0.9"})
    updated = (await client.request("get_adapter_status", adapter_id="redis"))["data"]
    assert updated == {
        "status": "found",
        "adapter_id": "redis",
        "adapter": {"adapter_id": "redis", "version": "1.1", "kind": "cache"},
        "stored_at": TIME,
        "updated_at": LATER,
        "distribution": {"targets": ["shop"], "version": "0.9"},
        "distributed_at": LATER,
    }
    await dhruva.broadcast_adapter_stored("redis", {"version": "2.0"})
    anew = (await client.request("get_adapter_status", adapter_id="redis"))["data"]
    assert anew["adapter"] == {"adapter_id": "redis", "version": "2.0"}
    assert anew["distribution"] == {"targets": ["shop"], "version": "0.9"}


@pytest.mark.parametrize("first", ["updated", "distributed"])
async def test_an_adapter_is_known_by_whatever_is_heard_of_it_first(house: House, dhruva: Dhruva, first: str) -> None:
    """Who starts in the middle answers what is known, and no time that nobody told."""
    client = await house.client("dhruva")
    await getattr(dhruva, f"broadcast_adapter_{first}")("redis", {"version": "1.1"})
    known = (await client.request("get_adapter_status", adapter_id="redis"))["data"]
    assert known["adapter"] == {"adapter_id": "redis", "version": "1.1"}
    assert "stored_at" not in known
    assert known[f"{first}_at"] == TIME


async def test_what_is_kept_of_an_adapter_is_bounded(house: House, dhruva: Dhruva) -> None:
    """However many members updates have named, the answer has those that were told last."""
    client = await house.client("dhruva")
    await dhruva.broadcast_adapter_stored("redis", {"first": 0, "kept": 0})
    many = {f"m{number}": number for number in range(MAX_MEMBERS - 2)}
    await dhruva.broadcast_adapter_updated("redis", {**many, "kept": 1})
    await dhruva.broadcast_adapter_updated("redis", {"last": 2})
    adapter = (await client.request("get_adapter_status", adapter_id="redis"))["data"]["adapter"]
    assert len(adapter) == MAX_MEMBERS
    assert (adapter["adapter_id"], adapter["kept"], adapter["last"]) == ("redis", 1, 2)
    assert "first" not in adapter


async def test_the_main_bus_hears_of_adapters_and_storages(house: House, dhruva: Dhruva) -> None:
    """Under the topics that are named like the channels, with the service in front of the type."""
    await dhruva.broadcast_adapter_distributed("redis", {})
    await dhruva.broadcast_storage_event("s3", {})
    page = await house.server.get("/api/events", topics="adapter:*,storage:*")
    told = [(event["payload"]["topic"], event["payload"]["eventType"]) for event in page["events"]]
    assert told == [("adapter:redis", "dhruva.adapter.distributed"), ("storage:s3", "dhruva.storage.event")]


@pytest.mark.parametrize(
    ("event", "data", "code"),
    [
        ("get_adapter_status", {"adapter_id": "nobody"}, "NOT_FOUND"),
        ("get_adapter_status", {}, "INVALID_ARGUMENT"),
        ("get_adapter_status", {"adapter_id": 5}, "INVALID_ARGUMENT"),
        ("get_distribution_status", {}, "UNKNOWN_REQUEST"),
        ("subscribe", {"channel": "adapter:"}, "INVALID_CHANNEL"),
        ("subscribe", {"channel": "distribution:shop"}, "INVALID_CHANNEL"),
        ("subscribe", {"channel": 5}, "INVALID_CHANNEL"),
        ("subscribe", {}, "INVALID_CHANNEL"),
        ("subscribe", {"channel": "global", "since": "never"}, "INVALID_ARGUMENT"),
        ("unsubscribe", {"channel": "storage"}, "INVALID_CHANNEL"),
    ],
)
async def test_every_bad_request_gets_its_code(house: House, event: str, data: dict[str, Any], code: str) -> None:
    """With its correlation, and the connection goes on."""
    await check_refused(house, "dhruva", event, data, code)


@pytest.mark.parametrize("room", ["adapter:redis", "adapter:a:b ü", "storage:filesystem", "distribution", "global"])
async def test_every_dialect_joins_and_leaves(house: House, room: str) -> None:
    """The forms of the documents and of the clients."""
    await check_dialects(await house.client("dhruva"), room)


@pytest.mark.parametrize(
    ("event", "data", "field"),
    [
        ("adapter.stored", {"version": "1.0"}, "adapter_id"),
        ("adapter.updated", {"adapter_id": ""}, "adapter_id"),
        ("adapter.distributed", {"adapter_id": "redis", "timestamp": 5}, "timestamp"),
        ("storage.event", {"storage_type": ["s3"]}, "storage_type"),
    ],
)
async def test_an_event_that_is_none_is_refused(house: House, event: str, data: dict[str, Any], field: str) -> None:
    """The error names the field, nobody hears of it, and nothing is kept."""
    client = await house.client("dhruva")
    await client.subscribe("global")
    with pytest.raises(InvalidArgumentError) as refused:
        await house.publisher.publish(SERVICE, event, data)
    assert refused.value.field == field
    assert await client.sync() == []
    assert (await client.request("get_adapter_status", adapter_id="redis"))["error_code"] == "NOT_FOUND"
