"""The resources: tasks, streams, checkpoints and the newest events, as JSON."""

from __future__ import annotations

from typing import Any, Final

import mcp_types as types

from taskcopilot.auth.access import Access, Scope
from taskcopilot.bridge.cursor import Cursor
from taskcopilot.bridge.log_page import index_of, read_page
from taskcopilot.core import Core
from taskcopilot.mcp.uris import RECENT, Address, uri_of
from taskcopilot.tools.events_wait import EventsHappened, answer
from taskcopilot.topics import Pattern, Selector

__all__ = ["TEMPLATES", "list_resources", "read_resource"]

JSON: Final = "application/json"

NEWEST: Final = 50
"""How many events `events://recent` holds; behind a cursor it goes on from page to page."""

_OPEN: Final = ("in_progress", "blocked", "pending")
"""Statuses of the tasks that are listed; what is done is still read by its id."""

_MOST: Final = 200
"""Tasks that are listed at most: people pick from this list."""

TEMPLATES: Final = types.ListResourceTemplatesResult(
    resource_templates=[
        types.ResourceTemplate(uri_template=template, name=name, title=title, description=description, mime_type=JSON)
        for template, name, title, description in (
            ("task://{id}", "task", "Task", "A task with its details, as task_get answers it."),
            ("stream://{id}", "stream", "Stream", "A stream with its tasks and progress, as stream_get answers it."),
            ("checkpoint://{id}", "checkpoint", "Checkpoint", "A saved state, as checkpoint_get answers it."),
            (
                RECENT + "{?since}",
                "events",
                "Events",
                "What happened: the newest events, or those after a cursor; `next` is the cursor to go on with.",
            ),
        )
    ]
)

_READ_BY: Final = {
    "task": ("task_get", "id"),
    "stream": ("stream_get", "streamId"),
    "checkpoint": ("checkpoint_get", "id"),
}
"""The tool that reads each kind, and the name of its argument."""


async def list_resources(core: Core, access: Access) -> types.ListResourcesResult:
    """List the events, all streams, and the tasks that are open: those at work first."""
    streams: Any = await core.toolbox.call("stream_list", {}, access=access)
    listed = [types.Resource(uri=RECENT, name="events", title="Newest events", mime_type=JSON)]
    listed += [_resource("stream", stream.stream_id, stream.stream_name) for stream in streams.streams]
    tasks: list[Any] = []
    for status in _OPEN:
        found: Any = await core.toolbox.call("task_list", {"status": status}, access=access)
        tasks += found.root
    listed += [_resource("task", task.id, task.title, task.status) for task in tasks[:_MOST]]
    return types.ListResourcesResult(resources=listed)


def _resource(kind: str, identifier: str, title: str, status: str | None = None) -> types.Resource:
    return types.Resource(
        uri=uri_of(kind, identifier), name=identifier, title=title, description=status, mime_type=JSON
    )


async def read_resource(core: Core, uri: str, access: Access) -> types.ReadResourceResult:
    """Read one resource; raises NotFoundError where there is none, or none in view, and what its tool raises."""
    text = await _read(core, Address.parse(uri), access)
    return types.ReadResourceResult(contents=[types.TextResourceContents(uri=uri, mime_type=JSON, text=text)])


async def _read(core: Core, address: Address, access: Access) -> str:
    if address.kind == "events":
        return (await _recent(core, address.since, access)).model_dump_json()
    tool, argument = _READ_BY[address.kind]
    return (await core.toolbox.call(tool, {argument: address.id}, access=access)).model_dump_json()


async def _recent(core: Core, since: str | None, access: Access) -> EventsHappened:
    access.require(Scope.READ)
    everything = index_of([Selector(Pattern("*"), None, access.view)])
    if since is None:
        log = await core.database.log_state()
        cursor = Cursor(log.epoch, max(log.pruned_to, log.head - NEWEST))
    else:
        cursor = Cursor.parse(since)
    return answer(await read_page(core.database, everything, NEWEST, cursor))
