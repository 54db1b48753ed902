"""POST /hooks/claude-code: the hooks of Claude Code (promise H11)."""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from typing import Final

from aiohttp import web

from taskcopilot.hooks.payload import Hook
from taskcopilot.hooks.translation import take
from taskcopilot.web.bodies import read_object
from taskcopilot.web.json import json_response
from taskcopilot.web.keys import CORE
from taskcopilot.web.route import Route

__all__ = ["ROUTES"]

_log: Final = logging.getLogger(__name__)

PATIENCE: Final = 0.03
"""Seconds that the agent waits for the commit; it gets its answer within 50 ms, whatever the disk does."""


_TEXT: Final = {"type": ["string", "integer"], "minLength": 1}


async def take_hook(request: web.Request) -> web.Response:
    """Record what an agent did. Whatever becomes of it, the answer never holds the agent up.

    A commit that takes longer goes on after the answer; what fails is logged, not told.
    """
    core = request.app[CORE]
    hook = Hook.read(await read_object(request))
    recording = asyncio.ensure_future(core.recorder.record(lambda tx: take(tx, hook)))
    recording.add_done_callback(partial(_report, hook))
    deadline = asyncio.ensure_future(core.clock.sleep(PATIENCE))
    try:
        await asyncio.wait({recording, deadline}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        deadline.cancel()
    return json_response({})


def _report(hook: Hook, recording: asyncio.Future[None]) -> None:
    if not recording.cancelled() and (error := recording.exception()) is not None:
        _log.warning("hook %s of session %s was not recorded: %s", hook.name, hook.session, error)


ROUTES: Final = (
    Route(
        method="POST",
        path="/hooks/claude-code",
        handler=take_hook,
        summary="Take a hook of Claude Code: its tasks and teams become tasks and events here",
        answer={"type": "object", "description": "Always empty: nothing is decided for the agent."},
        body={
            "type": "object",
            "properties": {"hook_event_name": _TEXT, "session_id": _TEXT},
            "required": ["hook_event_name", "session_id"],
        },
    ),
)
