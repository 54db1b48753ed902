"""Tokens of the bridge at its services: their own forms, their rooms, and the end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from taskcopilot.services.mahavishnu import Mahavishnu
from taskcopilot.services.table import SERVICES
from tests.auth.test_tokens import after
from tests.helpers.dialects import House, open_house
from tests.helpers.tokens import Tokens, bearer

ROOMS = [service.name for service in SERVICES if service.protocol != "skills"]
ALL = [service.name for service in SERVICES]


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    """A bridge that asks for static tokens, with every service on a port of its own."""
    async with open_house(tmp_path, auth=("token",)) as house:
        yield house


@pytest.fixture
def tokens(house: House) -> Tokens:
    """Makes and revokes tokens of the bridge."""
    return Tokens(house.server)


@pytest.mark.parametrize("service", ROOMS)
async def test_each_service_takes_a_token_in_the_header_and_as_the_first_message(
    house: House, tokens: Tokens, service: str
) -> None:
    """A3, V6: with the header it welcomes at once, and so at the port and at the path."""
    token = await tokens.make("read")
    for url in (house.addresses[service], f"{house.server.ws_url}/{service}"):
        client = await house.connect_to(url, headers=bearer(token))
        assert (await client.hear())["event"] == "session.created"
        client = await house.connect_to(url)
        await client.say({"type": "request", "event": "auth", "data": {"token": token}, "id": "1"})
        assert (await client.hear())["data"]["status"] == "authenticated"
        assert (await client.hear())["event"] == "session.created"
        client = await house.connect_to(url)
        await client.say({"type": "request", "event": "subscribe", "data": {"channel": "global"}})
        assert (await client.hear())["error_code"] == "AUTH_REQUIRED"
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await house.connect_to(url, headers=bearer("wrong"))
        assert refused.value.status == 401


@pytest.mark.parametrize("service", ALL)
async def test_a_revoked_token_ends_the_sockets_of_every_service(house: House, tokens: Tokens, service: str) -> None:
    """A9: with 4401 within five seconds."""
    token = await tokens.make("read")
    client = await house.connect(service, headers=bearer(token))
    closing = asyncio.create_task(client.closed())
    await tokens.revoke(token)
    await after(house.server, 5)
    assert await closing == 4401


async def test_a_token_enters_the_rooms_that_it_sees(house: House, tokens: Tokens) -> None:
    """A8: others are forbidden, and so are rooms and requests that sum up; events of others do not come."""
    token = await tokens.make("read", topics=["workflow:A"])
    client = await house.connect("mahavishnu", headers=bearer(token))
    await client.hear()
    await client.subscribe("workflow:A")
    for channel in ("workflow:B", "global", "pool:A"):
        answer = await client.request("subscribe", channel=channel)
        assert (answer["type"], answer["error_code"]) == ("error", "FORBIDDEN"), channel
    assert (await client.request("get_pool_status", pool_id="A"))["error_code"] == "FORBIDDEN"
    service = Mahavishnu(house.publisher)
    for name in ("A", "B"):
        await service.broadcast_workflow_started(name, {})
    assert [event["data"]["workflow_id"] for event in await client.sync()] == ["A"]


async def test_a_token_that_only_reads_publishes_nothing(house: House, tokens: Tokens) -> None:
    """A6: the room service that relays what its clients say."""
    head = house.server.core.recorder.head
    for scope, allowed in (("read", False), ("write", True)):
        client = await house.connect("excalidraw", headers=bearer(await tokens.make(scope)))
        await client.hear()
        data = {"diagram_id": "d", "changes": {}, "user_id": "u"}
        await client.say({"type": "event", "event": "diagram.updated", "data": data, "id": "1"})
        answer = await client.hear()
        assert (answer["error_code"] == "FORBIDDEN") != allowed, answer
        assert (house.server.core.recorder.head == head) != allowed


async def test_a_smaller_token_hears_less_from_then_on(house: House, tokens: Tokens) -> None:
    """A8, A9: `refresh_token` with one that sees less, in the rooms that were entered before."""
    client = await house.connect("mahavishnu", headers=bearer(await tokens.make("read")))
    await client.hear()
    await client.subscribe("global")
    service = Mahavishnu(house.publisher)
    await service.broadcast_workflow_started("B", {})
    assert len(await client.sync()) == 1
    for small in (await tokens.make("read", topics=["workflow:A"]), await tokens.make("write")):
        assert (await client.request("refresh_token", token=small))["data"]["status"] == "refreshed"
        await service.broadcast_workflow_started("B", {})
        assert await client.sync() == []
