"""Clients of the services in every dialect that the ecosystem has, and the bridge that they talk to."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import orjson

from taskcopilot.services.publishing import Publisher
from taskcopilot.services.table import SERVICES
from taskcopilot.web.services.ports import service_ports
from tests.helpers.server import RunningServer, running_server
from tests.helpers.waiting import DEADLINE

KEYS = [
    "id",
    "correlation_id",
    "type",
    "event",
    "data",
    "timestamp",
    "room",
    "error_code",
    "error_message",
]
"""The members of every message, in their order."""

TYPES = {"request", "response", "event", "error", "subscribe", "unsubscribe", "ping", "pong", "ack"}


class RoomClient:
    """A client on one socket. `hear` checks the envelope of everything that comes."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket
        self._numbers = itertools.count(1)

    async def say(self, message: Any, *, binary: bool = False) -> None:
        """Send a message as it is."""
        data = message if isinstance(message, bytes) else orjson.dumps(message)
        await (self.socket.send_bytes(data) if binary else self.socket.send_str(data.decode()))

    async def hear(self) -> dict[str, Any]:
        """Return the next message."""
        message = await asyncio.wait_for(self.socket.receive(), DEADLINE)
        assert message.type is aiohttp.WSMsgType.TEXT, (message, self.socket.close_code)
        heard: dict[str, Any] = orjson.loads(message.data)
        assert list(heard)[: len(KEYS)] == KEYS
        assert isinstance(heard["id"], str)
        assert isinstance(heard["data"], dict)
        assert heard["type"] in TYPES
        return heard

    async def closed(self) -> int | None:
        """Wait until the server has closed, and return its code; what else comes is passed over."""
        async with asyncio.timeout(DEADLINE):
            while not self.socket.closed:
                await self.socket.receive()
        return self.socket.close_code

    async def request(self, event: str, **data: Any) -> dict[str, Any]:
        """Ask like the raw clients of the documents: with an id and nothing else; check the correlation."""
        asked = f"ask-{next(self._numbers)}"
        await self.say({"type": "request", "event": event, "data": data, "id": asked})
        answer = await self.hear()
        assert answer["correlation_id"] == asked
        if answer["type"] == "response":
            assert answer["event"] == event
        return answer

    async def subscribe(self, *channels: str, **more: Any) -> list[dict[str, Any]]:
        """Join rooms, one after the other, and return the answers."""
        answers = [await self.request("subscribe", channel=channel, **more) for channel in channels]
        for channel, answer in zip(channels, answers, strict=True):
            assert answer["type"] == "response", answer
            assert answer["data"] == {"status": "subscribed", "channel": channel}
        return answers

    async def sync(self) -> list[dict[str, Any]]:
        """Return what came before the answer to a ping: everything that was sent so far."""
        token = f"sync-{next(self._numbers)}"
        await self.say({"type": "ping", "id": token})
        heard = []
        while (message := await self.hear())["correlation_id"] != token:
            heard.append(message)
        assert message["type"] == "pong"
        return heard


def dialects(room: str) -> dict[str, tuple[dict[str, Any], str]]:
    """Return the ways in which clients ask for a room: name -> (message without verb filled in, type of answer).

    `VERB` stands for subscribe or unsubscribe. Those that name a thing are only there for rooms of such things.
    """
    entity, _, identifier = room.partition(":")
    ways: dict[str, tuple[dict[str, Any], str]] = {
        "request, data.channel, id": ({"type": "request", "event": "VERB", "data": {"channel": room}, "id": "a"}, "a"),
        "request, data.channel, correlation_id": (
            {"type": "request", "event": "VERB", "data": {"channel": room}, "correlation_id": "b"},
            "b",
        ),
        "request, both ids": (
            {"type": "request", "event": "VERB", "data": {"channel": room}, "id": "c", "correlation_id": "d"},
            "c",
        ),
        "event, data.room": (
            {"type": "event", "event": "VERB", "data": {"room": room}, "id": "e", "correlation_id": None},
            "e",
        ),
        "event, data.channel": ({"type": "event", "event": "VERB", "data": {"channel": room}, "id": "f"}, "f"),
        "type, data.channel": ({"type": "VERB", "data": {"channel": room}, "id": "g"}, "g"),
    }
    if entity == "session":
        ways["type, session_id"] = ({"type": "VERB", "session_id": identifier, "id": "h"}, "h")
    if entity == "component":
        ways["type, data.component_id"] = ({"type": "VERB", "data": {"component_id": identifier}, "id": "i"}, "i")
    return ways


def spoken(way: dict[str, Any], verb: str) -> dict[str, Any]:
    """Return a message of `dialects` with its verb."""
    return {key: verb if value == "VERB" else value for key, value in way.items()}


async def check_dialects(client: RoomClient, room: str) -> None:
    """Join and leave a room in every dialect; each is answered in its own way."""
    for name, (way, correlation) in dialects(room).items():
        for verb, status in (("subscribe", "subscribed"), ("unsubscribe", "unsubscribed")):
            await client.say(spoken(way, verb))
            answer = await client.hear()
            kind = "response" if way["type"] == "request" else "ack"
            assert (answer["type"], answer["event"]) == (kind, verb), name
            assert answer["correlation_id"] == correlation, name
            assert answer["data"] == {"status": status, "channel": room}, name
            assert answer["status"] == status, name


@dataclass
class House:
    """A bridge whose services have ports of their own."""

    server: RunningServer
    addresses: dict[str, str]
    stack: contextlib.AsyncExitStack

    @property
    def publisher(self) -> Publisher:
        """What the broadcasts of every service are made from."""
        return self.server.core.publisher

    @property
    def clock(self) -> Any:
        """The clock of the bridge."""
        return self.server.clock

    async def connect(self, service: str, path: str = "/", **options: Any) -> RoomClient:
        """Open a socket on the service's own port; nothing is read yet."""
        return await self.connect_to(f"{self.addresses[service]}{path}", **options)

    async def connect_to(self, url: str, **options: Any) -> RoomClient:
        """Open a socket anywhere."""
        socket = await self.server.http.ws_connect(url, **options)
        self.stack.push_async_callback(socket.close)
        return RoomClient(socket)

    async def client(self, service: str) -> RoomClient:
        """Open a socket and read the welcome."""
        client = await self.connect(service)
        welcome = await client.hear()
        assert (welcome["type"], welcome["event"]) == ("event", "session.created")
        assert welcome["data"]["server"] == service
        return client


@contextlib.asynccontextmanager
async def open_house(directory: Path, **options: Any) -> AsyncIterator[House]:
    """Open a bridge below the directory with every service on a free port; options as of `running_server`."""
    options.setdefault("services", "all")
    options.setdefault("service_addresses", ",".join(f"{service.name}=127.0.0.1:0" for service in SERVICES))
    async with running_server(directory, **options) as server, contextlib.AsyncExitStack() as stack:
        addresses = await stack.enter_async_context(service_ports(server.core, server.app))
        async with contextlib.AsyncExitStack() as clients:
            yield House(server, addresses, clients)
