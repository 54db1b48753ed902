"""The two long-running processes: the bridge, and the MCP server that hosts a bridge when the port is free."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from taskcopilot.config import Settings
from taskcopilot.core import Core, background
from taskcopilot.errors import PortTakenError
from taskcopilot.process import run_until_signal
from taskcopilot.upkeep import upkeep

if TYPE_CHECKING:
    from taskcopilot.mcp.wire import Wire

__all__ = ["Ready", "run_bridge", "run_mcp"]

_log: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Ready:
    """What a bridge says of itself when it answers."""

    url: str
    workspace: str
    database: str
    epoch: str
    services: Mapping[str, str]
    """Addresses of the services that have a port of their own."""
    certificate: Path | None = None
    """The certificate that all ports show, and its SHA-256; None where they speak plain HTTP."""
    fingerprint: str | None = None


def run_bridge(settings: Settings, announce: Callable[[Ready], None]) -> None:
    """Serve HTTP and WebSocket until a signal; `announce` is called once it answers.

    Raises PortTakenError, StoreError and InvalidArgumentError when it cannot start.
    """
    from taskcopilot.web.app import make_app  # noqa: PLC0415 - a tenth of a second that other commands save
    from taskcopilot.web.server import serving  # noqa: PLC0415
    from taskcopilot.web.services.ports import service_ports  # noqa: PLC0415

    async def work(stopping: asyncio.Event) -> None:
        async with Core.open(settings, check=True) as core:
            app = make_app(core)
            async with serving(core, app) as server, service_ports(core, app) as services, upkeep(core):
                path = str(core.database.path)
                tls = server.certificate
                shown = () if tls is None else (tls.file, tls.fingerprint)
                announce(Ready(server.url, core.workspace.id, path, core.recorder.epoch, services, *shown))
                await stopping.wait()

    run_until_signal(work)


def run_mcp(settings: Settings, wire: Wire) -> None:
    """Serve one MCP client on the wire until it closes its side or a signal comes; host the bridge meanwhile."""
    from taskcopilot.mcp.server import make_server  # noqa: PLC0415 - half a second that other commands save
    from taskcopilot.mcp.stdio import converse  # noqa: PLC0415

    async def work(stopping: asyncio.Event) -> None:
        async with Core.open(settings) as core, background(_host(core), "host"), upkeep(core):
            conversation = asyncio.create_task(converse(make_server(core), wire), name="conversation")
            async with background(_cancel_after(stopping, conversation), "stopper"):
                with contextlib.suppress(asyncio.CancelledError):
                    await conversation

    run_until_signal(work)


async def _cancel_after(stopping: asyncio.Event, conversation: asyncio.Task[None]) -> None:
    await stopping.wait()
    conversation.cancel()


async def _host(core: Core) -> None:
    """Host HTTP and WebSocket until cancelled, as soon as the port is free. Meanwhile the tools work without."""
    from taskcopilot.web.app import make_app  # noqa: PLC0415 - after the client got its first answer
    from taskcopilot.web.server import serving  # noqa: PLC0415

    told = ""
    while True:
        try:
            async with serving(core, make_app(core)) as server:
                _log.info("workspace %s is served at %s", core.workspace.id, server.url)
                await asyncio.get_running_loop().create_future()
        except PortTakenError as taken:
            level, text = _explain(taken, core)
            _log.log(logging.DEBUG if text == told else level, text)
            told = text
        except Exception as error:  # noqa: BLE001
            _log.error("HTTP and WebSocket are not served: %s; the tools work all the same", error)
            return
        await core.clock.sleep(_LOOK_AT_PORT)
        while await _is_held(core.settings.host, core.settings.port):
            await core.clock.sleep(_LOOK_AT_PORT)


_LOOK_AT_PORT: Final = 0.5
"""Seconds between two looks at a port that somebody else holds: its clients come back within a second or two."""


async def _is_held(host: str, port: int) -> bool:
    """Tell whether somebody accepts connections there; costs a connect, which a bridge hardly notices."""
    try:
        _, writer = await asyncio.open_connection(host, port)
    except OSError:
        return False
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return True


def _explain(taken: PortTakenError, core: Core) -> tuple[int, str]:
    """Say in one line who holds the port and what that means for the events of our tools; with the level for it."""
    epoch = taken.details.get("epoch")
    if epoch == core.recorder.epoch:
        pid = taken.details.get("pid")
        return logging.INFO, f"the bridge of this workspace (pid {pid}) holds the port and delivers our events"
    if epoch is None:
        return logging.WARNING, f"{taken.message}; the tools work, but nobody delivers their events"
    return logging.WARNING, (
        f"{taken.message}. That is ANOTHER workspace: the tools here work on {core.database.path} "
        f"(workspace {core.workspace.id}), and their events are not seen there"
    )
