"""What the handlers find in the application."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from taskcopilot.core import Core

__all__ = ["CORE"]

CORE: Final = web.AppKey("core", Core)
