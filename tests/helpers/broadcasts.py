"""What every broadcast of every service has to do, from a table of them."""

from __future__ import annotations

from typing import Any, NamedTuple

from taskcopilot.services.publishing import Broadcaster
from tests.helpers.dialects import House

TIME = "2026-01-08T12:00:00.000Z"
"""Now, by the clock of the tests."""


class Broadcast(NamedTuple):
    """A call, and what is to come of it; `rooms` are the most specific first."""

    method: str
    arguments: tuple[Any, ...]
    event: str
    data: dict[str, Any]
    rooms: list[str]
    passing: bool = False


async def check_broadcast(house: House, broadcasts: type[Broadcaster], broadcast: Broadcast, elsewhere: str) -> None:
    """Publish it: each room hears it once under its own name, who is in all of them hears it once, others nothing."""
    service = broadcasts.service.name
    clients = {room: await house.client(service) for room in broadcast.rooms}
    for room, client in clients.items():
        await client.subscribe(room)
    everywhere, stranger = await house.client(service), await house.client(service)
    await everywhere.subscribe(*reversed(broadcast.rooms))
    await stranger.subscribe(elsewhere)
    await getattr(broadcasts(house.publisher), f"broadcast_{broadcast.method}")(*broadcast.arguments)
    for room, client in clients.items():
        (heard,) = await client.sync()
        assert (heard["type"], heard["event"], heard["room"]) == ("event", broadcast.event, room)
        assert heard.get("seq") == (None if broadcast.passing else 1)
        assert heard["data"] == {**broadcast.data, "timestamp": TIME}
    assert [heard["room"] for heard in await everywhere.sync()] == [broadcast.rooms[0]]
    assert await stranger.sync() == []


async def check_refused(house: House, service: str, event: str, data: dict[str, Any], code: str) -> None:
    """Ask for what cannot be had: a coded, correlated error, and the connection goes on."""
    client = await house.client(service)
    answer = await client.request(event, **data)
    assert (answer["type"], answer["event"], answer["error_code"]) == ("error", None, code)
    assert answer["error_message"]
    assert await client.sync() == []
