"""The stdio transport: newline-delimited JSON-RPC between a wire and the SDK's server.

The SDK's own reads and writes through the executor, whose threads cannot be interrupted: a signal would be obeyed when
the client says something next. And it drops what is in work when the input ends; here a call that was made is answered.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import Any, Final

import anyio
import mcp_types as types
import orjson
from mcp.server.lowlevel import Server
from mcp.shared.message import SessionMessage
from pydantic import ValidationError

from taskcopilot.core import background
from taskcopilot.mcp.wire import Wire

__all__ = ["converse"]

_log: Final = logging.getLogger(__name__)

_ANSWERS_WITHIN: Final = 0.4
"""Seconds that calls in work may still take when the input has ended."""

_WRITTEN_WITHIN: Final = 0.2
"""Seconds for a client that closed its end to read what is left for it."""


async def converse(server: Server[Any], wire: Wire) -> None:
    """Serve one client until it closes its side, and then at most a second longer. Cancellable at any time."""
    await _Conversation(wire).run(server)


class _Conversation:
    """Carries messages between wire and server, and knows which requests are still without an answer."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._to_server, self._from_client = anyio.create_memory_object_stream[SessionMessage | Exception](0)
        self._to_client, self._from_server = anyio.create_memory_object_stream[SessionMessage](0)
        self._open: set[types.RequestId] = set()
        self._answered = asyncio.Event()
        self._written = asyncio.Event()

    async def run(self, server: Server[Any]) -> None:
        async with background(self._write(), "mcp-writer"):
            async with background(self._read(), "mcp-reader"):
                await server.run(self._from_client, self._to_client, server.create_initialization_options())
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._written.wait(), _WRITTEN_WITHIN)

    async def _read(self) -> None:
        """Hand every line to the server; at the end of the input wait for the answers, then end the server's."""
        with contextlib.suppress(anyio.ClosedResourceError, anyio.BrokenResourceError):
            async with self._to_server:
                async for line in self._wire.lines():
                    if line.strip():
                        await self._take(line)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._all_answered(), _ANSWERS_WITHIN)

    async def _take(self, line: bytes) -> None:
        """Hand a line on. What is no request, but has an id that somebody waits for, is answered here."""
        message = self._parse(line)
        if isinstance(message, Exception) and (refusal := _refusal(line)):
            await self._to_client.send(SessionMessage(refusal))
        else:
            await self._to_server.send(message)

    def _parse(self, line: bytes) -> SessionMessage | Exception:
        try:
            message = types.jsonrpc_message_adapter.validate_json(line, by_name=False)
        except ValidationError as error:
            _log.warning("a line is no JSON-RPC message: %.200r", line)
            return error
        if isinstance(message, types.JSONRPCRequest):
            self._open.add(message.id)
        return SessionMessage(message)

    async def _all_answered(self) -> None:
        while self._open:
            self._answered.clear()
            await self._answered.wait()

    async def _write(self) -> None:
        """Write every message of the server. A client that is gone ends the conversation."""
        try:
            async with self._from_server:
                async for session_message in self._from_server:
                    await self._write_one(session_message.message)
        except OSError as error:
            _log.info("the client is gone: %s", error)
            self._to_server.close()
        finally:
            self._written.set()

    async def _write_one(self, message: types.JSONRPCMessage) -> None:
        await self._wire.write(message.model_dump_json(by_alias=True, exclude_unset=True).encode())
        if isinstance(message, types.JSONRPCResponse | types.JSONRPCError) and message.id is not None:
            self._open.discard(message.id)
            self._answered.set()


def _refusal(line: bytes) -> types.JSONRPCError | None:
    """Return the error for a line that is no JSON-RPC message, if it names a method and an id to answer to."""
    try:
        said = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(said, dict) or "method" not in said:
        return None
    request_id = said.get("id")
    if not isinstance(request_id, str | int) or isinstance(request_id, bool):
        return None
    error = types.ErrorData(code=types.INVALID_REQUEST, message="not a JSON-RPC 2.0 request")
    return types.JSONRPCError(jsonrpc="2.0", id=request_id, error=error)
