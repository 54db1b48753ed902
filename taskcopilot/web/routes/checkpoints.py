"""GET /api/checkpoints, and POST /api/streams/{streamId}/checkpoint."""

from __future__ import annotations

from functools import partial
from typing import Final

from aiohttp import web

from taskcopilot.errors import InvalidArgumentError
from taskcopilot.model import WireModel
from taskcopilot.store import tasks
from taskcopilot.store.transaction import Tx
from taskcopilot.tools.checkpoints import CheckpointCreate, checkpoint_create
from taskcopilot.tools.dispatch import parse
from taskcopilot.tools.fields import CheckpointTrigger, Text, ToolInput
from taskcopilot.tools.views.checkpoints import LatestCheckpoint, latest_checkpoint
from taskcopilot.web.bodies import read_optional_object
from taskcopilot.web.gate import view_of
from taskcopilot.web.json import answer_view, json_response
from taskcopilot.web.keys import CORE
from taskcopilot.web.queries import single
from taskcopilot.web.route import Parameter, Route

__all__ = ["ROUTES", "StreamCheckpoint", "StreamCheckpointOptions"]


class StreamCheckpointOptions(ToolInput):
    """The body of the request; all of it may be left out."""

    trigger: CheckpointTrigger = "manual"
    reason: Text | None = None


class StreamCheckpoint(WireModel):
    """The checkpoint that was made."""

    checkpoint_id: str
    task_id: str
    created_at: str


async def get_checkpoint(request: web.Request) -> web.Response:
    """Answer the newest checkpoint that has not expired."""
    view = partial(
        latest_checkpoint,
        stream_id=single(request, "streamId"),
        task_id=single(request, "taskId"),
        sight=view_of(request),
    )
    return await answer_view(request, view)


async def create_stream_checkpoint(request: web.Request) -> web.Response:
    """Make a checkpoint of the task that the stream is at."""
    options = parse(StreamCheckpointOptions, await read_optional_object(request))
    stream_id, view = request.match_info["streamId"], view_of(request)
    if view is not None and not view.sees_stream(stream_id):
        raise _nothing_at_work(stream_id)
    unit = partial(_checkpoint, stream_id=stream_id, options=options)
    return json_response(await request.app[CORE].recorder.record(unit), status=201)


def _nothing_at_work(stream_id: str) -> InvalidArgumentError:
    return InvalidArgumentError("No in-progress task found for stream", field="streamId", streamId=stream_id)


def _checkpoint(tx: Tx, stream_id: str, options: StreamCheckpointOptions) -> StreamCheckpoint:
    """Find the oldest task in progress and save it, in one unit: nobody can complete the task in between."""
    at_work = tasks.listing(tx, where={"stream_id": stream_id, "status": "in_progress", "archived": 0}, limit=1)
    if not at_work:
        raise _nothing_at_work(stream_id)
    context = {} if options.reason is None else {"recoveryReason": options.reason}
    call = CheckpointCreate(taskId=at_work[0].id, trigger=options.trigger, agentContext=context)
    made = checkpoint_create(tx, call)
    return StreamCheckpoint(checkpoint_id=made.id, task_id=made.task_id, created_at=made.created_at)


ROUTES: Final = (
    Route(
        method="GET",
        path="/api/checkpoints",
        confined=True,
        handler=get_checkpoint,
        summary="Read the newest checkpoint of a stream or of a task",
        answer=LatestCheckpoint,
        parameters=(
            Parameter("streamId", "The newest of all tasks of this stream; wins over taskId."),
            Parameter("taskId", "The newest of this task."),
        ),
        problems=(404,),
    ),
    Route(
        method="POST",
        path="/api/streams/{streamId}/checkpoint",
        confined=True,
        handler=create_stream_checkpoint,
        summary="Make a checkpoint of the task that a stream is at",
        answer=StreamCheckpoint,
        status=201,
        body=StreamCheckpointOptions,
        body_required=False,
        problems=(503, 507),
    ),
)
