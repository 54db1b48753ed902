"""GET /api/tasks and GET /api/tasks/{taskId}."""

from __future__ import annotations

from functools import partial
from typing import Final

from aiohttp import web

from taskcopilot.tools.views.tasks import TaskResource, TaskViews, get_task, tasks_json
from taskcopilot.web.gate import view_of
from taskcopilot.web.json import answer_view
from taskcopilot.web.listing import answer_listing
from taskcopilot.web.queries import leading_number, single
from taskcopilot.web.route import Parameter, Route

__all__ = ["ROUTES"]


async def get_tasks(request: web.Request) -> web.Response:
    """Answer the tasks that fit all filters."""
    view = partial(
        tasks_json,
        status=single(request, "status"),
        stream_id=single(request, "streamId"),
        assigned_agent=single(request, "assignedAgent"),
        prd_id=single(request, "prdId"),
        limit=leading_number(request, "limit"),
        sight=view_of(request),
    )
    return await answer_listing(request, view)


async def get_one_task(request: web.Request) -> web.Response:
    """Answer one task, archived or not."""
    view = partial(get_task, task_id=request.match_info["taskId"], sight=view_of(request))
    return await answer_view(request, view)


ROUTES: Final = (
    Route(
        method="GET",
        path="/api/tasks",
        confined=True,
        also=("/api/tasks/",),
        handler=get_tasks,
        summary="List tasks, newest first, archived ones left out",
        answer=TaskViews,
        parameters=(
            Parameter("status", "Only tasks in this status; an unknown one fits none."),
            Parameter("streamId", "Only tasks of this stream."),
            Parameter("assignedAgent", "Only tasks of this agent."),
            Parameter("prdId", "Only tasks of this PRD."),
            Parameter("limit", "How many at most: the number it begins with, if that is above zero."),
        ),
    ),
    Route(
        method="GET",
        path="/api/tasks/{taskId}",
        confined=True,
        handler=get_one_task,
        summary="Read one task",
        answer=TaskResource,
        problems=(404,),
    ),
)
