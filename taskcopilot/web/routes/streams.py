"""GET /api/streams, one stream, and its health."""

from __future__ import annotations

from functools import partial
from typing import Final

from aiohttp import web

from taskcopilot.tools.stream_info import StreamDetail
from taskcopilot.tools.views.health import StreamHealth, stream_health
from taskcopilot.tools.views.streams import StreamViews, get_stream, list_streams
from taskcopilot.web.gate import view_of
from taskcopilot.web.json import answer_view
from taskcopilot.web.listing import answer_listing
from taskcopilot.web.queries import is_true, single
from taskcopilot.web.route import Parameter, Route

__all__ = ["ROUTES"]


async def get_streams(request: web.Request) -> web.Response:
    """Answer the streams of an initiative, by default of the current one."""
    view = partial(
        list_streams,
        initiative_id=single(request, "initiativeId"),
        include_archived=is_true(request, "includeArchived"),
        sight=view_of(request),
    )
    return await answer_listing(request, view)


async def get_one_stream(request: web.Request) -> web.Response:
    """Answer one stream with its tasks."""
    view = partial(
        get_stream,
        stream_id=request.match_info["streamId"],
        include_archived=is_true(request, "includeArchived"),
        sight=view_of(request),
    )
    return await answer_listing(request, view)


async def get_stream_health(request: web.Request) -> web.Response:
    """Answer whether somebody is still at work on the stream."""
    view = partial(stream_health, stream_id=request.match_info["streamId"], sight=view_of(request))
    return await answer_view(request, view)


_ARCHIVED: Final = Parameter("includeArchived", "`true` counts archived tasks in; anything else does not.")

ROUTES: Final = (
    Route(
        method="GET",
        path="/api/streams",
        confined=True,
        also=("/api/streams/",),
        handler=get_streams,
        summary="List streams with their progress",
        answer=StreamViews,
        parameters=(
            Parameter("initiativeId", "By default the current initiative; an unknown one has no streams."),
            _ARCHIVED,
        ),
    ),
    Route(
        method="GET",
        path="/api/streams/{streamId}",
        confined=True,
        handler=get_one_stream,
        summary="Read one stream with its tasks",
        answer=StreamDetail,
        parameters=(_ARCHIVED,),
        problems=(404,),
    ),
    Route(
        method="GET",
        path="/api/streams/{streamId}/health",
        confined=True,
        handler=get_stream_health,
        summary="Tell whether somebody is still at work on a stream",
        answer=StreamHealth,
        problems=(404,),
    ),
)
