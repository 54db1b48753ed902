"""Who holds the port that we were told to use: another bridge, or a stranger."""

from __future__ import annotations

import asyncio
import ssl
from typing import Any, Final

import aiohttp
import orjson

from taskcopilot.errors import PortTakenError
from taskcopilot.web.address import base_url
from taskcopilot.web.routes.health import SERVICE
from taskcopilot.web.tls_door import TLS_REQUIRED

__all__ = ["port_taken"]

_PATIENCE: Final = aiohttp.ClientTimeout(total=1.0)
"""Whoever does not answer within this is a stranger."""

_MAX_ANSWER: Final = 65_536
"""Bytes; a stranger may send anything."""


async def port_taken(host: str, port: int, tls: ssl.SSLContext | None = None) -> PortTakenError:
    """Ask who listens there, and return the error that says so and how to go on.

    With `tls` it is asked over TLS first, otherwise in case plain HTTP brings nothing. Whose certificate it is does not
    matter, for nothing is told. For a bridge the details hold its `pid`, `workspace` and `epoch`.
    """
    secure = tls is not None
    async with aiohttp.ClientSession(timeout=_PATIENCE) as session:
        for is_secure in (secure, not secure):
            base = base_url(host, port, secure=is_secure)
            answers = await asyncio.gather(_get(session, f"{base}/health", tls), _get(session, f"{base}/-/ready", tls))
            health = _json(answers[0])
            if health.get("service") == SERVICE:
                return _bridge(host, port, health)
            if any(answers) and health.get("code") != TLS_REQUIRED:
                break
    holder = "Prometheus" if b"prometheus" in answers[1].lower() else "another program, not a bridge"
    return PortTakenError(
        f"port {port} on {host} is taken by {holder}; choose another with --port", field="--port", port=port
    )


def _bridge(host: str, port: int, health: dict[str, Any]) -> PortTakenError:
    pid, workspace, epoch = (health.get(name) for name in ("pid", "workspace", "epoch"))
    return PortTakenError(
        f"port {port} on {host} is taken by another bridge (pid {pid}, workspace {workspace}); "
        "choose another with --port",
        field="--port",
        port=port,
        pid=pid,
        workspace=workspace,
        epoch=epoch,
    )


async def _get(session: aiohttp.ClientSession, url: str, tls: ssl.SSLContext | None) -> bytes:
    """Return the body, as far as we care to read; nothing when no HTTP comes back."""
    body = bytearray()
    try:
        async with session.get(url, allow_redirects=False, ssl=tls or False) as response:
            async for chunk in response.content.iter_any():
                body += chunk
                if len(body) > _MAX_ANSWER:
                    break
    except (aiohttp.ClientError, TimeoutError, ValueError):
        return b""
    return bytes(body)


def _json(body: bytes) -> dict[str, Any]:
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return value if isinstance(value, dict) else {}
