"""stream_list, stream_get."""

from __future__ import annotations

from itertools import groupby
from operator import itemgetter
from typing import Final

from pydantic import Field

from taskcopilot.store import initiatives, stream_rows
from taskcopilot.store.stream_rows import Scope
from taskcopilot.store.transaction import ReadTx
from taskcopilot.tools.fields import Identifier, ToolInput, ToolOutput
from taskcopilot.tools.registry import Tool
from taskcopilot.tools.stream_board import order_of, standings
from taskcopilot.tools.stream_info import StreamDetail, StreamInfo, Summary, stream_not_found

__all__ = ["TOOLS", "StreamGet", "StreamList", "Streams", "read_stream", "read_streams", "stream_get", "stream_list"]


class StreamList(ToolInput):
    """Arguments of stream_list."""

    initiative_id: Identifier | None = Field(
        default=None, description="count only tasks of this initiative's PRDs; by default the current one's streams"
    )
    prd_id: Identifier | None = Field(default=None, description="count only tasks of this PRD; wins over initiativeId")
    include_archived: bool = False


class Streams(ToolOutput):
    """Answer of stream_list: by phase (foundation, parallel, integration), then by name."""

    streams: list[StreamInfo]


def stream_list(tx: ReadTx, call: StreamList) -> Streams:
    """List the streams of parallel work with their progress, status, files, dependencies and token use."""
    return Streams(
        streams=read_streams(
            tx, initiative_id=call.initiative_id, prd_id=call.prd_id, include_archived=call.include_archived
        )
    )


def read_streams(
    tx: ReadTx,
    *,
    initiative_id: str | None = None,
    prd_id: str | None = None,
    include_archived: bool = False,
    everywhere: bool = False,
) -> list[StreamInfo]:
    """Return the streams in their order; an unknown initiative or PRD has none.

    With a filter only the tasks under it count. Without one the current initiative chooses the streams, by its PRDs
    and by tasks without a PRD, and all tasks of these count: the numbers are those of the stream's events.
    `everywhere`: the streams of all initiatives.
    """
    if initiative_id is not None or prd_id is not None:
        return _filtered(tx, Scope.of(initiative_id, prd_id).visible(include_archived=include_archived))
    standing = standings(tx, include_archived=include_archived)
    current = None if everywhere else initiatives.current(tx)
    if current is not None:
        prds = stream_rows.prds_of(tx, current.id)
        standing = [stream for stream in standing if stream.is_at_home(prds)]
    return [stream.info for stream in standing]


def _filtered(tx: ReadTx, scope: Scope) -> list[StreamInfo]:
    """Return the streams of which a task is in scope, with the counts of these tasks only."""
    usage = stream_rows.token_usage(tx, scope)
    rows = stream_rows.listing(tx, scope)
    summaries = [Summary.of(stream_id, list(tasks)) for stream_id, tasks in groupby(rows, key=itemgetter("stream_id"))]
    summaries.sort(key=order_of)
    return [summary.info(usage.get(summary.stream_id, 0)) for summary in summaries]


class StreamGet(ToolInput):
    """Arguments of stream_get."""

    stream_id: Identifier
    initiative_id: Identifier | None = Field(default=None, description="only tasks of this initiative's PRDs")
    include_archived: bool = False


def stream_get(tx: ReadTx, call: StreamGet) -> StreamDetail:
    """Read one stream: its tasks, oldest first, its progress, status, dependencies and token use."""
    return read_stream(tx, call.stream_id, initiative_id=call.initiative_id, include_archived=call.include_archived)


def read_stream(
    tx: ReadTx, stream_id: str, *, initiative_id: str | None = None, include_archived: bool = False
) -> StreamDetail:
    """Return one stream, over all initiatives unless one is given; raises NotFoundError when no task is to be shown."""
    scope = Scope.of(initiative_id).visible(include_archived=include_archived)
    tasks = stream_rows.tasks_of(tx, stream_id, scope)
    if not tasks:
        raise stream_not_found(stream_id)
    return Summary.of(stream_id, tasks).detail(tasks, stream_rows.token_usage_of(tx, stream_id, scope))


TOOLS: Final = (
    Tool(name="stream_list", input=StreamList, output=Streams, run=stream_list),
    Tool(name="stream_get", input=StreamGet, output=StreamDetail, run=stream_get),
)
