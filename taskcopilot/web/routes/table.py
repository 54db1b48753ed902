"""The table of all HTTP routes, in the order of the API description."""

from __future__ import annotations

from typing import Final

from taskcopilot.web.route import Route
from taskcopilot.web.routes import (
    activity,
    checkpoints,
    dashboard,
    description,
    events,
    health,
    hooks,
    metrics,
    schemas,
    services,
    stream,
    streams,
    tasks,
    tools,
)

__all__ = ["ROUTES"]

_MODULES: Final = (
    health,
    streams,
    tasks,
    activity,
    checkpoints,
    events,
    stream,
    tools,
    services,
    hooks,
    description,
    schemas,
    metrics,
    dashboard,
)

ROUTES: Final[tuple[Route, ...]] = tuple(route for module in _MODULES for route in module.ROUTES)
