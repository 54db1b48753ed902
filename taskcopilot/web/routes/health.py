"""GET /health: who answers here, and whether it is ready."""

from __future__ import annotations

import os
from typing import Final, Literal

from aiohttp import web

from taskcopilot import __version__
from taskcopilot.clock import iso
from taskcopilot.model import WireModel
from taskcopilot.web.json import json_response
from taskcopilot.web.keys import CORE
from taskcopilot.web.route import Route

__all__ = ["ROUTES", "SERVICE", "Health"]

SERVICE: Final = "taskcopilot"
"""How a bridge knows another one."""


class Health(WireModel):
    """The state of the process. `seq` is the newest event that was handed to the clients of this process.

    `ready` is false while the disk refuses writes after an I/O error; reads and live events go on.
    """

    status: Literal["ok"]
    timestamp: str
    service: str
    version: str
    ready: bool
    epoch: str
    seq: int
    pid: int
    workspace: str


async def get_health(request: web.Request) -> web.Response:
    """Answer at once, whatever the database does."""
    core = request.app[CORE]
    return json_response(
        Health(
            status="ok",
            timestamp=iso(core.clock.now()),
            service=SERVICE,
            version=__version__,
            ready=core.database.is_writable,
            epoch=core.recorder.epoch,
            seq=core.recorder.head,
            pid=os.getpid(),
            workspace=core.workspace.id,
        )
    )


ROUTES: Final = (
    Route(method="GET", path="/health", handler=get_health, summary="Tell who answers here", answer=Health),
)
