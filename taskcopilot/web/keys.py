"""What the handlers find in the application."""

from __future__ import annotations

import asyncio
from typing import Final

from aiohttp import web

from taskcopilot.bridge.hub import Hub
from taskcopilot.core import Core
from taskcopilot.store.derived import Derived
from taskcopilot.web.past import StoredPast

__all__ = ["CORE", "ENDING", "HUB", "LISTINGS", "PAST"]

CORE: Final = web.AppKey("core", Core)

HUB: Final = web.AppKey("hub", Hub)

PAST: Final = web.AppKey("past", StoredPast)

LISTINGS: Final = web.AppKey("listings", Derived)
"""The last answers of the routes that list."""

ENDING: Final = web.AppKey("ending", asyncio.Event)
"""Set when the server is about to stop: whoever answers without an end ends then."""
