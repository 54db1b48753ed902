"""The services' own ports, in the process of the bridge; and each service at `/ws/{service}` on the main port."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import AsyncIterator, Iterable
from typing import Final

from aiohttp import web

from taskcopilot.auth.identity import Identity, unauthorized
from taskcopilot.config import Address
from taskcopilot.core import Core, background
from taskcopilot.errors import PortTakenError
from taskcopilot.rooms.desk import Backing, Desk, Identify
from taskcopilot.rooms.keeper import Keeper
from taskcopilot.rooms.skills_ticker import SkillsDesk, Ticker
from taskcopilot.services.service import Service
from taskcopilot.services.skills.sources import OwnSkills, SkillsFile
from taskcopilot.services.table import SERVICES
from taskcopilot.web.gate import refuse_open_door, require_reader
from taskcopilot.web.guard import Guard, guarding
from taskcopilot.web.json import json_response
from taskcopilot.web.keys import CORE, CROWD, DESKS, DOOR, HUB, PAST, REFUSALS, SOCKETS, TLS
from taskcopilot.web.problems import problems
from taskcopilot.web.server import listening
from taskcopilot.web.services.probes import health, metrics
from taskcopilot.web.services.socket import converse
from taskcopilot.web.verifying import services_verifier
from taskcopilot.web.ws import close_all, is_upgrade

__all__ = ["add_routes", "service_ports"]

_log: Final = logging.getLogger(__name__)

_DESK: Final = web.AppKey("desk", Desk)


def add_routes(app: web.Application) -> None:
    """Serve every service at its path on the application, after the hub."""
    app[DESKS] = {}
    app.cleanup_ctx.append(_desks)
    app.router.add_get("/ws/{service}", _serve_path, allow_head=False)


async def _desks(app: web.Application) -> AsyncIterator[None]:
    core = app[CORE]
    backing = Backing(
        hub=app[HUB],
        past=app[PAST],
        database=core.database,
        publisher=core.publisher,
        clock=core.clock,
        message_rate=core.settings.max_message_rate,
        identify=await _identify(app),
    )
    app[DESKS].update({service.name: _desk(service, backing) for service in SERVICES})
    keeper = Keeper(app[DESKS].values(), core.recorder, core.clock, os.getpid())
    async with background(keeper.run(), "service-keeper"), _ticking(core, app[DESKS].values()):
        yield
    await keeper.leave()


def _desk(service: Service, backing: Backing) -> Desk:
    return SkillsDesk(service, backing) if service.protocol == "skills" else Desk(service, backing)


@contextlib.asynccontextmanager
async def _ticking(core: Core, desks: Iterable[Desk]) -> AsyncIterator[None]:
    """Send the ticks of the metrics while the block runs."""
    settings = core.settings
    file = settings.skills_db
    source = SkillsFile(file, core.database) if file else OwnSkills(core.database, core.recorder)
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(source.close)
        for desk in desks:
            if isinstance(desk, SkillsDesk):
                ticker = Ticker(desk, source, core.clock, settings.skills_tick, settings.max_outstanding_bytes)
                await stack.enter_async_context(background(ticker.run(), "ticker"))
        yield


async def _identify(app: web.Application) -> Identify | None:
    """Return who checks the tokens of the services' clients: those of their own secret, and those of the bridge."""
    keeper = app.get(DOOR)
    own = await asyncio.to_thread(services_verifier, app[CORE].settings, app[CORE].clock)

    async def identify(token: str) -> Identity:
        identity = None if own is None else await own.verify(token)
        if identity is not None and (keeper is None or keeper.is_good(identity)):
            return identity
        if keeper is None:
            raise unauthorized()
        return await keeper.identify(token)

    return None if keeper is None and own is None else identify


async def _serve_path(request: web.Request) -> web.StreamResponse:
    desk = request.app[DESKS].get(request.match_info["service"])
    if desk is None or not is_upgrade(request):
        raise web.HTTPNotFound
    return await converse(request, desk)


@contextlib.asynccontextmanager
async def service_ports(core: Core, app: web.Application) -> AsyncIterator[dict[str, str]]:
    """Open the ports of the services that the settings ask for, and return their addresses by name.

    A port that is taken is named and left out, or, with `services_busy` set to refuse, the PortTakenError raised. On
    leaving all conversations end at once, those of the main port too.
    """
    settings = core.settings
    chosen = SERVICES.chosen(settings.services)
    SERVICES.chosen(settings.service_addresses, flag="--service-addresses")
    addresses: dict[str, str] = {}
    async with contextlib.AsyncExitStack() as stack:
        for service in chosen:
            try:
                addresses[service.name] = await stack.enter_async_context(_port(core, app, service))
            except PortTakenError as taken:
                if settings.services_busy == "refuse":
                    raise PortTakenError(f"{service.name}: {taken.message}", **taken.details) from taken
                _log.warning("%s is not served on a port of its own: %s", service.name, taken.message)
        try:
            yield addresses
        finally:
            await close_all(app)


@contextlib.asynccontextmanager
async def _port(core: Core, app: web.Application, service: Service) -> AsyncIterator[str]:
    """Serve one service on its own port; its sockets are those of the main application, and end with them."""
    desk = app[DESKS][service.name]
    asked = core.settings.service_addresses.get(service.name, Address(None, None))
    host = asked.host or core.settings.services_host
    is_guarded = core.settings.services_secret is not None or core.settings.tls_client_ca is not None
    refuse_open_door(core.settings, host, "--services-host", guarded=is_guarded)
    own = web.Application(middlewares=[problems, guarding(Guard.of(core.settings, host))])
    own[CORE], own[_DESK], own[SOCKETS] = core, desk, app[SOCKETS]
    own[REFUSALS], own[CROWD], own[TLS] = app[REFUSALS], app[CROWD], app[TLS]
    if DOOR in app:
        own[DOOR] = app[DOOR]
    own.router.add_get("/{path:.*}", _serve_port)
    port = service.port if asked.port is None else asked.port
    async with listening(own, host, port) as server:
        desk.host, desk.port = server.host, server.port
        try:
            yield server.url.replace("http", "ws", 1)
        finally:
            desk.host, desk.port = None, None


async def _serve_port(request: web.Request) -> web.StreamResponse:
    """Upgrade on any path; without an upgrade there are health and metrics."""
    desk = request.app[_DESK]
    if is_upgrade(request):
        return await converse(request, desk)
    match request.path:
        case "/health":
            return json_response(health(desk))
        case "/metrics":
            await require_reader(request)
            return web.Response(
                text=metrics(desk, "wss" if request.secure else "ws"), headers={"Cache-Control": "no-store"}
            )
        case _:
            return web.Response(
                status=426, text=f"{desk.service.name} speaks WebSocket here\n", headers={"Upgrade": "websocket"}
            )
