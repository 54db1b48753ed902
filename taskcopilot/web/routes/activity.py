"""GET /api/activity: which agents are at work."""

from __future__ import annotations

from functools import partial
from typing import Final

from aiohttp import web

from taskcopilot.tools.views.activity import AgentActivities, list_activity
from taskcopilot.web.gate import view_of
from taskcopilot.web.json import answer_view
from taskcopilot.web.queries import is_false, single
from taskcopilot.web.route import Parameter, Route

__all__ = ["ROUTES"]


async def get_activity(request: web.Request) -> web.Response:
    """Answer the agents at work, latest heartbeat first."""
    view = partial(
        list_activity,
        stream_id=single(request, "streamId"),
        unfinished_only=not is_false(request, "active"),
        sight=view_of(request),
    )
    return await answer_view(request, view)


ROUTES: Final = (
    Route(
        method="GET",
        path="/api/activity",
        confined=True,
        handler=get_activity,
        summary="List the agents at work",
        answer=AgentActivities,
        parameters=(
            Parameter("streamId", "Only agents at work on this stream."),
            Parameter("active", "`false` shows also those who are done; anything else does not."),
        ),
    ),
)
