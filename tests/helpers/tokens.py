"""Tokens of a running bridge, made in its database as the command does, and clients that show them."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from typing import Any, Self

import aiohttp
import orjson

from taskcopilot.auth import tokens as forms
from taskcopilot.auth.access import Access, parse_scopes, parse_topics
from taskcopilot.cli.token import _add
from taskcopilot.core import Core
from taskcopilot.store import access_tokens
from tests.helpers.server import RunningServer
from tests.helpers.waiting import DEADLINE


async def make_token(core: Core, *scopes: str, topics: Sequence[str] = ("*",), life: timedelta | None = None) -> str:
    """Return a new token of a bridge, by default one that reads."""
    text = forms.make(os.urandom)
    access = Access(parse_scopes(scopes or ("read",)), parse_topics(topics))
    await core.recorder.record(partial(_add, text, "test", access, life))
    return text


class Tokens:
    """Makes and revokes tokens."""

    def __init__(self, server: RunningServer) -> None:
        self.server = server

    async def make(self, *scopes: str, topics: Sequence[str] = ("*",), life: timedelta | None = None) -> str:
        """Return a new token, by default one that reads."""
        return await make_token(self.server.core, *scopes, topics=topics, life=life)

    async def revoke(self, token: str) -> None:
        """Revoke a token."""
        identifier = token.split("_")[1]
        await self.server.core.recorder.record(lambda tx: access_tokens.revoke(tx, identifier))


def bearer(token: str) -> dict[str, str]:
    """Return the header that shows a token."""
    return {"Authorization": f"Bearer {token}"}


class Talker:
    """A client of `/ws` that may show a token in any way."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket

    @classmethod
    async def connect(cls, server: RunningServer, path: str = "/ws", **options: Any) -> Self:
        """Connect, e.g. with `headers=` or `protocols=`."""
        return cls(await server.http.ws_connect(path, autoping=False, autoclose=False, **options))

    async def say(self, kind: str, **payload: Any) -> None:
        """Send a message."""
        await self.socket.send_bytes(orjson.dumps({"type": kind, "id": 1, "payload": payload}))

    async def hear(self) -> dict[str, Any]:
        """Return the next message."""
        while (message := await asyncio.wait_for(self.socket.receive(), DEADLINE)).type is aiohttp.WSMsgType.PING:
            pass
        assert message.type is aiohttp.WSMsgType.TEXT, message
        heard: dict[str, Any] = orjson.loads(message.data)
        return heard

    async def ask(self, kind: str, **payload: Any) -> dict[str, Any]:
        """Send a message and return what comes next."""
        await self.say(kind, **payload)
        return await self.hear()

    async def rest(self) -> list[dict[str, Any]]:
        """Return what came before the answer to a ping: all that was sent by now."""
        await self.say("ping")
        heard = []
        while (message := await self.hear())["type"] != "pong":
            heard.append(message)
        return heard

    async def closed(self) -> Any:
        """Wait for the end, and return its code."""
        while (message := await asyncio.wait_for(self.socket.receive(), DEADLINE)).type is not aiohttp.WSMsgType.CLOSE:
            assert message.type in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.PING), message
        return message.data
