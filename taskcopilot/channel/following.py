"""Following the bridge over `/ws` from a cursor, across its restarts."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

import aiohttp
import orjson

from taskcopilot.bridge.cursor import Cursor
from taskcopilot.channel.wish import Wish
from taskcopilot.clock import Clock

__all__ = ["Follower", "Heard"]

_log: Final = logging.getLogger(__name__)

_FIRST_PAUSE: Final = 0.25
_LONGEST_PAUSE: Final = 5.0
_LARGEST: Final = 16 * 1024 * 1024
"""Bytes of a message: larger than any event that the tools can make."""


@dataclass(frozen=True, slots=True)
class Heard:
    """Everything up to the cursor is here: with an event, with a gap that ends there, or with neither."""

    cursor: Cursor
    envelope: Mapping[str, Any] | None = None
    gap: tuple[int, int] | None = None


class _RefusedError(Exception):
    """The bridge is there, and does not let us follow."""


class Follower:
    """Yields what the bridge says, in order, each event once. Cancellable at any time."""

    def __init__(self, wish: Wish, clock: Clock, since: Cursor | None) -> None:
        self._wish = wish
        self._clock = clock
        self._cursor = since
        self._told = ""

    async def heard(self) -> AsyncIterator[Heard]:
        """Follow for ever; while there is no bridge, try again, and say so once."""
        pause = _FIRST_PAUSE
        headers = {"Authorization": f"Bearer {self._wish.token}"} if self._wish.token else {}
        while True:
            try:
                async with await self._session(headers) as session:
                    async for heard in self._once(session):
                        pause = _FIRST_PAUSE
                        self._cursor = heard.cursor
                        yield heard
                self._tell("the bridge is gone; following goes on when it is back")
            except _RefusedError as error:
                self._tell(f"the bridge at {self._wish.url} refuses: {error}; it is asked again and again")
            except (aiohttp.ClientError, OSError, TimeoutError, ValueError, KeyError, TypeError) as error:
                self._tell(f"no bridge at {self._wish.url} ({error}); following goes on when there is one")
            await self._clock.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    async def _session(self, headers: Mapping[str, str]) -> aiohttp.ClientSession:
        """Raises OSError for a file of authorities that cannot be used: a bridge's own is there once it has started."""
        if not self._wish.url.startswith("https"):
            return aiohttp.ClientSession(headers=headers)
        trusted = await asyncio.to_thread(_trusting, self._wish.ca_file)
        return aiohttp.ClientSession(headers=headers, connector=aiohttp.TCPConnector(ssl=trusted))

    async def _once(self, session: aiohttp.ClientSession) -> AsyncIterator[Heard]:
        await self._refuse_other_workspace(session)
        address = f"{self._wish.url.replace('http', 'ws', 1)}/ws"
        async with session.ws_connect(address, max_msg_size=_LARGEST) as socket:
            await socket.send_bytes(orjson.dumps({"type": "subscribe", "id": 1, "payload": self._request()}))
            epoch = ""
            async for message in socket:
                if message.type not in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY):
                    break
                said = orjson.loads(message.data)
                if said["type"] == "subscribed":
                    epoch = said["payload"]["epoch"]
                elif said["type"] == "ping":
                    await socket.send_bytes(b'{"type":"pong"}')
                if (heard := self._read(said, epoch)) is not None:
                    self._told = ""
                    yield heard

    async def _refuse_other_workspace(self, session: aiohttp.ClientSession) -> None:
        async with session.get(f"{self._wish.url}/health", timeout=aiohttp.ClientTimeout(total=10)) as response:
            if response.status == HTTPStatus.UNAUTHORIZED:
                raise _RefusedError("the token in TASKCOPILOT_TOKEN is not good")
            found = (await response.json()).get("workspace")
        if found != self._wish.workspace:
            raise ValueError(f"the bridge there serves workspace {found}, this is {self._wish.workspace}")

    def _request(self) -> dict[str, Any]:
        request: dict[str, Any] = {"topics": list(self._wish.topics)}
        if self._wish.types:
            request["filter"] = {"eventTypes": list(self._wish.types)}
        if self._cursor is not None:
            request["since"] = str(self._cursor)
        return request

    def _read(self, said: Mapping[str, Any], epoch: str) -> Heard | None:
        payload = said["payload"]
        match said["type"]:
            case "event":
                return Heard(Cursor(epoch, said["seq"]), said)
            case "ping":
                return Heard(Cursor(epoch, payload["seq"]))
            case "gap":
                return Heard(Cursor(epoch, payload["to"]), gap=(payload["from"], payload["to"]))
            case "subscribed":
                return self._read_start(payload, epoch)
            case "error":
                raise _RefusedError(payload["message"])
        return None

    def _read_start(self, payload: Mapping[str, Any], epoch: str) -> Heard | None:
        """Without a cursor it starts at the head; with one it goes on from there, behind what is gone."""
        if gap := payload.get("gap"):
            start = gap["to"] if self._cursor is not None and self._cursor.epoch == epoch else payload["seq"]
            return Heard(Cursor(epoch, start), gap=(gap["from"], gap["to"]))
        if self._cursor is None:
            return Heard(Cursor(epoch, payload["seq"]))
        return Heard(Cursor(epoch, self._cursor.seq))

    def _tell(self, text: str) -> None:
        if text != self._told:
            _log.warning("%s", text)
        self._told = text


def _trusting(ca_file: str | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca_file)
    except OSError as error:
        raise OSError(f"cannot use the authorities in {ca_file}: {error.strerror or error}") from error
