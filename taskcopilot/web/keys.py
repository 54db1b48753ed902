"""What the handlers find in the application."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Final

from aiohttp import web

from taskcopilot.bridge.hub import Hub
from taskcopilot.core import Core
from taskcopilot.rooms.desk import Desk
from taskcopilot.store.derived import Derived
from taskcopilot.tls.keeping import Keeping
from taskcopilot.web.crowd import Crowd
from taskcopilot.web.doorkeeper import Doorkeeper
from taskcopilot.web.past import StoredPast
from taskcopilot.web.sink import TransportSink

__all__ = [
    "CONFINED",
    "CORE",
    "CROWD",
    "DESKS",
    "DOOR",
    "ENDING",
    "HUB",
    "LISTINGS",
    "PAST",
    "REFUSALS",
    "SOCKETS",
    "TLS",
]

CORE: Final = web.AppKey("core", Core)

CROWD: Final = web.AppKey("crowd", Crowd)
"""The connections of all ports."""

HUB: Final = web.AppKey("hub", Hub)

PAST: Final = web.AppKey("past", StoredPast)

REFUSALS: Final = web.AppKey("refusals", Counter[str])
"""Requests that were not welcome, by code; of all ports."""

LISTINGS: Final = web.AppKey("listings", Derived)
"""The last answers of the routes that list."""

ENDING: Final = web.AppKey("ending", asyncio.Event)
"""Set when the server is about to stop: whoever answers without an end ends then."""

SOCKETS: Final = web.AppKey("sockets", dict[web.WebSocketResponse, TransportSink])
"""Every conversation that is open, of all ports."""

TLS: Final[web.AppKey[Keeping | None]] = web.AppKey("tls")
"""The certificate that all ports show; None where they speak plain HTTP."""
CONFINED: Final = web.AppKey("confined", frozenset[str])
"""Routes, as the router knows them, that keep to what the caller's token sees."""

DESKS: Final = web.AppKey("desks", dict[str, Desk])
"""The services, by name."""

DOOR: Final = web.AppKey("door", Doorkeeper)
"""Who checks tokens; only there with authentication."""
