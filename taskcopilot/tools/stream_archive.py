"""stream_archive_all, stream_unarchive."""

from __future__ import annotations

from typing import Final

from pydantic import Field

from taskcopilot.errors import ConflictError, InvalidArgumentError, NotFoundError
from taskcopilot.store import activity_log, initiatives, prds, stream_rows
from taskcopilot.store.stream_rows import Scope
from taskcopilot.store.transaction import ReadTx, Tx
from taskcopilot.tools.fields import Identifier, ToolOutput, WriteInput
from taskcopilot.tools.registry import Tool
from taskcopilot.tools.stream_events import report_progress
from taskcopilot.tools.stream_info import stream_not_found

__all__ = [
    "TOOLS",
    "StreamArchiveAll",
    "StreamUnarchive",
    "StreamUnarchived",
    "StreamsArchived",
    "stream_archive_all",
    "stream_unarchive",
]

_BY_HAND: Final = "manual"
"""Who archived, where there is no initiative."""

_BULK: Final = "bulk"
"""The entity id of a diary row about many streams."""


class StreamArchiveAll(WriteInput):
    """Arguments of stream_archive_all."""

    confirm: bool = Field(description="must be true")
    initiative_id: Identifier | None = Field(
        default=None, description="only tasks of its PRDs; by default the current one's, and those without a PRD"
    )
    prd_id: Identifier | None = Field(default=None, description="only tasks of this PRD; wins over initiativeId")


class StreamsArchived(ToolOutput):
    """Answer of stream_archive_all."""

    streams_archived: int
    tasks_archived: int
    archived_at: str


def stream_archive_all(tx: Tx, call: StreamArchiveAll) -> StreamsArchived:
    """Archive the tasks of all streams, so that lists leave them out; stream_unarchive brings a stream back.

    By default those streams go that stream_list shows by default, as far as they belong to the current initiative.
    """
    if not call.confirm:
        raise InvalidArgumentError("set confirm to true to archive all streams", field="confirm")
    _require(tx, call.initiative_id, call.prd_id)
    initiative_id = _initiative(tx, call)
    default = call.initiative_id is None and call.prd_id is None
    scope = Scope.at_home(initiative_id) if default else Scope.of(call.initiative_id, call.prd_id)
    archived = stream_rows.archive(tx, scope, initiative_id or _BY_HAND)
    streams = sorted(set(archived))
    subject = f"initiative {initiative_id}" if call.prd_id is None else f"PRD {call.prd_id}"
    activity_log.write(
        tx,
        initiative_id,
        kind="stream_archive_all",
        entity_type="stream",
        entity_id=_BULK,
        summary=f"Archived all streams of {subject} ({len(streams)} streams, {len(archived)} tasks)",
    )
    for stream_id in streams:
        report_progress(tx, stream_id)
    initiatives.forget_ended_runs(tx, streams)
    return StreamsArchived(streams_archived=len(streams), tasks_archived=len(archived), archived_at=tx.at)


class StreamUnarchive(WriteInput):
    """Arguments of stream_unarchive."""

    stream_id: Identifier
    initiative_id: Identifier | None = Field(
        default=None, description="whose diary notes it, by default the current one's; the tasks keep their PRDs"
    )
    prd_id: Identifier | None = Field(default=None, description="only tasks of this PRD")


class StreamUnarchived(ToolOutput):
    """Answer of stream_unarchive. `newInitiativeId` is null while there is no initiative at all."""

    stream_id: str
    tasks_unarchived: int
    new_initiative_id: str | None


def stream_unarchive(tx: Tx, call: StreamUnarchive) -> StreamUnarchived:
    """Bring the archived tasks of a stream back, as they were."""
    _require(tx, call.initiative_id, call.prd_id)
    if not stream_rows.exists(tx, call.stream_id):
        raise stream_not_found(call.stream_id)
    count = stream_rows.unarchive(tx, call.stream_id, Scope.of(prd_id=call.prd_id))
    of_prd = "" if call.prd_id is None else f" for PRD {call.prd_id}"
    if count == 0:
        raise ConflictError(f"No archived tasks found for stream: {call.stream_id}{of_prd}", field="streamId")
    initiative_id = call.initiative_id or _current(tx)
    activity_log.write(
        tx,
        initiative_id,
        kind="stream_unarchived",
        entity_type="stream",
        entity_id=call.stream_id,
        summary=f"Unarchived stream {call.stream_id} ({count} tasks){of_prd}",
    )
    report_progress(tx, call.stream_id)
    return StreamUnarchived(stream_id=call.stream_id, tasks_unarchived=count, new_initiative_id=initiative_id)


def _require(tx: ReadTx, initiative_id: str | None, prd_id: str | None) -> None:
    """Raise NotFoundError for an id that nobody knows: archiving nothing without a word would hide a typing error."""
    if initiative_id is not None and initiatives.find(tx, initiative_id) is None:
        raise NotFoundError(f"Initiative not found: {initiative_id}", field="initiativeId")
    if prd_id is not None and prds.find(tx, prd_id) is None:
        raise NotFoundError(f"PRD not found: {prd_id}", field="prdId")


def _initiative(tx: ReadTx, call: StreamArchiveAll) -> str | None:
    """Return the initiative that archives: the given one, that of the PRD, or the current one."""
    return call.initiative_id or activity_log.initiative_of_prd(tx, call.prd_id) or _current(tx)


def _current(tx: ReadTx) -> str | None:
    current = initiatives.current(tx)
    return None if current is None else current.id


TOOLS: Final = (
    Tool(
        name="stream_archive_all",
        input=StreamArchiveAll,
        output=StreamsArchived,
        run=stream_archive_all,
        writes=True,
        destructive=True,
        repeatable=True,
    ),
    Tool(name="stream_unarchive", input=StreamUnarchive, output=StreamUnarchived, run=stream_unarchive, writes=True),
)
