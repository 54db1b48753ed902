"""GET /api/checkpoints: the newest checkpoint of a stream or of a task."""

from __future__ import annotations

from functools import partial
from typing import Final

from aiohttp import web

from taskcopilot.tools.views.checkpoints import LatestCheckpoint, latest_checkpoint
from taskcopilot.web.json import answer_view
from taskcopilot.web.queries import single
from taskcopilot.web.route import Parameter, Route

__all__ = ["ROUTES"]


async def get_checkpoint(request: web.Request) -> web.Response:
    """Answer the newest checkpoint that has not expired."""
    view = partial(latest_checkpoint, stream_id=single(request, "streamId"), task_id=single(request, "taskId"))
    return await answer_view(request, view)


ROUTES: Final = (
    Route(
        method="GET",
        path="/api/checkpoints",
        handler=get_checkpoint,
        summary="Read the newest checkpoint of a stream or of a task",
        answer=LatestCheckpoint,
        parameters=(
            Parameter("streamId", "The newest of all tasks of this stream; wins over taskId."),
            Parameter("taskId", "The newest of this task."),
        ),
        problems=(404,),
    ),
)
