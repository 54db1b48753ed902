"""initiative_link: which initiative the workspace is at work on."""

from __future__ import annotations

from typing import Final

from pydantic import Field

from taskcopilot.errors import NotFoundError
from taskcopilot.store import activity_log, initiatives, stream_rows
from taskcopilot.store.initiatives import Initiative
from taskcopilot.store.stream_rows import Scope
from taskcopilot.store.transaction import ReadTx, Tx
from taskcopilot.tools.fields import Identifier, Text, Title, ToolOutput, WriteInput
from taskcopilot.tools.registry import Tool
from taskcopilot.tools.stream_events import report_progress

__all__ = ["TOOLS", "InitiativeLink", "InitiativeLinked", "initiative_link", "require_initiative", "write_diary"]


class InitiativeLink(WriteInput):
    """Arguments of initiative_link."""

    initiative_id: Identifier = Field(description="any id; it is used as it is")
    title: Title
    description: Text | None = Field(default=None, description="left as it is when absent")


class InitiativeLinked(ToolOutput):
    """Answer of initiative_link."""

    initiative_id: str
    workspace_created: bool = Field(description="true when the initiative was not known before")
    db_path: str = Field(description="the id of the workspace")
    archived_streams_count: int = Field(description="tasks in streams that were archived")


def initiative_link(tx: Tx, call: InitiativeLink) -> InitiativeLinked:
    """Make an initiative the current one, creating it where it is new; new PRDs then belong to it.
    When another one was current, the tasks in its streams are archived, and so are those in streams without a PRD.

    The streams that are left report their new progress.
    """
    previous = initiatives.current(tx)
    known = initiatives.find(tx, call.initiative_id)
    leaving = previous is not None and previous.id != call.initiative_id
    archived = _archive_streams(tx, previous, call.initiative_id) if previous and leaving else 0
    keeps = known is not None and "description" not in call.model_fields_set
    linked = initiatives.save(
        tx,
        call.initiative_id,
        title=call.title,
        description=known.description if known and keeps else call.description or None,
    )
    kind, verb = ("initiative_updated", "Updated") if known else ("initiative_created", "Linked")
    write_diary(tx, linked.id, kind, f"{verb} initiative: {linked.title}")
    return InitiativeLinked(
        initiative_id=linked.id,
        workspace_created=known is None,
        db_path=tx.workspace.id,
        archived_streams_count=archived,
    )


def _archive_streams(tx: Tx, previous: Initiative, successor: str) -> int:
    """Archive the tasks in the streams of the initiative that is left, and report each stream; return how many."""
    archived = stream_rows.archive(tx, Scope.at_home(previous.id), successor)
    if not archived:
        return 0
    write_diary(
        tx,
        previous.id,
        "streams_auto_archived",
        f"Auto-archived {len(archived)} stream tasks due to initiative switch to {successor}",
    )
    streams = sorted(set(archived))
    for stream_id in streams:
        report_progress(tx, stream_id)
    initiatives.forget_ended_runs(tx, streams)
    return len(archived)


def write_diary(tx: Tx, initiative_id: str, kind: str, summary: str) -> None:
    """Note in the diary what happened to an initiative as a whole."""
    activity_log.write(tx, initiative_id, kind=kind, entity_type="initiative", entity_id=initiative_id, summary=summary)


def require_initiative(tx: ReadTx, initiative_id: str | None) -> Initiative:
    """Return the initiative, by default the current one; raise NotFoundError when there is none."""
    found = initiatives.current(tx) if initiative_id is None else initiatives.find(tx, initiative_id)
    if found is None:
        unknown = "No initiative found" if initiative_id is None else f"Initiative not found: {initiative_id}"
        raise NotFoundError(unknown, field="initiativeId")
    return found


TOOLS: Final = (
    Tool(
        name="initiative_link",
        input=InitiativeLink,
        output=InitiativeLinked,
        run=initiative_link,
        writes=True,
        destructive=True,
    ),
)
